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
from models.rasters.files import open_file, resolve_inside
from models.rasters.pixels import invalid_at, rules_out_invalid
from models.rasters.reading import read_raster

logger = logging.getLogger(__name__)


def refuse_nodata(campaign: Campaign, header: SampleHeader, label: CheckedLabel) -> None:
    """Refuse a label with a point on a pixel without data, which no model sees.

    Points that are marked "ignore" may lie there. Only the blocks around the others are read. Nothing is refused
    where the image is gone or damaged: a label may come in while its file is away, and what is wrong with the file is
    told elsewhere.

    Raises:
        InvalidValueError: With the JSON path of the point.
    """
    found = [
        (index, feature)
        for index, feature in enumerate((label.features or {}).get("features", []))
        if feature["geometry"]["type"] == "Point" and not (feature.get("properties") or {}).get("ignore")
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
    path, bands = _read_by(campaign, header)
    with open_file(path, header.path) as dataset:
        return invalid_at(dataset, header.path, bands, pixels, policy=campaign.band_policy)


def holds_data_everywhere(campaign: Campaign, header: SampleHeader) -> bool:
    """Whether the file's header says so, in about a millisecond; False where only pixels can tell.

    Raises:
        RasterError: The image cannot be read.
        OSError: It is gone.
    """
    path, _ = _read_by(campaign, header)
    with open_file(path, header.path) as dataset:
        return rules_out_invalid(dataset, campaign.band_policy)


def blank_map(campaign: Campaign, header: SampleHeader) -> NDArray[np.bool_]:
    """Where an image holds no data, shape (H, W); it is read whole.

    Raises:
        RasterError: The image cannot be read.
        OSError: It is gone.
    """
    path, bands = _read_by(campaign, header)
    return invalid_pixels(read_raster(path, bands, name=header.path, policy=campaign.band_policy))


def _read_by(campaign: Campaign, header: SampleHeader) -> tuple[Path, list[int]]:
    """Where the file of an image is, and which bands of it count."""
    bands = campaign.bands or [*range(1, header.band_count + 1)]
    return resolve_inside(Path(campaign.root), header.path), bands
