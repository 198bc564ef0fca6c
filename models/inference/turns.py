"""Turns at the interpreter: while the image of one thread is in a model, another thread reads or writes one.

Python runs one thread at a time, and each further thread that wants to run makes all others wait longer for it. A graph
runs without the interpreter. So a pool that has one thread more than it has turns keeps a core busy with graphs, and
others wait for the interpreter as beside a single thread that never pauses.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from queue import SimpleQueue

_local = threading.local()


class Turns:
    """A number of turns, and the threads that wait for one."""

    def __init__(self, count: int) -> None:
        """Let `count` threads have a turn at once."""
        self._free: SimpleQueue[None] = SimpleQueue()  # in C: `threading.Semaphore` takes the interpreter to wait
        for _ in range(count):
            self._free.put(None)

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Wait for a turn and have it during the block, but for what runs in `given_away`. Not to be nested."""
        self._free.get()
        _local.turns = self
        try:
            yield
        finally:
            _local.turns = None
            self._free.put(None)

    @contextmanager
    def _without(self) -> Iterator[None]:
        self._free.put(None)
        try:
            yield
        finally:
            self._free.get()


@contextmanager
def given_away() -> Iterator[None]:
    """Let another thread have this thread's turn during the block; nothing happens in a thread that has none."""
    turns: Turns | None = getattr(_local, "turns", None)
    if turns is None:
        yield
        return
    with turns._without():
        yield
