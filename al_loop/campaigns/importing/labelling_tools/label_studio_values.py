"""One result of Label Studio: a region in percent of the image's width and height, or a choice for the whole image."""

from collections.abc import Mapping
from typing import Any

from al_loop.campaigns.importing.coco import MOST_COORDINATE
from al_loop.campaigns.importing.labelling_tools.brush import decode_brush
from al_loop.campaigns.importing.labelling_tools.shapes import (
    BadShapeError,
    Shape,
    ellipse,
    line,
    point,
    polygon,
    rectangle,
)

REGIONS = ("rectanglelabels", "polygonlabels", "brushlabels", "ellipselabels", "keypointlabels", "vectorlabels")
_NO_LABELS = ("rectangle", "polygon", "brush", "ellipse", "keypoint", "vector")
"""The same, where the class is in a result of its own (`labels`) of the same id."""
_PLAIN = "labels"


def is_region(kind: object) -> bool:
    """Whether a result of this type has a place in the image."""
    return kind in REGIONS or kind in _NO_LABELS


def names_of(value: Mapping[str, Any]) -> list[str]:
    """Classes of a region: those of whichever list its value has."""
    for kind in (*REGIONS, _PLAIN):
        found = value.get(kind)
        if isinstance(found, list):
            return [name.strip() for name in found if isinstance(name, str) and name.strip()]
    return []


def shape_of(kind: str, value: Mapping[str, Any], name: str, size: tuple[int, int]) -> Shape:
    """A region in pixels.

    Args:
        kind: `rectanglelabels`, `polygonlabels`, ..; also without `labels`.
        value: As Label Studio writes it.
        name: Its class.
        size: Width and height of the image in pixels.

    Raises:
        BadShapeError: It cannot be read, or has no area, or is of a kind that we do not know.
    """
    width, height = size

    def across(member: str) -> float:
        return _number(value, member) * width / 100

    def down(member: str) -> float:
        return _number(value, member) * height / 100

    match kind.removesuffix("labels"):
        case "rectangle":
            left, top = across("x"), down("y")
            degrees = _number(value, "rotation", 0.0)
            right, bottom = left + across("width"), top + down("height")
            drawn = rectangle(left, top, right, bottom, (left, top), degrees)  # it turns about its own corner
            return Shape(name, drawn, True, degrees % 360 != 0)
        case "ellipse":
            degrees = _number(value, "rotation", 0.0)
            return Shape(name, ellipse(across("x"), down("y"), across("radiusX"), down("radiusY"), degrees))
        case "keypoint":
            return Shape(name, point(across("x"), down("y")))
        case "polygon":
            if value.get("closed") is False:
                raise BadShapeError("a polygon that is not closed")
            return Shape(name, polygon(_points(value.get("points"), width, height)))
        case "vector":
            corners = _points(_vertices(value.get("vertices")), width, height)
            return Shape(name, polygon(corners) if value.get("closed") else line(corners))
        case "brush":
            if value.get("format") != "rle":
                raise BadShapeError(f"a brush mask of format {value.get('format')!r:.40}, not rle")
            packed = value.get("rle")
            if not isinstance(packed, list):
                raise BadShapeError("a brush mask without `rle`")
            return Shape(name, decode_brush(packed, width, height))
        case _:
            raise BadShapeError(f"a region of type {kind[:40]}")


def _vertices(vertices: object) -> list[object] | None:
    """Corners of a vector: straight ones only."""
    if not isinstance(vertices, list) or not all(isinstance(corner, dict) for corner in vertices):
        return None
    if any(corner.get("isBezier") for corner in vertices):
        raise BadShapeError("a curve; draw it with straight sides")
    return [[corner.get("x"), corner.get("y")] for corner in vertices]


def _points(points: object, width: int, height: int) -> list[tuple[float, float]]:
    if not isinstance(points, list):
        raise BadShapeError("no list of points")
    found = []
    for entry in points:
        if not isinstance(entry, list) or len(entry) != 2 or not all(map(_is_number, entry)):
            raise BadShapeError("points that are no pairs of numbers")
        found.append((entry[0] * width / 100, entry[1] * height / 100))
    return found


def _number(value: Mapping[str, Any], member: str, without: float | None = None) -> float:
    found = value.get(member, without)
    if not _is_number(found):
        raise BadShapeError(f"its {member} is no number")
    return float(found)


def _is_number(found: object) -> bool:
    """Whether it is a number that a share of an image can be; longer ones do not fit a float."""
    return type(found) in (int, float) and abs(found) < MOST_COORDINATE  # type: ignore[arg-type]
