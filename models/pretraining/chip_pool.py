"""Unlabelled chips of equal size in memory: what self-supervised training looks at. Torch-free.

Chips are standardised by the band statistics and kept as float16 with NaN at invalid pixels: 24 kB for 3 bands of
64 px. Where every image has a partner, another image of the same place, both are cut at the same window.
"""

import logging
import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

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


class Look(NamedTuple):
    """Images of one kind: which bands of them are read, and how they are standardised."""

    bands: Sequence[int]
    """1-based, in the model's order."""
    statistics: BandStatistics
    """Of these bands."""
    policy: BandPolicy


class ChipPool(msgspec.Struct, frozen=True, kw_only=True):
    """M chips of one size."""

    chips: NDArray[np.float16]
    """(M, C, S, S) standardised values, NaN at invalid pixels."""
    images: int
    """Rasters that they were cut from; of pairs the first ones."""
    partners: NDArray[np.float16] | None = None
    """(M, C', S, S): the same windows in the partners; None without partners."""


class _Image(NamedTuple):
    path: Path
    header: RasterHeader
    look: Look


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
    """Cut random chips from rasters of any size, as many from each as fit side by side; see `read_looks`."""
    looks = [Look(bands, statistics, policy)]
    return read_looks(
        [(path,) for path in paths], looks, chip_px=chip_px, max_chips=max_chips, seed=seed, cache_bytes=cache_bytes
    )


def read_looks(
    places: Sequence[tuple[str, ...]],
    looks: Sequence[Look],
    *,
    chip_px: int,
    max_chips: int,
    seed: int,
    cache_bytes: int = CACHE_BYTES,
) -> ChipPool:
    """Cut random chips from rasters of any size, as many from each as fit side by side.

    When more fit than may be kept, every raster gives its share of the chips, and of too many rasters only the first
    are read. Smaller images are mirrored at their lower and right border. Files that cannot be read, lack a band, hold
    too few valid pixels or differ in size from their partner are left out, with their partner and a warning in the log.

    Args:
        places: A raster, or a raster and its partner, in random order.
        looks: How the first rasters are read and, where there are partners, how those are.
        chip_px: Side of a chip at most, a multiple of `SIZE_STRIDE_PX`.
        max_chips: Chips at most.
        seed: Of the windows.
        cache_bytes: Memory at most.

    Returns:
        At least `MIN_CHIPS` chips.

    Raises:
        TrainingDataError: There are fewer.
    """
    refused: list[str] = []
    opened = _openable(places[:max_chips], looks, refused)
    longest = max((max(image.header.width, image.header.height) for image, *_ in opened), default=chip_px)
    side = min(chip_px, SIZE_STRIDE_PX * math.ceil(longest / SIZE_STRIDE_PX))
    bands = sum(len(look.bands) for look in looks)
    limit = min(max_chips, cache_bytes // (2 * bands * side * side))
    opened = opened[:limit]
    wanted = [_fitting(image.header, side) for image, *_ in opened]
    share = min(1.0, limit / max(sum(wanted), 1))
    counts = [max(1, math.floor(share * fitting)) for fitting in wanted]
    chips = [np.empty((min(limit, sum(counts)), len(look.bands), side, side), np.float16) for look in looks]
    rng = np.random.default_rng(seed)
    filled, used = 0, 0
    for images, count in zip(opened, counts, strict=True):
        before = filled
        try:
            readers = [_reader(image, several=count > 1) for image in images]
            for _ in range(min(count, len(chips[0]) - filled)):
                found = _window(images, readers, side, rng)
                for kept, values, look in zip(chips, found, looks, strict=True):
                    kept[filled] = _fitted(values, look.statistics, side)
                filled += 1
        except (RasterError, UnusableRasterError) as error:
            refused.append(str(error))
        used += filled > before
    for reason in refused:
        logger.warning("pretraining: left out %s", reason)
    if filled < MIN_CHIPS:
        why = "".join(f"; {reason}" for reason in refused[:REFUSALS_NAMED])
        what = "images" if len(looks) == 1 else "pairs of images"
        raise TrainingDataError(
            f"{filled} chips of {side} px can be cut from the {len(places)} {what} outside the test reserve, "
            f"{MIN_CHIPS} are needed; register more images{why}"
        )
    return ChipPool(chips=chips[0][:filled], images=used, partners=chips[1][:filled] if len(looks) > 1 else None)


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


def _openable(places: Sequence[tuple[str, ...]], looks: Sequence[Look], refused: list[str]) -> list[tuple[_Image, ...]]:
    opened = []
    for paths in places:
        try:
            images = tuple(_opened(path, look) for path, look in zip(paths, looks, strict=True))
            _check_sizes(images)
        except (RasterError, UnusableRasterError, FileNotFoundError) as error:
            refused.append(str(error))
        else:
            opened.append(images)
    return opened


def _opened(path: str, look: Look) -> _Image:
    header = read_header(Path(path), policy=look.policy)
    if header.band_count < max(look.bands):
        raise UnusableRasterError(path, f"has {header.band_count} bands, band {max(look.bands)} is asked for")
    return _Image(Path(path), header, look)


def _check_sizes(images: Sequence[_Image]) -> None:
    sizes = [f"{image.header.width} x {image.header.height} px" for image in images]
    if len(set(sizes)) > 1:
        raise UnusableRasterError(
            images[0].path.name, f"has {sizes[0]} and its partner {images[1].path.name} {sizes[1]}; a pair has one size"
        )


def _fitting(header: RasterHeader, side: int) -> int:
    """Chips that fit side by side, at least 1."""
    return max(1, round(header.width / side) * round(header.height / side))


def _reader(image: _Image, *, several: bool) -> ReadWindow:
    """Reads windows; an image that gives several chips is decoded once where it is small enough."""
    bands, _, policy = image.look
    if not several or image.header.width * image.header.height * len(bands) > WHOLE_VALUES:
        return lambda window: read_raster(image.path, bands, window=window, policy=policy)
    values = read_raster(image.path, bands, policy=policy)

    def cut(window: Window) -> NDArray[np.float32]:
        column, row, width, height = window
        return values[:, row : row + height, column : column + width]

    return cut


def _window(
    images: Sequence[_Image], readers: Sequence[ReadWindow], side: int, rng: np.random.Generator
) -> list[NDArray[np.float32]]:
    """One random window (C, h, w) of each; the best of several attempts where pixels are invalid."""
    header = images[0].header
    width, height = min(header.width, side), min(header.height, side)
    whole = (width, height) == (header.width, header.height)
    best: list[NDArray[np.float32]] = []
    most = 0.0
    for _ in range(1 if whole else CROP_ATTEMPTS):
        column = int(rng.integers(header.width - width + 1))
        row = int(rng.integers(header.height - height + 1))
        values = [read(Window(column, row, width, height)) for read in readers]
        valid = min(1.0 - float(invalid_pixels(image).mean()) for image in values)
        if valid > most:
            best, most = values, valid
        if valid >= MIN_VALID:
            break
    if most < MIN_VALID:
        raise UnusableRasterError(images[0].path.name, f"less than {MIN_VALID:.0%} of its pixels are valid")
    return best


def _fitted(values: NDArray[np.float32], statistics: BandStatistics, side: int) -> NDArray[np.float32]:
    """Standardised, and mirrored at the lower and right border up to the side of a chip."""
    padding = ((0, 0), (0, side - values.shape[1]), (0, side - values.shape[2]))
    return np.pad(standardise(values, statistics), padding, mode="symmetric")
