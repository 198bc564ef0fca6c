"""Opaque cursors for pages: the last id that was shown."""

from base64 import urlsafe_b64decode, urlsafe_b64encode

from al_loop.errors import InvalidValueError
from service.requests.parameters import LARGEST_ID


def read_cursor(cursor: str | None) -> int:
    """The id after which the page begins; 0 without a cursor.

    Raises:
        InvalidValueError: Not a cursor that this service gave out.
    """
    if cursor is None:
        return 0
    try:
        found = int(urlsafe_b64decode(cursor.encode()).decode("ascii"))
        if not 0 <= found <= LARGEST_ID:
            raise ValueError(found)
        return found
    except ValueError as error:
        raise InvalidValueError("cursor", f"{cursor[:100]!r} is not a cursor from `next_cursor`") from error


def write_cursor(ids: list[int], limit: int) -> str | None:
    """Cursor of the page after the one with these ids; None if it was not full."""
    return urlsafe_b64encode(str(ids[-1]).encode()).decode() if len(ids) == limit else None
