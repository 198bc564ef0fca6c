"""What a lease is granted for, and how much of a query goes to which arm. Pure functions."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

GOLDEN_GAP = (20, 40)
"""Picks of one annotator from one golden sample to the next: at least the first, drawn below the second."""


def control_count(picks: int, share: float, rng: np.random.Generator) -> int:
    """How many of a query's picks of the pool are chosen at random; fractions are drawn."""
    return _drawn(share * picks, rng)


def overlap_count(picks: int, share: float, annotators: int, rng: np.random.Generator) -> int:
    """How many of a query's picks of the pool go to samples that somebody else was asked about already.

    So many that they keep pace with the first offers, of which `share` want `annotators - 1` more answers each.

    Args:
        picks: Picks of the pool.
        share: The campaign's `overlap_share`.
        annotators: How many are asked about one sample, at least 2.
        rng: Rounds.
    """
    further = share * (annotators - 1)
    return _drawn(picks * further / (1 + further), rng)


def _drawn(expected: float, rng: np.random.Generator) -> int:
    return int(expected) + int(rng.random() < expected % 1)


class GoldenSchedule:
    """When an annotator meets the next golden sample: now and then, in no order that can be learnt."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._left = int(rng.integers(GOLDEN_GAP[1]))

    def places(self, size: int, golden: int) -> tuple[list[int], int]:
        """Places of golden samples in the next query, ascending, and what `walk` takes once it was answered.

        Args:
            size: Samples of the query.
            golden: Golden samples that this annotator was not asked about yet.
        """
        places: list[int] = []
        place = self._left
        while place < size and len(places) < golden:
            places.append(place)
            place += int(self._rng.integers(*GOLDEN_GAP))
        return places, max(0, place - size)

    def walk(self, left: int) -> None:
        """The query was answered: so many picks are left until the next golden sample."""
        self._left = left


EARLY_SHARE = 0.5
"""Share of a query that goes to the reserve while a round cannot yet be judged."""
EARLY_LABELS = 3
"""Times the policy's `min_reserve_labels`: so many reserve samples are asked early."""
T = TypeVar("T")


def reserve_count(query_size: int, *, share: float, asked: int, needed: int, rng: np.random.Generator) -> int:
    """Number of reserve samples in a query.

    Up to half of each query until three times `needed` were asked, so that the first rounds can be judged; from then
    on the reserve's share, so that the metric grows more certain as labels do. Fractions are drawn: a query of one
    sample asks the reserve with that probability.

    Args:
        query_size: Samples of the query.
        share: The campaign's `reserve.share`.
        asked: Reserve samples labelled or leased.
        needed: The policy's `min_reserve_labels`.
        rng: Rounds.
    """
    early = min(EARLY_SHARE * query_size, max(0, EARLY_LABELS * needed - asked))
    expected = max(share * query_size, early)
    return int(expected) + int(rng.random() < expected % 1)


def mix(pool: Sequence[T], reserve: Sequence[T], rng: np.random.Generator) -> list[T]:
    """Both in one list, each in its own order, interleaved at random: the reserve cannot be told by its place."""
    from_reserve = rng.permutation(np.repeat([False, True], [len(pool), len(reserve)]))
    sides = iter(pool), iter(reserve)
    return [next(sides[side]) for side in from_reserve.astype(int)]
