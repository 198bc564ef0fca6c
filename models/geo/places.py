"""Groups samples by location: repeated acquisitions of one footprint, found without comparing all pairs."""

from collections.abc import Iterator, Sequence
from itertools import product

import numpy as np
from numpy.typing import NDArray

from models.arrays import Rows

REACH = 0.5
"""Centres of one place lie within this share of the smaller footprint's side."""

ALIKE = 1.25
"""Sides of one place differ by this factor at most."""

_STEPS = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9], np.uint64).view(np.int64)
"""A cell's key is the sum of its coordinates times these: that of a neighbour differs by a constant. Should two cells
share a key, they are looked at one after the other."""

_DIRECTIONS = tuple(product((-1, 0, 1), repeat=3))


def places(centres_m: NDArray[np.float64], sides: NDArray[np.float64]) -> Rows:
    """Location of each footprint, named by the row of one of its acquisitions.

    Two footprints are *alike* if their centres lie within half of the smaller one's side and their sides differ by a
    quarter at most. That is not transitive: tiles that overlap by more than half would form a chain round the Earth.
    So each place has one leading acquisition that all its others are alike to, and no two leading ones are alike
    (a maximal independent set). Small footprints lead before large ones, else the order is random, and the same at
    every call: a few rounds are enough then, whatever the layout (Luby 1986, "A simple parallel algorithm for the
    maximal independent set problem").

    Args:
        centres_m: Shape (N, 3), points in space in metres; NaN rows are places of their own.
        sides: Sides of squares of the footprints' areas in metres, shape (N,), > 0.

    Returns:
        Shape (N,), rows of leading acquisitions.
    """
    place = np.arange(len(sides))
    somewhere = np.flatnonzero(np.isfinite(sides) & np.isfinite(centres_m).all(axis=1))
    if len(somewhere) == 0:
        return place
    somewhere = np.random.default_rng(0).permutation(somewhere)
    xyz, sides = centres_m[somewhere], sides[somewhere]  # position from here on: the first one leads
    logarithms = np.log(sides) / np.log(ALIKE)
    size_class = np.floor(logarithms - logarithms.min()).astype(np.int64)
    leader = np.full(len(sides), -1)
    for current in np.unique(size_class).tolist():
        of_size = (size_class == current) | (size_class == current + 1)
        members = np.flatnonzero(of_size & (leader < 0))
        _gather(members, size_class[members] == current, xyz, sides, leader)
    place[somewhere] = somewhere[leader]
    return place


def _gather(
    members: Rows, may_lead: NDArray[np.bool_], xyz: NDArray[np.float64], sides: NDArray[np.float64], leader: Rows
) -> None:
    """Find the places of one size class; what is one size larger may join them. Fills in `leader`."""
    if not may_lead.any():
        return
    cell = REACH * sides[members[may_lead]].max()
    with np.errstate(over="ignore"):  # keys wrap around
        keys = (np.floor(xyz[members] / cell).astype(np.int64) * _STEPS).sum(axis=1)
    order = np.lexsort((members, keys))
    members, keys, may_lead = members[order], keys[order], may_lead[order]
    alone = _alone(keys)
    leader[members[alone & may_lead]] = members[alone & may_lead]
    members, keys, may_lead = members[~alone], keys[~alone], may_lead[~alone]
    while may_lead.any():
        cells, first = np.unique(keys[may_lead], return_index=True)
        heads = members[may_lead][first]  # the first one in its cell
        leads = np.ones(len(heads), np.bool_)
        for here, there in _neighbours(cells, cells):
            later = heads[there] < heads[here]
            here, there = here[later], there[later]
            leads[here[_alike(heads[here], heads[there], xyz, sides)]] = False
        leaders = heads[leads]
        for here, there in _neighbours(keys, cells[leads]):
            joins = _alike(members[here], leaders[there], xyz, sides)
            leader[members[here[joins]]] = leaders[there[joins]]
        left = leader[members] < 0
        members, keys, may_lead = members[left], keys[left], may_lead[left]


def _alone(keys: Rows) -> NDArray[np.bool_]:
    """Footprints without another in their own or a neighbouring cell; most of them where the ground is covered once."""
    cells, cell_of, members = np.unique(keys, return_inverse=True, return_counts=True)
    alone = members == 1
    for here, there in _neighbours(cells, cells, _DIRECTIONS[: len(_DIRECTIONS) // 2]):  # the others are the reverse
        alone[here] = alone[there] = False
    return np.asarray(alone[cell_of])


def _neighbours(
    keys: Rows, cells: Rows, directions: Sequence[tuple[int, ...]] = _DIRECTIONS
) -> Iterator[tuple[Rows, Rows]]:
    """For each direction: positions in `keys` and in `cells` (ascending) that are neighbours."""
    for direction in directions:
        with np.errstate(over="ignore"):
            wanted = keys + (np.array(direction) * _STEPS).sum()
        found = np.minimum(np.searchsorted(cells, wanted), len(cells) - 1)
        here = np.flatnonzero(cells[found] == wanted)
        yield here, found[here]


def _alike(a: Rows, b: Rows, xyz: NDArray[np.float64], sides: NDArray[np.float64]) -> NDArray[np.bool_]:
    smaller, larger = np.minimum(sides[a], sides[b]), np.maximum(sides[a], sides[b])
    apart = np.linalg.norm(xyz[a] - xyz[b], axis=1)
    return np.asarray((apart <= REACH * smaller) & (larger <= ALIKE * smaller))
