"""How many of a map's pixels a model is how unsure about, by the class that it predicts there.

The counts of many images tell how sure the least sure pixels of a class are over a whole pool, and in which images
they lie, without a map of any image being kept.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.arrays import Floats
from models.tasks.task import Tables
from models.tasks.uncertainty import margin_of

BINS = 16
"""Of the margin score, 0 (sure) to 1."""

LOOKED_AT = 256
"""Pixels along the longer side of an image that are counted at most, evenly spaced: a share needs no more."""


def count_unsure(probabilities: Floats) -> NDArray[np.int64]:
    """Pixels by predicted class and margin score.

    Args:
        probabilities: Shape (N, K, ...), summing to 1 over K; NaN over all K marks nodata, which is not counted.

    Returns:
        Shape (N, K, BINS), the least sure pixels in the last bins.
    """
    maps, classes = probabilities.shape[:2]
    likely = probabilities.reshape(maps, classes, -1)
    valid = np.asarray(np.isfinite(likely).all(axis=1))
    likely = np.where(valid[:, None], likely, 0)
    bins = np.minimum((margin_of(likely) * BINS).astype(np.int64), BINS - 1)
    cells = (np.arange(maps)[:, None] * classes + likely.argmax(axis=1)) * BINS + bins
    return np.bincount(cells[valid], minlength=maps * classes * BINS).reshape(maps, classes, BINS)


class UnsureOverTiles:
    """`count_unsure` of N maps of one size as shares of the counted pixels, from their tiles."""

    def __init__(self, height: int, width: int, samples: int = 1) -> None:
        self._step, self._samples = -(-max(height, width) // LOOKED_AT), samples
        self._counts: NDArray[np.int64] | None = None

    def add_maps(self, probabilities: Floats, row: int = 0, column: int = 0) -> None:
        """Take in a window of all maps, shape (N, K, h, w), NaN where nodata; each pixel must be added once."""
        some = probabilities[..., -row % self._step :: self._step, -column % self._step :: self._step]
        counts = count_unsure(some)
        self._counts = counts if self._counts is None else self._counts + counts

    def result(self) -> Tables:
        """Rows (N, K * BINS) of "unsure", 0 where no pixel was counted."""
        if self._counts is None:
            return {}
        flat: NDArray[Any] = self._counts.reshape(self._samples, -1)
        return {"unsure": (flat / np.maximum(flat.sum(axis=1, keepdims=True), 1)).astype(np.float32)}
