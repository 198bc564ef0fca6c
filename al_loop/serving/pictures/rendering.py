"""Rasters as pictures for the report: class codes by palette, uncertainty as heat, labels as codes."""

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import shapely
import shapely.geometry
from matplotlib import colormaps
from numpy.typing import NDArray
from PIL import Image

from models.card import IGNORE
from models.rasters.masks import polygons_to_codes
from models.rasters.reading import open_upload

LONGER_SIDE_PX = 256
CLASS_COLOURS = (
    "#4c78a8", "#f58518", "#54a24b", "#e45756", "#72b7b2", "#eeca3b", "#b279a2", "#ff9da6", "#9d755d", "#bab0ac",
)  # fmt: skip
BACKGROUND_COLOUR = "#20242a"
IGNORE_COLOUR = "#8a8f98"


def class_colour(index: int) -> str:
    """Colour of the class with this 0-based index, as `#rrggbb`; they repeat after ten."""
    return CLASS_COLOURS[index % len(CLASS_COLOURS)]


def codes_png(tif: bytes) -> bytes:
    """PNG of a one-band raster of class codes."""
    return _codes_png(open_upload(tif).read([1])[0].astype(np.uint8))


def label_png(features: dict[str, Any], classes: Sequence[str], height: int, width: int) -> bytes:
    """PNG of a label whose polygons are in pixel coordinates."""
    polygons = []
    for feature in features["features"]:
        name = feature["properties"].get("label")
        code = IGNORE if name is None else classes.index(name) + 1
        polygons.append((code, shapely.to_wkb(shapely.geometry.shape(feature["geometry"]))))
    return _codes_png(polygons_to_codes(polygons, height, width, 0))


def heat_png(tif: bytes) -> bytes:
    """PNG of a one-band float raster: dark = sure, bright = unsure, stretched to its own range; NaN is transparent."""
    values = open_upload(tif).read([1])[0]
    valid = np.isfinite(values)
    low, high = (values[valid].min(), values[valid].max()) if valid.any() else (0.0, 1.0)
    scaled = np.where(valid, (values - low) / max(high - low, 1e-9), 0.0)
    pixels = colormaps["magma"](scaled, bytes=True)
    pixels[..., 3] = np.where(valid, 255, 0)
    return _png(pixels, Image.Resampling.BILINEAR)


def _codes_png(codes: NDArray[np.uint8]) -> bytes:
    palette = np.zeros((256, 3), np.uint8)
    for code in range(1, 255):
        palette[code] = _rgb(class_colour(code - 1))
    palette[0], palette[IGNORE] = _rgb(BACKGROUND_COLOUR), _rgb(IGNORE_COLOUR)
    return _png(palette[codes], Image.Resampling.NEAREST)


def _rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _png(pixels: NDArray[np.uint8], resampling: Image.Resampling) -> bytes:
    image = Image.fromarray(pixels)
    factor = LONGER_SIDE_PX / max(image.size)
    image = image.resize((round(image.width * factor), round(image.height * factor)), resampling)
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()
