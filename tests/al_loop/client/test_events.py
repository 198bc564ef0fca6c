"""Streams of events are taken up after the last id that came, and given up only when nobody can be reached."""

from collections.abc import Iterator

import pytest

from al_loop.client.errors import NoAnswerError
from al_loop.client.events import resumed


@pytest.fixture(autouse=True)
def without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("al_loop.client.events.PAUSE_S", 0.0)


def test_broken_stream_goes_on_after_the_last_id() -> None:
    asked: list[str] = []

    def stream(seen: str) -> Iterator[str]:
        asked.append(seen)
        if seen == "0":
            yield from ("id: 1", "event: state", "data: {1}", "", "event: progress", "data: {p}", "")
            raise NoAnswerError("the connection broke")
        yield from ("id: 2", "event: state", "data: {2}")

    events = resumed(stream)
    found = [next(events) for _ in range(3)]
    assert found == [("state", b"{1}"), ("progress", b"{p}"), ("state", b"{2}")]
    assert asked == ["0", "1"]


def test_stream_that_never_opened_or_stays_away_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(seen: str) -> Iterator[str]:
        if seen == "0":
            yield from ("id: 1", "event: state", "data: {1}")
        raise NoAnswerError("gone")

    def closed(_: str) -> Iterator[str]:
        raise NoAnswerError("nothing there")
        yield ""

    with pytest.raises(NoAnswerError, match="nothing there"):
        next(resumed(closed))
    monkeypatch.setattr("al_loop.client.events.RECONNECT_S", 0.0)
    events = resumed(away)
    assert next(events) == ("state", b"{1}")
    with pytest.raises(NoAnswerError, match="gone"):
        next(events)
