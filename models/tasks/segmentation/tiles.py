"""Maps of a large image from its tiles: codes, probabilities, and the uncertainty of its most uncertain regions."""

import numpy as np
from numpy.typing import NDArray

from models.arrays import Floats
from models.card import BACKGROUND
from models.rasters.tiling import Window
from models.tasks.region_means import RegionMeans, entropy_by_class
from models.tasks.task import Scores, Tables
from models.tasks.uncertainty import SCORE_NAMES, pixel_entropy, pixel_scores
from models.tasks.unsure_pixels import UnsureOverTiles


class CodesOverTiles:
    """Class codes (H, W), so that a scene's probabilities need not fit in memory; 0 where no tile was."""

    def __init__(self, height: int, width: int) -> None:
        self._codes = np.zeros((height, width), np.uint8)

    def add(self, window: Window, valid: NDArray[np.bool_], output: Floats) -> None:
        """See `Gathered.add`."""
        self._codes[_part(window)] = most_probable(output) * valid

    def result(self) -> NDArray[np.uint8]:
        """See `Gathered.result`."""
        return self._codes


class ProbabilitiesOverTiles:
    """Probabilities (K + 1, H, W); background where no tile was."""

    def __init__(self, height: int, width: int, codes: int) -> None:
        self._scene = np.zeros((codes, height, width), np.float32)
        self._scene[BACKGROUND] = 1.0

    def add(self, window: Window, valid: NDArray[np.bool_], output: Floats) -> None:
        """See `Gathered.add`."""
        self._scene[(slice(None), *_part(window))] = output

    def result(self) -> Floats:
        """See `Gathered.result`."""
        return self._scene


class ScoresOverTiles:
    """Scores (1,) of the most uncertain regions; see `RegionMeans`."""

    def __init__(self, height: int, width: int) -> None:
        self._regions = {name: RegionMeans(1, height, width) for name in SCORE_NAMES}

    def add(self, window: Window, valid: NDArray[np.bool_], output: Floats) -> None:
        """See `Gathered.add`."""
        probabilities = np.where(valid, output, np.float32(np.nan))
        for name, values in pixel_scores(probabilities[None]).items():
            self._regions[name].add(values, window.row, window.column)

    def result(self) -> Scores:
        """See `Gathered.result`."""
        return {name: means.most_uncertain() for name, means in self._regions.items()}


class TablesOverTiles:
    """Strata of N maps of one size, see `entropy_by_class`, and counts of unsure pixels, see `UnsureOverTiles`."""

    def __init__(self, height: int, width: int, samples: int = 1) -> None:
        self._size, self._samples = (height, width), samples
        self._entropy, self._unsure = RegionMeans(samples, height, width), UnsureOverTiles(height, width, samples)
        self._likely: RegionMeans | None = None

    def add(self, window: Window, valid: NDArray[np.bool_], output: Floats) -> None:
        """See `Gathered.add`."""
        self.add_maps(np.where(valid, output, np.float32(np.nan))[None], window.row, window.column)

    def add_maps(self, probabilities: Floats, row: int = 0, column: int = 0) -> None:
        """Take in a window of all maps, shape (N, K, h, w), NaN where nodata; see `RegionMeans.add`."""
        if self._likely is None:
            self._likely = RegionMeans(self._samples * probabilities.shape[1], *self._size)
        self._entropy.add(pixel_entropy(probabilities), row, column)
        self._likely.add(probabilities.reshape(-1, *probabilities.shape[2:]), row, column)
        self._unsure.add_maps(probabilities, row, column)

    def result(self) -> Tables:
        """See `Gathered.result`."""
        if self._likely is None:
            return {}
        return {"strata": entropy_by_class(self._entropy, self._likely), **self._unsure.result()}


def most_probable(probabilities: Floats) -> NDArray[np.uint8]:
    """Index of the largest value along the first axis; the first of equals.

    Much faster than `numpy.argmax` along an outer axis, and it lets other threads run.

    Args:
        probabilities: Shape (K, H, W), K at most 256.

    Returns:
        Shape (H, W).
    """
    best = probabilities[0].copy()
    codes = np.zeros(best.shape, np.uint8)
    for code in range(1, len(probabilities)):
        better = probabilities[code] > best
        np.copyto(codes, code, where=better)
        np.maximum(best, probabilities[code], out=best)
    return codes


def _part(window: Window) -> tuple[slice, slice]:
    return slice(window.row, window.row + window.height), slice(window.column, window.column + window.width)
