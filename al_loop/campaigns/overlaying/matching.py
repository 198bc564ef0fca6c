"""Which image each line or area lies in, and what is left of it there: labels by place."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import shapely
from shapely import STRtree
from shapely.geometry import mapping

from al_loop.campaigns.overlaying.vectors import Overlay
from al_loop.domain.geojson import to_pixels
from al_loop.domain.line_places import drawn_line
from al_loop.domain.line_widths import LineSettings, width_properties
from al_loop.domain.samples import SampleHeader
from models.errors import NoPlaceError
from models.geo.lines import cut_line_at_date_line, ground_matrix
from models.geo.placement import WGS84

THIN_SHARE = 0.5
"""Of the images inside the data's extent: where fewer show anything of it, coverage is thin."""
THIN_LENGTH = 0.1
"""Of the median length of lines in an image: an image with less may be one that the data covers in part."""
_MARGIN_PX = 2.0


class Laid(NamedTuple):
    """What lies in one image."""

    header: SampleHeader
    features: dict[str, Any]
    """FeatureCollection in EPSG:4326; lines are cut a little beyond the image's edge, so that their width is whole."""
    covered_px: int
    """Pixels of the image that it covers."""

    @property
    def length_px(self) -> float:
        """Pixels covered, by the square root of the image's size."""
        return self.covered_px / float(np.sqrt(self.header.width * self.header.height))


class Overlaid(NamedTuple):
    """A data set over the images of a campaign."""

    laid: list[Laid]
    without: list[SampleHeader]
    """Images whose whole footprint lies inside the data's extent, and that nothing of it lies in."""
    outside: int
    """Images outside of it, or across its border with nothing in them."""
    nowhere: int
    """Images without a place on Earth."""


def lay_over(overlays: Sequence[Overlay], headers: Iterable[SampleHeader], lines: LineSettings) -> Overlaid:
    """Match by place.

    Args:
        overlays: At least one.
        headers: The images.
        lines: How wide lines are that do not say it.

    Raises:
        InvalidValueError: A width in the data is none.
    """
    geometries = [entry.geometry for entry in overlays]
    boxes = [shapely.box(*cut_bounds) for geometry in geometries for cut_bounds in _boxes(geometry)]
    owners = [index for index, geometry in enumerate(geometries) for _ in _boxes(geometry)]
    tree = STRtree(boxes)
    extent = shapely.convex_hull(shapely.union_all(boxes))
    laid, without, outside, nowhere = [], [], 0, 0
    for header in headers:
        frames = list(_frames(header))
        if not frames:
            nowhere += 1
            continue
        near = sorted({owners[index] for frame in frames for index in tree.query(frame).tolist()})
        features, covered = _cut([overlays[index] for index in near], header, frames, lines)
        if features:
            laid.append(Laid(header, {"type": "FeatureCollection", "features": features}, covered))
        elif all(shapely.contains(extent, frame) for frame in frames):
            without.append(header)
        else:
            outside += 1
    return Overlaid(laid, without, outside, nowhere)


def thin_notices(found: Overlaid) -> list[str]:
    """What makes one doubt that the data set is complete here, in sentences."""
    notices = []
    inside = len(found.laid) + len(found.without)
    if inside and len(found.laid) < THIN_SHARE * inside:
        notices.append(
            f"coverage is thin: only {len(found.laid)} of the {inside} images inside the data's extent have any of it; "
            "look whether the data set is complete here before you label the others as empty"
        )
    lengths = np.array([entry.length_px for entry in found.laid])
    few = int((lengths < THIN_LENGTH * np.median(lengths)).sum()) if len(lengths) else 0
    if few:
        notices.append(
            f"{few} images have less than a tenth of what half of the others have; look at them: the data may end there"
        )
    return notices


def _cut(
    near: Sequence[Overlay], header: SampleHeader, frames: Sequence[shapely.Polygon], lines: LineSettings
) -> tuple[list[dict[str, Any]], int]:
    """The features in an image, and how many of its pixels they cover, overlaps counted twice."""
    found, covered = [], 0
    for entry in near:
        properties = entry.properties
        if entry.is_line:
            properties = width_properties(properties, lines, placed=None, at="$.properties")
        parts = [part for frame in frames for part in _parts(entry, frame, header, properties)]
        for part in parts:
            drawn = drawn_line(part, properties) if entry.is_line else part
            try:
                pixels = to_pixels(drawn, WGS84, header)
            except NoPlaceError:
                continue
            if pixels.is_empty or pixels.area < 0.5:
                continue
            covered += int(pixels.area)
            sent = entry.properties if not entry.is_line else properties
            found.append({"type": "Feature", "properties": sent, "geometry": dict(mapping(part))})
    return found, covered


def _parts(
    entry: Overlay, frame: shapely.Polygon, header: SampleHeader, properties: dict[str, Any]
) -> Iterator[shapely.Geometry]:
    left, bottom, right, top = frame.bounds
    across, down = (right - left) / header.width, (top - bottom) / header.height
    reach = _MARGIN_PX
    if entry.is_line and header.crs is not None and header.transform is not None:
        matrix = ground_matrix(header.crs, tuple(header.transform), header.width, header.height)
        if matrix is not None:
            reach += float(properties["width_m"]) / float(np.sqrt(abs(np.linalg.det(matrix))))
    edges = left - reach * across, bottom - reach * down, right + reach * across, top + reach * down
    whole = cut_line_at_date_line(entry.geometry) if entry.is_line else entry.geometry
    if not entry.is_line:
        part = shapely.intersection(whole, shapely.box(*edges))
        areas = [area for area in shapely.get_parts(part) if isinstance(area, shapely.Polygon) and area.area > 0]
        yield from areas
        return
    part = shapely.clip_by_rect(whole, *edges)
    kept = [line for line in shapely.get_parts(part) if isinstance(line, shapely.LineString) and line.length > 0]
    yield from kept


def _frames(header: SampleHeader) -> Iterator[shapely.Polygon]:
    """The image's bounds, as two boxes across the date line."""
    if not header.placed or header.bounds is None:
        return
    left, bottom, right, top = header.bounds
    if left <= right:
        yield shapely.box(left, bottom, right, top)
    else:
        yield shapely.box(left, bottom, 180.0, top)
        yield shapely.box(-180.0, bottom, right, top)


def _boxes(geometry: shapely.Geometry) -> Iterator[tuple[float, float, float, float]]:
    if isinstance(geometry, shapely.LineString | shapely.MultiLineString):
        geometry = cut_line_at_date_line(geometry)
    for part in shapely.get_parts(geometry):
        yield part.bounds
