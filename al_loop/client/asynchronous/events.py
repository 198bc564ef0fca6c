"""Server-sent events for event loops; see `al_loop.client.events`."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable

from al_loop.client import events
from al_loop.client.errors import NoAnswerError, ServiceUnreachableError
from al_loop.client.events import Event, EventLines


async def resumed(open_stream: Callable[[str], AsyncIterator[str]]) -> AsyncIterator[Event]:
    """Events of a stream that is opened again, after the last id that came; arguments and errors of the other one."""
    lines, broke_at = EventLines(), 0.0
    while True:
        try:
            async for line in open_stream(lines.seen):
                event = lines.event(line)
                if event is not None:
                    broke_at = 0.0
                    yield event
        except (ServiceUnreachableError, NoAnswerError):
            broke_at = broke_at or time.monotonic()
            if lines.seen == "0" or time.monotonic() - broke_at > events.RECONNECT_S:
                raise
        await asyncio.sleep(events.PAUSE_S)
