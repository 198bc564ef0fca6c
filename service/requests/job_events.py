"""Server-sent events of a job: each state that it enters, its progress, and a sign of life between them."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, NamedTuple

import msgspec
from litestar.concurrency import sync_to_thread
from litestar.response import ServerSentEvent, ServerSentEventMessage

from al_loop.domain.campaigns import Campaign
from al_loop.domain.jobs import StoredJob
from al_loop.runtime.jobs import JobRecords, JobRunner
from al_loop_records.runs import ProgressLine

EVENT_POLL_S = 0.25
KEEP_ALIVE_S = 15.0


class Look(NamedTuple):
    """A job as it is now."""

    state: str
    is_end: bool
    """Whether nothing follows this state."""


async def stream_job(
    jobs: JobRecords[StoredJob, Any],
    runner: JobRunner[Campaign, Any, Any],
    key: tuple[int, int],
    states: Callable[[], Sequence[bytes]],
    seen: int = 0,
) -> ServerSentEvent:
    """Answer with what happens to a job until its end, see `follow`.

    Args:
        jobs: Where it is stored.
        runner: Knows its progress.
        key: Numbers of its campaign and of the job.
        states: As `follow` takes them.
        seen: How many of them the client has.

    Raises:
        NotFoundError: No such job.
    """
    await sync_to_thread(jobs.get, *key)

    def look() -> Look:
        state = jobs.get(*key).state
        return Look(state, state.is_end)

    return ServerSentEvent(follow(look, lambda: runner.progress(*key), states, seen))


def states_from_now(read: Callable[[], msgspec.Struct]) -> Callable[[], list[bytes]]:
    """States for `stream_job` of a job whose earlier ones are not kept: what `read` gives at each look for them."""
    entered: list[bytes] = []

    def states() -> list[bytes]:
        entered.append(msgspec.json.encode(read()))
        return entered

    return states


async def follow(
    look: Callable[[], Look],
    progress: Callable[[], ProgressLine | None],
    states: Callable[[], Sequence[bytes]],
    seen: int = 0,
) -> AsyncIterator[ServerSentEventMessage]:
    """Yield the states after the first `seen` ones and what changes, until the job has ended.

    Args:
        look: Reads the job.
        progress: Its last line of progress, if there is one.
        states: JSON of the states that it entered so far, or of the one that it is in.
        seen: How many of them the client has.
    """
    state: str | None = None
    last: ProgressLine | None = None
    quiet_s = 0.0
    while True:
        now = await sync_to_thread(look)
        line = progress()
        quiet_s += EVENT_POLL_S
        if now.state != state:
            state, quiet_s = now.state, 0.0
            entered = await sync_to_thread(states)
            for place, data in enumerate(entered[seen:], start=seen + 1):
                yield ServerSentEventMessage(event="state", id=str(place), data=data)
            seen = max(seen, len(entered))
        if line is not None and line != last:
            last, quiet_s = line, 0.0
            yield ServerSentEventMessage(event="progress", data=msgspec.json.encode(line))
        if now.is_end:
            return
        if quiet_s >= KEEP_ALIVE_S:
            quiet_s = 0.0
            yield ServerSentEventMessage(comment="still working", data=None)
        await asyncio.sleep(EVENT_POLL_S)
