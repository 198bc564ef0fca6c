"""Cuts areas at the date line, as RFC 7946 (3.1.9) wants it, so that they are the same area when they are read again.

The package `antimeridian` cuts polygons whose longitudes are all that is known of them, on straight lines in longitude
and latitude. Here the edges are straight in an image, so the point where one crosses is sought there; else pixels
beside the cut would change hands.
"""

import math
from collections.abc import Callable

import numpy as np
import shapely
import shapely.affinity
from numpy.typing import NDArray
from shapely import MultiPolygon, Polygon

Points = NDArray[np.float64]
"""Shape (N, 2)."""
ToEarth = Callable[[Points], Points]
"""From pixels (column, row) to longitude and latitude; infinite where there is none."""
_NARROW_DEG = 90.0
_BISECTIONS = 48
_POLE_DEG = 90.0 - 1e-9


def cut_at_turns(geometry: shapely.Geometry) -> shapely.Geometry:
    """An area whose longitudes run on beyond 180 or -180, in longitudes from -180 to 180, cut where it leaves them.

    Args:
        geometry: Polygons in longitude and latitude; no edge jumps from one turn of the Earth to another.
    """
    valid = geometry if shapely.is_valid(geometry) else shapely.make_valid(geometry)
    left, bottom, right, top = valid.bounds
    if left >= -180.0 and right <= 180.0 and bottom >= -90.0 and top <= 90.0:
        return valid
    turns = range(math.floor((left + 180.0) / 360.0), math.ceil((right - 180.0) / 360.0) + 1)
    return shapely.union_all([_turned(valid, turn) for turn in turns])


def rejoined(area: shapely.Geometry) -> shapely.Geometry:
    """The parts of an area that were cut from each other at the date line as one, in longitudes beyond 180.

    Args:
        area: In longitude and latitude from -180 to 180. Anything but polygons with parts on both sides of the date
            line stays as it is.
    """
    if not isinstance(area, MultiPolygon) or (area.bounds[0], area.bounds[2]) != (-180.0, 180.0) or not area.is_valid:
        return area
    west = [part for part in area.geoms if part.bounds[0] == -180.0 and part.bounds[2] < 0]
    east = [part for part in area.geoms if part.bounds[2] == 180.0 and part.bounds[0] > 0]
    others = [part for part in area.geoms if part not in west and part not in east]
    joined = shapely.union_all([*east, *(shapely.affinity.translate(part, 360.0) for part in west)])
    return MultiPolygon([*shapely.get_parts(joined).tolist(), *others])


def cut_at_date_line(area: Polygon | MultiPolygon, to_earth: ToEarth, poles: Points) -> shapely.Geometry | None:
    """An area of an image in longitudes from -180 to 180, cut at the date line; poles that it holds are part of it.

    Args:
        area: In pixels, with edges short enough that none spans half of the Earth.
        to_earth: Where points of the image lie.
        poles: South and north pole in pixels, shape (2, 2); not finite where the image's CRS does not reach them.

    Returns:
        None where a vertex has no place on Earth.
    """
    on_earth = shapely.transform(area, to_earth)
    if not np.isfinite(shapely.get_coordinates(on_earth)).all():
        return None
    placed = []
    for polygon, there in zip(shapely.get_parts(area), shapely.get_parts(on_earth), strict=True):
        if there.bounds[2] - there.bounds[0] <= _NARROW_DEG:  # else its longitudes jump by far more
            placed.append(shapely.make_valid(there))
            continue
        rings = zip((polygon.exterior, *polygon.interiors), (there.exterior, *there.interiors), strict=True)
        whole, *holes = [cut_at_turns(_unwound(*pair, to_earth, poles)) for pair in rings]
        placed.append(shapely.difference(whole, shapely.union_all(holes)) if holes else whole)
    return shapely.union_all(placed)


def _unwound(ring: shapely.LinearRing, there: shapely.LinearRing, to_earth: ToEarth, poles: Points) -> Polygon:
    """What a ring encloses, its longitudes running on beyond the date line."""
    pixels, earth = _around_poles(shapely.get_coordinates(ring), shapely.get_coordinates(there))
    earth[:, 0] = np.unwrap(earth[:, 0], period=360.0)
    pixels, earth = _with_crossings(pixels, earth, to_earth)
    if abs(earth[-1, 0] - earth[0, 0]) > 180.0:  # once around the Earth: a pole is inside
        inside = [bool(np.isfinite(pole).all() and shapely.contains_xy(Polygon(pixels), *pole)) for pole in poles]
        latitude = 90.0 if inside[1] or not inside[0] else -90.0
        back = [[earth[-1, 0], latitude], [earth[0, 0], latitude]]
        earth = np.concatenate([earth, back, earth[:1]])
    else:
        earth[-1] = earth[0]
    return Polygon(earth)


def _around_poles(pixels: Points, earth: Points) -> tuple[Points, Points]:
    """A vertex on a pole has no longitude: it becomes two, with those of the vertices before and after it."""
    at_pole = np.flatnonzero(np.abs(earth[:-1, 1]) >= _POLE_DEG)
    if not len(at_pole) or len(at_pole) > len(earth) - 3:
        return pixels, earth
    ring, pixel_ring = earth[:-1], pixels[:-1]
    before, after = ring[at_pole - 1, 0], ring[(at_pole + 1) % len(ring), 0]
    twice = np.insert(ring, at_pole + 1, np.column_stack([after, ring[at_pole, 1]]), axis=0)
    twice[at_pole + np.arange(len(at_pole)), 0] = before
    doubled = np.insert(pixel_ring, at_pole + 1, pixel_ring[at_pole], axis=0)
    return np.concatenate([doubled, doubled[:1]]), np.concatenate([twice, twice[:1]])


def _with_crossings(pixels: Points, earth: Points, to_earth: ToEarth) -> tuple[Points, Points]:
    """The ring with a vertex on the date line wherever an edge crosses it."""
    turn = (earth[:, 0] + 180.0) / 360.0
    low, high = np.minimum(turn[:-1], turn[1:]), np.maximum(turn[:-1], turn[1:])
    crossing = np.flatnonzero((np.floor(low) + 1 < high) & (np.abs(np.diff(earth[:, 1])) < 90.0))
    if not len(crossing):
        return pixels, earth
    meridian = (np.floor(low[crossing]) + 1) * 360.0 - 180.0
    start, end = pixels[crossing], pixels[crossing + 1]
    rising = earth[crossing + 1, 0] > earth[crossing, 0]
    near, far = np.zeros(len(crossing)), np.ones(len(crossing))
    for _ in range(_BISECTIONS):
        middle = (near + far) / 2
        longitude = to_earth(start + (end - start) * middle[:, None])[:, 0]
        longitude += 360.0 * np.round((meridian - longitude) / 360.0)
        beyond = (longitude > meridian) == rising
        near, far = np.where(beyond, near, middle), np.where(beyond, middle, far)
    found = start + (end - start) * far[:, None]
    latitude = to_earth(found)[:, 1]
    known = np.isfinite(latitude)
    places = crossing[known] + 1
    return (
        np.insert(pixels, places, found[known], axis=0),
        np.insert(earth, places, np.column_stack([meridian, latitude])[known], axis=0),
    )


def _turned(geometry: shapely.Geometry, turn: int) -> shapely.Geometry:
    """The part of an area that lies `turn` turns around the Earth, brought back to longitudes from -180 to 180."""
    part = shapely.intersection(geometry, shapely.box(-180.0 + 360.0 * turn, -90.0, 180.0 + 360.0 * turn, 90.0))
    return shapely.affinity.translate(part, -360.0 * turn)
