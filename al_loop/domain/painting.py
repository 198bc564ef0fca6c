"""Colours of classes, the same wherever a campaign is drawn."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from al_loop.domain.geojson import coded_polygons
from al_loop.domain.labels import Label
from al_loop.domain.samples import Sample
from models.card import BACKGROUND, TaskSpec
from models.rasters.masks import polygons_to_codes

COLOURS = (
    "#e6194b", "#3cb44b", "#0048f0", "#ffe119", "#f58231", "#911eb4", "#42d4f4", "#f032e6", "#bfef45", "#fabed4",
    "#469990", "#9a6324", "#800000", "#aaffc3", "#808000", "#000075",
)  # fmt: skip
"""Repeated when there are more classes."""


def class_colours(tasks: Iterable[TaskSpec]) -> dict[str, str]:
    """`#rrggbb` of each class name of a campaign, in the order of its tasks; a name has one colour in all of them."""
    names = dict.fromkeys(name for spec in tasks for name in spec.classes)
    return {name: COLOURS[index % len(COLOURS)] for index, name in enumerate(names)}


def rgb(colour: str) -> tuple[int, int, int]:
    """Red, green and blue, 0 to 255, of `#rrggbb`."""
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def painted(spec: TaskSpec, label: Label, sample: Sample, fill: int = BACKGROUND) -> NDArray[np.uint8]:
    """Codes (H, W) of a drawn label by the campaign's classes; `fill` inside no polygon, 255 = says nothing."""
    polygons = coded_polygons(label.features or {"features": []}, label.crs or "", sample, spec.classes)
    return polygons_to_codes(polygons, sample.height, sample.width, fill)
