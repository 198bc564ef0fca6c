"""Server-sent events, taken up where a connection broke: https://html.spec.whatwg.org/multipage/server-sent-events.html."""

import time
from collections.abc import Callable, Iterator

from service.client.errors import NoAnswerError, ServiceUnreachableError

RECONNECT_S = 60.0
"""For which a broken stream is tried again."""
PAUSE_S = 1.0

Event = tuple[str, bytes]
"""Its kind and its data."""


def resumed(open_stream: Callable[[str], Iterator[str]]) -> Iterator[Event]:
    """Events of a stream that is opened again, after the last id that came, when it breaks or ends.

    The caller stops when it has seen the last event.

    Args:
        open_stream: Gives the lines of the stream after the event with an id; "0": from the first on.

    Raises:
        ServiceUnreachableError, NoAnswerError: It could not be opened at first, or not again within a minute.
    """
    seen, broke_at = "0", 0.0
    while True:
        try:
            event = ""
            for line in open_stream(seen):
                field, _, value = line.partition(": ")
                if field == "event":
                    event = value
                elif field == "id":
                    seen = value
                elif field == "data":
                    broke_at = 0.0
                    yield event, value.encode()
        except (ServiceUnreachableError, NoAnswerError):
            broke_at = broke_at or time.monotonic()
            if seen == "0" or time.monotonic() - broke_at > RECONNECT_S:
                raise
        time.sleep(PAUSE_S)
