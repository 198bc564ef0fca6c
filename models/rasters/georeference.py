"""Where a raster lies on Earth: a stable name for its CRS, its transform and its bounds in longitude and latitude."""

import math
import re
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import rasterio.warp
from affine import Affine
from numpy.typing import NDArray
from rasterio._err import CPLE_BaseError  # what `transform_bounds` raises; rasterio has no public name for it
from rasterio.crs import CRS
from rasterio.errors import CRSError, RasterioError
from rasterio.io import DatasetReader

from models.errors import NoPlaceError
from models.rasters.crs import transform_points

_EDGE_POINTS = 21
"""Points on each edge that are reprojected: straight edges become curves in longitude and latitude."""
_GRID_POINTS = 129
"""Points along each axis where an image reaches beyond what its CRS covers, as a full disk does into space."""
_MOST_OVERSHOOT_DEG = 5.0
"""A global grid may reach one pixel beyond the poles, and no further than this."""
_ROUNDING = 1e-6
"""Share of a pixel by which sums of its size differ from what they stand for, as float32 grids' do."""
_MOST_LONGITUDE_DEG = 360.0
"""Largest longitude of an image's middle: -180..180 and 0..360 are both in use."""
_FAR = 1.001e7
"""Projected coordinates up to here, a quarter of the Earth's circumference in metres, are not doubted."""
_LEAST_GROUND = 1e-3
"""Least area of a pixel on the ground, as a share of what its CRS says; Web Mercator has 0.007 at its upper edge."""
_MOST_OFF_AREA_DEG = 90.0
"""Farthest from the area that a CRS is made for; UTM goes on beyond the pole, down the other side of the Earth."""
_EARTH_RADIUS_M = 6_371_000.0
_UTM = re.compile(r"EPSG:32([67])(?:0[1-9]|[1-5]\d|60)")
"""WGS 84 / UTM, north and south."""
_AREA = re.compile(r"BBOX\[([-.\d]+),([-.\d]+),([-.\d]+),([-.\d]+)\]")
_CYLINDRICAL = ("merc", "webmerc", "eqc", "cea", "mill", "gall", "comill", "cc")
"""PROJ's names of projections whose x repeats after one turn; images in them may run on beyond the date line."""
_WORD_LENGTH = 60


_ALONG = np.linspace(0.0, 1.0, _EDGE_POINTS)
_UNIT_EDGES = np.array(
    [point for x in _ALONG for point in ((x, 0.0), (x, 1.0), (0.0, x), (1.0, x))] + [(0.5, 0.5)], np.float64
)
"""`_edges` of the unit square."""


class Location(NamedTuple):
    """Where a raster lies."""

    bounds: list[float] | None
    """Left, bottom, right, top in EPSG:4326; left > right across the date line; None if the place is unknown."""
    problem: str | None
    """Why a raster that has a CRS and a transform has no usable place, in one sentence; None: it has, or lacks them."""


def crs_name(crs: CRS | None) -> str | None:
    """`EPSG:n` if PROJ is sure of it, else WKT; None without a CRS. Equal CRSs get equal names."""
    return None if crs is None else _name_of_wkt(crs.to_wkt())


@lru_cache(maxsize=1024)
def _name_of_wkt(wkt: str) -> str:
    try:
        code = CRS.from_wkt(wkt).to_epsg()
    except CRSError:
        code = None
    return wkt if code is None else f"EPSG:{code}"


def transform_values(transform: Affine) -> list[float] | None:
    """a, b, c, d, e, f of an affine transform (pixel to CRS); None for the identity, rasterio's word for "none"."""
    if transform.is_identity:
        return None
    return [float(value) + 0.0 for value in transform[:6]]  # + 0.0 turns -0.0 into 0.0


def location(crs: CRS | None, transform: list[float] | None, width: int, height: int) -> Location:
    """Bounds of a raster in EPSG:4326 degrees, or why it has none.

    Edges are densified before they are reprojected. Left > right means that the raster crosses the date line; a raster
    around a pole spans all longitudes. A rotated raster is bounded by its envelope in its own CRS. Of a raster that
    reaches beyond what its CRS covers (the full disk of a geostationary satellite), the part that has a place counts.
    Degrees that reach up to a pixel beyond a pole are cut off there, and longitudes from 180 to 360 are wrapped.

    Args:
        crs: CRS of the raster.
        transform: Pixel to CRS, as in `transform_values`.
        width: Columns.
        height: Rows.
    """
    if crs is None or transform is None:
        return Location(None, None)
    a, b, c, d, e, f = transform
    if not all(math.isfinite(value) for value in transform) or a * e == b * d:
        return Location(None, f"its transform {transform} puts all pixels on a line or nowhere")
    corners = [(0, 0), (width, 0), (0, height), (width, height)]
    xs = [a * column + b * row + c for column, row in corners]
    ys = [d * column + e * row + f for column, row in corners]
    envelope = (min(xs), min(ys), max(xs), max(ys))
    pixel = (abs(a) + abs(b), abs(d) + abs(e))
    try:
        if crs.is_geographic:
            return _of_degrees(crs, envelope, pixel)
        return _of_projected(crs, envelope, pixel, transform, (width, height))
    except (NoPlaceError, CRSError) as error:
        return Location(None, f"its CRS {_short(crs)} has no way to longitude and latitude: {error}")


def placed_otherwise(dataset: DatasetReader) -> str | None:
    """Why a raster without a transform has no place here though it says one, in one sentence; None: it says none.

    Scenes of radar and raw scenes of optical satellites come so.
    """
    points, _ = dataset.gcps
    if points:
        means = f"{len(points)} ground control points"
    elif dataset.tags(ns="RPC"):
        means = "rational polynomials (RPC)"
    else:
        return None
    return f"it is placed by {means} instead of a transform; warp it onto a grid first, as `gdalwarp` does"


def turn_length(crs: CRS) -> float | None:
    """By how much x grows in one turn around the Earth, in units of the CRS; None where it does not repeat."""
    if crs.is_geographic:
        return 2 * math.pi / float(crs.units_factor[1])
    try:
        projection = crs.to_dict()
    except CRSError:
        return None
    if projection.get("proj") not in _CYLINDRICAL:
        return None
    middle = float(projection.get("lon_0", 0.0))
    (west, _), (east, _) = transform_points(
        CRS.from_epsg(4326), crs, np.array([[middle - 90.0, 0.0], [middle + 90.0, 0.0]])
    )
    length = 2 * abs(east - west)
    return float(length) if math.isfinite(length) and length > 0 else None


def _of_degrees(crs: CRS, envelope: tuple[float, float, float, float], pixel: tuple[float, float]) -> Location:
    unit = math.degrees(crs.units_factor[1])
    left, bottom, right, top = (value * unit for value in envelope)
    across, down = (min(side * unit, _MOST_OVERSHOOT_DEG) for side in pixel)
    if (
        not _is_within(bottom, top, 90.0, down)
        or right - left > 360.0 + 2 * across
        or abs(left + right) / 2 > _MOST_LONGITUDE_DEG
    ):
        cause = _guess((left, bottom, right, top), pixel[1] * unit)
        return Location(
            None,
            f"its coordinates ({left:.8g} to {right:.8g}, {bottom:.8g} to {top:.8g}) are no degrees of longitude and "
            f"latitude, which its CRS {_short(crs)} says they are; {cause}",
        )
    bottom, top = max(bottom, -90.0), min(top, 90.0)
    everywhere = right - left >= 360.0
    left, right = (-180.0, 180.0) if everywhere else (_wrapped(left), _wrapped(right))
    if crs_name(crs) == "EPSG:4326" or everywhere:
        transform_points(crs, CRS.from_epsg(4326), np.array([[left, (bottom + top) / 2]]) / unit)
        return Location([left, bottom, right, top], None)
    edges = _edges(left, bottom, right if left <= right else right + 360.0, top) / unit
    placed = transform_points(crs, CRS.from_epsg(4326), edges)
    if not np.isfinite(placed).all():
        return Location(None, f"its coordinates cannot be brought to longitude and latitude from its CRS {_short(crs)}")
    return Location(_around(placed), None)


def _is_within(low: float, high: float, most: float, beyond: float) -> bool:
    """Whether a range of degrees ends at +-`most`, or up to `beyond` further, whatever the rounding of its sums."""
    return max(-low, high) - most <= beyond * (1.0 + _ROUNDING)


def _guess(envelope: tuple[float, float, float, float], down: float) -> str:
    """What is wrong with coordinates that are no longitudes and latitudes, and what to do about it.

    Args:
        envelope: Left, bottom, right, top as if in degrees.
        down: Height of a pixel in the same unit.
    """
    left, bottom, right, top = envelope
    beyond = max(-bottom, top) - 90.0
    if max(map(abs, envelope)) > 2 * _MOST_LONGITUDE_DEG:
        return "perhaps they are metres: give it its true CRS"
    if _is_within(left, right, 90.0, 0.0) and _MOST_OVERSHOOT_DEG < beyond <= 90.0:
        return "perhaps longitude and latitude are swapped: correct its transform"
    if 0 < beyond < 90.0:
        return (
            f"they pass a pole by {beyond:.4g} degrees, {beyond / down:.4g} rows, where one row is cut off: correct "
            "its transform or, if they are metres, give it its true CRS"
        )
    return "correct its transform or give it its true CRS"


def _of_projected(
    crs: CRS,
    envelope: tuple[float, float, float, float],
    pixel: tuple[float, float],
    transform: list[float],
    size: tuple[int, int],
) -> Location:
    geographic = CRS.from_epsg(4326)
    edges = _edges(*envelope)
    placed, covered = _covered(crs, edges, pixel)
    if covered[-1] and max(map(abs, envelope)) > _FAR and not _is_plausible(crs, edges[-1], placed[-1], pixel):
        return _outside(crs, envelope)
    if covered.all():
        if np.ptp(placed[:, 0]) < 180.0:  # neither a pole nor the date line lies inside
            return Location([float(value) for value in (*placed.min(axis=0), *placed.max(axis=0))], None)
        try:
            left, bottom, right, top = rasterio.warp.transform_bounds(
                crs, geographic, *envelope, densify_pts=_EDGE_POINTS
            )
        except (CPLE_BaseError, CRSError, RasterioError):
            pass  # the visible part is found point by point
        else:
            if all(math.isfinite(value) for value in (left, bottom, right, top)) and -90 <= bottom <= top <= 90:
                if left <= right and right - left >= 360.0:
                    left, right = -180.0, 180.0
                return Location([_wrapped(left), bottom, _wrapped(right), top], None)
    width, height = size
    columns, rows = np.meshgrid(np.linspace(0, width, _GRID_POINTS), np.linspace(0, height, _GRID_POINTS))
    a, b, c, d, e, f = transform
    points = np.column_stack([(a * columns + b * rows + c).ravel(), (d * columns + e * rows + f).ravel()])
    placed, covered = _covered(crs, points, pixel)
    if not covered.any():
        return _outside(crs, envelope)
    bounds = _around(placed[covered])
    poles = transform_points(geographic, crs, np.array([[0.0, -90.0], [0.0, 90.0]]))
    for pole, latitude in zip(poles, (-90.0, 90.0), strict=True):
        if np.isfinite(pole).all():
            column, row = ~Affine(*transform) @ tuple(pole.tolist())  # Python's numbers overflow in silence
            back = transform_points(crs, geographic, pole[None])
            if 0 <= column <= width and 0 <= row <= height and abs(back[0, 1] - latitude) < 1e-6:
                bounds = [-180.0, min(bounds[1], latitude), 180.0, max(bounds[3], latitude)]
    return Location(bounds, None)


def _outside(crs: CRS, envelope: tuple[float, float, float, float]) -> Location:
    left, bottom, right, top = envelope
    return Location(
        None,
        f"its coordinates ({left:.8g} to {right:.8g}, {bottom:.8g} to {top:.8g}) lie outside of what its CRS "
        f"{_short(crs)} covers; its transform or its CRS is wrong",
    )


def _is_plausible(
    crs: CRS, point: NDArray[np.float64], placed: NDArray[np.float64], pixel: tuple[float, float]
) -> bool:
    """Whether a point far out in a projection may be meant: formulas go on where no map does.

    Mercator maps any number to a latitude, stereographic projections reach the other pole, and transverse ones go
    around the Earth. A pixel there has next to no ground, or lies half a world from where the CRS is used.

    Args:
        crs: Projected.
        point: x and y, shape (2,).
        placed: Longitude and latitude of it.
        pixel: Width and height of a pixel in units of the CRS.
    """
    steps = np.array([[0.0, 0.0], [pixel[0], 0.0], [0.0, pixel[1]]])
    longitude, latitude = np.radians(transform_points(crs, CRS.from_epsg(4326), point + steps)).T
    with np.errstate(invalid="ignore"):  # a neighbour without a place has no ground
        across = np.cos(latitude)
        here, east, north = np.stack([across * np.cos(longitude), across * np.sin(longitude), np.sin(latitude)], axis=1)
        ground = float(np.linalg.norm(np.cross(east - here, north - here))) * _EARTH_RADIUS_M**2
    if not ground >= _LEAST_GROUND * pixel[0] * pixel[1] * crs.linear_units_factor[1] ** 2:
        return False
    area = _area_of_use(crs_name(crs) or "")
    if area is None:
        return True
    south, west, north_edge, east_edge = area
    width = (east_edge - west) % 360.0 or 360.0
    beyond = max(0.0, abs(_turn(placed[0] - west - width / 2)) - width / 2)
    return bool(max(beyond, south - placed[1], placed[1] - north_edge) <= _MOST_OFF_AREA_DEG)


@lru_cache(maxsize=256)
def _area_of_use(name: str) -> tuple[float, ...] | None:
    """South, west, north and east in degrees where EPSG says that a CRS is used; None: it has no code."""
    authority, _, code = name.partition(":")
    found = _AREA.search(CRS.from_epsg(int(code)).to_wkt(version="WKT2_2019")) if authority == "EPSG" else None
    return None if found is None else tuple(float(edge) for edge in found.groups())


def _covered(
    crs: CRS, points: NDArray[np.float64], pixel: tuple[float, float]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Longitude and latitude of points (N, 2), and which of them, brought back, are the same points, shape (N,).

    PROJ answers for many points that no place on Earth has; those come back elsewhere.
    """
    geographic = CRS.from_epsg(4326)
    placed = transform_points(crs, geographic, points)
    if _is_in_zone(crs, points):
        return placed, np.ones(len(points), np.bool_)
    with np.errstate(invalid="ignore"):
        apart = np.abs(transform_points(geographic, crs, placed) - points)
        tolerance = np.array(pixel) + 1e-6 * np.abs(points)
        if (apart > tolerance).any() and (length := turn_length(crs)) is not None:
            middle = np.abs(points[:, 0]) <= length * _MOST_LONGITUDE_DEG / 360.0
            apart[:, 0] = np.where(middle, np.abs(apart[:, 0] - length * np.round(apart[:, 0] / length)), apart[:, 0])
        return placed, np.asarray((apart <= tolerance).all(axis=1) & (np.abs(placed[:, 1]) <= 90.0))


def _is_in_zone(crs: CRS, points: NDArray[np.float64]) -> bool:
    """Whether points lie where UTM is exact, so that they need not be brought back: nearly all satellite images do."""
    zone = _UTM.fullmatch(crs_name(crs) or "")
    if zone is None:
        return False
    x, y = points.T
    equator = 10_000_000.0 if zone[1] == "7" else 0.0
    return bool((np.abs(x - 500_000.0) <= 400_000.0).all() and (np.abs(y - equator) <= 9_400_000.0).all())


def _edges(left: float, bottom: float, right: float, top: float) -> NDArray[np.float64]:
    """Points on the edges of a box, its corners among them, and its middle as the last one."""
    edges: NDArray[np.float64] = np.array([left, bottom]) + _UNIT_EDGES * np.array([right - left, top - bottom])
    return edges


def _around(placed: NDArray[np.float64]) -> list[float]:
    """Bounds of points (N, 2) in longitude and latitude: all of them but the widest gap between two meridians."""
    longitudes = np.unique(placed[:, 0])
    gaps = np.diff(longitudes, append=longitudes[0] + 360.0)
    widest = int(np.argmax(gaps))
    left, right = longitudes[(widest + 1) % len(longitudes)], longitudes[widest]
    return [float(left), float(placed[:, 1].min()), float(right), float(placed[:, 1].max())]


def _short(crs: CRS) -> str:
    """What to call a CRS in a sentence: its code, or the name in its WKT."""
    name = crs_name(crs) or ""
    if name.startswith("EPSG:"):
        return name
    _, quote, rest = name.partition('"')
    title = rest.partition('"')[0] if quote else name
    return repr(title if len(title) <= _WORD_LENGTH else f"{title[:_WORD_LENGTH]}...")


def _turn(degrees: float) -> float:
    """The same angle from -180 to 180 degrees."""
    return (degrees + 180.0) % 360.0 - 180.0


def _wrapped(longitude: float) -> float:
    """Longitude in [-180, 180]."""
    return longitude if -180.0 <= longitude <= 180.0 else _turn(longitude)
