"""Band statistics for normalisation, from a bounded sample of a campaign's rasters. Knows nothing of labels."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.card import BandPolicy, BandStatistics
from models.errors import RasterError, TrainingDataError, UnusableRasterError
from models.rasters.bands import AS_DECLARED, invalid_pixels
from models.rasters.reading import read_header, read_raster

logger = logging.getLogger(__name__)

MAX_FILES = 256
"""At most this many rasters are read."""

WINDOW_PX = 128
WINDOWS = 4
"""Of a raster larger than `WINDOW_PX` on a side this many random windows are read, as stored: averaged pixels of a
decimated read would have a narrower spread than those that the model sees."""

PIXELS_PER_FILE = 4096

PERCENTILES = (2.0, 98.0)

CLIP = (-0.5, 1.5)
"""Scaled values (0 at `low`, 1 at `high`) are clipped here: a glint or a sensor fault must not swamp the rest."""

MIN_STD = 1e-3


def estimate_statistics(paths: Sequence[str], bands: Sequence[int], policy: BandPolicy = AS_DECLARED) -> BandStatistics:
    """Percentiles, mean and standard deviation of each band over the valid pixels of a sample of rasters.

    Each raster has the same weight however large it is. Files that cannot be read, lack a band or hold no valid pixel
    are skipped with a warning in the log.

    Args:
        paths: Rasters in random order; the first `MAX_FILES` are read.
        bands: 1-based bands of the raster, in the model's order.
        policy: How they are read.

    Returns:
        Statistics of raw values; a constant band gets high = low + 1, so that it maps to 0.

    Raises:
        TrainingDataError: Not one raster has a valid pixel, or a band has no value in any.
    """
    pixels: list[NDArray[np.float32]] = []
    rng = np.random.default_rng(0)
    for path in paths[:MAX_FILES]:
        try:
            valid = _valid_pixels(Path(path), bands, policy, rng)
        except (RasterError, UnusableRasterError) as error:
            logger.warning("band statistics: skipped %s", error)
            continue
        pixels.append(valid[:, rng.integers(0, valid.shape[1], size=PIXELS_PER_FILE)])
    if not pixels:
        raise TrainingDataError(
            f"none of the {len(paths)} rasters for band statistics has a valid pixel in bands {bands}"
        )
    values = np.concatenate(pixels, axis=1)  # Shape: (C, files * PIXELS_PER_FILE)
    missing = np.isnan(values)  # of pixels that are valid, but not in this band
    without = np.flatnonzero(np.logical_and.reduce(missing, axis=1))
    if without.size:
        raise TrainingDataError(
            f"none of the {len(pixels)} rasters for band statistics has a value in band {bands[without[0]]}"
        )
    percentile = np.nanpercentile if missing.any() else np.percentile
    low, high = percentile(values, PERCENTILES, axis=1)
    high = np.where(high - low > 1e-6 * np.maximum(np.abs(low), 1.0), high, low + 1.0)
    scaled = np.clip((values - low[:, None]) / (high - low)[:, None], *CLIP)
    return BandStatistics(
        low=low.tolist(),
        high=high.tolist(),
        mean=np.nanmean(scaled, axis=1).tolist(),
        std=np.maximum(np.nanstd(scaled, axis=1), MIN_STD).tolist(),
        samples=len(pixels),
    )


def _valid_pixels(
    path: Path, bands: Sequence[int], policy: BandPolicy, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Values (C, n) of valid pixels, n >= 1; NaN where a band is missing."""
    header = read_header(path, policy=policy)
    if max(bands) > header.band_count:
        raise UnusableRasterError(str(path), f"has {header.band_count} bands, band {max(bands)} is asked for")
    width, height = min(header.width, WINDOW_PX), min(header.height, WINDOW_PX)
    parts = []
    for _ in range(1 if (width, height) == (header.width, header.height) else WINDOWS):
        corner = int(rng.integers(header.width - width + 1)), int(rng.integers(header.height - height + 1))
        parts.append(_valid(read_raster(path, bands, window=(*corner, width, height), policy=policy)))
    valid = np.concatenate(parts, axis=1)
    if valid.shape[1] == 0:  # every window fell on nodata: look at all of it, coarsely
        valid = _valid(read_raster(path, bands, out_shape=(height, width), policy=policy))
    if valid.shape[1] == 0:
        raise UnusableRasterError(str(path), "has no valid pixel")
    return valid


def _valid(image: NDArray[np.float32]) -> NDArray[np.float32]:
    return image[:, ~invalid_pixels(image)]
