"""Lines on the ground: brought to pixels of an image and back, and the pixels that a line of some width covers."""

from collections.abc import Sequence
from functools import lru_cache
from typing import TypeAlias

import numpy as np
import rasterio.features
import shapely
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.errors import CRSError
from shapely import LineString, MultiLineString, MultiPolygon

from models.errors import NoPlaceError
from models.gdal import gdal_settings
from models.geo.placement import EDGE_PX, locate, pixels_to_crs
from models.rasters.crs import crs_of
from models.rasters.files import allow_missing_georeference
from models.rasters.masks import codes_to_polygons

Line: TypeAlias = LineString | MultiLineString

_STEP_PX = 0.05
"""Vertices that lie closer to the one before them change no pixel; scribbles have thousands."""


def line_in_pixels(line: Line, crs: str, transform: Sequence[float], frame: tuple[float, float, float, float]) -> Line:
    """A line in EPSG:4326 in pixel coordinates of an image; see `models.geo.placement.locate` for arguments and errors.

    Longitudes may jump at the date line or run on beyond 180 degrees.
    """
    moved = locate(_unwound(line), crs, transform, frame)
    return moved if isinstance(moved, LineString | MultiLineString) else MultiLineString()


def line_on_earth(line: Line, crs: str, transform: Sequence[float]) -> Line | None:
    """A line in pixels of an image in EPSG:4326, cut at the date line; None where PROJ cannot tell the place of all."""
    try:
        moved = pixels_to_crs(shapely.segmentize(line, EDGE_PX), crs_of(crs), transform, CRS.from_epsg(4326))
    except (NoPlaceError, CRSError):
        return None
    xy = shapely.get_coordinates(moved)
    if not len(xy) or not np.isfinite(xy).all() or (np.abs(xy[:, 1]) > 90.0).any():
        return None
    return cut_line_at_date_line(moved)


def cut_line_at_date_line(line: Line) -> Line:
    """A line in EPSG:4326 with longitudes from -180 to 180, as RFC 7946 (3.1.9) wants it."""
    whole = _unwound(line)
    left, bottom, right, top = whole.bounds
    if left >= -180.0 and right <= 180.0:
        return whole
    parts: list[LineString] = []
    for turn in range(int(np.floor((left + 180.0) / 360.0)), int(np.floor((right + 180.0) / 360.0)) + 1):
        cut = shapely.clip_by_rect(whole, turn * 360.0 - 180.0, bottom - 1, turn * 360.0 + 180.0, top + 1)
        moved = shapely.transform(cut, lambda xy, turn=turn: xy - [turn * 360.0, 0.0])
        parts += [part for part in shapely.get_parts(moved) if isinstance(part, LineString) and part.length > 0]
    return parts[0] if len(parts) == 1 else MultiLineString(parts)


@lru_cache(maxsize=4096)
def ground_matrix(crs: str, transform: tuple[float, ...], width: int, height: int) -> NDArray[np.float64] | None:
    """Metres on the ground by pixels, in the middle of an image: (dx, dy) = matrix @ (columns, rows).

    Measured in an azimuthal equidistant projection around the middle, so that degrees, feet, the scale of Web Mercator,
    oblong pixels and turned images are all the same.

    Args:
        crs: `EPSG:n` or WKT.
        transform: a, b, c, d, e, f of x = a*col + b*row + c, y = d*col + e*row + f.
        width: Columns.
        height: Rows.

    Returns:
        Shape (2, 2); None where PROJ cannot tell the place of the middle.
    """
    column, row = width / 2, height / 2
    corners = np.array([[column - 0.5, row], [column + 0.5, row], [column, row - 0.5], [column, row + 0.5]])
    try:
        own = crs_of(crs)
        middle = pixels_to_crs(shapely.Point(column, row), own, transform, CRS.from_epsg(4326))
        if not np.isfinite(shapely.get_coordinates(middle)).all():
            return None
        local = CRS.from_dict(proj="aeqd", lat_0=middle.y, lon_0=middle.x, datum="WGS84", units="m")
        moved = shapely.get_coordinates(pixels_to_crs(shapely.MultiPoint(corners), own, transform, local))
    except (NoPlaceError, CRSError):
        return None
    matrix = np.column_stack([moved[1] - moved[0], moved[3] - moved[2]])
    usable = np.isfinite(matrix).all() and abs(np.linalg.det(matrix)) > 0
    return matrix if usable else None


def covered_pixels(
    line: Line, breadth: float, size: tuple[int, int], matrix: NDArray[np.float64] | None = None, scale: int = 1
) -> MultiPolygon:
    """Pixels that a line of some breadth covers: those whose centre lies in it, and all that the line itself touches.

    Segments are painted one by one, so that a line that crosses itself ten thousand times costs no more than another.
    Ends are cut straight; bends are round.

    Args:
        line: In pixel coordinates (x = column, y = row from the upper left corner).
        breadth: In the units that `matrix` makes of pixels; pixels without one.
        size: Width and height of the image in pixels.
        matrix: As `ground_matrix` has it.
        scale: Parts of a pixel along each side that are covered or not, each for itself.

    Returns:
        Outlines, in pixel coordinates, of the pixels or parts of them inside of the image; empty where there is none.
    """
    if scale > 1:
        finer = (np.eye(2) if matrix is None else matrix) / scale
        found = covered_pixels(
            shapely.transform(line, lambda xy: xy * scale), breadth, (scale * size[0], scale * size[1]), finer
        )
        return MultiPolygon(shapely.get_parts(shapely.transform(found, lambda xy: xy / scale)).tolist())
    to_ground = np.eye(2) if matrix is None else matrix
    to_pixels = np.asarray(np.linalg.inv(to_ground), np.float64)
    reach = float(np.abs(to_pixels).sum(axis=1).max()) * breadth / 2 + 1.0
    seen = shapely.clip_by_rect(line, -reach, -reach, size[0] + reach, size[1] + reach)
    lines = [part for part in shapely.get_parts(seen) if isinstance(part, LineString) and part.length > 0]
    if not lines:
        return MultiPolygon()
    left, top, right, bottom = MultiLineString(lines).bounds
    column, row = max(0, int(np.floor(left - reach))), max(0, int(np.floor(top - reach)))
    width, height = min(size[0], int(np.ceil(right + reach))) - column, min(size[1], int(np.ceil(bottom + reach))) - row
    if width <= 0 or height <= 0:
        return MultiPolygon()
    codes = np.zeros((height, width), np.uint8)
    allow_missing_georeference()
    with gdal_settings():
        frame = Affine.translation(column, row)
        for part in lines:
            stripes = _stripes(_thinned(shapely.get_coordinates(part)), breadth, to_ground, to_pixels)
            rasterio.features.rasterize(stripes, out=codes, transform=frame)
            rasterio.features.rasterize([part], out=codes, transform=frame, all_touched=True)
    outlines = [
        shapely.transform(area, lambda xy: xy + np.array([column, row])) for _, area in codes_to_polygons(codes)
    ]
    return MultiPolygon([polygon for area in outlines for polygon in shapely.get_parts(area)])


def _stripes(
    xy: NDArray[np.float64], breadth: float, to_ground: NDArray[np.float64], to_pixels: NDArray[np.float64]
) -> list[shapely.Geometry]:
    """A rectangle for each segment of a line and a disk for each bend, in pixels."""
    ground = xy @ to_ground.T
    segments = shapely.linestrings(np.stack([ground[:-1], ground[1:]], axis=1))
    shapes = [*shapely.buffer(segments, breadth / 2, cap_style="flat")]
    shapes += [*shapely.buffer(shapely.points(ground[1:-1]), breadth / 2)]
    moved = shapely.transform(np.array(shapes, dtype=object), lambda points: points @ to_pixels.T)
    return [shape for shape in moved if not shape.is_empty]


def _thinned(xy: NDArray[np.float64]) -> NDArray[np.float64]:
    """A line's vertices without those that lie within `_STEP_PX` of the last one kept; its ends stay."""
    travelled = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(xy, axis=0).T))])
    steps = np.floor(travelled / _STEP_PX)
    kept = np.concatenate([[True], np.diff(steps) > 0])
    kept[-1] = True
    vertices: NDArray[np.float64] = xy[kept]
    return vertices


def _unwound(line: Line) -> Line:
    """Each part with whole turns added so that no longitude jumps by more than half a turn."""

    def run_on(part: LineString) -> LineString:
        xy = shapely.get_coordinates(part)
        return LineString(np.column_stack([np.unwrap(xy[:, 0], period=360.0), xy[:, 1]]))

    coordinates = shapely.get_coordinates(line)
    if not len(coordinates) or np.ptp(coordinates[:, 0]) <= 180.0:
        return line
    if isinstance(line, LineString):
        return run_on(line)
    return MultiLineString([run_on(part) for part in line.geoms])
