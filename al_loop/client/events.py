"""Server-sent events, taken up where a connection broke: https://html.spec.whatwg.org/multipage/server-sent-events.html."""

import time
from collections.abc import Callable, Iterator

from al_loop.client.errors import NoAnswerError, ServiceUnreachableError

RECONNECT_S = 60.0
"""For which a broken stream is tried again."""
PAUSE_S = 1.0

Event = tuple[str, bytes]
"""Its kind and its data."""


class EventLines:
    """What the lines of a stream say, across connections."""

    def __init__(self) -> None:
        self.seen = "0"
        """Id of the last event; "0": none came."""
        self._kind = ""

    def event(self, line: str) -> Event | None:
        """The event that a line completes, if it does."""
        field, _, value = line.partition(": ")
        if field == "event":
            self._kind = value
        elif field == "id":
            self.seen = value
        elif field == "data":
            return self._kind, value.encode()
        return None


def resumed(open_stream: Callable[[str], Iterator[str]]) -> Iterator[Event]:
    """Events of a stream that is opened again, after the last id that came, when it breaks or ends.

    The caller stops when it has seen the last event.

    Args:
        open_stream: Gives the lines of the stream after the event with an id; "0": from the first on.

    Raises:
        ServiceUnreachableError, NoAnswerError: It could not be opened at first, or not again within a minute.
    """
    lines, broke_at = EventLines(), 0.0
    while True:
        try:
            for line in open_stream(lines.seen):
                event = lines.event(line)
                if event is not None:
                    broke_at = 0.0
                    yield event
        except (ServiceUnreachableError, NoAnswerError):
            broke_at = broke_at or time.monotonic()
            if lines.seen == "0" or time.monotonic() - broke_at > RECONNECT_S:
                raise
        time.sleep(PAUSE_S)
