"""Which parts of an image the uncertainty about its class depends on: hide each and see how the uncertainty changes.

Occlusion (Zeiler and Fergus 2014, arXiv 1311.2901), but of the predictive entropy and not of the winner's probability,
as in the attribution of uncertainty (Perez et al. 2022, arXiv 2107.08756). A part is taken away by making it nodata,
which our models leave out of the mean that they classify by, so that they need not explain an artificial grey patch.
Both directions count: a river that speaks against "forest" raises the uncertainty when it is there, a road in a
"highway" when it is gone, and an annotator has to look at either.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.inference.image_model import ImageModel, ReadWindow
from models.rasters.bands import invalid_pixels
from models.rasters.tiling import Tile, Window
from models.tasks import Task

CELLS = 8
"""An image is divided into about this many cells a side."""
BATCH_PX = 2**19
"""Pixels that are occluded and classified in one run, to bound memory: 128 chips of 64 px, or 2 tiles of 512 px."""


@dataclass(frozen=True)
class _Cell:
    """One cell, and what is left of the image's weighted sum of probabilities without it."""

    window: Window
    valid: NDArray[np.bool_] | None
    """None: every pixel is valid."""
    weight_change: float
    sum_change: NDArray[np.float64]
    """(K,)"""


def occlusion(
    model: ImageModel, task: Task, height: int, width: int, read: ReadWindow
) -> Iterator[tuple[Window, NDArray[np.float32]]]:
    """How far an image's predictive entropy moves, up or down, when a cell of it is taken away.

    A large image's probabilities are the mean over its tiles, weighted by valid pixels. So a cell is taken out of its
    own tile alone, and each tile of a scene of many is one cell, which needs no further run: the work is that of one
    prediction and of about 64 tiles more, whatever the size.

    Args:
        model: With a head for the task.
        task: One that answers the whole image.
        height: Rows of the image.
        width: Columns of the image.
        read: Reads the model's bands of a window.

    Yields:
        Windows that cover the image's readable part once, and their values (height, width) in nats, 0 or more;
        NaN = nodata. Nothing for an image without a valid pixel.
    """
    plan = list(model.plan(height, width))
    tiles_a_side = max(len({tile.write.row for tile in plan}), len({tile.write.column for tile in plan}))
    cells_a_side = max(1, CELLS // tiles_a_side)
    cells: list[_Cell] = []
    weight = 0.0
    total = np.zeros(1)
    for tile in plan:
        image = read(tile.read)
        valid = ~invalid_pixels(image)[_inner(tile)]
        if valid.any():
            probabilities = model.predict_batch(image[None])[task.name][0].astype(np.float64)
            weight += np.count_nonzero(valid)
            total = total + np.count_nonzero(valid) * probabilities
            cells += _cells(model, task, tile, image, valid, probabilities, cells_a_side, alone=len(plan) == 1)
    whole = _entropy(task, total / max(weight, 1.0))
    for cell in cells:
        left = weight + cell.weight_change
        change = abs(whole - _entropy(task, (total + cell.sum_change) / left)) if left > 0 else 0.0
        values = np.full((cell.window.height, cell.window.width), change, np.float32)
        yield cell.window, values if cell.valid is None else np.where(cell.valid, values, np.float32(np.nan))


def _cells(
    model: ImageModel,
    task: Task,
    tile: Tile,
    image: NDArray[np.float32],
    valid: NDArray[np.bool_],
    probabilities: NDArray[np.float64],
    cells_a_side: int,
    *,
    alone: bool,
) -> list[_Cell]:
    """The cells of one tile; `probabilities` (K,) are its own."""
    windows = [
        Window(int(columns[0]), int(rows[0]), len(columns), len(rows))
        for rows in np.array_split(np.arange(valid.shape[0]), min(cells_a_side, valid.shape[0]))
        for columns in np.array_split(np.arange(valid.shape[1]), min(cells_a_side, valid.shape[1]))
    ]
    whole_tile = len(windows) == 1 and not alone
    pixels = np.count_nonzero(valid)
    answers = np.zeros((1, 1)) if whole_tile else _without(model, task, image, _inner(tile), windows, probabilities)
    cells = []
    for window, answer in zip(windows, answers, strict=True):
        inside = valid[window.row : window.row + window.height, window.column : window.column + window.width]
        taken = np.count_nonzero(inside)
        cells.append(
            _Cell(
                Window(tile.write.column + window.column, tile.write.row + window.row, window.width, window.height),
                None if inside.all() else inside,
                -float(taken),
                (pixels - taken) * answer - pixels * probabilities,
            )
        )
    return cells


def _without(
    model: ImageModel,
    task: Task,
    image: NDArray[np.float32],
    inner: tuple[slice, slice],
    windows: list[Window],
    probabilities: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Probabilities (number of windows, K) of a tile (C, H, W) without each window of its inner part."""
    answers = np.tile(probabilities, (len(windows), 1))
    size = max(1, BATCH_PX // (image.shape[1] * image.shape[2]))
    for start in range(0, len(windows), size):
        batch = np.repeat(image[None], len(windows[start : start + size]), axis=0)
        for occluded, window in zip(batch, windows[start : start + size], strict=True):
            part = occluded[:, inner[0], inner[1]]
            part[:, window.row : window.row + window.height, window.column : window.column + window.width] = np.nan
        kept = np.flatnonzero(~invalid_pixels(batch).all(axis=(1, 2)))
        if kept.size:
            answers[start + kept] = model.predict_batch(batch[kept])[task.name]
    return answers


def _inner(tile: Tile) -> tuple[slice, slice]:
    """Rows and columns of the part that counts, in the tile's own pixels."""
    row, column = tile.write.row - tile.read.row, tile.write.column - tile.read.column
    return slice(row, row + tile.write.height), slice(column, column + tile.write.width)


def _entropy(task: Task, output: NDArray[np.float64]) -> float:
    return float(task.scores(output[None].astype(np.float32), np.zeros((1, 1, 1), np.bool_))["entropy"][0])
