"""Labels as pixels: the same wherever a campaign is drawn."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import shapely
from numpy.typing import NDArray

from al_loop.domain.geojson import PIXEL, Sides, areas_of, class_code, coded_polygons, to_pixels
from al_loop.domain.samples import SampleHeader
from models.card import BACKGROUND, IGNORE
from models.geo.antimeridian import rejoined
from models.rasters.masks import polygons_to_codes


class DrawnLabel(Protocol):
    """A label of drawn areas: `Label`, or `LabelInput` once its areas are in the CRS they are stored in."""

    @property
    def features(self) -> dict[str, Any] | None:
        """GeoJSON FeatureCollection; None counts as empty."""

    @property
    def crs(self) -> str | None:
        """CRS of `features`: "EPSG:4326" or "pixel"."""


def label_polygons(
    classes: Sequence[str], label: DrawnLabel, header: SampleHeader, scale: int = 1
) -> list[tuple[int, bytes]]:
    """Code (1 = first class, 255 = "ignore") and WKB in pixel coordinates of each polygon, in painting order.

    Args:
        classes: Classes of the task, which the label's areas name.
        label: What was drawn.
        header: The sample it was drawn on.
        scale: Parts of a pixel along each side that lines cover or not.
    """
    return coded_polygons(label.features or {"features": []}, label.crs or "", header, classes, scale)


def label_boxes(classes: Sequence[str], label: DrawnLabel, header: SampleHeader) -> list[tuple[int, bytes]]:
    """Class and box of each object of a label: of each polygon, those of a MultiPolygon one by one.

    An object that an export cut at the date line is one.

    Args:
        classes: Classes of the task, which the label's areas name.
        label: What was drawn.
        header: The sample it was drawn on.

    Returns:
        Code (1 = first class, 255 = "ignore") and WKB of the rectangle in pixel coordinates that holds the polygon, cut
        at the image's edge.
    """
    found = []
    for name, area in areas_of(label.features or {"features": []}):
        for part in shapely.get_parts(area if label.crs == PIXEL else rejoined(area)):
            drawn = to_pixels(part, label.crs or "", header)
            if not drawn.is_empty:
                found.append((class_code(name, classes), shapely.to_wkb(shapely.box(*drawn.bounds))))
    return found


def named_boxes(classes: Sequence[str], label: DrawnLabel, header: SampleHeader) -> list[tuple[str | None, Sides]]:
    """Class (None: to be ignored) and left, top, right, bottom in pixels of each object of a label."""
    found = label_boxes(classes, label, header)
    bounds = shapely.bounds(shapely.from_wkb([wkb for _, wkb in found])).reshape(-1, 4).tolist()
    names = [None if code == IGNORE else classes[code - 1] for code, _ in found]
    return [(name, (left, top, right, bottom)) for name, (left, top, right, bottom) in zip(names, bounds, strict=True)]


def painted(
    classes: Sequence[str], label: DrawnLabel, header: SampleHeader, fill: int = BACKGROUND
) -> NDArray[np.uint8]:
    """Class codes (H, W) of a drawn label: 1 = first class, 255 = "ignore", `fill` inside no polygon."""
    return polygons_to_codes(label_polygons(classes, label, header), header.height, header.width, fill)
