"""Gives memory that was freed back to the operating system, where the C library keeps it."""

import ctypes
import sys
from functools import cache


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
