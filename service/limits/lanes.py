"""Threads and a queue for each kind of work, so that one kind with too much to do does not stop the others.

Whatever a route does outside the event loop runs in the lane that its `opt` names. A queue that is full refuses at
once, which costs a client a moment; a queue without an end would cost every client the time of all that wait.
"""

import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import Any, NamedTuple, ParamSpec, TypeVar

from litestar.concurrency import sync_to_thread

from models.errors import OverloadedError, RasterTooLargeError

P = ParamSpec("P")
T = TypeVar("T")

LANE = "lane"
"""Key of a handler's or controller's `opt` that names its lane; without it the lane is `STORE`."""

STORE = "store"
PREDICTIONS = "predictions"
SCENES = "scenes"
PICTURES = "pictures"
EXPORTS = "exports"
OPERATIONS = "operations"
HEALTH = "health"
ANSWERS = "answers"

MOST_SMALL_VALUES = 2**22
"""Width x height x bands of an image that is answered beside others: 1,024 px a side with four bands."""

_SMOOTHING = 0.1
_current: ContextVar[str] = ContextVar("lane", default=STORE)


class LaneSize(NamedTuple):
    """How much of one kind of work there may be."""

    waits: str
    """What waits there, as refusals call it."""
    threads: int
    """Done side by side."""
    queue: int | None
    """Further calls that may wait; None: all."""


def lane_sizes() -> dict[str, LaneSize]:
    """The lanes of a service on this machine."""
    cores = os.cpu_count() or 2
    return {
        STORE: LaneSize("requests", 4, 256),  # labels, queries, leases: milliseconds each
        # Of small images. A core is left to the event loop and to labels: on two cores a second thread answered no more
        # images, and labels waited half as long again for the interpreter.
        PREDICTIONS: LaneSize("predictions", max(1, cores - 1), 64),
        SCENES: LaneSize("predictions of whole scenes", 1, 8),  # and uncertainty; minutes on all cores
        PICTURES: LaneSize("pictures", max(2, cores), 128),  # a page asks for a screen full of tiles at once
        EXPORTS: LaneSize("exports", 1, 16),  # seconds each
        OPERATIONS: LaneSize("operations", 4, 32),  # registration, deletion, links, reports: up to minutes
        HEALTH: LaneSize("probes", 1, 64),
        ANSWERS: LaneSize("answers", 2, None),  # what is left once an answer has begun, such as reading a file
    }


@contextmanager
def in_lane(name: str) -> Iterator[None]:
    """Let calls of this task to `sync_to_thread` run in a lane."""
    before = _current.set(name)
    try:
        yield
    finally:
        _current.reset(before)


def use_lane(name: str) -> None:
    """As `in_lane`, up to the end of the task or of the `in_lane` around it."""
    _current.set(name)


async def small_first(predict: Callable[..., T]) -> T:
    """The answer to an image; a large one waits for the large ones before it, and no small one waits for it.

    Args:
        predict: Gives the answer. With `most_values` it raises `RasterTooLargeError` instead, before it reads a pixel
            of an image of more width x height x bands.
    """
    try:
        return await sync_to_thread(predict, most_values=MOST_SMALL_VALUES)
    except RasterTooLargeError:  # or larger than is taken at all, which the same call finds
        with in_lane(SCENES):
            return await sync_to_thread(predict)


class Lanes(ThreadPoolExecutor):
    """All lanes as one executor, to be the default one of an event loop (`loop.set_default_executor`)."""

    def __init__(self, sizes: dict[str, LaneSize] | None = None) -> None:
        """Make the lanes; threads start when they are needed.

        Args:
            sizes: By name; default: `lane_sizes`.
        """
        super().__init__(max_workers=1)  # has no work of its own
        self._lanes = {name: _Lane(name, size) for name, size in (sizes or lane_sizes()).items()}

    def check(self, name: str) -> None:
        """Refuse work for which there is no room now, before anything is spent on it.

        Raises:
            OverloadedError: The queue of the lane is full.
        """
        self._lanes[name].check()

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Run a call in the lane of the present task.

        A future that is cancelled while it waits is never run, and leaves the queue at once.

        Raises:
            OverloadedError: The queue of the lane is full.
        """
        return self._lanes[_current.get()].submit(partial(fn, *args, **kwargs))

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Finish what was submitted and end the threads."""
        for lane in self._lanes.values():
            lane.pool.shutdown(wait, cancel_futures=cancel_futures)
        super().shutdown(wait, cancel_futures=cancel_futures)


class _Lane:
    """Some threads, and how many calls they have before them."""

    def __init__(self, name: str, size: LaneSize) -> None:
        self.pool = ThreadPoolExecutor(size.threads, thread_name_prefix=name)
        self._size = size
        self._most = None if size.queue is None else size.threads + size.queue
        self._lock = threading.Lock()
        self._inside = 0
        self._seconds = 0.0
        """Of a call, a moving mean."""

    def check(self) -> None:
        if self._most is not None and self._inside >= self._most:
            waiting = self._inside - self._size.threads
            raise OverloadedError(waiting, self._inside * self._seconds / self._size.threads, self._size.waits)

    def submit(self, call: Callable[[], T]) -> Future[T]:
        with self._lock:
            self.check()
            self._inside += 1
        try:
            future = self.pool.submit(self._timed, call)
        except BaseException:
            self._leave(None)
            raise
        future.add_done_callback(self._leave)
        return future

    def _timed(self, call: Callable[[], T]) -> T:
        started = time.perf_counter()
        try:
            return call()
        finally:
            self._seconds += _SMOOTHING * (time.perf_counter() - started - self._seconds)

    def _leave(self, _: Future[Any] | None) -> None:
        with self._lock:
            self._inside -= 1
