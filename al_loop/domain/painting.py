"""Labels as pixels: the same wherever a campaign is drawn."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from al_loop.domain.geojson import coded_polygons
from al_loop.domain.samples import SampleHeader
from models.card import BACKGROUND
from models.rasters.masks import polygons_to_codes


class DrawnLabel(Protocol):
    """A label of drawn areas: `Label`, or `LabelInput` once its areas are in the CRS they are stored in."""

    @property
    def features(self) -> dict[str, Any] | None:
        """GeoJSON FeatureCollection; None counts as empty."""

    @property
    def crs(self) -> str | None:
        """CRS of `features`: "EPSG:4326" or "pixel"."""


def label_polygons(classes: Sequence[str], label: DrawnLabel, header: SampleHeader) -> list[tuple[int, bytes]]:
    """Code (1 = first class, 255 = "ignore") and WKB in pixel coordinates of each polygon, in painting order.

    Args:
        classes: Classes of the task, which the label's areas name.
        label: What was drawn.
        header: The sample it was drawn on.
    """
    return coded_polygons(label.features or {"features": []}, label.crs or "", header, classes)


def painted(
    classes: Sequence[str], label: DrawnLabel, header: SampleHeader, fill: int = BACKGROUND
) -> NDArray[np.uint8]:
    """Class codes (H, W) of a drawn label: 1 = first class, 255 = "ignore", `fill` inside no polygon."""
    return polygons_to_codes(label_polygons(classes, label, header), header.height, header.width, fill)
