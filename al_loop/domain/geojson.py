"""GeoJSON answers of annotators <-> shapely: checks, CRS and pixel coordinates. Knows no store, reads no pixel."""

from collections.abc import Iterable, Sequence
from typing import Any, Literal

import msgspec
import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray
from rasterio._err import CPLE_BaseError  # what `transform` raises; rasterio has no public name for it
from rasterio.crs import CRS
from shapely import MultiPolygon, Polygon
from shapely.geometry import mapping

from al_loop.domain.samples import SampleHeader
from al_loop.errors import InvalidValueError
from models.card import IGNORE
from models.errors import UnknownCrsError
from models.geo.placement import WGS84, Area, near_longitude, polygons_only, reprojected
from models.rasters.crs import crs_of, read_crs

PIXEL = "pixel"
MAX_COORDINATES = 1_000_000
"""Vertices of one label; the mask of a 3-megapixel image of a town has 300,000."""
REPAIR_TOLERANCE = 0.01
"""An invalid polygon is repaired if that changes its area by less than this share, else refused."""
Ring = list[list[float]]


class PolygonGeometry(msgspec.Struct, frozen=True, tag_field="type", tag="Polygon"):
    """RFC 7946 Polygon."""

    coordinates: list[Ring]


class MultiPolygonGeometry(msgspec.Struct, frozen=True, tag_field="type", tag="MultiPolygon"):
    """RFC 7946 MultiPolygon."""

    coordinates: list[list[Ring]]


class FeatureProperties(msgspec.Struct, frozen=True):
    """The members of `properties` that mean something here; others are kept."""

    label: str | None
    ignore: bool = False


class Feature(msgspec.Struct, frozen=True):
    """RFC 7946 Feature with an area."""

    type: Literal["Feature"]
    geometry: PolygonGeometry | MultiPolygonGeometry
    properties: FeatureProperties


class FeatureCollection(msgspec.Struct, frozen=True):
    """RFC 7946 FeatureCollection, with the `crs` member of the GeoJSON of 2008."""

    type: Literal["FeatureCollection"]
    features: list[Feature]
    crs: dict[str, Any] | None = None


def read_features(
    features: dict[str, Any], header: SampleHeader, classes: Sequence[str], *, crs: str | None, at: str
) -> tuple[dict[str, Any], str]:
    """Check an annotator's FeatureCollection and bring it into the CRS it is stored in.

    Areas may run over the image's edge (brush strokes do); what lies outside is cut off where pixels are made.

    Args:
        features: Polygons and MultiPolygons; `properties.label` is a class, or null with `properties.ignore` true.
        header: The sample they are drawn on.
        classes: Classes of the task.
        crs: CRS of the coordinates as `read_crs` takes it, "pixel" for (column, row); None: the collection's `crs`
            member, else EPSG:4326 where the sample has a CRS, else pixels.
        at: JSON path of `features`.

    Returns:
        The collection to store, and its CRS: "EPSG:4326" (longitude, latitude) or "pixel".

    Raises:
        InvalidValueError: With the JSON path of the field.
    """
    _check_types(features, at)
    try:
        collection = msgspec.convert(features, FeatureCollection)
    except msgspec.ValidationError as error:
        reason, _, place = str(error).partition(" - at `$")
        raise InvalidValueError(at + place.rstrip("`"), reason) from error
    source = _source_crs(crs, collection.crs, header, at)
    stored_crs = PIXEL if source == PIXEL else WGS84
    stored = []
    vertices = 0
    for index, feature in enumerate(collection.features):
        place = f"{at}.features[{index}]"
        _check_label(feature.properties, classes, f"{place}.properties.label")
        area = _area(feature.geometry, f"{place}.geometry")
        vertices += shapely.count_coordinates(area)
        if vertices > MAX_COORDINATES:
            raise InvalidValueError(f"{place}.geometry", f"more than {MAX_COORDINATES} vertices; simplify the areas")
        try:
            kept = _repaired(_reprojected(area, source, stored_crs, f"{place}.geometry"), f"{place}.geometry")
            _check_inside(kept, stored_crs, header, f"{place}.geometry")
        except CPLE_BaseError as error:
            raise InvalidValueError(f"{place}.geometry", f"coordinates that cannot be projected: {error}") from error
        given = features["features"][index]
        stored.append(given if kept is area else {**given, "geometry": mapping(kept)})
    return {"type": "FeatureCollection", "features": stored}, stored_crs


def areas_of(features: dict[str, Any]) -> Iterable[tuple[str | None, Area]]:
    """(class, or None for "ignore", and its area) of each feature of a stored collection, in painting order."""
    for feature in features["features"]:
        yield feature["properties"]["label"], shapely.geometry.shape(feature["geometry"])


def class_code(name: str | None, classes: Sequence[str]) -> int:
    """Code of an area's pixels: 1 for the first class, 255 for "ignore" (None)."""
    return IGNORE if name is None else classes.index(name) + 1


def coded_polygons(
    features: dict[str, Any], crs: str, header: SampleHeader, classes: Sequence[str]
) -> list[tuple[int, bytes]]:
    """A stored collection as `models.rasters.masks.polygons_to_codes` takes it.

    Args:
        features: As stored.
        crs: Its CRS, "EPSG:4326" or "pixel".
        header: The sample.
        classes: Classes of the task.

    Returns:
        Code and WKB in pixel coordinates of each polygon, in painting order; "ignore" has code 255.
    """
    return [
        (class_code(name, classes), shapely.to_wkb(part))
        for name, area in areas_of(features)
        for part in to_pixels(area, crs, header).geoms
    ]


def to_pixels(area: Area, crs: str, header: SampleHeader) -> MultiPolygon:
    """The area in pixel coordinates (x = column, y = row from the upper left corner), cut at the image's edge.

    Args:
        area: As stored.
        crs: Its CRS, "EPSG:4326" or "pixel".
        header: The sample; with a CRS and a transform unless `crs` is "pixel".

    Returns:
        Polygons only: slivers and lines that the cut leaves are dropped; may be empty.
    """
    return polygons_only(shapely.intersection(shapely.make_valid(_in_pixels(area, crs, header)), _frame(header)))


def _check_types(features: dict[str, Any], at: str) -> None:
    """Raise a clear error for a collection of something other than areas, where msgspec's would be hard to read."""
    if features.get("type") != "FeatureCollection":
        raise InvalidValueError(f"{at}.type", f"expected a GeoJSON FeatureCollection, got {features.get('type')!r}")
    listed = features.get("features")
    for index, feature in enumerate(listed if isinstance(listed, list) else []):
        geometry = feature.get("geometry") if isinstance(feature, dict) else None
        kind = geometry.get("type") if isinstance(geometry, dict) else None
        if kind is not None and kind not in ("Polygon", "MultiPolygon"):
            raise InvalidValueError(
                f"{at}.features[{index}].geometry.type", f"a {kind} has no area; send Polygon or MultiPolygon"
            )


def _check_label(properties: FeatureProperties, classes: Sequence[str], at: str) -> None:
    if properties.label is None:
        if not properties.ignore:
            raise InvalidValueError(at, "null needs `ignore` true beside it; else name a class")
    elif properties.label not in classes:
        raise InvalidValueError(at, f"no class {properties.label!r}; it is one of {list(classes)}")


def _source_crs(crs: str | None, member: dict[str, Any] | None, header: SampleHeader, at: str) -> str:
    """CRS of the coordinates: "pixel", or what `read_crs` takes."""
    placed = header.crs is not None and header.transform is not None
    name, place = crs, f"{at.rpartition('.')[0]}.crs"
    if name is None and member is not None:
        properties = member.get("properties")
        name = properties.get("name") if isinstance(properties, dict) else None
        place = f"{at}.crs"
        if not isinstance(name, str):
            raise InvalidValueError(place, "expected a CRS by name, as in GeoJSON of 2008")
    if name is None:
        return WGS84 if placed else PIXEL
    if name == PIXEL:
        return PIXEL
    if not placed:
        raise InvalidValueError(place, f"{header.path} has no CRS; send pixel coordinates with `crs` 'pixel'")
    try:
        return WGS84 if read_crs(name) == CRS.from_epsg(4326) else name
    except UnknownCrsError as error:
        raise InvalidValueError(place, str(error)) from error


def _area(geometry: PolygonGeometry | MultiPolygonGeometry, at: str) -> Area:
    several = isinstance(geometry, MultiPolygonGeometry)
    parts = geometry.coordinates if isinstance(geometry, MultiPolygonGeometry) else [geometry.coordinates]
    polygons = []
    for index, rings in enumerate(parts):
        place = f"{at}.coordinates[{index}]" if several else f"{at}.coordinates"
        if not rings:
            raise InvalidValueError(place, "a polygon needs an outer ring")
        checked = [_ring(ring, f"{place}[{number}]") for number, ring in enumerate(rings)]
        polygons.append(Polygon(checked[0], checked[1:]))
    return MultiPolygon(polygons) if several else polygons[0]


def _ring(ring: Ring, at: str) -> NDArray[np.float64]:
    """Vertices of shape (N, 2)."""
    if len(ring) < 4:
        raise InvalidValueError(at, f"{len(ring)} positions; a ring needs 4 or more, the last like the first")
    for index, position in enumerate(ring):
        if not 2 <= len(position) <= 4:
            raise InvalidValueError(f"{at}[{index}]", "a position is [x, y]")
    vertices = np.array([position[:2] for position in ring], dtype=np.float64)
    if not np.isfinite(vertices).all():
        raise InvalidValueError(f"{at}[{int(np.argmin(np.isfinite(vertices).all(axis=1)))}]", "not a finite number")
    if (vertices[0] != vertices[-1]).any():
        raise InvalidValueError(at, "the ring is not closed: its last position differs from its first")
    return vertices


def _repaired(area: Area, at: str) -> Area:
    if shapely.is_valid(area):
        if area.area == 0:
            raise InvalidValueError(at, "the area is empty")
        return area
    fixed = polygons_only(shapely.make_valid(area))
    if abs(fixed.area - area.area) > REPAIR_TOLERANCE * fixed.area or fixed.area == 0:
        raise InvalidValueError(at, f"the polygon crosses itself: {shapely.is_valid_reason(area)}")
    return fixed


def _check_inside(area: Area, crs: str, header: SampleHeader, at: str) -> None:
    if not shapely.intersects(_in_pixels(area, crs, header), _frame(header)):
        bounds = ", ".join(f"{value:.6g}" for value in area.bounds)
        image = header.bounds if crs == WGS84 else [0, 0, header.width, header.height]
        raise InvalidValueError(
            at, f"lies outside the image: its bounds are ({bounds}) in {crs}, those of {header.path} are {image}"
        )


def _reprojected(area: Area, source: str, target: str, at: str) -> Area:
    """`area` itself where nothing has to change."""
    if source == target:
        if source == WGS84 and (abs(area.bounds[1]) > 90 or abs(area.bounds[3]) > 90):
            raise InvalidValueError(at, "latitude beyond 90 degrees; positions are [longitude, latitude]")
        return area
    moved = reprojected(area, read_crs(source), crs_of(target))
    if not np.isfinite(shapely.get_coordinates(moved)).all():
        raise InvalidValueError(at, f"coordinates that cannot be projected: {source} does not reach so far")
    return moved


def _in_pixels(area: Area, crs: str, header: SampleHeader) -> Area:
    if crs == PIXEL or header.crs is None or header.transform is None:
        return area
    to_world = Affine(*header.transform)
    own = crs_of(header.crs)
    native = reprojected(area, crs_of(crs), own)
    if own.is_geographic:
        centre = to_world.a * header.width / 2 + to_world.b * header.height / 2 + to_world.c
        native = near_longitude(native, centre)
    to_image = ~to_world
    return shapely.transform(
        native,
        lambda xy: np.column_stack(
            [
                to_image.a * xy[:, 0] + to_image.b * xy[:, 1] + to_image.c,
                to_image.d * xy[:, 0] + to_image.e * xy[:, 1] + to_image.f,
            ]
        ),
    )


def _frame(header: SampleHeader) -> Polygon:
    return shapely.box(0, 0, header.width, header.height)
