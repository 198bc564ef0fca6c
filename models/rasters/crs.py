"""CRSs from text, and points from one CRS to another.

Text from outside is checked first, because GDAL would read a CRS from any URL or file named in it.

`OSRSetFromUserInput` (rasterio's `CRS.from_user_input`, and every function of rasterio that is given a CRS as text)
fetches `http://` and `/vsicurl/` and opens local paths, and rasterio holds the GIL meanwhile. So it is never given free
text: codes are looked up by authority, WKT goes to the WKT parser, and the rest is refused.
"""

import math
import re
from functools import lru_cache

import numpy as np
import rasterio.warp
from numpy.typing import NDArray
from rasterio._err import CPLE_BaseError, CPLE_NotSupportedError  # rasterio has no public names for them
from rasterio.crs import CRS
from rasterio.errors import CRSError, RasterioError

from models.errors import NoPlaceError, UnknownCrsError
from models.gdal import gdal_settings

MAX_CRS_CHARACTERS = 10_000
"""The WKT2 of EPSG's longest CRS has about half as many."""
AUTHORITIES = ("EPSG", "ESRI", "IGNF", "OGC")
"""Those of PROJ's database that publish CRSs of the Earth; no other name before a colon is taken."""

_CODE = re.compile(r"([A-Za-z]+):([A-Za-z0-9_.-]{1,40})")
_URN = re.compile(r"urn:(?:x-)?ogc:def:crs:([A-Za-z]+):[A-Za-z0-9_.-]{0,20}:([A-Za-z0-9_.-]{1,40})", re.IGNORECASE)
_EPSG_CODE = re.compile(r"[0-9]{1,9}")
_WKT = re.compile(
    r"\s*(?:GEOGCS|PROJCS|GEOCCS|COMPD_CS|LOCAL_CS"  # WKT1
    r"|GEOGCRS|GEOGRAPHICCRS|GEODCRS|GEODETICCRS|PROJCRS|PROJECTEDCRS|COMPOUNDCRS|ENGCRS|ENGINEERINGCRS"  # WKT2
    r"|DERIVEDPROJCRS)\s*[\[(]",
    re.IGNORECASE,
)
_WEB_MERCATOR = re.compile(
    r'EXTENSION\["PROJ4",\s*"\+proj=merc(?:\s+\+(?:(?:a|b|k|lat_ts|lon_0|x_0|y_0)=[-.0-9eE]+|units=m|nadgrids=@null'
    r'|wktext|no_defs|over))*\s*"\]'
)
"""How GDAL writes EPSG:3857 in WKT1; the grid `@null` is no file."""
_FILES_IN_WKT = re.compile(
    r"PARAMETERFILE|EXTENSION\W*[\[(]|\bPROJ[\s_-]|grids\b|\+\s*\w+\s*=",  # PROJ strings, and what names a grid file
    re.IGNORECASE,
)

_GRID_FILES = re.compile(
    r"PARAMETERFILE|PROJ4_GRIDS\W{1,5}(?!\W*@null)|grids\s*=\s*(?!@null\b)"
    r"|\binit\s*=\s*(?!(?:epsg|esri|ignf|crs):)|\+\s*(?:proj|init)\b.*\b(?:file|model|catalog)\s*="
    r'|"value"\s*:\s*"',  # PROJJSON: the other parameters are numbers
    re.IGNORECASE | re.DOTALL,
)


def names_grid_file(text: str) -> bool:
    """Whether WKT or a PROJ string that an image brings names a grid: PROJ opens it as soon as the CRS is made.

    Other PROJ strings in WKT are harmless; those of geostationary satellites come with one.
    """
    return _GRID_FILES.search(text) is not None


def read_crs(text: str) -> CRS:
    """The CRS that text from outside names; opens no file but PROJ's own database, and no connection.

    Args:
        text: An authority code (`EPSG:32631`, `ESRI:102001`), a URN (`urn:ogc:def:crs:OGC:1.3:CRS84`), or WKT 1 or 2
            of at most 10,000 characters. WKT must name no grid file and hold no PROJ string, except the one with which
            GDAL marks EPSG:3857.

    Raises:
        UnknownCrsError: It is anything else (a PROJ string, PROJJSON, a path, a URL), PROJ does not know it, or it is
            no CRS of a map.
    """
    if len(text) > MAX_CRS_CHARACTERS:
        raise UnknownCrsError(text, f"it has {len(text)} characters, more than {MAX_CRS_CHARACTERS}")
    try:
        if code := _CODE.fullmatch(text) or _URN.fullmatch(text):
            return _on_a_map(text, _by_authority(text, code[1].upper(), code[2]))
        if _WKT.match(text):
            if found := _FILES_IN_WKT.search(_WEB_MERCATOR.sub("", text)):
                raise UnknownCrsError(text, f"{found[0]!r} in it may name a file, which is not looked at")
            return _on_a_map(text, CRS.from_wkt(text))
    except CRSError as error:
        raise UnknownCrsError(text, "") from error
    raise UnknownCrsError(text, "")


def crs_of(name: str) -> CRS:
    """The CRS of a name that `crs_name` wrote: `EPSG:n` or WKT. For names of our own records, not for requests.

    Raises:
        CRSError: It is neither.
    """
    authority, _, code = name.partition(":")
    return CRS.from_epsg(int(code)) if authority == "EPSG" else CRS.from_wkt(name)


def transform_points(source: CRS, target: CRS, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points in another CRS, x before y.

    GDAL keeps its transformers and lets each report 20 failures: until then one bad point makes
    `rasterio.warp.transform` raise for all of them, afterwards it is infinite and the others are right. Here it is
    infinite from the first call on: where the call raises, each half is tried alone. At most 20 calls of a transformer
    raise, so that costs little.

    Args:
        source: Of the points.
        target: Of the result.
        points: Shape (N, 2).

    Returns:
        Shape (N, 2); both coordinates are infinite where a point lies outside of what one of the CRSs covers.

    Raises:
        NoPlaceError: PROJ knows no way from one to the other: a local CRS, or that of another planet; or one of them
            names a grid file.
    """
    if source == target:
        return points
    for crs in (source, target):
        if _names_grids(crs.wkt):
            raise NoPlaceError("it names a grid file by its path, which is not looked at")
    finite = (np.abs(points) < _MOST_COORDINATE).all(axis=1)  # neither infinite nor NaN
    if source.is_geographic:  # PROJ refuses a latitude beyond a pole each time anew, not 20 times
        finite &= _is_latitude(source, points[:, 1])
    moved = np.full(points.shape, np.inf)
    moved[finite] = _transform(source, target, points[finite])
    moved[~np.isfinite(moved).all(axis=1)] = np.inf
    if target.is_geographic:  # where a sinusoidal grid goes on beyond the poles
        moved[~_is_latitude(target, moved[:, 1])] = np.inf
    return moved


def _is_latitude(crs: CRS, values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which latitudes of a geographic CRS, in its unit, lie on Earth."""
    return np.asarray(np.abs(values) * math.degrees(crs.units_factor[1]) <= 90.0 + _LATITUDE_SLACK)


_LATITUDE_SLACK = 1e-9
"""Degrees by which rounding may put a pole beyond itself."""
_MOST_COORDINATE = 1e12
"""Beyond it nothing lies on Earth, in whatever unit. GDAL brings a longitude of Web Mercator back turn by turn, which
never ends where a turn is less than the last digit of the coordinate."""


@lru_cache(maxsize=1024)
def _names_grids(wkt: str) -> bool:
    return names_grid_file(wkt)


def _transform(source: CRS, target: CRS, points: NDArray[np.float64]) -> NDArray[np.float64]:
    if not len(points):
        return points
    try:
        with gdal_settings():
            return np.column_stack(rasterio.warp.transform(source, target, points[:, 0], points[:, 1])[:2])
    except (CPLE_NotSupportedError, CRSError) as error:
        reason = "PROJ knows no way between the two" if "operations" in str(error) else str(error)
        raise NoPlaceError(reason) from error
    except (CPLE_BaseError, RasterioError, ValueError):
        if len(points) == 1:
            return np.full((1, 2), np.inf)
        half = len(points) // 2
        return np.concatenate([_transform(source, target, points[:half]), _transform(source, target, points[half:])])


def _on_a_map(text: str, crs: CRS) -> CRS:
    """Refuse what has no two coordinates on a map; GDAL would take heights for longitudes."""
    if not crs.is_geographic and not crs.is_projected and crs.to_wkt().startswith(("VERT_CS", "GEOCCS")):
        raise UnknownCrsError(text, "it is of heights, or of coordinates from the middle of the Earth, not of a map")
    return crs


def _by_authority(text: str, authority: str, code: str) -> CRS:
    if authority not in AUTHORITIES:
        raise UnknownCrsError(text, f"{authority} is no authority known here")
    if authority != "EPSG":
        return CRS.from_authority(authority, code)
    if not _EPSG_CODE.fullmatch(code):
        raise UnknownCrsError(text, f"{code!r} is no number")
    return CRS.from_epsg(int(code))
