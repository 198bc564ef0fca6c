"""Stored lines in pixels of their sample and on Earth, and the pixels that they cover."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from shapely import LineString, MultiLineString, MultiPolygon

from al_loop.domain.line_widths import DEFAULT_WIDTH_PX
from al_loop.domain.samples import SampleHeader
from models.errors import NoPlaceError
from models.geo.lines import Line, covered_pixels, ground_matrix, line_in_pixels, line_on_earth

_PIXEL = "pixel"
"""As `al_loop.domain.geojson` has it, which imports this module."""


class DrawnLine(NamedTuple):
    """A line of a stored label, with its width."""

    line: LineString | MultiLineString
    width_m: float | None
    """On the ground; None: `width_px` says."""
    width_px: float


def drawn_line(line: LineString | MultiLineString, properties: Mapping[str, Any]) -> DrawnLine:
    """A stored line, whose properties hold what `width_properties` found."""
    width_m = properties.get("width_m")
    return DrawnLine(line, width_m, float(properties.get("width_px", DEFAULT_WIDTH_PX)))


def line_pixels(line: Line, crs: str, header: SampleHeader) -> Line:
    """A stored line in pixel coordinates of its sample, not cut at the image's edge.

    Raises:
        NoPlaceError: A vertex lies outside of what the sample's CRS covers.
    """
    if crs == _PIXEL or header.crs is None or header.transform is None:
        return line
    frame = (0.0, 0.0, float(header.width), float(header.height))
    return line_in_pixels(line, header.crs, header.transform, frame)


def covered_by_line(drawn: DrawnLine, crs: str, header: SampleHeader, scale: int = 1) -> MultiPolygon:
    """The pixels of its sample that a stored line covers, or of `scale` x `scale` parts of each those that it does.

    Raises:
        NoPlaceError: A vertex lies outside of what the sample's CRS covers, or metres cannot be told.
    """
    line, size = line_pixels(drawn.line, crs, header), (header.width, header.height)
    if drawn.width_m is None:
        return covered_pixels(line, drawn.width_px, size, scale=scale)
    matrix = ground_of(header)
    if matrix is None:
        raise NoPlaceError("how many metres a pixel is cannot be told")
    return covered_pixels(line, drawn.width_m, size, matrix, scale)


def ground_of(header: SampleHeader) -> NDArray[np.float64] | None:
    """Metres by pixels, as `ground_matrix` has it; None without a place."""
    if not header.placed or header.crs is None or header.transform is None:
        return None
    return ground_matrix(header.crs, tuple(header.transform), header.width, header.height)


def placed_line(line: Line, header: SampleHeader) -> Line | None:
    """A line in pixels of a sample in EPSG:4326, cut at the date line; None where it has no place on Earth."""
    if not header.placed or header.crs is None or header.transform is None:
        return None
    return line_on_earth(line, header.crs, header.transform)
