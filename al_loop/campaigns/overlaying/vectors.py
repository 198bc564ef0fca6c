"""A file of lines and areas that knows nothing of images, in longitude and latitude: GeoJSON, GeoPackage, Shapefile.

Text from outside: the CRS it names goes through `read_crs`, and features that cannot be used are left out by name.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import shapely
from rasterio.crs import CRS
from shapely import LineString, MultiLineString

from al_loop.campaigns.overlaying.vector_files import is_vector_file, read_layer
from al_loop.domain.feature_collections import given_features
from al_loop.domain.names import same_text
from al_loop.domain.vertices import area_of, line_of
from al_loop.errors import InvalidValueError
from al_loop_records.json_texts import read_json
from models.errors import NoPlaceError, UnknownCrsError
from models.geo.placement import reprojected
from models.rasters.crs import read_crs

MOST_BYTES = 2**30
"""The file is read whole."""
CLASS_PROPERTIES = ("label", "class")
"""Where a feature's class is looked for."""
_SHOWN = 20


class Overlay(NamedTuple):
    """One feature of the file."""

    geometry: shapely.Geometry
    """A line, or polygons, in EPSG:4326."""
    properties: dict[str, Any]
    """`label`, and the width of a line where the file or the caller says it."""

    @property
    def is_line(self) -> bool:
        """Whether it has a width."""
        return isinstance(self.geometry, LineString | MultiLineString)


class Overlays(NamedTuple):
    """What a file holds."""

    features: list[Overlay]
    left_out: Counter[str]
    """Reasons, with the number of features."""


def read_overlays(
    path: Path,
    classes: Sequence[str],
    *,
    named: str | None = None,
    width_m: float | None = None,
    crs: str | None = None,
    layer: str | None = None,
    class_column: str | None = None,
) -> Overlays:
    """Read lines and polygons; what is neither, or of none of the classes, is left out and counted.

    Args:
        path: A GeoJSON FeatureCollection, a GeoPackage (.gpkg) or a Shapefile (.shp).
        classes: Of the task.
        named: The class of all features; None: each says it, in `label` or `class`, or in `class_column`.
        width_m: Width of the lines that have no `width_m`, in metres; None: the campaign's settings say.
        crs: Of the coordinates; None: the file says it; of GeoJSON without a member `crs` it is EPSG:4326.
        layer: Of a GeoPackage; None: its only one.
        class_column: Property or column that names the class.

    Raises:
        InvalidValueError: No such file, too large, none of these, several layers, a CRS that is not known or not said,
            or nothing in it can be used.
    """
    if not path.is_file():
        raise InvalidValueError("$.file", f"no file at {path}")
    if path.stat().st_size > MOST_BYTES:
        raise InvalidValueError("$.file", f"{path.name} has more than {MOST_BYTES} bytes; cut it to the images' area")
    listed, source = _features(path, crs, layer)
    found: list[Overlay] = []
    left_out: Counter[str] = Counter()
    columns: list[str] = []
    for feature in listed:
        columns = columns or _columns(feature)
        try:
            found.append(_overlay(feature, classes, named, width_m, source, class_column))
        except (InvalidValueError, NoPlaceError) as error:
            left_out[getattr(error, "reason", str(error))] += 1
    if not found:
        why = "; ".join(f"{reason} ({count})" for reason, count in left_out.most_common(3)) or "it has no feature"
        has = f". Its properties are {', '.join(columns[:_SHOWN])}" if columns else ""
        raise InvalidValueError("$.file", f"nothing in {path.name} can be laid over images: {why}{has}")
    return Overlays(found, left_out)


def _features(path: Path, crs: str | None, layer: str | None) -> tuple[Iterable[object], CRS]:
    """Features as GeoJSON has them, and the CRS of their coordinates."""
    if is_vector_file(path):
        read = read_layer(path, layer)
        if crs is None and read.crs is None:
            missing = "has no .prj" if path.suffix.lower() == ".shp" else "names no CRS"
            raise InvalidValueError("$.crs", f"{path.name} {missing}: say --crs, such as EPSG:25831")
        return read.features, _known(crs if crs is not None else str(read.crs))
    if layer is not None:
        raise InvalidValueError("$.layer", f"{path.name} is no GeoPackage; --layer is for those")
    try:
        collection = read_json(path.read_bytes().removeprefix(b"\xef\xbb\xbf"))
    except (msgspec.DecodeError, OSError) as error:
        raise InvalidValueError("$.file", f"{path.name} is no GeoJSON: {error}") from error
    listed = collection.get("features") if isinstance(collection, dict) else None
    if not isinstance(listed, list) or collection.get("type") != "FeatureCollection":
        raise InvalidValueError("$.file", f"{path.name} is no GeoJSON FeatureCollection")
    return listed, _crs(crs, collection.get("crs"), path)


def _overlay(
    feature: object,
    classes: Sequence[str],
    named: str | None,
    width_m: float | None,
    source: CRS,
    class_column: str | None,
) -> Overlay:
    given = feature.get("properties") if isinstance(feature, dict) else None
    given = given if isinstance(given, dict) else {}
    label = named if named is not None else _label(given, class_column)
    if label is None:
        where = f"no `{class_column}`" if class_column is not None else "neither `label` nor `class`"
        raise InvalidValueError("$", f"no class: {where} in its properties; say --class or --class-column")
    properties: dict[str, Any] = {"label": label}
    if isinstance(label, str) and not any(same_text(label) == same_text(name) for name in classes):
        raise InvalidValueError("$", f"no class {label[:80]!r} in the campaign")
    bare = {**feature, "properties": properties} if isinstance(feature, dict) else feature
    collection = {"type": "FeatureCollection", "features": [bare]}
    features, _ = given_features(collection, classes, "$")
    if not features or features[0].point is not None:
        raise InvalidValueError("$", "a point or nothing, and neither a line nor an area")
    (one,) = features
    geometry: shapely.Geometry
    if one.lines is not None:
        geometry = line_of(one)
        width = given["width_m"] if given.get("width_m") is not None else width_m
        properties = one.stored["properties"] | ({} if width is None else {"width_m": width})
    else:
        geometry, properties = shapely.make_valid(area_of(one)), one.stored["properties"]
    moved = reprojected(geometry, source, CRS.from_epsg(4326))
    if not np.isfinite(shapely.get_coordinates(moved)).all():
        raise InvalidValueError("$", "its coordinates lie beyond what the CRS covers")
    left, bottom, right, top = moved.bounds
    if bottom < -90 or top > 90 or left < -540 or right > 540:
        raise InvalidValueError("$", "its coordinates are no longitude and latitude; say --crs")
    return Overlay(moved, properties)


def _crs(given: str | None, member: object, path: Path) -> CRS:
    name: object = given
    if name is None and member is not None:
        properties = member.get("properties") if isinstance(member, dict) else None
        name = properties.get("name") if isinstance(properties, dict) else None
        if not isinstance(name, str):
            raise InvalidValueError("$.crs", f"the member `crs` of {path.name} names no CRS")
    return CRS.from_epsg(4326) if name is None else _known(str(name))


def _known(name: str) -> CRS:
    try:
        found = read_crs(name)
    except UnknownCrsError as error:
        raise InvalidValueError("$.crs", str(error)) from error
    return CRS.from_epsg(4326) if found == CRS.from_authority("OGC", "CRS84") else found


def _columns(feature: object) -> list[str]:
    properties = feature.get("properties") if isinstance(feature, dict) else None
    return [str(name) for name in properties] if isinstance(properties, dict) else []


def _label(given: dict[str, Any], column: str | None) -> object:
    """What a feature says of its class; numbers of a class column are the names of classes."""
    if column is None:
        return next((given[name] for name in CLASS_PROPERTIES if name in given), None)
    found = given.get(column)
    return str(found) if type(found) is int else found
