"""Positions of a client's feature as shapely geometries: their number, their values, whether rings are closed. Pure."""

import numpy as np
from numpy.typing import NDArray
from shapely import LineString, MultiLineString, MultiPolygon, Polygon

from al_loop.domain.feature_collections import GivenFeature
from al_loop.errors import InvalidValueError
from models.geo.placement import Area

MAX_COORDINATE = 1e9
"""Farthest from the origin that a coordinate lies, in any unit: no CRS of the Earth in metres reaches a tenth of it."""


def line_of(feature: GivenFeature) -> LineString | MultiLineString:
    """The line of a feature; it may cross itself.

    Raises:
        InvalidValueError: With the JSON path of the position.
    """
    parts = [LineString(_run(positions, where)) for positions, where in feature.lines or ()]
    if not parts:
        raise InvalidValueError(f"{feature.at}.geometry", "the geometry has no line; leave the feature out")
    return parts[0] if feature.single else MultiLineString(parts)


def area_of(feature: GivenFeature) -> Area:
    """The polygons of a feature; they may be invalid.

    Raises:
        InvalidValueError: With the JSON path of the position.
    """
    polygons = []
    for rings, where in feature.polygons:
        if not rings:
            raise InvalidValueError(where, "the polygon is empty; it needs an outer ring, or leave the feature out")
        checked = [_ring(ring, f"{where}[{number}]") for number, ring in enumerate(rings)]
        polygons.append(Polygon(checked[0], checked[1:]))
    if not polygons:
        raise InvalidValueError(f"{feature.at}.geometry", "the geometry has no polygon; leave the feature out")
    return polygons[0] if feature.single else MultiPolygon(polygons)


def _run(line: list[list[float]], at: str) -> NDArray[np.float64]:
    """Vertices of a line, shape (N, 2)."""
    if len(line) < 2:
        raise InvalidValueError(at, f"{len(line)} positions; a line needs 2 or more, or send a Point")
    vertices = _vertices(line, at)
    if (vertices == vertices[0]).all():
        raise InvalidValueError(at, "the line has no length: all its positions are the same; send a Point")
    return vertices


def _ring(ring: list[list[float]], at: str) -> NDArray[np.float64]:
    """Vertices of a closed ring, shape (N, 2)."""
    if len(ring) < 4:
        raise InvalidValueError(at, f"{len(ring)} positions; a ring needs 4 or more, the last like the first")
    vertices = _vertices(ring, at)
    if (vertices[0] != vertices[-1]).any():
        raise InvalidValueError(at, "the ring is not closed: its last position differs from its first")
    return vertices


def _vertices(ring: list[list[float]], at: str) -> NDArray[np.float64]:
    """Positions of shape (N, 2); heights and measures (Z, M) are dropped."""
    for index, position in enumerate(ring):
        if len(position) < 2:
            raise InvalidValueError(f"{at}[{index}]", f"{len(position)} numbers; a position is [x, y]")
    vertices = np.array([position[:2] for position in ring], dtype=np.float64)
    far = ~(np.abs(vertices) <= MAX_COORDINATE).all(axis=1)  # also of NaN
    if far.any():
        index = int(np.argmax(far))
        finite = np.isfinite(vertices[index]).all()
        found = f"{ring[index][0]:.6g}, {ring[index][1]:.6g}"
        raise InvalidValueError(
            f"{at}[{index}]",
            f"not a finite number: {found}" if not finite else f"no place on Earth or in an image: {found}",
        )
    return vertices
