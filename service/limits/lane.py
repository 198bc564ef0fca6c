"""One lane: its threads, the places of those that are in it, and the requests that wait for one."""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext, suppress
from typing import Any, NamedTuple, TypeVar

from models.errors import OverloadedError
from models.inference.turns import Turns

T = TypeVar("T")

PATIENCE_S = 1.0
"""How long a request waits for room in its lane, in seconds."""

KEPT_S = 0.5
"""How long a place is kept for a request that calls nothing, as its body is still coming, in seconds."""

_SMOOTHING = 0.1


class LaneSize(NamedTuple):
    """How much of one kind of work there may be."""

    waits: str
    """What waits there, as refusals call it."""
    threads: int
    """Done side by side."""
    queue: int | None
    """Further calls that may wait; None: all."""
    turns: int | None = None
    """How many of the threads work in the interpreter at once, the others being in a model; None: all."""


class Lane:
    """Some threads, and the places of the requests and calls that they have before them."""

    def __init__(self, name: str, size: LaneSize) -> None:
        self.pool = ThreadPoolExecutor(size.threads, thread_name_prefix=name)
        self._size = size
        self._turns = None if size.turns is None else Turns(size.turns)
        self._most = None if size.queue is None else size.threads + size.queue
        self._waiting: deque[asyncio.Future[None]] = deque()
        """Requests that wait for room."""
        self._lock = threading.Lock()
        self._inside = 0
        self._seconds = 0.0
        """Of a call, a moving mean."""

    async def wait_for_room(self) -> None:
        """Wait for a place and take it.

        Raises:
            OverloadedError: There was none within `PATIENCE_S`.
        """
        if self._most is None or (self._inside < self._most and not self._waiting):
            self._take()
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            async with asyncio.timeout(PATIENCE_S):
                await turn
        except TimeoutError:
            if turn.cancelled():
                self._take()  # refuses, unless room came just now
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # it had just been given the place
                self.leave()
            raise
        finally:
            if turn in self._waiting:
                self._waiting.remove(turn)

    def submit(self, call: Callable[[], T], *, counted: bool) -> Future[T]:
        """Run a call; one that is not `counted` with its request takes a place of its own.

        Raises:
            OverloadedError: There is none.
        """
        if counted:
            return self.pool.submit(self._timed, call)
        self._take()
        try:
            future = self.pool.submit(self._timed, call)
        except BaseException:
            self.leave()
            raise
        future.add_done_callback(self.leave)
        return future

    def _timed(self, call: Callable[[], T]) -> T:
        started = time.perf_counter()
        try:
            with self._turns.taken() if self._turns else nullcontext():
                return call()
        finally:
            self._seconds += _SMOOTHING * (time.perf_counter() - started - self._seconds)

    def leave(self, _: Future[Any] | None = None) -> None:
        """Give a place back, to whoever waits first."""
        with self._lock:
            self._inside -= 1
        with suppress(IndexError):  # whoever waited alone has just gone
            self._waiting[0].get_loop().call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        while self._waiting and self._inside < (self._most or 0):
            turn = self._waiting.popleft()
            if not turn.done():
                self._take()
                turn.set_result(None)

    def _take(self) -> None:
        with self._lock:
            if self._most is not None and self._inside >= self._most:
                waiting, wait_s = self._inside - self._size.threads, self._inside * self._seconds / self._size.threads
                raise OverloadedError(waiting, wait_s, self._size.waits)
            self._inside += 1


class Place:
    """That of a request in a lane, from its admission to its answer."""

    def __init__(self, lane: Lane) -> None:
        self.lane = lane
        self._held = True
        self._timer = asyncio.get_running_loop().call_later(KEPT_S, self.give_back)

    def keep(self) -> bool:
        """Whether it is still held; it is to the end then."""
        self._timer.cancel()
        return self._held

    def give_back(self) -> None:
        """Let the next one in; more than once does no harm."""
        self._timer.cancel()
        if self._held:
            self._held = False
            self.lane.leave()
