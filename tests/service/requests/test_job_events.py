"""Server-sent events of a job, from what it says when it is looked at."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest
from litestar.response import ServerSentEventMessage

from al_loop_records.runs import ProgressLine
from service.requests import job_events
from service.requests.job_events import Look, follow


def told(states: list[str], lines: list[ProgressLine | None], seen: int = 0) -> list[ServerSentEventMessage]:
    """Events of a job that is in the next state at each look, and ends in the last."""
    looks, at = iter(states), iter(lines)
    entered: list[bytes] = []

    def look() -> Look:
        now = next(looks)
        if not entered or entered[-1] != now.encode():
            entered.append(now.encode())
        return Look(now, now == states[-1])

    async def gather() -> list[ServerSentEventMessage]:
        return [event async for event in follow(look, lambda: next(at), lambda: list(entered), seen)]

    with ThreadPoolExecutor(1) as pool:  # other tests may have left a loop running in this thread
        return pool.submit(asyncio.run, gather()).result()


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_events, "EVENT_POLL_S", 0.001)


def test_each_state_is_told_once_and_progress_where_it_changes() -> None:
    one, two = (ProgressLine(time=0.0, phase="predicting", done=done, total=9) for done in (1, 2))
    events = told(["queued", "running", "running", "running", "done"], [None, one, one, two, two])
    assert [(event.event, event.id) for event in events] == [
        ("state", "1"), ("state", "2"), ("progress", None), ("progress", None), ("state", "3"),
    ]  # fmt: skip
    assert events[-1].data == b"done"


def test_states_that_the_client_has_are_not_told_again() -> None:
    assert [event.id for event in told(["queued", "running", "done"], [None] * 3, seen=2)] == ["3"]


def test_a_sign_of_life_where_nothing_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_events, "KEEP_ALIVE_S", 0.0015)
    events = told(["running"] * 4 + ["done"], [None] * 5)
    assert "still working" in [event.comment for event in events]
