"""How much of a query comes from the test reserve, and where it hides. Pure functions."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

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
