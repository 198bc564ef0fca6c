"""CRSs from text. Text from outside is checked first, because GDAL would read a CRS from any URL or file named in it.

`OSRSetFromUserInput` (rasterio's `CRS.from_user_input`, and every function of rasterio that is given a CRS as text)
fetches `http://` and `/vsicurl/` and opens local paths, and rasterio holds the GIL meanwhile. So it is never given free
text: codes are looked up by authority, WKT goes to the WKT parser, and the rest is refused.
"""

import re

from rasterio.crs import CRS
from rasterio.errors import CRSError

from models.errors import UnknownCrsError

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


def read_crs(text: str) -> CRS:
    """The CRS that text from outside names; opens no file but PROJ's own database, and no connection.

    Args:
        text: An authority code (`EPSG:32631`, `ESRI:102001`), a URN (`urn:ogc:def:crs:OGC:1.3:CRS84`), or WKT 1 or 2
            of at most 10,000 characters. WKT must name no grid file and hold no PROJ string, except the one with which
            GDAL marks EPSG:3857.

    Raises:
        UnknownCrsError: It is anything else (a PROJ string, PROJJSON, a path, a URL), or PROJ does not know it.
    """
    if len(text) > MAX_CRS_CHARACTERS:
        raise UnknownCrsError(text, f"it has {len(text)} characters, more than {MAX_CRS_CHARACTERS}")
    try:
        if code := _CODE.fullmatch(text) or _URN.fullmatch(text):
            return _by_authority(text, code[1].upper(), code[2])
        if _WKT.match(text):
            if found := _FILES_IN_WKT.search(_WEB_MERCATOR.sub("", text)):
                raise UnknownCrsError(text, f"{found[0]!r} in it may name a file, which is not looked at")
            return CRS.from_wkt(text)
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


def _by_authority(text: str, authority: str, code: str) -> CRS:
    if authority not in AUTHORITIES:
        raise UnknownCrsError(text, f"{authority} is no authority known here")
    if authority != "EPSG":
        return CRS.from_authority(authority, code)
    if not _EPSG_CODE.fullmatch(code):
        raise UnknownCrsError(text, f"{code!r} is no number")
    return CRS.from_epsg(int(code))
