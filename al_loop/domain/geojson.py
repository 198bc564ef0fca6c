"""GeoJSON answers of annotators <-> shapely: checks, CRS and pixel coordinates. Knows no store, reads no pixel."""

from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

import numpy as np
import shapely
from rasterio.crs import CRS
from shapely import LineString, MultiLineString, MultiPolygon, Point, Polygon
from shapely.geometry import mapping

from al_loop.domain.feature_collections import GivenFeature, given_features
from al_loop.domain.labels import count_points
from al_loop.domain.line_places import DrawnLine, covered_by_line, drawn_line, ground_of
from al_loop.domain.line_widths import LineSettings, width_properties
from al_loop.domain.samples import SampleHeader
from al_loop.domain.vertices import MAX_COORDINATE, area_of, line_of
from al_loop.errors import InvalidValueError
from models.card import IGNORE
from models.errors import NoPlaceError, UnknownCrsError
from models.geo.lines import Line
from models.geo.placement import (
    WGS84,
    Area,
    from_crs_to_pixels,
    locate,
    pixels_to_crs,
    place,
    polygons_only,
    reprojected,
)
from models.rasters.crs import crs_of, read_crs
from models.rasters.masks import touched_pixels
from models.tasks.detection.boxes import LEAST_SIDE_PX

PIXEL = "pixel"
Sides = tuple[float, float, float, float]
"""Left, top, right and bottom of a box in pixels of its image, from the upper left corner."""
Drawn = TypeVar("Drawn", Polygon, MultiPolygon, Area, Point, Line)
MAX_COORDINATES = 1_000_000
"""Vertices of one label; the mask of a 3-megapixel image of a town has 300,000."""
MAX_POINTS = 10_000
"""Points of one label; who knows more of an image paints areas or sends a mask."""
REPAIR_TOLERANCE = 0.01
"""An invalid polygon is repaired if that changes its area by less than this share, else refused."""
SAME_BOX_DECIMALS = 3
"""Of sides in pixels that make two boxes the same."""
_OWN = "own"
"""Coordinates in the CRS of an image whose place on Earth is unknown, which are the same as pixels."""


def read_features(
    features: dict[str, Any],
    header: SampleHeader,
    classes: Sequence[str],
    *,
    crs: str | None,
    at: str,
    all_touched: bool = False,
    objects: bool = False,
    lines: LineSettings | None = None,
) -> tuple[dict[str, Any], str]:
    """Check an annotator's FeatureCollection and bring it into the CRS it is stored in.

    Areas may run over the image's edge (brush strokes do); what lies outside is cut off where pixels are made.

    With `objects` each polygon stands for one object, and its box is the polygon's bounds in pixels of the image. Two
    polygons of one class with the same box are stored once.

    Args:
        features: Polygons, MultiPolygons and collections of them; LineStrings and MultiLineStrings, whose width their
            properties or the settings say; and Points, each of which says what the pixel shows
            that it lies in; `properties.label` is a class, or null with
            `properties.ignore` true. A feature without geometry whose `properties.empty` is true, as the export writes
            it, stands for no area.
        header: The sample they are drawn on.
        classes: Classes of the task.
        crs: CRS of the coordinates as `read_crs` takes it, "pixel" for (column, row); None: the collection's `crs`
            member, else EPSG:4326 where the sample has a place on Earth, else pixels.
        at: JSON path of `features`.
        all_touched: Whether an area that covers the centre of no pixel is stored as the pixels that it touches, with
            `properties.all_touched` true; else it is refused.
        objects: Whether areas are objects, whose boxes count, instead of pixels.
        lines: How wide lines are that do not say it; None: lines are refused.

    Returns:
        The collection to store, and its CRS: "EPSG:4326" (longitude, latitude) or "pixel".

    Raises:
        InvalidValueError: With the JSON path of the field.
    """
    given, member = given_features(features, classes, at)
    source = _source_crs(crs, member, header, at)
    stored_crs = WGS84 if source not in (PIXEL, _OWN) else PIXEL
    stored = []
    vertices = 0
    points: dict[tuple[float, ...], object] = {}
    if sum(feature.point is not None for feature in given) > MAX_POINTS:
        raise InvalidValueError(f"{at}.features", f"more than {MAX_POINTS} points; paint areas, or import a mask")
    boxes: set[object] = set()
    for feature in given:
        place_of = f"{feature.at}.geometry"
        if feature.point is not None:
            if objects:
                raise InvalidValueError(f"{place_of}.type", "a Point has no size; send a polygon around the object")
            point, pixel = _point(feature.point, source, stored_crs, header, f"{place_of}.coordinates")
            name = feature.stored["properties"]["label"]
            if points.setdefault(pixel, name) != name:
                raise InvalidValueError(
                    place_of,
                    f"two points with different classes in the pixel at column {pixel[0]:.0f} and row {pixel[1]:.0f}; "
                    "send one",
                )
            as_sent = source in (PIXEL, WGS84) and feature.as_drawn
            stored.append(feature.stored if as_sent else {**feature.stored, "geometry": mapping(point)})
            continue
        if feature.lines is not None:
            vertices += sum(len(positions) for positions, _ in feature.lines)
            if vertices > MAX_COORDINATES:
                raise InvalidValueError(place_of, f"more than {MAX_COORDINATES} vertices; simplify the lines")
            stored.append(_stored_line(feature, source, stored_crs, header, lines))
            continue
        area = area_of(feature)
        vertices += shapely.count_coordinates(area)
        if vertices > MAX_COORDINATES:
            raise InvalidValueError(place_of, f"more than {MAX_COORDINATES} vertices; simplify the areas")
        try:
            kept = _repaired(_reprojected(area, source, header, place_of), place_of)
            drawn = to_pixels(kept, stored_crs, header)
        except NoPlaceError as error:
            raise InvalidValueError(place_of, f"coordinates that cannot be projected: {error}") from error
        if drawn.is_empty:
            raise InvalidValueError(place_of, _outside(kept, stored_crs, header))
        if objects:
            refuse_small_box(drawn, place_of)
            box = feature.stored["properties"]["label"], *np.round(drawn.bounds, SAME_BOX_DECIMALS).tolist()
            if box in boxes and len(drawn.geoms) == 1:
                continue
            boxes.add(box)
        elif not covers_a_centre(drawn):
            kept = _touched(drawn, stored_crs, header) if all_touched else None
            if kept is None:
                raise InvalidValueError(
                    place_of,
                    f"the area covers the centre of no pixel: it is {_size(drawn)} px in an image of {header.width} x "
                    f"{header.height} px, at column {drawn.bounds[0]:.1f} and row {drawn.bounds[1]:.1f}. Draw it "
                    "larger, leave it out, or set `all_touched` in the campaign's settings to have the pixels that it "
                    "touches",
                )
            properties = {**feature.stored["properties"], "all_touched": True}
            stored.append({**feature.stored, "properties": properties, "geometry": mapping(kept)})
            continue
        if kept is area and feature.as_drawn:
            stored.append(feature.stored)
        else:
            stored.append({**feature.stored, "geometry": mapping(kept)})
    return {"type": "FeatureCollection", "features": stored}, stored_crs


def areas_of(features: dict[str, Any]) -> Iterable[tuple[str | None, Area | Point | DrawnLine]]:
    """(class, or None for "ignore", and what was drawn) of each feature of a stored collection, as painted."""
    for feature in features["features"]:
        yield feature["properties"]["label"], drawn_of(feature)


def drawn_of(feature: dict[str, Any]) -> Area | Point | DrawnLine:
    """What a stored feature is: an area, a point, or a line with its width."""
    drawn: Area | Point | Line = shapely.geometry.shape(feature["geometry"])
    return drawn_line(drawn, feature["properties"]) if isinstance(drawn, LineString | MultiLineString) else drawn


def class_code(name: str | None, classes: Sequence[str]) -> int:
    """Code of an area's pixels: 1 for the first class, 255 for "ignore" (None)."""
    return IGNORE if name is None else classes.index(name) + 1


def coded_polygons(
    features: dict[str, Any], crs: str, header: SampleHeader, classes: Sequence[str], scale: int = 1
) -> list[tuple[int, bytes]]:
    """A stored collection as `models.rasters.masks.polygons_to_codes` takes it.

    Args:
        features: As stored.
        crs: Its CRS, "EPSG:4326" or "pixel".
        header: The sample.
        classes: Classes of the task.
        scale: Parts of a pixel along each side that lines cover or not.

    Returns:
        Code and WKB in pixel coordinates of each polygon, in painting order; "ignore" has code 255. A point is the
        square of its pixel. Where there are points, the whole image comes first, to be ignored: who answers points
        says nothing of the rest.
    """
    drawn = [
        (class_code(name, classes), shapely.to_wkb(part))
        for name, area in areas_of(features)
        for part in to_pixels(area, crs, header, scale).geoms
    ]
    if count_points(features) is not None:
        drawn.insert(0, (IGNORE, shapely.to_wkb(shapely.box(0, 0, header.width, header.height))))
    return drawn


def refuse_small_box(drawn: MultiPolygon, at: str) -> None:
    """Refuse an object whose box says nothing of its size.

    Raises:
        InvalidValueError: It is narrower or lower than `LEAST_SIDE_PX`.
    """
    for part in drawn.geoms:
        left, top, right, bottom = part.bounds
        if min(right - left, bottom - top) < LEAST_SIDE_PX:
            raise InvalidValueError(
                at,
                f"the box is {right - left:.2g} x {bottom - top:.2g} px, at column {left:.1f} and row {top:.1f}; draw "
                f"it at least {LEAST_SIDE_PX:g} px wide and high, or leave it out",
            )


def to_pixels(area: Area | Point | DrawnLine, crs: str, header: SampleHeader, scale: int = 1) -> MultiPolygon:
    """The area, the pixels of a line, or the square of a point's pixel, in pixel coordinates, cut at the image's edge.

    x = column, y = row from the upper left corner.

    Args:
        area: As stored.
        crs: Its CRS, "EPSG:4326" or "pixel".
        header: The sample; with a CRS and a transform unless `crs` is "pixel".
        scale: Parts of a pixel along each side that a line covers or not.

    Returns:
        Polygons only: slivers and lines that the cut leaves are dropped; may be empty.

    Raises:
        NoPlaceError: A vertex lies outside of what the sample's CRS covers.
    """
    if isinstance(area, DrawnLine):
        return covered_by_line(area, crs, header, scale)
    frame = (0.0, 0.0, float(header.width), float(header.height))
    if crs != PIXEL and header.crs is not None and header.transform is not None:
        drawn = locate(area, header.crs, header.transform, frame)
    else:
        drawn = area
    if isinstance(area, Point):
        x, y = shapely.get_coordinates(drawn)[0]
        if not (0 <= x < header.width and 0 <= y < header.height):
            return MultiPolygon()
        column, row = np.floor([x, y])
        return MultiPolygon([shapely.box(column, row, column + 1, row + 1)])
    return polygons_only(shapely.intersection(shapely.make_valid(drawn), shapely.box(*frame)))


def placed(area: Area, header: SampleHeader) -> MultiPolygon | None:
    """An area in pixels of a sample in EPSG:4326, as RFC 7946 wants it; None where it has no place on Earth."""
    if not header.placed or header.crs is None or header.transform is None:
        return None
    return place(area, header.crs, header.transform, (0.0, 0.0, float(header.width), float(header.height)))


def _source_crs(crs: str | None, member: object, header: SampleHeader, at: str) -> str:
    """CRS of the coordinates: "pixel", what `read_crs` takes, or `_OWN`."""
    name, where = crs, f"{at.rpartition('.')[0]}.crs"
    if name is None and member is not None:
        properties = member.get("properties") if isinstance(member, dict) else None
        name = properties.get("name") if isinstance(properties, dict) else None
        where = f"{at}.crs"
        if not isinstance(name, str):
            raise InvalidValueError(where, "expected a CRS by name, as in GeoJSON of 2008")
    if name is None:
        return WGS84 if header.placed else PIXEL
    if name == PIXEL:
        return PIXEL
    if header.crs is None or header.transform is None:
        raise InvalidValueError(where, f"{header.path} has no CRS; send pixel coordinates with `crs` 'pixel'")
    try:
        found = read_crs(name)
    except UnknownCrsError as error:
        raise InvalidValueError(where, str(error)) from error
    if header.placed:
        return WGS84 if found == CRS.from_epsg(4326) else name
    if found == crs_of(header.crs):
        return _OWN
    problem = header.place_problem or "its coordinates or its CRS are not of the Earth"
    raise InvalidValueError(
        where,
        f"the place of {header.path} on Earth is unknown: {problem}; send pixel coordinates with `crs` 'pixel'",
    )


def placed_point(point: Point, header: SampleHeader) -> Point | None:
    """A point in pixels of a sample in EPSG:4326; None where it has no place on Earth."""
    if not header.placed or header.crs is None or header.transform is None:
        return None
    moved = pixels_to_crs(point, crs_of(header.crs), header.transform, CRS.from_epsg(4326))
    return moved if np.isfinite(shapely.get_coordinates(moved)).all() else None


def _point(
    position: list[float], source: str, stored_crs: str, header: SampleHeader, at: str
) -> tuple[Point, tuple[float, ...]]:
    """A point in the CRS it is stored in, and column and row of its pixel."""
    if len(position) < 2:
        raise InvalidValueError(at, f"{len(position)} numbers; a position is [x, y]")
    if not (np.abs(position[:2]) <= MAX_COORDINATE).all():  # also of NaN
        raise InvalidValueError(at, f"no place on Earth or in an image: {position[0]:.6g}, {position[1]:.6g}")
    try:
        point = _reprojected(Point(position[:2]), source, header, at)
        drawn = to_pixels(point, stored_crs, header)
    except NoPlaceError as error:
        raise InvalidValueError(at, f"coordinates that cannot be projected: {error}") from error
    if drawn.is_empty:
        raise InvalidValueError(at, _outside(point, stored_crs, header))
    return point, drawn.bounds[:2]


def _stored_line(
    feature: GivenFeature, source: str, stored_crs: str, header: SampleHeader, settings: LineSettings | None
) -> dict[str, Any]:
    """A feature with a line as it is stored: in the CRS of the collection, with its width."""
    at = f"{feature.at}.geometry"
    if settings is None:
        raise InvalidValueError(f"{at}.type", "a line is no answer to this task; send polygons")
    line = line_of(feature)
    unknown = None
    if (source in (PIXEL, _OWN) and ground_of(header) is None) or not header.placed:
        unknown = f"the place of {header.path} on Earth is unknown"
    properties = width_properties(feature.stored["properties"], settings, placed=unknown, at=f"{feature.at}.properties")
    try:
        kept = _reprojected(line, source, header, at)
        covered = to_pixels(drawn_line(kept, properties), stored_crs, header)
    except NoPlaceError as error:
        raise InvalidValueError(at, f"coordinates that cannot be projected: {error}") from error
    if covered.is_empty:
        raise InvalidValueError(at, _outside(kept, stored_crs, header))
    geometry = feature.stored["geometry"] if kept is line and feature.as_drawn else mapping(kept)
    return {**feature.stored, "properties": properties, "geometry": geometry}


def _repaired(area: Area, at: str) -> Area:
    """The area without rings that touch themselves; GEOS's other method fills what lies between parts that touch."""
    if shapely.is_valid(area):
        if area.area == 0:
            raise InvalidValueError(at, "the area is empty")
        return area
    fixed = polygons_only(shapely.make_valid(area, method="structure", keep_collapsed=False))
    whole = sum(abs(part.area) for part in shapely.get_parts(area))
    if fixed.area == 0:
        raise InvalidValueError(at, "the area is empty")
    if abs(fixed.area - whole) > REPAIR_TOLERANCE * fixed.area:
        raise InvalidValueError(at, f"the polygon crosses itself: {shapely.is_valid_reason(area)}")
    return fixed


def _outside(area: Area | Point | Line, crs: str, header: SampleHeader) -> str:
    bounds = ", ".join(f"{value:.6g}" for value in area.bounds)
    image = header.bounds if crs == WGS84 else [0, 0, header.width, header.height]
    return f"lies outside the image: its bounds are ({bounds}) in {crs}, those of {header.path} are {image}"


def _size(area: MultiPolygon) -> str:
    left, top, right, bottom = area.bounds
    return f"{right - left:.2g} x {bottom - top:.2g}"


def covers_a_centre(area: MultiPolygon) -> bool:
    """Whether an area in pixels covers the centre of any; only small or thin ones have to be drawn for that."""
    if area.area > area.length * np.sqrt(0.5):  # it holds a disk wide enough for a centre
        return True
    return len(touched_pixels([part.wkb for part in area.geoms], centres=True, first=True)) > 0


def _touched(area: MultiPolygon, crs: str, header: SampleHeader) -> Area | None:
    """The pixels that an area touches, in the CRS it is stored in; None if they have no place there."""
    cells = touched_pixels([part.wkb for part in area.geoms], centres=False)
    boxes = shapely.union_all(shapely.box(cells[:, 0], cells[:, 1], cells[:, 0] + 1, cells[:, 1] + 1))
    inside = polygons_only(shapely.intersection(boxes, shapely.box(0, 0, header.width, header.height)))
    return inside if crs == PIXEL else placed(inside, header)


def _reprojected(area: Drawn, source: str, header: SampleHeader, at: str) -> Drawn:
    """The area in the CRS it is stored in; `area` itself where nothing has to change.

    Raises:
        NoPlaceError: PROJ knows no way from one to the other.
    """
    if source == PIXEL:
        return area
    if source == _OWN and header.transform is not None:
        return from_crs_to_pixels(area, header.transform)
    if source == WGS84:
        left, bottom, right, top = area.bounds
        if bottom < -90 or top > 90:
            raise InvalidValueError(at, "latitude beyond 90 degrees; positions are [longitude, latitude]")
        if left < -540 or right > 540:
            raise InvalidValueError(at, "longitude more than one and a half turns from Greenwich")
        return area
    moved = reprojected(area, read_crs(source), CRS.from_epsg(4326))
    if not np.isfinite(shapely.get_coordinates(moved)).all():
        raise InvalidValueError(at, f"coordinates that cannot be projected: {source} does not reach so far")
    return moved
