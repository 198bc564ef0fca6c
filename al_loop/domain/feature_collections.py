"""GeoJSON FeatureCollections as clients send them: what is a feature, its class, its polygons, lines or point.

Other tools write much that the standard allows and more; what is clear is taken, the rest is refused in plain words
with the JSON path of the member, what was found there and what to send instead.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from al_loop.domain.names import same_text
from al_loop.domain.refusals import KINDS, in_words
from al_loop.errors import InvalidValueError

MAX_DEPTH = 32
"""How deep the members of a feature may be nested."""
MAX_GEOMETRIES = 8
"""How deep GeometryCollections may be nested."""
Rings = list[list[list[float]]]
_SHOWN = 10


class GivenFeature(NamedTuple):
    """One feature, checked but for its coordinates' values."""

    at: str
    """Its JSON path."""
    stored: dict[str, Any]
    """As it was sent, with the class as the campaign spells it."""
    polygons: list[tuple[Rings, str]]
    """Rings of each polygon, and the JSON path of its coordinates; none of a point."""
    single: bool
    """Whether it is a Polygon; else it is of several."""
    as_drawn: bool
    """Whether its geometry is stored as it was sent; a collection and 3D coordinates are not."""
    point: list[float] | None = None
    """Position of a Point, which says what one pixel shows; it has no polygons."""
    lines: Sequence[tuple[list[list[float]], str]] | None = None
    """Positions of each line, and the JSON path of its coordinates; then it has no polygons. None: it is no line."""


def given_features(features: dict[str, Any], classes: Sequence[str], at: str) -> tuple[list[GivenFeature], object]:
    """The features of a collection, and its `crs` member.

    Args:
        features: As it was sent.
        classes: Of the task.
        at: JSON path of `features`.

    Raises:
        InvalidValueError: With the JSON path of the member.
    """
    if features.get("type") != "FeatureCollection":
        raise InvalidValueError(
            f"{at}.type", f"expected a GeoJSON FeatureCollection, got {_shown(features.get('type'))}"
        )
    listed = features.get("features")
    if not isinstance(listed, list):
        raise InvalidValueError(f"{at}.features", f"expected a list of features, got {_kind(listed)}")
    by_name = {same_text(name): name for name in classes}
    found = [_feature(feature, by_name, f"{at}.features[{index}]") for index, feature in enumerate(listed)]
    return [feature for feature in found if feature is not None], features.get("crs")


def _feature(feature: object, by_name: dict[str, str], at: str) -> GivenFeature | None:
    """A feature; None for one that says that there is no area."""
    if not isinstance(feature, dict) or feature.get("type") != "Feature":
        raise InvalidValueError(f"{at}.type" if isinstance(feature, dict) else at, "expected a GeoJSON Feature")
    _check_depth({name: value for name, value in feature.items() if name != "geometry"}, at)
    properties, geometry = feature.get("properties"), feature.get("geometry")
    if geometry is None and isinstance(properties, dict) and properties.get("empty") is True:
        return None
    name = _class_of(properties, by_name, f"{at}.properties")
    if not isinstance(geometry, dict):
        raise InvalidValueError(
            f"{at}.geometry", f"the feature has no geometry, but {_kind(geometry)}; draw an area or leave it out"
        )
    stored = feature
    if isinstance(properties, dict) and properties.get("label") != name:
        stored = {**feature, "properties": {**properties, "label": name}}
    kind = geometry.get("type")
    if kind == "Point":
        position = _checked(geometry, list[float], f"{at}.geometry")
        return GivenFeature(at, stored, [], single=True, as_drawn=len(position) == 2, point=position)
    if kind in ("LineString", "MultiLineString"):
        lines = _lines(geometry, f"{at}.geometry")
        even = all(len(position) == 2 for line, _ in lines for position in line)
        return GivenFeature(at, stored, [], single=kind == "LineString", as_drawn=even, lines=lines)
    polygons = _polygons(geometry, f"{at}.geometry", 0)
    flat = all(len(position) == 2 for rings, _ in polygons for ring in rings for position in ring)
    return GivenFeature(at, stored, polygons, kind == "Polygon", flat and kind != "GeometryCollection")


def _class_of(properties: object, by_name: dict[str, str], at: str) -> str | None:
    """The class of an area as the campaign spells it; None: to be ignored."""
    wanted = f"name the class as `label`, one of {_some(by_name.values())}"
    if not isinstance(properties, dict):
        raise InvalidValueError(at, f"there are no properties, but {_kind(properties)}; {wanted}")
    if "label" not in properties:
        there = f"there are {_some(properties)}" if properties else "there are none"
        raise InvalidValueError(f"{at}.label", f"`label` is missing in the properties ({there}); {wanted}")
    label = properties["label"]
    if label is None:
        if properties.get("ignore") is not True:
            raise InvalidValueError(f"{at}.label", "null needs `ignore` true beside it; else name a class")
        return None
    if not isinstance(label, str):
        raise InvalidValueError(f"{at}.label", f"expected a text, got {_shown(label)}; {wanted}")
    if same_text(label) not in by_name:
        raise InvalidValueError(f"{at}.label", f"no class {_shown(label)}; it is one of {_some(by_name.values())}")
    return by_name[same_text(label)]


def _lines(geometry: dict[str, Any], at: str) -> list[tuple[list[list[float]], str]]:
    if geometry["type"] == "LineString":
        return [(_checked(geometry, list[list[float]], at), f"{at}.coordinates")]
    parts = _checked(geometry, Rings, at)
    return [(positions, f"{at}.coordinates[{index}]") for index, positions in enumerate(parts)]


def _polygons(geometry: object, at: str, depth: int) -> list[tuple[Rings, str]]:
    kind = geometry.get("type") if isinstance(geometry, dict) else None
    if not isinstance(geometry, dict) or not isinstance(kind, str):
        raise InvalidValueError(f"{at}.type", "the geometry has no type; send Polygon, LineString or Point")
    if kind == "GeometryCollection" and depth < MAX_GEOMETRIES:
        parts = geometry.get("geometries")
        if not isinstance(parts, list):
            raise InvalidValueError(f"{at}.geometries", f"expected a list of geometries, got {_kind(parts)}")
        inner = [_polygons(part, f"{at}.geometries[{index}]", depth + 1) for index, part in enumerate(parts)]
        return [polygon for polygons in inner for polygon in polygons]
    if kind == "Polygon":
        return [(_checked(geometry, Rings, at), f"{at}.coordinates")]
    if kind == "MultiPolygon":
        parts = _checked(geometry, list[Rings], at)
        return [(rings, f"{at}.coordinates[{index}]") for index, rings in enumerate(parts)]
    if kind in ("LineString", "MultiLineString"):
        raise InvalidValueError(
            f"{at}.type", f"a {kind} in a collection; send it as a feature of its own, with a width"
        )
    raise InvalidValueError(
        f"{at}.type", f"a {kind[:40]} has no area; send Polygon, MultiPolygon, LineString, MultiLineString or Point"
    )


def _checked(geometry: dict[str, Any], kind: Any, at: str) -> Any:  # noqa: ANN401  # nested lists of numbers
    if "coordinates" not in geometry:
        raise InvalidValueError(f"{at}.coordinates", f"the {geometry['type']} has no coordinates")
    try:
        return msgspec.convert(geometry["coordinates"], kind)
    except msgspec.ValidationError as error:
        reason, _, place = str(error).partition(" - at `$")
        raise InvalidValueError(f"{at}.coordinates{place.rstrip('`')}", in_words(kind, "$", reason)) from error


def _check_depth(value: object, at: str) -> None:
    level: list[object] = [value]
    for _ in range(MAX_DEPTH):
        inner = [item for item in level if isinstance(item, dict | list)]
        level = [child for item in inner for child in (item.values() if isinstance(item, dict) else item)]
        if not level:
            return
    raise InvalidValueError(at, f"nested more than {MAX_DEPTH} deep; send flat properties")


def _kind(value: object) -> str:
    names = {dict: "object", list: "array", str: "str", int: "int", float: "float", bool: "bool", type(None): "null"}
    return KINDS.get(names.get(type(value), ""), type(value).__name__)


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _some(names: Any) -> str:  # noqa: ANN401  # any iterable of texts
    listed = [_shown(name) for name in names]
    more = f" and {len(listed) - _SHOWN} more" if len(listed) > _SHOWN else ""
    return "[" + ", ".join(listed[:_SHOWN]) + f"]{more}"
