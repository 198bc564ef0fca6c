"""From polygons in pixels to polygons on Earth: longitude and latitude as RFC 7946 wants them, and areas in m2."""

import math
from collections.abc import Sequence
from typing import TypeAlias, TypeVar

import numpy as np
import rasterio.warp
import shapely
import shapely.affinity
from numpy.typing import NDArray
from rasterio._err import CPLE_BaseError  # what `transform` raises; rasterio has no public name for it
from rasterio.crs import CRS
from rasterio.errors import CRSError, RasterioError
from shapely import MultiPolygon, Polygon

from models.rasters.crs import crs_of

WGS84 = "EPSG:4326"
EDGE_PX = 256
"""Longest edge that is reprojected as one: straight lines of a CRS are curves in longitude and latitude."""
PROJECTION_ERRORS = (CPLE_BaseError, CRSError, RasterioError, ValueError)
"""What rasterio raises for a CRS or coordinates that PROJ cannot take; "EPSG:word" is a ValueError."""
Area: TypeAlias = Polygon | MultiPolygon
AnyGeometry = TypeVar("AnyGeometry", bound=shapely.Geometry)


def place(area: Area, crs: str, transform: Sequence[float]) -> MultiPolygon | None:
    """An area of an image in EPSG:4326, as RFC 7946 wants it.

    Longitude comes first, outer rings run counter-clockwise, and what crosses the date line is cut there.

    Args:
        area: In pixel coordinates (x = column, y = row from the upper left corner).
        crs: CRS of the image.
        transform: a, b, c, d, e, f of x = a*col + b*row + c, y = d*col + e*row + f.

    Returns:
        Valid polygons, or None where PROJ cannot tell the place.
    """
    try:
        geographic = pixels_to_crs(shapely.segmentize(area, EDGE_PX), crs_of(crs), transform, CRS.from_epsg(4326))
    except PROJECTION_ERRORS:
        return None
    coordinates = shapely.get_coordinates(geographic)
    if not coordinates.size or not np.isfinite(coordinates).all():
        return None
    parts = [_cut(_unbroken(part)) for part in shapely.get_parts(geographic)]
    placed: MultiPolygon = shapely.orient_polygons(
        polygons_only(shapely.union_all(parts) if len(parts) > 1 else parts[0])
    )
    return None if placed.is_empty else placed


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
    except PROJECTION_ERRORS:
        return None
    return value if math.isfinite(value) else None


def pixels_to_crs(geometry: shapely.Geometry, crs: CRS, transform: Sequence[float], target: CRS) -> shapely.Geometry:
    """A geometry in pixel coordinates of an image, which has a CRS and a transform, in another CRS.

    Raises:
        One of `PROJECTION_ERRORS`: PROJ cannot take the coordinates.
    """
    a, b, c, d, e, f = transform
    placed = shapely.transform(geometry, lambda xy: np.column_stack([xy @ [a, b] + c, xy @ [d, e] + f]))
    return reprojected(placed, crs, target)


def reprojected(geometry: AnyGeometry, source: CRS, target: CRS) -> AnyGeometry:
    """A geometry in another CRS, x before y; itself if the two are the same.

    Raises:
        One of `PROJECTION_ERRORS`: PROJ cannot take the coordinates.
    """
    if source == target:
        return geometry

    def warp(xy: NDArray[np.float64]) -> NDArray[np.float64]:  # Shape: (N, 2)
        return np.column_stack(rasterio.warp.transform(source, target, xy[:, 0], xy[:, 1])[:2])

    moved: AnyGeometry = shapely.transform(geometry, warp)
    return moved


def near_longitude(geometry: AnyGeometry, longitude: float) -> AnyGeometry:
    """A geometry in longitude and latitude, whole turns added so that each vertex is within 180 degrees of one."""

    def turn(xy: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.column_stack([xy[:, 0] + 360.0 * np.round((longitude - xy[:, 0]) / 360.0), xy[:, 1]])

    turned: AnyGeometry = shapely.transform(geometry, turn)
    return turned


def _unbroken(polygon: Polygon) -> Polygon:
    """The polygon with whole turns added to longitudes so that no edge jumps across the date line."""
    return near_longitude(polygon, float(shapely.get_coordinates(polygon)[0, 0]))


def _cut(polygon: Polygon) -> shapely.Geometry:
    """The polygon in longitudes from -180 to 180, cut where it leaves them; repaired if rounding made edges cross."""
    valid = polygon if shapely.is_valid(polygon) else shapely.make_valid(polygon)
    left, _, right, _ = valid.bounds
    if left >= -180.0 and right <= 180.0:
        return valid
    turns = range(math.floor((left + 180.0) / 360.0), math.floor((right + 180.0) / 360.0) + 1)
    return shapely.union_all([_turned(valid, turn) for turn in turns])


def _turned(polygon: shapely.Geometry, turn: int) -> shapely.Geometry:
    """The part of a polygon that lies `turn` turns around the Earth, brought back to longitudes from -180 to 180."""
    part = shapely.intersection(polygon, shapely.box(-180.0 + 360.0 * turn, -90.0, 180.0 + 360.0 * turn, 90.0))
    return shapely.affinity.translate(part, -360.0 * turn)


def polygons_only(geometry: shapely.Geometry) -> MultiPolygon:
    """The polygons of a geometry; points, lines and slivers without an area, which cutting leaves, are dropped."""
    parts = shapely.get_parts(shapely.get_parts(geometry))
    return MultiPolygon([part for part in parts if isinstance(part, Polygon) and part.area > 0])
