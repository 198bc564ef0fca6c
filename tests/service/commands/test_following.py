"""Jobs of the service are followed in the terminal to their end, and cancelled by Ctrl-C."""

from collections.abc import Iterator

import pytest

from al_loop.domain.jobs import JobState
from al_loop_records.runs import ProgressLine
from service.commands import following
from service.commands.following import follow_with_bar, follow_with_lines


class State(JobState):
    """Of the jobs here."""

    QUEUED = "queued"
    WORKING = "working"
    FINISHED = "finished"


class Seen:
    """A job as it was seen once."""

    def __init__(self, state: State, done: int | None = None) -> None:
        self.state = state
        self.progress = None if done is None else ProgressLine(time=0.0, phase="working", done=done, total=4)


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "POLL_S", 0.0)


def views() -> Iterator[Seen]:
    yield from (Seen(State.QUEUED), Seen(State.WORKING, 1), Seen(State.WORKING, 2), Seen(State.FINISHED))


def never() -> None:
    raise AssertionError("nobody cancelled it")


def test_each_line_is_said_once_until_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    looks = views()
    ended = follow_with_lines(next(looks), lambda: next(looks), never, lambda seen: f"job is {seen.state}", quiet=False)
    assert ended.state is State.FINISHED
    assert capsys.readouterr().err.splitlines() == ["job is queued", "job is working"]


def test_bar_goes_when_the_job_has_ended(capsys: pytest.CaptureFixture[str]) -> None:
    looks = views()
    assert follow_with_bar(next(looks), lambda: next(looks), never, quiet=True).state is State.FINISHED
    assert capsys.readouterr() == ("", "")


def test_job_that_has_ended_is_not_asked_for_again() -> None:
    ended = Seen(State.FINISHED)
    assert follow_with_bar(ended, lambda: next(iter(())), never, quiet=True) is ended


def test_ctrl_c_cancels_the_job_and_goes_on_up() -> None:
    cancelled: list[bool] = []

    def interrupted() -> Seen:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        follow_with_bar(Seen(State.WORKING), interrupted, lambda: cancelled.append(True), quiet=True)
    assert cancelled == [True]
