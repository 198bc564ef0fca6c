"""Outlines with few corners: what grows pixel by pixel is ragged, and nobody can move ten thousand corners."""

import math

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

LEAST_REACH_PX, MOST_REACH_PX = 0.5, 3.0
"""What is narrower than twice this is noise of an outline."""
SIDES_PER_REACH = 50
"""The reach is this fraction of the side of a square of the same area: large things are drawn more coarsely."""


def smoothed(area: BaseGeometry, points: NDArray[np.float64]) -> BaseGeometry:
    """An outline near the given one, of far fewer corners.

    Gaps are closed and spurs taken off (a morphological closing and opening), small holes filled, and corners left out
    that lie within half the reach of the line between their neighbours (Douglas and Peucker 1973). A thing so narrow
    that the opening would lose a point keeps its spurs.

    Args:
        area: Polygon or MultiPolygon in pixels.
        points: Shape (N, 2), column and row in pixels, inside of `area`.

    Returns:
        A valid Polygon or MultiPolygon that holds all points; each of its parts holds at least one.
    """
    reach = min(MOST_REACH_PX, max(LEAST_REACH_PX, math.sqrt(area.area) / SIDES_PER_REACH))
    marks = shapely.points(points)
    coarse = area.simplify(reach / 2)
    closed = coarse.buffer(reach, quad_segs=2).buffer(-reach, join_style="mitre")
    opened = closed.buffer(-reach, quad_segs=2).buffer(reach, join_style="mitre")
    for candidate in (opened, closed, coarse):
        parts = [
            _without_small_holes(part, (4 * reach) ** 2)
            for part in shapely.get_parts(candidate.simplify(reach / 2))
            if shapely.intersects(part, marks).any()
        ]
        found = shapely.union_all(parts)
        if parts and shapely.covers(found, marks).all():
            return found
    return area


def _without_small_holes(part: shapely.Polygon, least_px: float) -> shapely.Polygon:
    return shapely.Polygon(part.exterior, [hole for hole in part.interiors if shapely.Polygon(hole).area >= least_px])
