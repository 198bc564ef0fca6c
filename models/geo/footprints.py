"""Where the samples of a campaign lie on Earth, as arrays: made once, then looked up by every query.

Angles are on a sphere of 6371 km radius, so that nothing is special about the poles and the date line.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from models.arrays import Ids
from models.geo.places import places

Vectors = NDArray[np.float64]
METRES_PER_DEGREE = 111_195.0
"""Of latitude, on a sphere of 6371 km radius."""
EARTH_RADIUS_M = METRES_PER_DEGREE * 180.0 / np.pi


@dataclass(frozen=True, eq=False)
class Footprints:
    """N samples, ascending by id. Memory: 40 bytes a sample and its path; 24 more once places were asked for."""

    sample_ids: Ids
    """Shape (N,), ascending, unique."""
    bounds: NDArray[np.float64]
    """Shape (N, 4): left, bottom, right, top in degrees, EPSG:4326; left > right across the date line, NaN without a
    CRS."""
    paths: pa.ChunkedArray
    """N strings."""

    def __len__(self) -> int:
        return len(self.sample_ids)

    def paths_at(self, rows: Ids) -> list[str]:
        """Paths of some rows, K of them."""
        paths: list[str] = self.paths.take(pa.array(rows, pa.int64())).to_pylist()
        return paths

    def extended(self, later: Self) -> Self:
        """These samples and others whose ids are all above."""
        paths = pa.chunked_array([*self.paths.chunks, *later.paths.chunks], pa.string())
        ids = np.concatenate([self.sample_ids, later.sample_ids])
        return type(self)(ids, np.concatenate([self.bounds, later.bounds]), paths)

    @cached_property
    def places(self) -> Ids:
        """Place of each sample, shape (N,): the row of one of its acquisitions, equal for all of them.

        See `models.geo.places`; a few seconds for a million samples, once.
        """
        return places(centres(self.bounds) * EARTH_RADIUS_M, sides_m(self.bounds))

    def acquisitions(self, rows: Ids) -> tuple[Ids, Ids]:
        """All samples at the locations of the given ones.

        Args:
            rows: Shape (K,).

        Returns:
            Rows of the samples at the first one's place, then at the second one's ..., shape (A,); how many there are
            of each, shape (K,), at least 1.
        """
        order, starts, counts = self._by_place
        place = self.places[rows]
        lengths = counts[place]
        ends = np.cumsum(lengths)
        offsets = np.arange(ends[-1] if len(ends) else 0) - np.repeat(ends - lengths, lengths)
        return order[np.repeat(starts[place], lengths) + offsets], lengths

    @cached_property
    def _by_place(self) -> tuple[Ids, Ids, Ids]:
        """Rows in the order of their places; by place, where it begins in that order and how many rows it has."""
        counts = np.bincount(self.places, minlength=len(self))
        return np.argsort(self.places, kind="stable"), np.cumsum(counts) - counts, counts


def centres(bounds: NDArray[np.float64]) -> Vectors:
    """Centres of footprints as unit vectors, shape (K, 3); NaN without a footprint.

    A footprint that spans all longitudes and touches a pole is centred on the pole.

    Args:
        bounds: Shape (K, 4) as in `Footprints`.
    """
    left, bottom, right, top = np.where(np.isfinite(bounds).all(axis=1), bounds.T, np.nan)
    longitude = np.radians(left + _width(left, right) / 2)
    latitude = np.radians(np.clip((bottom + top) / 2, -90.0, 90.0))
    around = _width(left, right) >= 360.0
    latitude[around & (top >= 90.0)] = np.pi / 2
    latitude[around & (bottom <= -90.0)] = -np.pi / 2
    radius = np.cos(latitude)
    return np.column_stack([radius * np.cos(longitude), radius * np.sin(longitude), np.sin(latitude)])


def sides_m(bounds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Side of a square of each footprint's area in metres, at least 1; NaN without a footprint.

    Args:
        bounds: Shape (K, 4) as in `Footprints`.
    """
    left, bottom, right, top = np.where(np.isfinite(bounds).all(axis=1), bounds.T, np.nan)
    bottom, top = np.radians(np.clip(bottom, -90.0, 90.0)), np.radians(np.clip(top, -90.0, 90.0))
    area = np.radians(_width(left, right)) * np.abs(np.sin(top) - np.sin(bottom)) * EARTH_RADIUS_M**2
    return np.asarray(np.maximum(np.sqrt(area), 1.0))


def chord_m(distance_m: float) -> float:
    """Straight line through the Earth between two points that lie a great-circle distance apart, in metres.

    Args:
        distance_m: Along the surface; infinite beyond half the circumference, since no two points are so far apart.
    """
    angle = distance_m / EARTH_RADIUS_M
    return np.inf if angle > np.pi else 2 * EARTH_RADIUS_M * float(np.sin(angle / 2))


def _width(left: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.float64]:
    """Degrees from left to right, eastwards; 360 is the whole turn."""
    return np.where(right - left >= 360.0, 360.0, np.mod(right - left, 360.0))
