"""Whether anybody still waits for what is being computed: long work looks from time to time, and ends if not."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from models.errors import NotWantedError

_unwanted: ContextVar[threading.Event | None] = ContextVar("unwanted", default=None)


@contextmanager
def unwanted_once(event: threading.Event) -> Iterator[None]:
    """Let `check_wanted` in this block, and in threads that run with a copy of its context, refuse once it is set."""
    before = _unwanted.set(event)
    try:
        yield
    finally:
        _unwanted.reset(before)


def check_wanted() -> None:
    """Go on if somebody waits.

    Raises:
        NotWantedError: The client has gone.
    """
    event = _unwanted.get()
    if event is not None and event.is_set():
        raise NotWantedError
