"""Blend overlapping tiles: each pixel is the mean of what its tiles say, weighted less towards a tile's edge.

A network sees less around a pixel near the edge of what it is shown, so its answers there are worse (Huang et al. 2018,
"Tiling and Stitching Segmentation Output for Remote Sensing", arXiv 1805.12219, measure what edges cost). The outermost
quarter of an overlap counts for nothing where another tile sees it, and weights fall linearly between that and the
innermost quarter, so that nothing jumps.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from models.arrays import Floats
from models.inference.scenes.plan import RowPart
from models.rasters.tiling import Window

LEAST_WEIGHT = 1e-8
"""Of a pixel in a corner of a tile; it counts alone where no other tile is, at the edges of the scene."""


class Blender:
    """Sums of one row of tiles; memory is outputs x height of a tile x width of the scene."""

    def __init__(self, outputs: int, overlap_px: int) -> None:
        self._outputs, self._overlap = outputs, overlap_px
        self._sums: Floats = np.zeros((outputs, 0, 0), np.float32)
        self._weights: Floats = np.zeros((0, 0), np.float32)
        self._valid: NDArray[np.bool_] = np.zeros((0, 0), np.bool_)
        self._top = self._left = 0

    def begin(self, part: RowPart) -> None:
        """Make room for a row of tiles below the one before, of which what reaches into it is kept."""
        height = max(tile.read.height for tile in part.tiles)
        width, top = part.right - part.left, part.tiles[0].read.row
        done = top - self._top
        if (part.left, width) == (self._left, self._sums.shape[2]) and done >= 0:
            kept = max(0, min(self._sums.shape[1] - done, height))
            for values in (self._sums, self._weights, self._valid):
                values[..., :kept, :] = values[..., done : done + kept, :]
                values[..., kept:, :] = 0
            if height <= self._sums.shape[1]:
                self._top = top
                return
        self._sums = np.zeros((self._outputs, height, width), np.float32)
        self._weights = np.zeros((height, width), np.float32)
        self._valid = np.zeros((height, width), np.bool_)
        self._top, self._left = top, part.left

    def add(self, read: Window, valid: NDArray[np.bool_], output: Floats) -> None:
        """Take in a tile.

        Args:
            read: What the tile was shown, inside the row that began.
            valid: (height, width) of `read`.
            output: (outputs, height, width).
        """
        rows = slice(read.row - self._top, read.row - self._top + read.height)
        columns = slice(read.column - self._left, read.column - self._left + read.width)
        weights = tile_weights(read.height, read.width, self._overlap)
        self._sums[:, rows, columns] += output * weights
        self._weights[rows, columns] += weights
        self._valid[rows, columns] |= valid

    def finished(self, window: Window) -> tuple[NDArray[np.bool_], Floats]:
        """Which pixels of a part are valid, (h, w), and their probabilities (outputs, h, w); 0 where no tile was."""
        rows = slice(window.row - self._top, window.row - self._top + window.height)
        columns = slice(window.column - self._left, window.column - self._left + window.width)
        weights = np.maximum(self._weights[rows, columns], np.float32(1e-20))
        return self._valid[rows, columns].copy(), np.asarray(self._sums[:, rows, columns] / weights, np.float32)


@lru_cache(maxsize=16)
def tile_weights(height: int, width: int, overlap_px: int) -> Floats:
    """Weights (height, width) of a tile's pixels: 1 inside, falling to `LEAST_WEIGHT` a quarter before its edges."""
    return np.outer(_ramp(height, overlap_px), _ramp(width, overlap_px))


def _ramp(length: int, overlap: int) -> Floats:
    places = np.arange(length, dtype=np.float32)
    nearest_edge = np.minimum(places, places[::-1]) + np.float32(0.5)
    ramp = (nearest_edge - overlap / 4) / max(overlap / 2, 1)
    return np.asarray(np.clip(ramp, np.sqrt(LEAST_WEIGHT), 1.0), np.float32)
