"""Rasters as pictures for the report: class codes in their colours, uncertainty as heat, labels as codes."""

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import shapely
from matplotlib import colormaps
from numpy.typing import NDArray
from PIL import Image

from al_loop.domain.class_colours import rgb
from al_loop.domain.geojson import areas_of, class_code
from al_loop.domain.line_places import DrawnLine
from models.pictures.overlays import overlay
from models.rasters.masks import polygons_to_codes
from models.rasters.reading import open_upload

LONGER_SIDE_PX = 256
BACKGROUND_COLOUR = "#20242a"
IGNORE_COLOUR = "#808080"
"""Of `models.pictures.overlays`."""


def codes_png(tif: bytes, colours: Sequence[str]) -> bytes:
    """PNG of a one-band raster of class codes; `colours`: `#rrggbb` of class 1, 2, .."""
    return _codes_png(open_upload(tif).read([1])[0].astype(np.uint8), colours)


def label_png(
    features: dict[str, Any], classes: Sequence[str], colours: Sequence[str], height: int, width: int
) -> bytes:
    """PNG of a label whose polygons are in pixel coordinates; `colours`: `#rrggbb` of each class."""
    polygons = [
        (class_code(name, classes), shapely.to_wkb(area.line if isinstance(area, DrawnLine) else area))
        for name, area in areas_of(features)
    ]
    return _codes_png(polygons_to_codes(polygons, height, width), colours)


def heat_png(tif: bytes) -> bytes:
    """PNG of a one-band float raster: dark = sure, bright = unsure, stretched to its own range; NaN is transparent."""
    values = open_upload(tif).read([1])[0]
    valid = np.isfinite(values)
    low, high = (values[valid].min(), values[valid].max()) if valid.any() else (0.0, 1.0)
    scaled = np.where(valid, (values - low) / max(high - low, 1e-9), 0.0)
    pixels = colormaps["magma"](scaled, bytes=True)
    pixels[..., 3] = np.where(valid, 255, 0)
    return _png(pixels, Image.Resampling.BILINEAR)


def _codes_png(codes: NDArray[np.uint8], colours: Sequence[str]) -> bytes:
    ground = np.full((*codes.shape, 4), (*rgb(BACKGROUND_COLOUR), 255), np.uint8)
    drawn = overlay(ground, codes, palette=[rgb(colour) for colour in colours], opacity=1)
    return _png(drawn, Image.Resampling.NEAREST)


def _png(pixels: NDArray[np.uint8], resampling: Image.Resampling) -> bytes:
    image = Image.fromarray(pixels)
    factor = LONGER_SIDE_PX / max(image.size)
    image = image.resize((round(image.width * factor), round(image.height * factor)), resampling)
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()
