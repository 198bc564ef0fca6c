"""Unlabelled chips of equal size in memory: what self-supervised training looks at. Torch-free.

Chips are standardised by the band statistics and kept as float16 with NaN at invalid pixels: 24 kB for 3 bands of
64 px.
"""

import logging
import math
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.card import BandPolicy, BandStatistics
from models.errors import RasterError, TrainingDataError, UnusableRasterError
from models.inference.image_model import ReadWindow
from models.rasters.bands import AS_DECLARED, invalid_pixels
from models.rasters.reading import RasterHeader, read_header, read_raster
from models.rasters.tiling import Window
from models.training.data.statistics import CLIP

logger = logging.getLogger(__name__)

CACHE_BYTES = 2**30
"""Memory of the chips at most: 43,690 of 3 bands and 64 px, 10,082 of 13 bands."""

SIZE_STRIDE_PX = 32
"""Chips of images that are all smaller than asked for are cut to their largest side, rounded up to this."""

MIN_VALID = 0.25
"""Chips with a smaller share of valid pixels are drawn again."""

CROP_ATTEMPTS = 4

MIN_CHIPS = 8
"""Fewer make no batch."""

WHOLE_VALUES = 2**25
"""Width x height x bands of an image that is read at once for all its chips, 128 MB: a JPEG or PNG has to be decoded
again for every window."""

REFUSALS_NAMED = 3


class ChipPool(msgspec.Struct, frozen=True, kw_only=True):
    """M chips of one size."""

    chips: NDArray[np.float16]
    """(M, C, S, S) standardised values, NaN at invalid pixels."""
    images: int
    """Rasters that they were cut from."""


class _Image(msgspec.Struct, frozen=True):
    path: Path
    header: RasterHeader


def read_chips(
    paths: Sequence[str],
    bands: Sequence[int],
    statistics: BandStatistics,
    *,
    chip_px: int,
    max_chips: int,
    seed: int,
    policy: BandPolicy = AS_DECLARED,
    cache_bytes: int = CACHE_BYTES,
) -> ChipPool:
    """Cut random chips from rasters of any size, as many from each as fit side by side.

    When more fit than may be kept, every raster gives its share of the chips, and of too many rasters only the first
    are read. Smaller images are mirrored at their lower and right border. Files that cannot be read, lack a band or
    hold too few valid pixels are left out with a warning in the log.

    Args:
        paths: Rasters in random order.
        bands: 1-based bands, in the model's order.
        statistics: Of these bands.
        chip_px: Side of a chip at most, a multiple of `SIZE_STRIDE_PX`.
        max_chips: Chips at most.
        seed: Of the windows.
        policy: How bands are read.
        cache_bytes: Memory at most.

    Returns:
        At least `MIN_CHIPS` chips.

    Raises:
        TrainingDataError: There are fewer.
    """
    refused: list[str] = []
    images = _openable(paths[:max_chips], bands, policy, refused)
    longest = max((max(image.header.width, image.header.height) for image in images), default=chip_px)
    side = min(chip_px, SIZE_STRIDE_PX * math.ceil(longest / SIZE_STRIDE_PX))
    limit = min(max_chips, cache_bytes // (2 * len(bands) * side * side))
    images = images[:limit]
    wanted = [_fitting(image.header, side) for image in images]
    share = min(1.0, limit / max(sum(wanted), 1))
    counts = [max(1, math.floor(share * fitting)) for fitting in wanted]
    chips = np.empty((min(limit, sum(counts)), len(bands), side, side), np.float16)
    rng = np.random.default_rng(seed)
    filled, used = 0, 0
    for image, count in zip(images, counts, strict=True):
        before = filled
        try:
            read = _reader(image, bands, policy, several=count > 1)
            for _ in range(min(count, len(chips) - filled)):
                chips[filled] = _chip(image, read, statistics, side, rng)
                filled += 1
        except (RasterError, UnusableRasterError) as error:
            refused.append(str(error))
        used += filled > before
    for reason in refused:
        logger.warning("pretraining: left out %s", reason)
    if filled < MIN_CHIPS:
        why = "".join(f"; {reason}" for reason in refused[:REFUSALS_NAMED])
        raise TrainingDataError(
            f"{filled} chips of {side} px can be cut from the {len(paths)} images outside the test reserve, "
            f"{MIN_CHIPS} are needed; register more images{why}"
        )
    return ChipPool(chips=chips[:filled], images=used)


def standardise(image: NDArray[np.float32], statistics: BandStatistics) -> NDArray[np.float32]:
    """Standardised bands, as `models.training.networks.architectures.Normalise` makes them, but NaN if invalid.

    Args:
        image: (C, H, W) raw values; a pixel that is NaN in every band is invalid.
        statistics: Of the same bands.

    Returns:
        (C, H, W).
    """
    low, high, mean, std = (
        np.asarray(getattr(statistics, name), np.float32)[:, None, None] for name in ("low", "high", "mean", "std")
    )
    scaled = np.clip((image - low) / (high - low), *CLIP)
    result = ((scaled - mean) / std).astype(np.float32)
    result[np.isnan(image)] = 0
    result[:, invalid_pixels(image)] = np.nan
    return result


def _openable(paths: Sequence[str], bands: Sequence[int], policy: BandPolicy, refused: list[str]) -> list[_Image]:
    images = []
    for path in paths:
        try:
            header = read_header(Path(path), policy=policy)
        except (RasterError, UnusableRasterError) as error:
            refused.append(str(error))
            continue
        if header.band_count < max(bands):
            refused.append(f"{path} has {header.band_count} bands, band {max(bands)} is asked for")
            continue
        images.append(_Image(Path(path), header))
    return images


def _fitting(header: RasterHeader, side: int) -> int:
    """Chips that fit side by side, at least 1."""
    return max(1, round(header.width / side) * round(header.height / side))


def _reader(image: _Image, bands: Sequence[int], policy: BandPolicy, *, several: bool) -> ReadWindow:
    """Reads windows; an image that gives several chips is decoded once where it is small enough."""
    if not several or image.header.width * image.header.height * len(bands) > WHOLE_VALUES:
        return lambda window: read_raster(image.path, bands, window=window, policy=policy)
    values = read_raster(image.path, bands, policy=policy)

    def cut(window: Window) -> NDArray[np.float32]:
        column, row, width, height = window
        return values[:, row : row + height, column : column + width]

    return cut


def _chip(
    image: _Image, read: ReadWindow, statistics: BandStatistics, side: int, rng: np.random.Generator
) -> NDArray[np.float32]:
    """One random window (C, side, side); the best of several attempts where pixels are invalid."""
    width, height = min(image.header.width, side), min(image.header.height, side)
    whole = (width, height) == (image.header.width, image.header.height)
    best, most = None, 0.0
    for _ in range(1 if whole else CROP_ATTEMPTS):
        column = int(rng.integers(image.header.width - width + 1))
        row = int(rng.integers(image.header.height - height + 1))
        values = read(Window(column, row, width, height))
        valid = 1.0 - float(invalid_pixels(values).mean())
        if valid > most:
            best, most = values, valid
        if valid >= MIN_VALID:
            break
    if best is None or most < MIN_VALID:
        raise UnusableRasterError(image.path.name, f"less than {MIN_VALID:.0%} of its pixels are valid")
    padding = ((0, 0), (0, side - height), (0, side - width))
    return np.pad(standardise(best, statistics), padding, mode="symmetric")
