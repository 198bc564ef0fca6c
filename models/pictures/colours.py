"""Values to colours, by rio-tiler: band maths, limits, gamma, colour maps. RGBA uint8 (H, W, 4), nodata transparent.

rio-tiler is imported by what needs it: with its grids of tiles it is a fifth of what a service imports at its start.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.pictures.band_maths import read_band_maths
from models.rasters.bands import invalid_pixels

Picture: TypeAlias = NDArray[np.uint8]
Limits: TypeAlias = tuple[tuple[float, float], ...]
"""Lower and upper value of each channel: what is shown black and what is shown full."""

PERCENTILES = (2.0, 98.0)
LEAST_SPAN = 1e-6
_PNG_LEVEL = 3
"""Of zlib: half the time of the default for 4 % more bytes."""


@dataclass(frozen=True)
class Recipe:
    """Which channels a picture has: one or three bands, or one or three formulas."""

    bands: tuple[int, ...] = ()
    """1-based; one (grey) or three (red, green, blue). Empty: `expression` says."""
    expression: str | None = None
    """As `models.pictures.band_maths` takes it."""
    colormap: str | None = None
    """Name of one of rio-tiler's colour maps, for pictures of one channel; None: grey."""

    @property
    def read_bands(self) -> list[int]:
        """1-based bands that have to be read, ascending."""
        return list(read_band_maths(self.expression).bands) if self.expression else sorted(set(self.bands))

    @property
    def channel_count(self) -> int:
        """1 or 3."""
        return len(read_band_maths(self.expression).blocks) if self.expression else len(self.bands)


def channels(values: NDArray[np.float32], recipe: Recipe) -> NDArray[np.float32]:
    """The channels of a recipe, float32 (1 or 3, H, W), NaN where a band that the channel shows is missing.

    A formula has no value where any of its bands is missing.

    Args:
        values: The recipe's `read_bands`, (C, H, W), NaN = nodata.
        recipe: What to show.
    """
    read = recipe.read_bands
    if recipe.expression is None:
        return values[[read.index(band) for band in recipe.bands]]
    from rio_tiler.models import ImageData

    image = ImageData(np.nan_to_num(values), band_names=[f"b{band}" for band in read])
    made = image.apply_expression(read_band_maths(recipe.expression).text).data.astype(np.float32)
    return np.where(np.isnan(values).any(axis=0), np.float32(np.nan), made)


def percentile_limits(shown: NDArray[np.float32]) -> Limits:
    """The 2nd and 98th percentile of each channel (C, ...), NaN left out; (0, 1) for a channel without a value."""
    limits = []
    for channel in shown.reshape(len(shown), -1):
        valid = channel[np.isfinite(channel)]
        low, high = np.percentile(valid, PERCENTILES) if valid.size else (0.0, 1.0)
        limits.append((float(low), max(float(high), float(low) + LEAST_SPAN)))
    return tuple(limits)


def one_span(limits: Limits) -> Limits:
    """The same lower limits, all with the largest span: what reflects alike in all bands is then grey, not tinted."""
    span = max(high - low for low, high in limits)
    return tuple((low, low + span) for low, _ in limits)


def widened(limits: Limits, towards: Limits, least_share: float) -> Limits:
    """Limits moved towards others until they span at least a share of those.

    An even image (open sea, closed forest) keeps its place between dark and bright then, and its noise stays faint.
    """
    moved = []
    for (low, high), (other_low, other_high) in zip(limits, towards, strict=True):
        missing = least_share * (other_high - other_low) - (high - low)
        share = min(1.0, missing / ((other_high - other_low) - (high - low))) if missing > 0 else 0.0
        moved.append((low + share * (other_low - low), high + share * (other_high - high)))
    return tuple(moved)


def coloured(shown: NDArray[np.float32], limits: Limits, *, gamma: float = 1.0, colormap: str | None = None) -> Picture:
    """RGBA (H, W, 4) of channels (1 or 3, H, W); transparent where all are NaN, and a missing one is dark.

    Args:
        shown: As `channels` makes them.
        limits: One pair for each channel.
        gamma: Above 1 lifts dark parts: the share of the span is raised to 1 / gamma.
        colormap: Of one channel; None: grey.
    """
    from rio_tiler.colormap import cmap
    from rio_tiler.models import ImageData

    invalid = invalid_pixels(shown)
    lowest = np.array([low for low, _ in limits], np.float32)[:, None, None]
    known = np.where(np.isnan(shown), lowest, shown)
    masked = np.ma.MaskedArray(known, mask=np.broadcast_to(invalid, shown.shape).copy())
    image = ImageData(masked).rescale(limits, out_range=((0.0, 1.0),), out_dtype="float32")
    share = np.clip(image.data, 0.0, 1.0) ** np.float32(1.0 / gamma)
    levels = np.rint(share * 255).astype(np.uint8)
    if len(levels) == 1 and colormap is not None:
        levels = ImageData(levels).apply_colormap(cmap.get(colormap)).data
    picture = np.zeros((*invalid.shape, 4), np.uint8)
    picture[..., :3] = np.moveaxis(levels, 0, -1)
    picture[..., 3] = 255
    picture[invalid] = 0
    return picture


def colormap_names() -> list[str]:
    """The colour maps there are."""
    from rio_tiler.colormap import cmap

    return sorted(cmap.list())


def encode_png(picture: Picture) -> bytes:
    """PNG of an RGBA picture, shape (H, W, 4)."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG", compress_level=_PNG_LEVEL)
    return buffer.getvalue()


def paired(limits: Sequence[Sequence[float]]) -> Limits:
    """Limits as a tuple of pairs."""
    return tuple((float(low), float(high)) for low, high in limits)
