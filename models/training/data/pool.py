"""What the pool of a run is like."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.encoders.pool_look import PoolLook, look_at_pool
from models.errors import RasterError, UnusableRasterError
from models.manifest import Manifest
from models.rasters.reading import RasterHeader, read_header, read_raster
from models.training.data.dataset import padded_image

POOL_CHIPS = 200
"""Images of the pool, labelled or not, that features are standardised by, at most."""

POOL_PIXELS = 2**22
"""Of those images: fewer are described where they are large."""

POOL_WINDOW_PX = 512
"""Of larger images the upper left window of this side."""


def look_at(manifest: Manifest) -> PoolLook:
    """What some images of the pool say of all, see `look_at_pool`.

    Raises:
        TrainingDataError: No image can be read, or what is said of the bands contradicts their number.
    """
    return look_at_pool(
        manifest.statistics_paths, manifest.source_bands, manifest.bands, manifest.sensor, manifest.reading,
        manifest.band_names,
    )  # fmt: skip


def pool_images(manifest: Manifest) -> list[NDArray[np.float32]]:
    """Some of the pool's images (C, H, W), or a window of each, padded with NaN to multiples of the stride."""
    images: list[NDArray[np.float32]] = []
    pixels = 0
    for path, header in _pool(manifest):
        window = 0, 0, min(header.width, POOL_WINDOW_PX), min(header.height, POOL_WINDOW_PX)
        if images and pixels >= POOL_PIXELS:
            break
        try:
            image = read_raster(path, manifest.bands, window=window, policy=manifest.reading)
        except (RasterError, UnusableRasterError):  # the statistics of the bands said so already
            continue
        images.append(padded_image(image))
        pixels += images[-1][0].size
    return images


def _pool(manifest: Manifest) -> Iterator[tuple[Path, RasterHeader]]:
    """Images of the pool that can be opened."""
    for path in manifest.statistics_paths[:POOL_CHIPS]:
        try:
            yield Path(path), read_header(Path(path), policy=manifest.reading)
        except (RasterError, UnusableRasterError, FileNotFoundError):
            continue
