"""One answer for a large image from the answers for its tiles."""

from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from models.rasters.tiling import Window

T_co = TypeVar("T_co", covariant=True)


class Gathered(Protocol[T_co]):
    """Takes in the tiles of one image, then gives the whole."""

    def add(self, window: Window, valid: NDArray[np.bool_], output: NDArray[np.float32]) -> None:
        """Take in one tile.

        Args:
            window: The part of the image that the tile answers for; the windows of an image do not overlap.
            valid: Shape (height, width) of the window; at least one pixel of the tile is valid.
            output: What the model's head says about the tile, without a batch axis; a map is cut to the window.
        """
        ...

    def result(self) -> T_co:
        """The whole, after the last tile; there was at least one."""
        ...


class MeanOverTiles:
    """Mean of one vector a tile, weighted by the valid pixels of the tiles; shape (D,)."""

    def __init__(self) -> None:
        self._sum: NDArray[np.float32] | np.float32 = np.float32(0)
        self._weight = 0.0

    def add(self, window: Window, valid: NDArray[np.bool_], output: NDArray[np.float32]) -> None:
        """See `Gathered.add`."""
        weight = np.float32(np.count_nonzero(valid))
        self._weight += float(weight)
        self._sum = self._sum + weight * output

    def result(self) -> NDArray[np.float32]:
        """See `Gathered.result`."""
        return np.asarray(self._sum / self._weight, np.float32)


class FromMean(MeanOverTiles, Generic[T_co]):
    """What a function makes of the mean over tiles."""

    def __init__(self, function: Callable[[NDArray[np.float32]], T_co]) -> None:
        super().__init__()
        self._function = function

    def result(self) -> T_co:  # type: ignore[override]
        """See `Gathered.result`."""
        return self._function(super().result())
