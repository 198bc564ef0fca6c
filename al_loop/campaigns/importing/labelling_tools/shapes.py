"""What people drew in a labelling tool, in pixels of the image: x from the left edge, y from the top."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from shapely.affinity import translate
from shapely.geometry import mapping, shape

from al_loop.campaigns.importing.boxes import Box
from al_loop.campaigns.importing.coco import MOST_COORDINATE
from al_loop.campaigns.importing.mask_pairs import features_of

Point = tuple[float, float]
MOST_PX = 2**28
IGNORED = "ignore"
"""Label of regions that say nothing, as in `classes.json` of masks."""
_CORNERS_OF_ELLIPSE = 64


class BadShapeError(ValueError):
    """A shape that cannot be used, with the reason; its image is left out, as the answer would not be complete."""


class MaskRuns(NamedTuple):
    """A mask in a rectangle of the image, row by row: lengths of runs without and with it, in turn."""

    left: int
    top: int
    width: int
    height: int
    counts: NDArray[np.int64]
    """Sum is width times height; the first says how many pixels at the beginning do not belong to it."""

    def pixels(self) -> NDArray[np.uint8]:
        """0 and 1, shape (height, width)."""
        values = np.repeat(np.arange(len(self.counts), dtype=np.int64) % 2, self.counts).astype(np.uint8)
        return values.reshape(self.height, self.width)


class Shape(NamedTuple):
    """One object, or area."""

    name: str
    """Its class, or `IGNORED`."""
    drawn: dict[str, Any] | MaskRuns
    """GeoJSON geometry in pixels, or a mask."""
    is_box: bool = False
    """Whether it is drawn as a rectangle, also as a turned one."""
    turned: bool = False
    """Whether it is a rectangle whose sides are not those of the image."""

    def features(self) -> list[dict[str, Any]]:
        """GeoJSON features in pixel coordinates, of the class."""
        properties = {"label": None, "ignore": True} if self.name == IGNORED else {"label": self.name}
        if not isinstance(self.drawn, MaskRuns):
            return [{"type": "Feature", "properties": properties, "geometry": self.drawn}]
        found = []
        for feature in features_of(self.drawn.pixels(), [self.name])["features"]:
            moved = translate(shape(feature["geometry"]), self.drawn.left, self.drawn.top)
            found.append({**feature, "properties": properties, "geometry": mapping(moved)})
        return found

    def box(self) -> Box | str:
        """The bounds, or why there are none."""
        name = None if self.name == IGNORED else self.name
        if isinstance(self.drawn, MaskRuns):
            rows, columns = np.nonzero(self.drawn.pixels())
            if not len(rows):
                return "a mask of no pixel"
            left, top = self.drawn.left, self.drawn.top
            sides = (columns.min() + left, rows.min() + top, columns.max() + 1 + left, rows.max() + 1 + top)
            return Box(name, *map(float, sides))
        if self.drawn["type"] != "Polygon":
            return f"a {self.drawn['type']} has no box"
        xs, ys = zip(*self.drawn["coordinates"][0], strict=True)
        return Box(name, min(xs), min(ys), max(xs), max(ys))


def polygon(points: Sequence[Point]) -> dict[str, Any]:
    """A GeoJSON Polygon of the corners, closed.

    Raises:
        BadShapeError: Fewer than three corners, or one that is no place.
    """
    if len(points) < 3:
        raise BadShapeError(f"a polygon of {len(points)} corners")
    ring = [_place(x, y) for x, y in points]
    if ring[0] != ring[-1]:
        ring.append(ring[0])
    return {"type": "Polygon", "coordinates": [ring]}


def line(points: Sequence[Point]) -> dict[str, Any]:
    """A GeoJSON LineString.

    Raises:
        BadShapeError: Fewer than two positions, or one that is no place.
    """
    if len(points) < 2:
        raise BadShapeError("a line of one position")
    return {"type": "LineString", "coordinates": [_place(x, y) for x, y in points]}


def point(x: float, y: float) -> dict[str, Any]:
    """A GeoJSON Point.

    Raises:
        BadShapeError: It is no place.
    """
    return {"type": "Point", "coordinates": _place(x, y)}


def rectangle(left: float, top: float, right: float, bottom: float, pivot: Point, degrees: float) -> dict[str, Any]:
    """A rectangle, turned clockwise (as y goes down) about a place.

    Raises:
        BadShapeError: It has no area, or a corner that is no place.
    """
    if left == right or top == bottom:
        raise BadShapeError(f"the box ({left:.6g}, {top:.6g}, {right:.6g}, {bottom:.6g}) has no area")
    corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
    return polygon([_turned(corner, pivot, degrees) for corner in corners])


def ellipse(x: float, y: float, radius_x: float, radius_y: float, degrees: float) -> dict[str, Any]:
    """An ellipse as a polygon of 64 corners, turned clockwise about its centre.

    Raises:
        BadShapeError: It has no area, or is no place.
    """
    if radius_x <= 0 or radius_y <= 0:
        raise BadShapeError("an ellipse without area")
    angles = [2 * math.pi * number / _CORNERS_OF_ELLIPSE for number in range(_CORNERS_OF_ELLIPSE)]
    corners = [(x + radius_x * math.cos(angle), y + radius_y * math.sin(angle)) for angle in angles]
    return polygon([_turned(corner, (x, y), degrees) for corner in corners])


def mask_runs(left: int, top: int, width: int, height: int, counts: NDArray[np.int64]) -> MaskRuns:
    """A mask, checked.

    Raises:
        BadShapeError: Too large, at no place, or runs that do not add up to its size.
    """
    if width <= 0 or height <= 0 or width * height > MOST_PX:
        raise BadShapeError(f"a mask of {width} x {height} px")
    _place(left, top)
    if counts.size == 0 or (counts < 0).any() or (counts > MOST_PX).any() or int(counts.sum()) != width * height:
        raise BadShapeError(f"run lengths that do not add up to {width} x {height} px")
    return MaskRuns(left, top, width, height, counts)


def _turned(corner: Point, pivot: Point, degrees: float) -> Point:
    if degrees == 0:
        return corner
    sine, cosine = math.sin(math.radians(degrees)), math.cos(math.radians(degrees))
    x, y = corner[0] - pivot[0], corner[1] - pivot[1]
    return pivot[0] + x * cosine - y * sine, pivot[1] + x * sine + y * cosine


def _place(x: float, y: float) -> list[float]:
    if not (abs(x) < MOST_COORDINATE and abs(y) < MOST_COORDINATE):  # also False for NaN
        raise BadShapeError(f"({x:g}, {y:g}) is no place in an image")
    return [float(x), float(y)]
