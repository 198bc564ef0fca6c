"""Let concurrent callers share runs of one model, and replace the model under them without failing anybody.

There is no waiting window and no thread of our own: a caller who finds the model idle runs it at once; callers who come
meanwhile queue up, and when the run ends the first of them takes along everybody whose images have the same shape.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from models.errors import OverloadedError
from models.inference.image_model import ImageModel, Outputs
from models.inference.predictor import Predictor
from models.inference.turns import given_away
from models.tracing import span

OnBatch = Callable[[Sequence[str], int, float], None]
"""Called with the tasks of a model, the images of a run and the seconds that it took."""

_BUCKETS = (1, 2, 4, 8, 16, 32)
"""Batch sizes on a GPU: cuDNN plans again for every new shape."""
_MAX_BATCH_PX = 2**21
"""Pixels of a batch at most (eight tiles of 512 px), to bound memory."""
_SMOOTHING = 0.2


class Batcher:
    """The serving model. All methods may be called from any thread; calls block until they are answered."""

    def __init__(
        self,
        predictor: Predictor,
        *,
        max_waiting: int = 256,
        on_batch: OnBatch = lambda tasks, images, seconds: None,
    ) -> None:
        """Serve with `predictor`.

        Args:
            predictor: The first model.
            max_waiting: Images that may queue; further ones are refused.
            on_batch: Called after each run; must be quick.
        """
        self._lock = threading.Lock()
        self._predictor = predictor
        self._queue: deque[_Job] = deque()
        self._max_waiting = max_waiting
        self._waiting = 0
        self._busy = False
        self._closed = False
        self._seconds_per_image = 0.0
        self._on_batch = on_batch

    @property
    def version(self) -> str:
        """Version that answers new calls."""
        return self._predictor.version

    def pin(self) -> ImageModel:
        """The model of this moment: it stays the same across calls, whatever is swapped in meanwhile."""
        return _Pinned(self, self._predictor)

    def swap(self, predictor: Predictor) -> None:
        """Answer new calls with another model; calls under way, and their further tiles, stay with theirs."""
        self._predictor = predictor

    def close(self) -> None:
        """Refuse new calls; those under way are still answered. May be called again."""
        self._closed = True

    def run(self, predictor: Predictor, images: NDArray[np.float32]) -> Outputs:
        """Run images (N, C, H, W) of one call on `predictor`, together with other callers' where that is possible.

        Another thread has the caller's turn meanwhile, see `models.inference.turns`.

        Raises:
            OverloadedError: Too many images are waiting.
            RuntimeError: The batcher is closed.
        """
        job = _Job(predictor, images)
        with self._lock:
            if self._closed:
                raise RuntimeError("the model is shutting down")
            leads = not self._busy
            if leads:
                self._busy = True
            elif self._waiting + len(images) > self._max_waiting:
                raise OverloadedError(self._waiting, max(1.0, self._waiting * self._seconds_per_image))
            else:
                self._queue.append(job)
                self._waiting += len(images)
        with given_away():
            if not leads:
                job.wait()
            if not job.is_answered:
                self._lead(job)
        return job.result()

    def _lead(self, first: "_Job") -> None:
        """Run a batch that begins with `first`, then let the next in the queue lead."""
        try:
            batch = [first, *self._take_similar(first)]
            images = sum(len(job.images) for job in batch)
            started = time.perf_counter()
            with span("al_loop.predict", version=first.predictor.version, images=images, calls=len(batch)):
                _run_batch(batch)
            seconds = time.perf_counter() - started
            self._seconds_per_image += _SMOOTHING * (seconds / images - self._seconds_per_image)
            self._on_batch([spec.task for spec in first.predictor.card.tasks], images, seconds)
        finally:
            with self._lock:
                successor = self._queue.popleft() if self._queue else None
                if successor is None:
                    self._busy = False
                else:
                    self._waiting -= len(successor.images)
            if successor is not None:
                successor.wake()

    def _take_similar(self, first: "_Job") -> list["_Job"]:
        """Take jobs off the queue that can run together with `first`."""
        with self._lock:
            if not self._queue:
                return []
            room = max(1, min(_BUCKETS[-1], _MAX_BATCH_PX // first.pixels)) - len(first.images)
            taken, left = [], deque[_Job]()
            for job in self._queue:
                if job.fits(first) and len(job.images) <= room:
                    room -= len(job.images)
                    taken.append(job)
                else:
                    left.append(job)
            self._queue = left
            self._waiting -= sum(len(job.images) for job in taken)
            return taken


class _Pinned(ImageModel):
    """One predictor, run through the queue."""

    def __init__(self, batcher: Batcher, predictor: Predictor) -> None:
        self.card = predictor.card
        self.tiles_per_run = predictor.tiles_per_run
        self._batcher, self._predictor = batcher, predictor

    def run(self, images: NDArray[np.float32]) -> Outputs:
        return self._batcher.run(self._predictor, images)


class _Job:
    """The images of one call and, later, the answer."""

    def __init__(self, predictor: Predictor, images: NDArray[np.float32]) -> None:
        self.predictor, self.images = predictor, images
        self.pixels = images.shape[2] * images.shape[3]
        self.is_answered = False
        self._outputs: Outputs = {}
        self._error: Exception | None = None
        self._woken = threading.Lock()  # half the price of a threading.Event
        self._woken.acquire()

    def fits(self, other: "_Job") -> bool:
        return self.predictor is other.predictor and self.images.shape[1:] == other.images.shape[1:]

    def wait(self) -> None:
        """Block until another thread answered this job, or it is its turn to lead."""
        self._woken.acquire()

    def wake(self) -> None:
        self._woken.release()

    def run_alone(self) -> None:
        """Answer with the outcome of a run of its own, be it an error: the caller's thread raises it."""
        try:
            self.answer(self.predictor.run(self.images))
        except Exception as error:
            self._error = error
            self.is_answered = True

    def answer(self, outputs: Outputs) -> None:
        self._outputs = outputs
        self.is_answered = True

    def result(self) -> Outputs:
        if self._error is not None:
            raise self._error
        return self._outputs


def _run_batch(batch: Sequence[_Job]) -> None:
    """Run jobs together, answer all of them and wake all but the first, who is the caller."""
    first, *others = batch
    try:
        images = first.images if not others else np.concatenate([job.images for job in batch])
        outputs = first.predictor.run(_filled_up(images) if first.predictor.device == "cuda" else images)
        start = 0
        for job in batch:
            part = slice(start, start + len(job.images))
            job.answer({name: values[part] for name, values in outputs.items()})
            start = part.stop
    except Exception:  # of whatever kind: one caller's trouble, or a batch too large, must not fail the others
        for job in batch:
            job.run_alone()
    finally:
        for job in others:
            job.wake()


def _filled_up(images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Images and as many NaN ones as make the next size of `_BUCKETS`."""
    size = next((bucket for bucket in _BUCKETS if bucket >= len(images)), len(images))
    if size == len(images):
        return images
    filling = np.full((size - len(images), *images.shape[1:]), np.nan, np.float32)
    return np.concatenate([images, filling])
