"""Polygons in pixels <-> polygons on Earth, longitude and latitude as RFC 7946 wants them; and areas in m2."""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple, TypeAlias, TypeVar

import numpy as np
import shapely
from affine import Affine
from rasterio.crs import CRS
from rasterio.errors import CRSError
from shapely import MultiPolygon, Polygon

from models.errors import NoPlaceError
from models.geo.antimeridian import Points, cut_at_date_line, cut_at_turns, rejoined
from models.rasters.crs import crs_of, transform_points
from models.rasters.georeference import turn_length

WGS84 = "EPSG:4326"
EDGE_PX = 256
"""Longest edge that is reprojected as one: straight lines of a CRS are curves in longitude and latitude."""
_NARROW_DEG = 90.0
"""Areas that span less lie on one side of the date line, or their longitudes jump by far more."""
_EDGES = 64
"""Edges at least across an area that may cross the date line or hold a pole."""
_SAME_AREA_PX = 0.01
"""By how much an area across the date line or a pole may change when it is placed and brought back."""
Area: TypeAlias = Polygon | MultiPolygon
AnyGeometry = TypeVar("AnyGeometry", bound=shapely.Geometry)


def place(
    area: Area, crs: str, transform: Sequence[float], frame: tuple[float, float, float, float] | None = None
) -> MultiPolygon | None:
    """An area of an image in EPSG:4326, as RFC 7946 wants it; `locate` brings it back.

    Longitude comes first, outer rings run counter-clockwise, and what crosses the date line is cut there.

    Args:
        area: In pixel coordinates (x = column, y = row from the upper left corner).
        crs: CRS of the image.
        transform: a, b, c, d, e, f of x = a*col + b*row + c, y = d*col + e*row + f.
        frame: As for `locate`; None: the area's envelope.

    Returns:
        Valid polygons with latitudes from -90 to 90 and longitudes from -180 to 180, or None where PROJ cannot tell the
        place of all of it, or where `locate` would make another area of it (an image that covers more than the Earth).
    """
    try:
        own = crs_of(crs)
        if _lies_on_one_side(area, own, transform):
            moved = pixels_to_crs(shapely.segmentize(area, EDGE_PX), own, transform, CRS.from_epsg(4326))
            if not _on_earth(moved):
                return None
            moved = moved if shapely.is_valid(moved) else shapely.make_valid(moved)
            placed = polygons_only(moved)
        else:
            cut = _cut(area, crs, own, transform)
            if cut is None:
                return None
            placed = polygons_only(cut)
            seen = frame or area.bounds
            if placed.is_empty or not _same(area, locate(placed, crs, transform, seen), seen):
                return None
    except (NoPlaceError, CRSError, shapely.errors.GEOSException):
        return None
    return None if placed.is_empty else shapely.orient_polygons(placed)


def locate(
    area: shapely.Geometry, crs: str, transform: Sequence[float], frame: tuple[float, float, float, float]
) -> shapely.Geometry:
    """An area or a line in EPSG:4326 in pixel coordinates of an image: x = column, y = row from the upper left corner.

    It may be cut at the date line as RFC 7946 says, run across it with longitudes that jump, or beyond 180 degrees.

    Args:
        area: Longitude before latitude.
        crs: CRS of the image.
        transform: As for `place`.
        frame: Left, top, right and bottom of the image in pixels, which decides on which turn of the Earth it lies.

    Returns:
        What was given, not cut at the frame; perhaps not valid, if the area is not.

    Raises:
        NoPlaceError: PROJ knows no way, or a vertex lies outside of what the image's CRS covers.
    """
    own, area = crs_of(crs), rejoined(area)
    meridian = _meridian(crs)
    to_image = ~Affine(*transform)
    if meridian is None:
        native = reprojected(area, CRS.from_epsg(4326), own)
        return _affine(_finite(native), to_image)
    left, bottom, right, top = shapely.box(*frame).bounds
    corners = _applied(Affine(*transform), np.array([[left, top], [right, top], [left, bottom], [right, bottom]]))
    pole = meridian.turn / 4

    def project(xy: Points) -> Points:
        moved = _continuous(xy, transform_points(CRS.from_epsg(4326), own, xy), meridian, to_earth=False)
        if own.is_geographic:  # what was cut off at a pole
            moved[:, 1] = np.where(moved[:, 1] >= pole, max(pole, corners[:, 1].max()), moved[:, 1])
            moved[:, 1] = np.where(moved[:, 1] <= -pole, min(-pole, corners[:, 1].min()), moved[:, 1])
        return moved

    native = _finite(shapely.transform(area, project))
    xs = float(corners[:, 0].min()), float(corners[:, 0].max())
    return _affine(_on_turns(native, xs, meridian.turn), to_image)


def area_m2(area: Area, crs: str, transform: Sequence[float]) -> float | None:
    """Area on the ellipsoid in m2, in a Lambert azimuthal equal-area projection around its middle.

    Args:
        area: In pixel coordinates.
        crs: CRS of the image.
        transform: As for `place`.

    Returns:
        None where PROJ cannot tell the place.
    """
    try:
        own = crs_of(crs)
        middle = shapely.get_coordinates(
            pixels_to_crs(area.representative_point(), own, transform, CRS.from_epsg(4326))
        )
        if not np.isfinite(middle).all():
            return None
        (longitude, latitude), *_ = middle.tolist()
        equal_area = CRS.from_dict(proj="laea", lat_0=latitude, lon_0=longitude, datum="WGS84", units="m")
        value = float(pixels_to_crs(shapely.segmentize(area, EDGE_PX), own, transform, equal_area).area)
    except (NoPlaceError, CRSError):
        return None
    return value if math.isfinite(value) else None


def from_crs_to_pixels(geometry: AnyGeometry, transform: Sequence[float]) -> AnyGeometry:
    """A geometry in the CRS of an image in its pixels; that needs no place on Earth."""
    return _affine(geometry, ~Affine(*transform))


def pixels_to_crs(geometry: AnyGeometry, crs: CRS, transform: Sequence[float], target: CRS) -> AnyGeometry:
    """A geometry in pixel coordinates of an image, which has a CRS and a transform, in another CRS.

    Coordinates are infinite where they lie outside of what one of the CRSs covers.

    Raises:
        NoPlaceError: PROJ knows no way from one to the other.
    """
    return reprojected(_affine(geometry, Affine(*transform)), crs, target)


def reprojected(geometry: AnyGeometry, source: CRS, target: CRS) -> AnyGeometry:
    """A geometry in another CRS, x before y; itself if the two are the same.

    Coordinates are infinite where they lie outside of what one of the CRSs covers.

    Raises:
        NoPlaceError: PROJ knows no way from one to the other.
    """
    if source == target:
        return geometry
    moved: AnyGeometry = shapely.transform(geometry, lambda xy: transform_points(source, target, xy))
    return moved


class _Meridian(NamedTuple):
    """How x of a CRS follows longitude, where it does so all around the Earth."""

    x: float
    """Of the meridian at `longitude`, in units of the CRS."""
    longitude: float
    turn: float
    """By how much x grows in 360 degrees."""


@lru_cache(maxsize=256)
def _meridian(crs: str) -> _Meridian | None:
    own = crs_of(crs)
    turn = turn_length(own)
    if turn is None:
        return None
    if own.is_geographic:
        return _Meridian(0.0, 0.0, turn)
    longitude = float(own.to_dict().get("lon_0", 0.0))
    ((x, _),) = transform_points(CRS.from_epsg(4326), own, np.array([[longitude, 0.0]]))
    return _Meridian(float(x), longitude, turn) if math.isfinite(x) else None


def _lies_on_one_side(area: Area, own: CRS, transform: Sequence[float]) -> bool:
    """Whether an area is sure to touch neither the date line nor a pole, by a few points of its envelope."""
    left, top, right, bottom = area.bounds
    columns, rows = np.meshgrid(np.linspace(left, right, 5), np.linspace(top, bottom, 5))
    placed = _earth(own, transform, np.column_stack([columns.ravel(), rows.ravel()]))
    return bool(
        np.isfinite(placed).all() and np.ptp(placed[:, 0]) <= _NARROW_DEG and (np.abs(placed) <= [180.0, 90.0]).all()
    )


def _earth(own: CRS, transform: Sequence[float], pixels: Points) -> Points:
    return transform_points(own, CRS.from_epsg(4326), _applied(Affine(*transform), pixels))


def _cut(area: Area, crs: str, own: CRS, transform: Sequence[float]) -> shapely.Geometry | None:
    """An area that may cross the date line or hold a pole, in longitudes from -180 to 180; None if it has no place."""
    geographic = CRS.from_epsg(4326)
    meridian = _meridian(crs)
    left, top, right, bottom = area.bounds
    edge = min(float(EDGE_PX), max(right - left, bottom - top) / (_EDGES if meridian is None else 4))
    if meridian is None:
        poles = transform_points(geographic, own, np.array([[0.0, -90.0], [0.0, 90.0]]))
        return cut_at_date_line(
            shapely.segmentize(area, edge),
            lambda pixels: _earth(own, transform, pixels),
            _applied(~Affine(*transform), poles),
        )

    def unwound(pixels: Points) -> Points:
        native = _applied(Affine(*transform), pixels)
        if own.is_geographic:  # a global grid may reach half a pixel beyond the poles
            native[:, 1] = np.clip(native[:, 1], -meridian.turn / 4, meridian.turn / 4)
        return _continuous(native, transform_points(own, geographic, native), meridian, to_earth=True)

    placed = shapely.transform(shapely.segmentize(area, edge), unwound)
    return cut_at_turns(placed) if np.isfinite(shapely.get_coordinates(placed)).all() else None


def _continuous(given: Points, moved: Points, meridian: _Meridian, *, to_earth: bool) -> Points:
    """Points (N, 2) that were moved between longitude and x, whole turns added so that one grows with the other."""
    if to_earth:
        expected = meridian.longitude + (given[:, 0] - meridian.x) * 360.0 / meridian.turn
    else:
        expected = meridian.x + (given[:, 0] - meridian.longitude) * meridian.turn / 360.0
    turn = 360.0 if to_earth else meridian.turn
    with np.errstate(invalid="ignore"):
        return np.column_stack([moved[:, 0] + turn * np.round((expected - moved[:, 0]) / turn), moved[:, 1]])


def _on_turns(native: AnyGeometry, xs: tuple[float, float], turn: float) -> shapely.Geometry:
    """Areas in a CRS that goes around the Earth, on the turns on which an image from `xs[0]` to `xs[1]` lies."""
    left, _, right, _ = native.bounds
    if right - left <= turn / 2:
        return _copies(native, xs, turn)
    middle, parts = (xs[0] + xs[1]) / 2, list[shapely.Geometry]()
    for part in shapely.get_parts(native):
        if _longest_step(part) > turn / 2:  # it jumps where it crosses the date line, or has very long edges
            near = _near(part, middle, turn)
            if near.area > 0 and near.bounds[0] < xs[1] and near.bounds[2] > xs[0]:
                parts.append(near)
                continue
        parts.append(_copies(part, xs, turn))
    return shapely.union_all(shapely.make_valid(parts))


def _longest_step(part: shapely.Geometry) -> float:
    """Along x, from one vertex of a line or of a polygon's outer ring to the next."""
    run = part.exterior if isinstance(part, Polygon) else part
    return float(np.abs(np.diff(shapely.get_coordinates(run)[:, 0])).max())


def _copies(native: AnyGeometry, xs: tuple[float, float], turn: float) -> shapely.Geometry:
    """An area on each turn on which it overlaps with the image; on the nearest one if there is none."""
    left, _, right, _ = native.bounds
    turns = range(math.floor((xs[0] - right) / turn) + 1, math.ceil((xs[1] - left) / turn))
    shifts = [*turns] or [round((sum(xs) - left - right) / 2 / turn)]
    moved = [_shifted(native, shift * turn) for shift in shifts]
    return moved[0] if len(moved) == 1 else shapely.union_all(shapely.make_valid(moved))


def _shifted(native: AnyGeometry, by: float) -> AnyGeometry:
    moved: AnyGeometry = shapely.transform(native, lambda xy: xy + np.array([by, 0.0])) if by else native
    return moved


def _near(geometry: AnyGeometry, x: float, turn: float) -> AnyGeometry:
    """A geometry with whole turns added so that each vertex is within half a turn of `x`."""

    def turned(xy: Points) -> Points:
        return np.column_stack([xy[:, 0] + turn * np.round((x - xy[:, 0]) / turn), xy[:, 1]])

    moved: AnyGeometry = shapely.transform(geometry, turned)
    return moved


def _applied(matrix: Affine, xy: Points) -> Points:
    a, b, c, d, e, f = matrix[:6]
    with np.errstate(invalid="ignore"):
        return np.column_stack([a * xy[:, 0] + b * xy[:, 1] + c, d * xy[:, 0] + e * xy[:, 1] + f])


def _affine(geometry: AnyGeometry, matrix: Affine) -> AnyGeometry:
    moved: AnyGeometry = shapely.transform(geometry, lambda xy: _applied(matrix, xy))
    return moved


def _finite(geometry: AnyGeometry) -> AnyGeometry:
    if not np.isfinite(shapely.get_coordinates(geometry)).all():
        raise NoPlaceError("some of its coordinates lie outside of what the image's CRS covers")
    return geometry


def _on_earth(geometry: shapely.Geometry) -> bool:
    coordinates = shapely.get_coordinates(geometry)
    return bool(len(coordinates) and (np.abs(coordinates) <= [180.0, 90.0]).all())


def _same(area: Area, back: shapely.Geometry, frame: tuple[float, float, float, float]) -> bool:
    """Whether an area is the same inside of a frame after it was placed and brought back."""
    inside = shapely.box(*frame)
    before, after = (shapely.intersection(shapely.make_valid(shape), inside) for shape in (area, back))
    return bool(shapely.symmetric_difference(before, after).area <= _SAME_AREA_PX)


def polygons_only(geometry: shapely.Geometry) -> MultiPolygon:
    """The polygons of a geometry; points, lines and slivers without an area, which cutting leaves, are dropped."""
    parts = shapely.get_parts(shapely.get_parts(geometry))
    return MultiPolygon([part for part in parts if isinstance(part, Polygon) and part.area > 0])
