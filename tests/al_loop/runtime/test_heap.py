"""Freed memory goes back to the operating system."""

import ctypes
import sys
import threading
from pathlib import Path

import pytest

from al_loop.runtime import heap
from al_loop.runtime.heap import HeapTrimming, trim_heap
from tests.waiting import wait_for

PIECE, COUNT = 64_000, 2_000
"""Below the size from which glibc asks the system for each piece: such go back at once anyway."""


def anonymous_mb() -> int:
    rollup = Path("/proc/self/smaps_rollup").read_text()
    return int(rollup.split("Anonymous:")[1].split()[0]) // 1024


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks Linux")
def test_freed_pieces_are_given_back() -> None:
    libc = ctypes.CDLL(None)
    libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
    pieces = [libc.malloc(PIECE) for _ in range(COUNT)]
    for piece in pieces:
        ctypes.memset(piece, 1, PIECE)
    last = pieces.pop()  # keeps the heap from shrinking by itself
    for piece in pieces:
        libc.free(piece)
    before = anonymous_mb()
    assert trim_heap()
    after = anonymous_mb()
    libc.free(last)
    assert before - after > 0.8 * PIECE * COUNT / 2**20


def test_heap_is_trimmed_once_for_all_that_asked_and_not_after_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    trims: list[int] = []
    monkeypatch.setattr(heap, "trim_heap", lambda: trims.append(1))
    trimming = HeapTrimming(after_s=0.05)
    for _ in range(3):
        trimming.ask()
    assert trims == []  # nobody waits for it
    wait_for(lambda: len(trims) == 1)
    trimming.ask()
    wait_for(lambda: len(trims) == 2)
    patient = HeapTrimming(after_s=3600)
    patient.ask()
    patient.close()
    patient.close()
    timers = [thread for thread in threading.enumerate() if isinstance(thread, threading.Timer)]
    assert not [timer for timer in timers if timer.interval == 3600 and not timer.finished.is_set()]
