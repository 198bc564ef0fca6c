"""Pictures for people: a raster as a small PNG, and class codes drawn over it."""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.card import BACKGROUND, IGNORE
from models.rasters.files import open_file
from models.rasters.pixels import has_alpha, read_values

_IGNORE_COLOUR = (128, 128, 128)
_PERCENTILES = (2.0, 98.0)
_LEAST_CONTRAST = 0.5
"""Least span of a stretch, as a share of its upper end."""
_GAMMA = 0.8
"""Of stretched values: lifts the dark half, where reflectances of land lie."""


def default_bands(band_count: int) -> tuple[int, int, int]:
    """1-based bands shown as red, green and blue.

    One and two bands: the first, in grey. Three: as they are. 12 and 13: Sentinel-2 in its usual order (4, 3, 2).
    Others: blue, green, red first, as in 4-band products (3, 2, 1).
    """
    if band_count < 3:
        return (1, 1, 1)
    if band_count == 3:
        return (1, 2, 3)
    return (4, 3, 2) if band_count in (12, 13) else (3, 2, 1)


def thumbnail(
    path: Path,
    *,
    bands: Sequence[int] | None = None,
    size_px: int = 256,
    name: str | None = None,
) -> NDArray[np.uint8]:
    """Picture of a raster: three-band uint8 as it is, all else stretched around its 2nd and 98th percentiles.

    Args:
        path: A raster file.
        bands: Three 1-based bands for red, green and blue; None: `default_bands`.
        size_px: Longest side at most; smaller rasters keep their size.
        name: What messages call the file; default: its name.

    Returns:
        RGBA, shape (H, W, 4); transparent where any of the bands is invalid.

    Raises:
        UnreadableRasterError: The file is not readable or damaged.
        UnusableRasterError: It has no such band.
    """
    name = name or path.name
    with open_file(path, name) as dataset:
        band_count = dataset.count - has_alpha(dataset)
        shown = tuple(bands) if bands is not None else default_bands(band_count)
        reduction = max(1.0, max(dataset.height, dataset.width) / size_px)
        shape = (max(1, round(dataset.height / reduction)), max(1, round(dataset.width / reduction)))
        values = read_values(dataset, name, shown, None, None if reduction == 1.0 else shape)
        if band_count == 3 and dataset.dtypes[0] == "uint8":
            return _rgba(values / np.float32(255))
    return _rgba(stretched(values))


def overlay(
    picture: NDArray[np.uint8],
    codes: NDArray[np.uint8],
    *,
    palette: Sequence[tuple[int, int, int]],
    opacity: float = 0.5,
) -> NDArray[np.uint8]:
    """Draw class codes over a picture.

    Args:
        picture: RGBA, shape (H, W, 4).
        codes: Class codes of the same place, of any shape; resized to the picture without mixing codes.
            0 is not drawn, 255 (ignore) is grey.
        palette: Colours of class 1, 2, ..; repeated when there are more classes.
        opacity: 0 shows only the picture, 1 only the colours.

    Returns:
        RGBA, shape (H, W, 4).
    """
    height, width, _ = picture.shape
    if codes.shape != (height, width):
        codes = np.asarray(Image.fromarray(codes).resize((width, height), Image.Resampling.NEAREST))
    colours = np.array([palette[(code - 1) % len(palette)] for code in range(256)], np.float32)
    colours[IGNORE] = _IGNORE_COLOUR
    weight = np.where(codes == BACKGROUND, 0.0, opacity)[..., None]
    mixed = picture.copy()
    mixed[..., :3] = np.rint(picture[..., :3] * (1 - weight) + colours[codes] * weight)
    return mixed


def encode_png(picture: NDArray[np.uint8]) -> bytes:
    """PNG of an RGBA picture, shape (H, W, 4)."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG")
    return buffer.getvalue()


def stretched(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Values (3, H, W) scaled to [0, 1] around their 2nd and 98th percentiles; NaN stays NaN."""
    valid = values[:, ~np.isnan(values).any(axis=0)]
    if not valid.size:
        return values
    low, high = np.percentile(valid, _PERCENTILES, axis=1)[:, :, None, None].astype(np.float32)
    # One span for all bands, and not a tiny one: forest and open sea must not turn into coloured noise.
    span = max(float((high - low).max()), _LEAST_CONTRAST * float(np.abs(high).max()))
    low, high = (low + high - span) / 2, (low + high + span) / 2
    scaled: NDArray[np.float32] = np.clip((values - low) / np.maximum(high - low, 1e-6), 0, 1) ** _GAMMA
    return scaled


def _rgba(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    """RGBA (H, W, 4) of values (3, H, W) in [0, 1]; NaN is transparent."""
    valid = ~np.isnan(values).any(axis=0)
    picture = np.zeros((*valid.shape, 4), np.uint8)
    picture[..., :3] = np.rint(np.nan_to_num(values).transpose(1, 2, 0) * 255)
    picture[..., 3] = valid * np.uint8(255)
    picture[~valid] = 0
    return picture
