"""What a lease is granted for, and how much of a query goes to which arm. Pure functions."""

import numpy as np
from numpy.typing import NDArray

from al_loop.reserve import random_keys

GOLDEN_GAP = (20, 40)
"""Picks of one annotator from one golden sample to the next: at least the first, drawn below the second."""

_OVERLAP_SALT = 0x6F7665726C6170


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


def in_overlap(sample_ids: NDArray[np.int64], share: float, seed: int) -> NDArray[np.bool_]:
    """Which samples several annotators are asked about: the same at every call, shape (N,).

    Args:
        sample_ids: Shape (N,).
        share: Share of samples, 0 to 1.
        seed: The campaign's.
    """
    return random_keys(sample_ids, seed ^ _OVERLAP_SALT) / np.float64(2**64) < share


def _drawn(expected: float, rng: np.random.Generator) -> int:
    return int(expected) + int(rng.random() < expected % 1)


class GoldenPace:
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
