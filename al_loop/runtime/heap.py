"""Gives memory that was freed back to the operating system, where the C library keeps it."""

import ctypes
import sys
import threading
from functools import cache

AFTER_S = 5.0
"""Seconds after which the heap is trimmed."""


class HeapTrimming:
    """Trims the heap a while after it was asked for, once for all that asked meanwhile.

    Trimming takes 5 to 10 ms in which every thread waits that asks for memory, and what it gave back has to be asked
    for again: not right after a hot swap, when those wait whose images came meanwhile.
    """

    def __init__(self, after_s: float = AFTER_S) -> None:
        self._after_s = after_s
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None

    def ask(self) -> None:
        """Trim the heap in a while, if that is not going to happen anyway."""
        with self._lock:
            if self._timer is not None:
                return
            self._timer = threading.Timer(self._after_s, self._trim)
            self._timer.daemon = True
            self._timer.start()

    def close(self) -> None:
        """Do not trim any more what was asked for."""
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None

    def _trim(self) -> None:
        with self._lock:
            self._timer = None
        trim_heap()


def trim_heap() -> bool:
    """Give back what is free; whether that can be asked for here (glibc).

    A model takes tens of MB in many pieces. glibc keeps them after they are freed, for each thread apart, so that a
    service grew by 90 MB with its first hot swaps, and slowly on.
    """
    trim = _malloc_trim()
    if trim is None:
        return False
    trim(0)
    return True


@cache
def _malloc_trim() -> "ctypes._NamedFuncPointer | None":
    if not sys.platform.startswith("linux"):
        return None
    return getattr(ctypes.CDLL(None), "malloc_trim", None)  # musl has none
