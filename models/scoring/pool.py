"""Score many images with one model, or describe them by simple features: batches of equal shape, tiles for large ones.

Knows nothing of the store, of rounds or of the command line.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from models.card import BandPolicy, TaskSpec
from models.errors import MissingRasterError, RasterError, UnusableRasterError
from models.inference.image_model import ImageModel
from models.progress import Progress
from models.rasters.bands import AS_DECLARED, invalid_pixels
from models.scoring.features import image_features
from models.scoring.reader import PoolImage, ReducedImage, prefetch, read_for_features, read_for_model
from models.scoring.results import ScoringResults
from models.tasks import Task, tasks_of
from models.tasks.task import Scores, Tables
from models.tasks.tiles import MeanOverTiles
from models.tasks.uncertainty import SCORE_NAMES

T = TypeVar("T")
Item = TypeVar("Item")

BATCH_PX = 32 * 128 * 128
"""Pixels of a batch: 2 images of 512 px, 32 of 128 px."""

BATCH_IMAGES = 32
"""Images of a batch at most; larger ones no longer raise the throughput of small models on CPU."""

PENDING_BATCHES = 4
"""Full batches that may wait while images of many shapes come mixed; then the fullest incomplete one is run."""

REPORT_EVERY_S = 0.5

_FAILURES = (RasterError, UnusableRasterError, FileNotFoundError)
_GONE = (MissingRasterError, FileNotFoundError)
"""What is wrong with one sample only."""


def score_with_model(
    model: ImageModel, paths: Sequence[Path], tasks: Sequence[TaskSpec], results: ScoringResults, progress: Progress
) -> None:
    """Score every path with a model; samples that cannot be read or used are skipped with the reason.

    Args:
        model: The version that scores.
        paths: One file a row of `results`.
        tasks: Tasks to score, all of them heads of the model.
        results: Filled in.
        progress: Called about every half second.
    """
    work = _Batches(model, tasks, results)
    report = Reporter(progress, len(paths))
    for row, image in enumerate(prefetch(skippable(partial(read_for_model, card=model.card)), paths)):
        if isinstance(image, Skipped):
            results.skip(row, image.reason, unreadable=image.unreadable, gone=image.gone)
        else:
            results.record_file(row, image.pixel_hash, image.content_hash, image.modified_ns)
            work.add(row, image)
        report.done(row + 1)
    work.finish()


def score_with_features(
    paths: Sequence[Path],
    bands: Sequence[int],
    results: ScoringResults,
    progress: Progress,
    policy: BandPolicy = AS_DECLARED,
) -> None:
    """Describe every path by `image_features`, with zeros for scores and no pixel hash; see `score_with_model`."""
    report = Reporter(progress, len(paths))
    zeros: Scores = {name: np.zeros(1, np.float32) for name in SCORE_NAMES}
    for row, features in enumerate(prefetch(skippable(partial(_features, bands=bands, policy=policy)), paths)):
        if isinstance(features, Skipped):
            results.skip(row, features.reason, unreadable=features.unreadable, gone=features.gone)
        else:
            values, image = features
            results.record_file(row, None, image.content_hash, image.modified_ns)
            results.record([row], values[None], {"": zeros})
        report.done(row + 1)


class _Batches:
    """Collects images by shape and runs them when a batch is full."""

    def __init__(self, model: ImageModel, tasks: Sequence[TaskSpec], results: ScoringResults) -> None:
        self._model, self._tasks, self._results = model, tasks_of(tasks), results
        self._waiting: dict[tuple[int, ...], list[tuple[int, NDArray[np.float32]]]] = {}
        self._waiting_px = 0

    def add(self, row: int, image: PoolImage) -> None:
        tile_px = self._model.card.tile_px
        if image.values is None or max(image.height, image.width) > tile_px:
            self._run_large(row, image)
            return
        shape = image.values.shape
        pixels = image.height * image.width
        batch = self._waiting.setdefault(shape, [])
        batch.append((row, image.values))
        self._waiting_px += pixels
        if len(batch) >= min(BATCH_IMAGES, max(1, BATCH_PX // pixels)):
            self._run(shape)
        elif self._waiting_px > PENDING_BATCHES * BATCH_PX:
            self._run(max(self._waiting, key=lambda shape: len(self._waiting[shape]) * shape[1] * shape[2]))

    def finish(self) -> None:
        for shape in list(self._waiting):
            self._run(shape)

    def _run(self, shape: tuple[int, ...]) -> None:
        batch = self._waiting.pop(shape)
        self._waiting_px -= len(batch) * shape[1] * shape[2]
        images = np.stack([values for _, values in batch])  # (N, C, H, W)
        try:
            self._record([row for row, _ in batch], images)
        except UnusableRasterError as error:
            if len(batch) == 1:
                self._results.skip(batch[0][0], error.reason)
                return
            for single in batch:  # one image with absurd values must not take its neighbours along
                self._waiting[shape] = [single]
                self._waiting_px += shape[1] * shape[2]
                self._run(shape)

    def _run_large(self, row: int, image: PoolImage) -> None:
        try:
            embedding, scores, tables = _score_tiles(self._model, self._tasks, image)
        except _FAILURES as error:
            unreadable = not isinstance(error, UnusableRasterError)
            self._results.skip(row, _reason(error), unreadable=unreadable, gone=isinstance(error, _GONE))
            return
        self._results.record([row], embedding[None], scores, tables)

    def _record(self, rows: list[int], images: NDArray[np.float32]) -> None:
        outputs = self._model.predict_batch(images)
        invalid = invalid_pixels(images)  # (N, H, W)
        scores = {name: task.scores(outputs[name], invalid) for name, task in self._tasks.items()}
        tables: Tables = {}
        for name, task in self._tasks.items():
            tables |= task.tables(outputs[name], invalid)
        self._results.record(rows, outputs["embedding"], scores, tables)


def _score_tiles(
    model: ImageModel, tasks: Mapping[str, Task], image: PoolImage
) -> tuple[NDArray[np.float32], dict[str, Scores], Tables]:
    """Embedding (D,), scores (1,) and tables (1, ...) of an image that is read, predicted and summed tile by tile."""
    scores = {name: task.gather_scores(image.height, image.width) for name, task in tasks.items()}
    tables = {name: task.gather_tables(image.height, image.width) for name, task in tasks.items()}
    embedding, answered = MeanOverTiles(), False
    for tile in model.predict_tiles(image.height, image.width, image.read):
        answered = True
        embedding.add(tile.window, tile.valid, tile.outputs["embedding"])
        for name in tasks:
            scores[name].add(tile.window, tile.valid, tile.outputs[name])
            tables[name].add(tile.window, tile.valid, tile.outputs[name])
    if not answered:
        raise UnusableRasterError("image", "every pixel is nodata")
    joined: Tables = {}
    for part in tables.values():
        joined |= part.result()
    return embedding.result(), {name: part.result() for name, part in scores.items()}, joined


def _features(path: Path, bands: Sequence[int], policy: BandPolicy) -> tuple[NDArray[np.float32], ReducedImage]:
    image = read_for_features(path, bands, policy)
    if invalid_pixels(image.values).all():
        raise UnusableRasterError(path.name, "every pixel is nodata")
    return image_features(image.values), image


@dataclass(frozen=True)
class Skipped:
    """A sample that could not be used."""

    reason: str
    unreadable: bool
    """Its file is damaged or gone, rather than of no use to this model."""
    gone: bool = False
    """Its file was not there."""


def skippable(read: Callable[[Item], T]) -> Callable[[Item], T | Skipped]:
    """`read`, but what is wrong with one sample comes back as a value: the others go on."""

    def attempt(item: Item) -> T | Skipped:
        try:
            return read(item)
        except _FAILURES as error:
            return Skipped(_reason(error), not isinstance(error, UnusableRasterError), isinstance(error, _GONE))

    return attempt


def _reason(error: RasterError | UnusableRasterError | FileNotFoundError) -> str:
    return "there is no such file" if isinstance(error, FileNotFoundError) else str(error)


class Reporter:
    """Tells the parent how far the work is, every half second and at the end."""

    def __init__(self, progress: Progress, total: int) -> None:
        """Report to `progress` on `total` samples."""
        self._progress, self._total = progress, total
        self._reported = time.monotonic()

    def done(self, count: int) -> None:
        """Report that `count` samples are finished."""
        now = time.monotonic()
        if count == self._total or now - self._reported >= REPORT_EVERY_S:
            self._progress.step(count, self._total)
            self._reported = now
