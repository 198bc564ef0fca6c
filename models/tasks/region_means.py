"""From a map of uncertainty to one number a sample: the mean of its most uncertain quarter of grid cells.

The plain mean over an image is a trap. Class borders are uncertain everywhere, so it ranks cluttered scenes first
whatever the model knows of them, and one unknown object in a large easy scene vanishes in it. The largest pixel is no
better: it is noise. Regions lie between (Mackowiak et al. 2018, CEREALS, arXiv 1810.09726).
"""

import numpy as np
from numpy.typing import NDArray

GRID = 8
"""Cells along each side of an image, fewer where it has fewer pixels: a share, so that sizes can be compared."""

HARDEST_SHARE = 0.25
"""Share of the cells that make the score."""

MIN_FILL = 0.25
"""A cell with fewer valid pixels than this share of the fullest cell of its image says too little, and is left out."""


class RegionMeans:
    """Running means of the grid cells of N equally sized maps; large maps may be added window by window."""

    def __init__(self, samples: int, height: int, width: int, grid: tuple[int, int] = (GRID, GRID)) -> None:
        """Begin with nothing added.

        Args:
            samples: N.
            height: Rows of a map.
            width: Columns of a map.
            grid: Cells from top to bottom and from left to right, fewer where a map has fewer pixels.
        """
        self.row_edges = _edges(height, grid[0])
        self.column_edges = _edges(width, grid[1])
        shape = (samples, len(self.row_edges) - 1, len(self.column_edges) - 1)
        self._sums = np.zeros(shape, np.float64)
        self._counts = np.zeros(shape, np.int64)

    def add(self, values: NDArray[np.float32], row: int = 0, column: int = 0) -> None:
        """Take in a window of the maps; each pixel must be added once.

        Args:
            values: Shape (N, h, w), NaN = nodata.
            row: Row of the window's upper edge in the map, in pixels.
            column: Column of its left edge.
        """
        valid = ~np.isnan(values)
        filled = np.where(valid, values, 0)
        rows, row_cells = _spans(self.row_edges, row, values.shape[1])
        columns, column_cells = _spans(self.column_edges, column, values.shape[2])
        for source, target in ((filled.astype(np.float64), self._sums), (valid.astype(np.int64), self._counts)):
            cells = np.add.reduceat(np.add.reduceat(source, rows, axis=1), columns, axis=2)
            target[:, row_cells, column_cells] += cells

    def means(self) -> NDArray[np.float32]:
        """Mean of each cell's valid pixels; shape (N, rows, columns), NaN for a cell without any."""
        means = self._sums / np.maximum(self._counts, 1)
        return np.where(self._counts > 0, means, np.nan).astype(np.float32)

    def usable(self) -> NDArray[np.bool_]:
        """Which cells have enough valid pixels to count, shape (N, cells); see `MIN_FILL`."""
        counts = self._counts.reshape(len(self._counts), -1)
        fullest = counts.max(axis=1, initial=0, keepdims=True)
        return np.asarray((counts > 0) & (counts >= MIN_FILL * fullest))

    def most_uncertain(self) -> NDArray[np.float32]:
        """Mean over the highest quarter of the cells, at least one.

        Returns:
            Shape (N,), NaN for a map without a valid pixel.
        """
        usable, means = self.usable(), self.means().reshape(len(self._counts), -1)  # (N, cells)
        kept = usable.sum(axis=1)
        hardest = np.maximum(1, np.ceil(HARDEST_SHARE * kept)).astype(np.int64)
        ranked = -np.sort(-np.where(usable, means, -np.inf), axis=1)  # highest first, left-out cells last
        inside = np.arange(ranked.shape[1]) < hardest[:, None]
        totals = np.where(inside, ranked, 0).sum(axis=1)
        return np.where(kept > 0, totals / hardest, np.nan).astype(np.float32)


def entropy_by_class(entropy: RegionMeans, probabilities: RegionMeans) -> NDArray[np.float32]:
    """Highest entropy among the cells of each map that are predicted as each class.

    Args:
        entropy: Of N maps.
        probabilities: Of N x C maps of the same size, the C classes of a map one after the other.

    Returns:
        Shape (N, C), NaN where no cell is predicted as that class.
    """
    usable = entropy.usable()
    likely = probabilities.means().reshape(len(usable), -1, usable.shape[1])  # (N, C, cells)
    predicted = np.where(np.isnan(likely), -1, likely).argmax(axis=1)  # (N, cells)
    strata = np.full(likely.shape[:2], -np.inf, np.float32)
    maps, cells = np.nonzero(usable)
    means = entropy.means().reshape(usable.shape)
    np.maximum.at(strata, (maps, predicted[maps, cells]), means[maps, cells])
    return np.where(np.isneginf(strata), np.float32(np.nan), strata)


def _edges(size: int, cells: int) -> NDArray[np.int64]:
    """Cell borders in pixels, from 0 to `size`."""
    cells = min(cells, size)
    return np.arange(cells + 1, dtype=np.int64) * size // cells


def _spans(edges: NDArray[np.int64], start: int, length: int) -> tuple[NDArray[np.int64], slice]:
    """Where the cells begin inside a window (first pixel of each), and which cells they are."""
    first = int(np.searchsorted(edges, start, side="right")) - 1
    last = int(np.searchsorted(edges, start + length, side="left"))
    return np.maximum(edges[first:last] - start, 0), slice(first, last)
