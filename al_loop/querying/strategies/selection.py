"""What a query strategy answers, and the steps that strategies share: sizes, the highest values, reasons."""

import dataclasses
from collections.abc import Sequence
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from al_loop.errors import EmptyPoolError
from al_loop.scoring.pool_scores import Candidates


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Selection:
    """Which candidates to ask about, best first, and why."""

    indices: NDArray[np.int64]
    """Positions in the pool, shape (K,), unique."""
    utilities: NDArray[np.float32]
    """What the strategy maximised, shape (K,): an uncertainty, a gain in coverage, or 0 for random choice."""
    reasons: Sequence[str]
    """One short phrase for people each; never a path or an annotator's name."""


class QueryStrategy(Protocol):
    """Chooses from a pool; its options are the fields of the Struct that implements it."""

    uses_scores: ClassVar[bool]
    """Whether scores or embeddings matter; if not, samples without them may be chosen as well."""

    def select(self, pool: Candidates, query_size: int, rng: np.random.Generator) -> Selection:
        """Choose `min(query_size, len(pool))` candidates.

        Raises:
            EmptyPoolError: The pool has no sample.
            NonFiniteScoresError: Scores or embeddings that the choice depends on are NaN or infinite.
        """
        ...


def size_of(pool: Candidates, query_size: int) -> int:
    """How many a query can give.

    Raises:
        EmptyPoolError: The pool has no sample.
        ValueError: The query size is not positive.
    """
    if query_size < 1:
        raise ValueError(f"query size {query_size} is not positive")
    if len(pool) == 0:
        raise EmptyPoolError
    return min(query_size, len(pool))


def highest(values: NDArray[np.float32], size: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Positions of the `size` highest values, highest first; equal values in random order, also at the cut.

    Args:
        values: Shape (N,), finite.
        size: At most N.
        rng: Breaks ties.

    Returns:
        Shape (size,).
    """
    threshold = np.partition(values, -size)[-size]
    above = np.flatnonzero(values > threshold)
    ties = rng.permutation(np.flatnonzero(values == threshold))[: size - len(above)]
    order = rng.permutation(above)
    ranked = order[np.argsort(-values[order], kind="stable")]
    return np.concatenate([ranked, ties])


RANKED_ROWS = 20_000
"""Values that tell how high one ranks, evenly spaced where there are more: a scan of a million for each pick took
longer than the choice."""


class PercentileRanks:
    """How high values rank among all, for the reasons that people read."""

    def __init__(self, values: NDArray[np.float32]) -> None:
        """Sort at most `RANKED_ROWS` of `values`, shape (N,), N >= 1, finite."""
        self._sorted = np.sort(values[:: -(-len(values) // RANKED_ROWS)])

    def share_above(self, value: float) -> float:
        """Share of the values that are higher."""
        return 1 - float(np.searchsorted(self._sorted, value, side="right")) / len(self._sorted)

    def top_percent(self, value: float) -> str:
        """Share of the values that are as high, in words: "top 2 %"."""
        percent = 100 * (1 - float(np.searchsorted(self._sorted, value, side="left")) / len(self._sorted))
        return "top 1 %" if percent < 1 else f"top {round(percent)} %"
