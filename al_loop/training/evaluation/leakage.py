"""Finds samples of the test reserve that a model has seen in another file: the same ground, or the same pixels.

Blocks keep neighbours on one side; they cannot where two tiles overlap across the border of two blocks, or where blocks
are folders of repeated acquisitions. What leaks is left out of what is measured. Pure.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from al_loop.domain.samples import Sample
from models.geo.footprints import EARTH_RADIUS_M, centres
from models.manifest import Leaks

LEAST_SHARED = 0.02
"""Share of the smaller footprint from which two overlap, in one CRS; less comes from rounding."""

LEAST_SHARED_BOXES = 0.25
"""The same of boxes in degrees, of images in different CRSs: boxes of turned footprints overlap at their corners."""


class Leakage(NamedTuple):
    """What was found."""

    overlapping: set[int]
    """Ids of reserve samples that share ground with a training sample."""
    equal: set[int]
    """Ids of reserve samples whose image is that of a training sample."""
    nearest_m: dict[int, float]
    """By reserve sample: metres from its centre to that of the nearest training sample; those without a place miss."""


def find_leaks(reserve: Sequence[Sample], training: Sequence[Sample]) -> Leakage:
    """Reserve samples that show what training samples show.

    Two footprints overlap if they share more than 2 % of the smaller one. Those that only touch do not leak; how far
    away the nearest training sample is, is told for each.

    Args:
        reserve: Labelled samples that a model is measured on.
        training: Labelled samples that it is trained or calibrated on.
    """
    images = {image_of(sample) for sample in training}
    return Leakage(
        overlapping=_overlapping(reserve, training),
        equal={sample.sample_id for sample in reserve if image_of(sample) in images},
        nearest_m=_nearest(reserve, training),
    )


def image_of(sample: Sample) -> int:
    """The first sample that shows the same pixels."""
    return sample.sample_id if sample.same_as is None else sample.same_as


def leaks_of(found: Leakage, *, excluded: bool) -> Leaks:
    """As a manifest keeps it."""
    ids = found.overlapping | found.equal
    return Leaks(
        overlapping=len(found.overlapping), equal=len(found.equal), sample_ids=sorted(ids), excluded=excluded or not ids
    )


def _overlapping(reserve: Sequence[Sample], training: Sequence[Sample]) -> set[int]:
    found: set[int] = set()
    here, there = _by_crs(reserve), _by_crs(training)
    for crs, mine in here.items():
        if crs in there:
            own, known = ([_outline(sample) for sample in side] for side in (mine, there[crs]))
            found |= {mine[row].sample_id for row in _shared(own, known, LEAST_SHARED)}
        others = [sample for other, side in there.items() if other != crs for sample in side]
        if others:
            own, known = ([box for sample in side for box in _boxes(sample)] for side in (mine, others))
            owners = [sample for sample in mine for _ in _boxes(sample)]
            found |= {owners[row].sample_id for row in _shared(own, known, LEAST_SHARED_BOXES)}
    return found


def _by_crs(samples: Sequence[Sample]) -> Mapping[str, list[Sample]]:
    found: dict[str, list[Sample]] = {}
    for sample in samples:
        if sample.placed:
            found.setdefault(sample.crs or "", []).append(sample)
    return found


def _outline(sample: Sample) -> shapely.Polygon:
    """The footprint in the sample's CRS."""
    a, b, c, d, e, f = sample.transform or (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
    corners = [(0, 0), (sample.width, 0), (sample.width, sample.height), (0, sample.height)]
    return shapely.Polygon([(a * x + b * y + c, d * x + e * y + f) for x, y in corners])


def _boxes(sample: Sample) -> list[shapely.Polygon]:
    """The footprint's box in degrees, twice where it crosses the date line, so that either side meets it."""
    left, bottom, right, top = sample.bounds or (0.0, 0.0, 0.0, 0.0)
    if left <= right:
        return [shapely.box(left, bottom, right, top)]
    return [shapely.box(left, bottom, right + 360, top), shapely.box(left - 360, bottom, right, top)]


def _shared(mine: Sequence[shapely.Polygon], others: Sequence[shapely.Polygon], least: float) -> set[int]:
    """Rows of `mine` that share at least this part of the smaller one's area with any of the others."""
    tree = shapely.STRtree(others)
    rows, hits = tree.query(mine, predicate="intersects")
    one, other = np.asarray(mine, dtype=object)[rows], np.asarray(others, dtype=object)[hits]
    smaller = np.minimum(shapely.area(one), shapely.area(other))
    shared = shapely.area(shapely.intersection(one, other))
    return set(rows[(smaller > 0) & (shared > least * smaller)].tolist())


def _nearest(reserve: Sequence[Sample], training: Sequence[Sample]) -> dict[int, float]:
    """Great-circle metres between centres."""
    mine, others = _placed_centres(reserve), _placed_centres(training)
    if not len(mine.vectors) or not len(others.vectors):
        return {}
    chords, _ = cKDTree(others.vectors).query(mine.vectors)
    metres = 2 * np.arcsin(np.clip(np.asarray(chords) / 2, 0, 1)) * EARTH_RADIUS_M
    return dict(zip(mine.sample_ids, metres.tolist(), strict=True))


class _Centres(NamedTuple):
    sample_ids: list[int]
    vectors: NDArray[np.float64]


def _placed_centres(samples: Sequence[Sample]) -> _Centres:
    placed = [(sample.sample_id, sample.bounds) for sample in samples if sample.bounds is not None]
    bounds = np.array([box for _, box in placed], np.float64).reshape(-1, 4)
    return _Centres([sample_id for sample_id, _ in placed], centres(bounds))
