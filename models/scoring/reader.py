"""Read the samples of a pool scoring in the background, a bounded number ahead of the model."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from models.card import BandPolicy, ModelCard
from models.errors import RasterTooLargeError, UnusableRasterError
from models.inference.image_model import ReadWindow, select_bands
from models.rasters.bands import AS_DECLARED, invalid_pixels
from models.rasters.opening.sidecars import stamp
from models.rasters.reading import image_hashes, read_file, read_header, read_raster
from models.rasters.tiling import Window
from models.scoring.features import MAX_SIDE_PX

T = TypeVar("T")
Item = TypeVar("Item")

READERS = 2
"""Threads that read. One keeps up with a small model on 64 px chips; more only fight over the interpreter."""

AHEAD = 48
"""Images read ahead, each at most one tile of the model (12 MB for 12 bands of 512 px, 48 kB for a 64 px JPEG)."""


@dataclass(frozen=True, eq=False)
class PoolImage:
    """One sample as a model takes it."""

    height: int
    width: int
    values: NDArray[np.float32] | None
    """(C, H, W), NaN where invalid; None for an image that is larger than a tile: use `read`."""
    read: ReadWindow
    """Reads a window, from `values` or from the file."""
    pixel_hash: str
    content_hash: str
    modified_ns: int


def read_for_model(path: Path, card: ModelCard) -> PoolImage:
    """Read what a model needs of one sample; images of more values than a tile stay on disk.

    Raises:
        RasterError: Not readable.
        FileNotFoundError: It went away.
        UnusableRasterError: Wrong number of bands, or no valid pixel.
    """
    try:
        file = read_file(path, max_values=card.tile_px**2 * card.source_bands, policy=card.reading)
    except RasterTooLargeError as error:
        header = read_header(path, policy=card.reading)
        bands = select_bands(header.band_count, card, path.name)

        def read_window(window: Window) -> NDArray[np.float32]:
            return read_raster(path, bands, window=window, policy=card.reading)

        return PoolImage(error.height, error.width, None, read_window, *image_hashes(path), stamp(path).modified_ns)
    values = file.read(select_bands(file.header.band_count, card, path.name))
    if invalid_pixels(values).all():
        raise UnusableRasterError(path.name, "every pixel is nodata")

    def cut_window(window: Window) -> NDArray[np.float32]:
        rows = slice(window.row, window.row + window.height)
        return values[:, rows, window.column : window.column + window.width]

    _, height, width = values.shape
    hashes = file.pixel_hash, file.content_hash
    return PoolImage(height, width, values, cut_window, *hashes, file.header.modified_ns)


class ReducedImage(NamedTuple):
    """One sample as features take it."""

    values: NDArray[np.float32]
    """(C, h, w), NaN where invalid."""
    content_hash: str | None
    """None of an image that was not read whole."""
    modified_ns: int


def read_for_features(path: Path, bands: Sequence[int], policy: BandPolicy = AS_DECLARED) -> ReducedImage:
    """Read one sample with its longer side reduced to `MAX_SIDE_PX`.

    Raises:
        RasterError: Not readable.
        FileNotFoundError: It went away.
        UnusableRasterError: It has no such band.
    """
    content = None
    try:
        file = read_file(path, max_values=MAX_SIDE_PX**2 * 16, policy=policy)
        content, modified_ns = file.content_hash, file.header.modified_ns
        height, width = file.header.height, file.header.width
        if max(height, width) <= MAX_SIDE_PX:
            return ReducedImage(file.read(bands), content, modified_ns)
    except RasterTooLargeError as error:
        modified_ns = stamp(path).modified_ns
        height, width = error.height, error.width
    scale = MAX_SIDE_PX / max(height, width)
    if scale >= 1:  # few pixels, but too many bands to be read whole
        return ReducedImage(read_raster(path, bands, policy=policy), content, modified_ns)
    shape = max(1, round(height * scale)), max(1, round(width * scale))
    return ReducedImage(read_raster(path, bands, out_shape=shape, policy=policy), content, modified_ns)


def prefetch(read: Callable[[Item], T], items: Sequence[Item], ahead: int = AHEAD) -> Iterator[T]:
    """`read(item)` of every item, in order, computed by `READERS` threads at most `ahead` items ahead.

    An error of `read` is raised when its turn comes, and ends the iteration.
    """
    with ThreadPoolExecutor(READERS, thread_name_prefix="pool-reader") as executor:
        rest = iter(items)
        waiting: deque[Future[T]] = deque(executor.submit(read, item) for item in islice(rest, ahead))
        try:
            while waiting:
                result = waiting.popleft().result()
                waiting.extend(executor.submit(read, item) for item in islice(rest, 1))
                yield result
        finally:
            for future in waiting:
                future.cancel()
