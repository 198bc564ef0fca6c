"""Server-sent events of a job: each state that it enters, its progress, and a sign of life between them."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import NamedTuple

import msgspec
from litestar.concurrency import sync_to_thread
from litestar.response import ServerSentEventMessage

from al_loop_records.runs import ProgressLine

EVENT_POLL_S = 0.25
KEEP_ALIVE_S = 15.0


class Look(NamedTuple):
    """A job as it is now."""

    state: str
    is_end: bool
    """Whether nothing follows this state."""


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
