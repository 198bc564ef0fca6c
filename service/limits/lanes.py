"""Threads and a queue for each kind of work, so that one kind with too much to do does not stop the others.

Whatever a route does outside the event loop runs in the lane that its `opt` names. While the queue of a lane is full,
further requests wait unread for a second, and are refused then. A queue without an end would cost every client
the time of all that wait; clients that are refused at once ask again at once, and what that takes is missing to others.
"""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import ParamSpec, TypeVar

from litestar.concurrency import sync_to_thread

from models.errors import RasterTooLargeError
from service.limits.lane import Lane, LaneSize, Place

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

_current: ContextVar[str] = ContextVar("lane", default=STORE)
_place: ContextVar[Place | None] = ContextVar("place", default=None)


def lane_sizes() -> dict[str, LaneSize]:
    """The lanes of a service on this machine."""
    cores = os.cpu_count() or 2
    return {
        STORE: LaneSize("requests", 4, 256),  # labels, queries, leases: milliseconds each
        # Of small images. A core is left to the event loop and to labels, but for the image that is in the model. On
        # two cores eight clients get a third more masks a second than by one thread; labels take 43 instead of 28 ms.
        PREDICTIONS: LaneSize("predictions", max(2, cores), 64, turns=max(1, cores - 1)),
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


def begin_answer() -> None:
    """Give back the place that the task has in a lane; what it still calls runs where nothing is refused."""
    place = _place.get()
    if place is not None:
        place.give_back()
    _current.set(ANSWERS)


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
        self._lanes = {name: Lane(name, size) for name, size in (sizes or lane_sizes()).items()}

    def place(self, name: str) -> "_Admission":
        """Wait for a place in a lane, before anything is spent on a request; first come, first served.

        The calls of the block (`async with`) have it up to `begin_answer`. If there is none within `lane.KEPT_S` it is
        lost, as a body that comes slowly would keep others out.

        Raises:
            OverloadedError: There was none within `lane.PATIENCE_S`.
        """
        return _Admission(self._lanes[name], name)

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Run a call in the lane of the present task.

        A future that is cancelled while it waits is never run, and leaves the queue at once.

        Raises:
            OverloadedError: The queue of the lane is full.
        """
        lane, place = self._lanes[_current.get()], _place.get()
        return lane.submit(
            partial(fn, *args, **kwargs), counted=place is not None and place.lane is lane and place.keep()
        )

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Finish what was submitted and end the threads."""
        for lane in self._lanes.values():
            lane.pool.shutdown(wait, cancel_futures=cancel_futures)
        super().shutdown(wait, cancel_futures=cancel_futures)


class _Admission:
    """The block in which a request has its place."""

    def __init__(self, lane: Lane, name: str) -> None:
        self._lane, self._name = lane, name

    async def __aenter__(self) -> None:
        await self._lane.wait_for_room()
        self._place = Place(self._lane)
        self._before = _place.set(self._place), _current.set(self._name)

    async def __aexit__(self, *_: object) -> None:
        self._place.give_back()
        _place.reset(self._before[0])
        _current.reset(self._before[1])
