"""Regions of a sample: a grid of cells, each with an embedding of its own. Pure geometry, no pixels.

A cell is what a light head answers for in a segmentation campaign: a share of each class.
"""

from typing import Annotated, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

Cells = NDArray[np.int64]
"""Shape (M, 4): row and column of the upper left pixel, height and width of each cell, in pixels."""

CROP_PX = 128
"""An encoder sees a cell and its surroundings with at most this many pixels a side, so that its cost is bounded."""

CROP_STEP_PX = 32
"""Crops that are not reduced have a multiple of this a side: what encoders take without padding."""


class CellGrid(msgspec.Struct, frozen=True, kw_only=True):
    """How finely samples are cut."""

    side_px: Annotated[int, msgspec.Meta(ge=1)] = 32
    """Cells have at least this side, unless the sample is smaller."""
    most: Annotated[int, msgspec.Meta(ge=1)] | None = 8
    """Cells along each side at most; None: as many as fit."""


class Crop(NamedTuple):
    """The part of an image around a cell, and where it lies in a square of `side` pixels centred on the cell."""

    window: tuple[int, int, int, int]
    """Column, row, width, height, inside the image: as `models.rasters.reading.read_raster` takes it."""
    shape: tuple[int, int]
    """Height and width that the window is reduced to."""
    padding: tuple[tuple[int, int], tuple[int, int]]
    """Pixels missing above and below, left and right."""


def cut_cells(height: int, width: int, grid: CellGrid) -> Cells:
    """Cells of an image in row order; they cover it once and differ by a pixel in size at most."""
    rows, columns = _edges(height, grid), _edges(width, grid)
    upper, left = np.meshgrid(rows[:-1], columns[:-1], indexing="ij")
    heights, widths = np.meshgrid(np.diff(rows), np.diff(columns), indexing="ij")
    return np.stack([upper.ravel(), left.ravel(), heights.ravel(), widths.ravel()], axis=1)


def crop_reach(cells: Cells) -> int:
    """Side in pixels of what an encoder sees of the image around each of its cells: about twice the largest cell."""
    reach = 2 * int(cells[:, 2:].max())
    return reach if reach >= CROP_PX else max(CROP_STEP_PX, reach // CROP_STEP_PX * CROP_STEP_PX)


def crop_around(cell: NDArray[np.int64], height: int, width: int, *, reach: int, side: int) -> Crop:
    """The square of `reach` pixels centred on a cell, cut at the image's edge, reduced so that `reach` becomes `side`.

    Args:
        cell: Row, column, height, width; shape (4,).
        height: Rows of the image.
        width: Columns of the image.
        reach: From `crop_reach`.
        side: Pixels that the square is reduced to, at most `reach`.
    """
    row, rows, above, below = _span(int(cell[0]), int(cell[2]), height, reach, side)
    column, columns, left, right = _span(int(cell[1]), int(cell[3]), width, reach, side)
    shape = side - above - below, side - left - right
    return Crop((column, row, columns, rows), shape, ((above, below), (left, right)))


def _span(start: int, size: int, limit: int, reach: int, side: int) -> tuple[int, int, int, int]:
    """First pixel and length of the window along one axis, and the padding before and after it after reduction."""
    first = start + size // 2 - reach // 2
    inside, end = max(first, 0), min(first + reach, limit)
    before = min(round((inside - first) * side / reach), side - 1)
    kept = min(max(1, round((end - inside) * side / reach)), side - before)
    return inside, end - inside, before, side - before - kept


def _edges(size: int, grid: CellGrid) -> NDArray[np.int64]:
    """Cell borders in pixels, from 0 to `size`."""
    cells = max(1, size // grid.side_px)
    if grid.most is not None:
        cells = min(cells, grid.most)
    return np.arange(cells + 1, dtype=np.int64) * size // cells
