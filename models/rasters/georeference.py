"""Where a raster lies on Earth: a stable name for its CRS, its transform and its bounds in longitude and latitude."""

import math
from functools import lru_cache

import rasterio.warp
from affine import Affine
from rasterio.crs import CRS
from rasterio.errors import CRSError, RasterioError

_EDGE_POINTS = 21
"""Points on each edge that are reprojected: straight edges become curves in longitude and latitude."""


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


def geographic_bounds(crs: CRS | None, transform: list[float] | None, width: int, height: int) -> list[float] | None:
    """Left, bottom, right, top in EPSG:4326 degrees.

    Edges are densified before they are reprojected. Left > right means that the raster crosses the date line; a raster
    around a pole spans all longitudes. A rotated raster is bounded by its envelope in its own CRS.

    Args:
        crs: CRS of the raster.
        transform: Pixel to CRS, as in `transform_values`.
        width: Columns.
        height: Rows.

    Returns:
        Four numbers, or None if the raster has no place on Earth that PROJ can tell.
    """
    if crs is None or transform is None:
        return None
    a, b, c, d, e, f = transform
    corners = [(0, 0), (width, 0), (0, height), (width, height)]
    xs = [a * column + b * row + c for column, row in corners]
    ys = [d * column + e * row + f for column, row in corners]
    envelope = (min(xs), min(ys), max(xs), max(ys))
    if crs_name(crs) == "EPSG:4326":
        left, bottom, right, top = envelope
    else:
        try:
            left, bottom, right, top = rasterio.warp.transform_bounds(
                crs, CRS.from_epsg(4326), *envelope, densify_pts=_EDGE_POINTS
            )
        except (CRSError, RasterioError):
            return None
    if not all(math.isfinite(value) for value in (left, bottom, right, top)):
        return None
    if left <= right and right - left >= 360.0:
        left, right = -180.0, 180.0
    return [_wrapped(left), max(bottom, -90.0), _wrapped(right), min(top, 90.0)]


def _wrapped(longitude: float) -> float:
    """Longitude in [-180, 180]."""
    return longitude if -180.0 <= longitude <= 180.0 else (longitude + 180.0) % 360.0 - 180.0
