"""Labels as pixels, and the colours of classes: the same wherever a campaign is drawn."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from al_loop.domain.geojson import coded_polygons
from al_loop.domain.samples import SampleHeader
from models.card import BACKGROUND, TaskSpec
from models.rasters.masks import polygons_to_codes

COLOURS = (
    "#e6194b", "#3cb44b", "#0048f0", "#ffe119", "#f58231", "#911eb4", "#42d4f4", "#f032e6", "#bfef45", "#fabed4",
    "#469990", "#9a6324", "#800000", "#aaffc3", "#808000", "#000075",
)  # fmt: skip
"""Repeated when there are more classes."""


def class_colours(tasks: Iterable[TaskSpec], chosen: Mapping[str, str] | None = None) -> dict[str, str]:
    """`#rrggbb` of each class name of a campaign, in the order of its tasks; a name has one colour in all of them.

    Args:
        tasks: Of the campaign.
        chosen: Colours that an operator gave to some classes, as `Campaign.chosen_colours`.
    """
    names = dict.fromkeys(name for spec in tasks for name in spec.classes)
    chosen = chosen or {}
    return {name: chosen.get(name, COLOURS[index % len(COLOURS)]) for index, name in enumerate(names)}


def rgb(colour: str) -> tuple[int, int, int]:
    """Red, green and blue, 0 to 255, of `#rrggbb`."""
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


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
