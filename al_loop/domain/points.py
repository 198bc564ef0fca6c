"""Points of labels: which pixels they answer, and features joined to those of an earlier label."""

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple, Self

import msgspec
import numpy as np
import shapely
from shapely.geometry import mapping

from al_loop.domain.geojson import (
    MAX_POINTS,
    PIXEL,
    areas_of,
    placed,
    placed_point,
    to_pixels,
)
from al_loop.domain.labels import CheckedLabel, Label
from al_loop.domain.line_places import line_pixels, placed_line
from al_loop.domain.queries import AskedPoint
from al_loop.domain.samples import SampleHeader
from al_loop.errors import InvalidValueError
from models.geo.placement import locate

Pixel = tuple[int, int]
"""Column and row, counted from the upper left pixel, which is 0, 0."""


class DrawnFeatures(NamedTuple):
    """What a label says, as stored."""

    features: dict[str, Any]
    crs: str
    """"EPSG:4326" or "pixel"."""

    @classmethod
    def of(cls, label: Label | CheckedLabel) -> Self:
        """Those of a label; one without features has none."""
        return cls(label.features or {"type": "FeatureCollection", "features": []}, label.crs or "")


def point_pixels(drawn: DrawnFeatures, header: SampleHeader) -> dict[Pixel, int]:
    """The pixel of each Point of a stored collection, and the feature's place in it."""
    found: dict[Pixel, int] = {}
    for number, feature in enumerate(drawn.features["features"]):
        if feature["geometry"]["type"] == "Point":
            square = to_pixels(shapely.geometry.shape(feature["geometry"]), drawn.crs, header)
            if not square.is_empty:
                column, row = square.bounds[:2]
                found[int(column), int(row)] = number
    return found


def classes_at(pixels: Collection[Pixel], drawn: DrawnFeatures, header: SampleHeader) -> dict[Pixel, str | None]:
    """What a stored collection says of pixels, by its newest feature on each; None: to be ignored.

    Left out are pixels that no feature covers: no Point on them, no area over their centre.
    """
    found: dict[Pixel, str | None] = {}
    centres = np.array(sorted(pixels), np.float64).reshape(-1, 2) + 0.5
    for name, area in areas_of(drawn.features):
        inside = shapely.contains_xy(to_pixels(area, drawn.crs, header), centres)
        found |= {(int(column), int(row)): name for column, row in centres[inside]}
    return found


def with_answers(points: Sequence[AskedPoint], drawn: DrawnFeatures, header: SampleHeader) -> list[AskedPoint]:
    """Points that are asked about, each with whether a stored collection says what is there."""
    pixels = [(int(point.column), int(point.row)) for point in points]
    known = classes_at(pixels, drawn, header)
    return [
        msgspec.structs.replace(point, answered=pixel in known) for point, pixel in zip(points, pixels, strict=True)
    ]


def joined(base: DrawnFeatures, added: DrawnFeatures, header: SampleHeader, at: str) -> DrawnFeatures:
    """The features of a label and, on top of them, those added; a Point takes the place of one in its pixel.

    Args:
        base: The label that there is.
        added: What comes to it.
        header: The sample of both.
        at: JSON path of what is added.

    Returns:
        In the CRS of `base`, or of `added` where `base` has no feature.

    Raises:
        InvalidValueError: There would be more than `MAX_POINTS` features, or what is added has no place in the CRS of
            `base`.
    """
    if not base.features["features"]:
        return added
    replaced = {number for pixel, number in point_pixels(base, header).items() if pixel in point_pixels(added, header)}
    kept = [feature for number, feature in enumerate(base.features["features"]) if number not in replaced]
    features = kept + [_moved(feature, added.crs, base.crs, header, at) for feature in added.features["features"]]
    if len(features) > MAX_POINTS:
        raise InvalidValueError(at, f"with those before it the label has more than {MAX_POINTS} features")
    return DrawnFeatures({"type": "FeatureCollection", "features": features}, base.crs)


def _moved(feature: dict[str, Any], crs: str, wanted: str, header: SampleHeader, at: str) -> dict[str, Any]:
    """A stored feature in the other of the two CRS of stored features."""
    if crs == wanted:
        return feature
    area = shapely.geometry.shape(feature["geometry"])
    moved: shapely.Geometry | None
    if isinstance(area, shapely.LineString | shapely.MultiLineString):
        moved = line_pixels(area, crs, header) if wanted == PIXEL else placed_line(area, header)
    elif wanted != PIXEL:
        moved = placed_point(area, header) if feature["geometry"]["type"] == "Point" else placed(area, header)
    elif feature["geometry"]["type"] == "Point" and header.crs is not None and header.transform is not None:
        moved = locate(area, header.crs, header.transform, (0.0, 0.0, float(header.width), float(header.height)))
    else:
        moved = to_pixels(area, crs, header)
    if moved is None:
        raise InvalidValueError(at, f"the label that is added to has coordinates in {wanted}; send these in {wanted}")
    return {**feature, "geometry": mapping(moved)}
