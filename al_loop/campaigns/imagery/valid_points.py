"""Whether the points of a label lie on pixels that hold data."""

import logging
from pathlib import Path

import numpy as np
import shapely
from numpy.typing import NDArray

from al_loop.domain.campaigns import Campaign
from al_loop.domain.geojson import to_pixels
from al_loop.domain.labels import CheckedLabel
from al_loop.domain.samples import SampleHeader
from al_loop.errors import InvalidValueError
from models.errors import RasterError
from models.rasters.bands import invalid_pixels
from models.rasters.reading import read_raster, resolve_inside

logger = logging.getLogger(__name__)

TILE_PX = 512
"""Side of the windows that are read around points."""

READ_AT_ONCE = 1 << 22
"""Pixels of an image of which one window is read: formats without tiles (JPEG, PNG) are decoded anew for each."""


def refuse_nodata(campaign: Campaign, header: SampleHeader, label: CheckedLabel) -> None:
    """Refuse a label with a point on a pixel without data, which no model sees.

    Only the windows around its points are read. Nothing is refused where the image is gone or damaged: a label may
    come in while its file is away, and what is wrong with the file is told elsewhere.

    Raises:
        InvalidValueError: With the JSON path of the point.
    """
    found = [
        (index, feature)
        for index, feature in enumerate((label.features or {}).get("features", []))
        if feature["geometry"]["type"] == "Point"
    ]
    if not found:
        return
    corners = [
        to_pixels(shapely.geometry.shape(feature["geometry"]), label.crs or "", header).bounds for _, feature in found
    ]
    pixels = np.array(corners)[:, :2].astype(np.int64)
    try:
        blank = on_nodata(campaign, header, pixels)
    except (RasterError, OSError) as error:
        logger.warning("%s: points not checked for nodata: %s", header.path, error)
        return
    if blank.any():
        row = int(np.argmax(blank))
        index, (column, line) = found[row][0], pixels[row].tolist()
        raise InvalidValueError(
            f"{label.at}.features.features[{index}].geometry",
            f"the pixel at column {column} and row {line} of {header.path} holds no data; leave the point out",
        )


def on_nodata(campaign: Campaign, header: SampleHeader, pixels: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether pixels hold no data.

    Args:
        campaign: Says which bands are read and how.
        header: The image.
        pixels: Column and row of each, shape (N, 2), inside the image.

    Returns:
        Shape (N,).

    Raises:
        RasterError: The image cannot be read.
        OSError: It is gone.
    """
    blank = np.zeros(len(pixels), dtype=np.bool_)
    side = max(header.width, header.height) if header.width * header.height <= READ_AT_ONCE else TILE_PX
    tiles, tile_of = np.unique(pixels // side, axis=0, return_inverse=True)
    for number in range(len(tiles)):
        inside = tile_of.ravel() == number
        left, top = pixels[inside].min(axis=0)
        window = blank_window(campaign, header, pixels[inside])
        blank[inside] = window[pixels[inside, 1] - top, pixels[inside, 0] - left]
    return blank


def blank_window(campaign: Campaign, header: SampleHeader, corners: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether pixels of the smallest window that holds `corners` (N, 2), column and row, hold no data; shape (H, W).

    Raises:
        RasterError: The image cannot be read.
        OSError: It is gone.
    """
    path = resolve_inside(Path(campaign.root), header.path)
    bands = campaign.bands or [*range(1, header.band_count + 1)]
    left, top = corners.min(axis=0)
    right, bottom = corners.max(axis=0) + 1
    window = int(left), int(top), int(right - left), int(bottom - top)
    values = read_raster(path, bands, window=window, name=header.path, policy=campaign.band_policy)
    return invalid_pixels(values)
