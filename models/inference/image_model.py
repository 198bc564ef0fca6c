"""From an image of any size to answers, given something that runs the graph: padding and tiling.

Knows nothing of ONNX Runtime, queues or files.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from models.card import ModelCard, TaskName
from models.errors import UnknownTaskError, UnusableRasterError
from models.inference.wanted import check_wanted
from models.rasters.bands import invalid_pixels
from models.rasters.tiling import Tile, Window, grid_and_overlap, tiles
from models.tasks import Task, tasks_of
from models.tasks.fine import fine_outputs, scaled
from models.tasks.tiles import MeanOverTiles

Outputs: TypeAlias = dict[str, NDArray[np.float32]]
"""Of each task a vector (K,), a map (K, H, W) or rows of objects (M, ...), and `embedding`
(D,); with a leading N axis where a batch is meant."""

ReadWindow: TypeAlias = Callable[[Window], NDArray[np.float32]]
"""Reads the model's bands of one window of an image: (C, height, width), NaN where invalid."""


@dataclass(frozen=True)
class TilePrediction:
    """What the model says about one tile of a large image."""

    window: Window
    """The part of the image that this tile answers for; the windows of one image cover it once."""
    valid: NDArray[np.bool_]
    """(height, width) of `window`; False where every band is NaN."""
    outputs: Outputs
    """Maps are cut to `window`, (K, height, width); objects are those of `window`, in its pixels. See `Task.cut`."""


@dataclass(frozen=True)
class TileRun:
    """What the model says about all that it was shown of one tile."""

    read: Window
    write: Window
    """The part of `read` that no other tile of the image answers for."""
    valid: NDArray[np.bool_]
    """(height, width) of `read`; False where every band is NaN."""
    outputs: Outputs
    """Maps have the size of `read`, (K, height, width); those that are finer, where the model was asked for them, as
    many times that as `models.tasks.fine` says."""


class ImageModel(ABC):
    """A model that answers for images of any size."""

    card: ModelCard
    tiles_per_run: int = 1
    """Tiles of a large image that go through the graph at once."""

    @cached_property
    def tasks(self) -> dict[TaskName, Task]:
        """What the model answers."""
        return tasks_of(self.card.tasks)

    @abstractmethod
    def run(self, images: NDArray[np.float32]) -> Outputs:
        """Run the graph.

        Args:
            images: Shape (N, C, H, W), raw values of the model's bands, NaN where invalid; H and W multiples of the
                card's `stride_px`.

        Returns:
            Outputs with a leading N axis.
        """

    def predict(self, image: NDArray[np.float32]) -> Outputs:
        """All outputs of one image; a large one is tiled.

        Full maps are held in memory: use `answer` or `predict_tiles` for scenes.

        Args:
            image: Shape (C, H, W), raw values of the card's `bands` in their order, NaN where invalid.

        Raises:
            UnusableRasterError: Wrong number of bands, no valid pixel, or values that the model cannot digest.
        """
        self._check(image)
        if not self._is_large(image):
            return _finite(_first(self._run_padded(image[None])))
        _, height, width = image.shape
        gathered = {name: task.gather_outputs(height, width) for name, task in self.tasks.items()}
        gathered["embedding"] = MeanOverTiles()
        for tile in self.predict_tiles(height, width, lambda window: _cut(image, window)):
            for name, part in gathered.items():
                part.add(tile.window, tile.valid, tile.outputs[name])
        return {name: part.result() for name, part in gathered.items()}

    def predict_batch(self, images: NDArray[np.float32]) -> Outputs:
        """All outputs of N images of one size, none larger than a tile, with a leading N axis.

        Args:
            images: Shape (N, C, H, W).

        Raises:
            UnusableRasterError: As in `predict`, for any of them; or they need tiles.
        """
        for image in images:
            self._check(image)
            if self._is_large(image):
                raise UnusableRasterError("image", f"larger than a tile of {self.card.tile_px} px; predict it alone")
        return _finite(self._run_padded(images))

    def answer(self, name: TaskName, image: NDArray[np.float32]) -> NDArray[Any]:
        """The answer to one task: probabilities of the classes (K,), or class codes (H, W), as `Task.gather` says.

        Raises:
            UnknownTaskError: The model has no head for the task.
            UnusableRasterError: As in `predict`.
        """
        task = self.task(name)
        self._check(image)
        if not (task.per_pixel or task.finds_objects) and not self._is_large(image):
            return _finite(_first(self._run_padded(image[None])))[name]
        _, height, width = image.shape
        return self.answer_windows(name, height, width, lambda window: _cut(image, window))

    def answer_windows(self, name: TaskName, height: int, width: int, read: ReadWindow) -> NDArray[Any]:
        """The answer for an image that is read window by window, so that a scene need not fit in memory.

        Raises:
            As `answer`.
        """
        gathered = self.task(name).gather(height, width)
        answered = False
        for tile in self.predict_tiles(height, width, read):
            gathered.add(tile.window, tile.valid, tile.outputs[name])
            answered = True
        if not answered:
            raise UnusableRasterError("image", "every pixel is nodata")
        return gathered.result()

    def predict_tiles(self, height: int, width: int, read: ReadWindow) -> Iterator[TilePrediction]:
        """Answer tile by tile; an image no larger than a tile is one tile. Tiles without a valid pixel are skipped.

        Args:
            height: Rows of the image.
            width: Columns of the image.
            read: Called once a tile, in row order.

        Raises:
            UnusableRasterError: Wrong number of bands, or values that the model cannot digest.
        """
        tasks = self.tasks
        for run in self.run_tiles(self.plan(height, width), read):
            inner = Window(
                run.write.column - run.read.column, run.write.row - run.read.row, run.write.width, run.write.height
            )
            own = run.outputs | {name: task.cut(run.outputs[name], inner) for name, task in tasks.items()}
            yield TilePrediction(run.write, run.valid[_slices(inner)], own)

    def run_tiles(self, plan: Iterator[Tile], read: ReadWindow) -> Iterator["TileRun"]:
        """Answer tiles one by one, each for all of what it was shown. Those without a valid pixel are skipped.

        Args:
            plan: The tiles.
            read: Called once a tile, in their order.

        Raises:
            UnusableRasterError: Wrong number of bands, or values that the model cannot digest.
        """
        stride = self.card.stride_px
        work = self._readable(plan, read)
        while group := list(islice(work, self.tiles_per_run)):
            check_wanted()
            largest = max(item.image.shape[1] for item in group), max(item.image.shape[2] for item in group)
            outputs = self.run(np.stack([_padded(item.image, _rounded_up(largest, stride)) for item in group]))
            for index, (tile, image, valid) in enumerate(group):
                whole = Window(0, 0, image.shape[2], image.shape[1])
                own = {name: values[index] for name, values in outputs.items()}
                yield TileRun(tile.read, tile.write, valid, _finite(self._without_padding(own, whole)))

    def plan(self, height: int, width: int) -> Iterator[Tile]:
        """The tiles that an image of this size is cut into, in row order."""
        grid, overlap = grid_and_overlap(self.card.tile_px, self.card.stride_px)
        return tiles(height, width, self.card.tile_px, overlap, grid)

    @property
    def overlap_px(self) -> int:
        """Pixels that neighbouring tiles share at least."""
        return grid_and_overlap(self.card.tile_px, self.card.stride_px)[1]

    def _readable(self, plan: Iterator[Tile], read: ReadWindow) -> Iterator["_ReadTile"]:
        """Tiles with at least one valid pixel."""
        for tile in plan:
            image = read(tile.read)
            self._check_bands(image)
            valid = _valid(image)
            if valid.any():
                yield _ReadTile(tile, image, valid)

    def _run_padded(self, images: NDArray[np.float32]) -> Outputs:
        height, width = images.shape[2:]
        outputs = self.run(_padded(images, _rounded_up((height, width), self.card.stride_px)))
        return self._without_padding(outputs, Window(0, 0, width, height))

    def _without_padding(self, outputs: Outputs, whole: Window) -> Outputs:
        """What outputs say of the image itself, at the upper left of what the graph was given."""
        finer = scaled(whole, self.card.model.output_scale)
        return (
            outputs
            | {name: task.cut(outputs[name], whole) for name, task in self.tasks.items()}
            | {name: _cut(outputs[name], finer) for name in fine_outputs(self.card) if name in outputs}
        )

    def _is_large(self, image: NDArray[np.float32]) -> bool:
        return bool(max(image.shape[1:]) > self.card.tile_px)

    def _check(self, image: NDArray[np.float32]) -> None:
        self._check_bands(image)
        # One NaN makes the minimum NaN, so the common image without any costs a single pass.
        if np.isnan(image.min()) and invalid_pixels(image).all():
            raise UnusableRasterError("image", "every pixel is nodata")

    def _check_bands(self, image: NDArray[np.float32]) -> None:
        expected = len(self.card.bands)
        if image.ndim != 3 or len(image) != expected or not image.size:
            raise UnusableRasterError("image", f"an array of shape {image.shape}, but the model reads {expected} bands")

    def task(self, name: TaskName) -> Task:
        """What the model answers under a name.

        Raises:
            UnknownTaskError: It has no head for the task.
        """
        tasks = self.tasks
        if name not in tasks:
            raise UnknownTaskError(name, list(tasks))
        return tasks[name]


def select_bands(band_count: int, card: ModelCard, name: str = "image", shown: str | None = None) -> Sequence[int]:
    """1-based bands of an image that the model reads, in its order.

    Args:
        band_count: Bands with data of the image, as `card.reading` counts them.
        card: Of the model.
        name: What messages call the image.
        shown: Its bands in words, for the message.

    Raises:
        UnusableRasterError: The image has not as many bands as those that the model was trained on.
    """
    if band_count != card.source_bands:
        raise UnusableRasterError(
            name,
            f"it has {shown or f'{band_count} bands'}, but model {card.version} was trained on images of "
            f"{card.source_bands}",
        )
    return card.bands


class _ReadTile(NamedTuple):
    """A tile and its pixels."""

    tile: Tile
    image: NDArray[np.float32]
    valid: NDArray[np.bool_]


def _first(outputs: Outputs) -> Outputs:
    return {name: values[0] for name, values in outputs.items()}


def _finite(outputs: Outputs) -> Outputs:
    for name, values in outputs.items():
        if not np.isfinite(values).all():
            raise UnusableRasterError("image", f"its pixel values are so large that the model's {name} is not finite")
    return outputs


def _valid(image: NDArray[np.float32]) -> NDArray[np.bool_]:
    return ~invalid_pixels(image)


def _slices(window: Window) -> tuple[slice, slice]:
    return slice(window.row, window.row + window.height), slice(window.column, window.column + window.width)


def _cut(image: NDArray[np.float32], window: Window) -> NDArray[np.float32]:
    return image[(..., *_slices(window))]


def _rounded_up(size: tuple[int, int], stride: int) -> tuple[int, int]:
    height, width = size
    return -(-height // stride) * stride, -(-width // stride) * stride


def _padded(images: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    """Images (..., H, W) with NaN appended at the bottom and on the right up to `size`."""
    height, width = images.shape[-2:]
    if (height, width) == size:
        return np.ascontiguousarray(images, np.float32)
    padded = np.full((*images.shape[:-2], *size), np.nan, np.float32)
    padded[..., :height, :width] = images
    return padded
