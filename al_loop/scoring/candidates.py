"""What a query strategy sees and what it answers: arrays in, row numbers out. No store, no files."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from al_loop.errors import EmptyPoolError
from models.errors import NonFiniteScoresError
from models.tasks.uncertainty import ScoreName


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Candidates:
    """The candidates of one query, N rows.

    `scores` and `embeddings` may lie in tables that are larger than the pool and shared between queries: `rows` maps
    the pool onto them, so that no query copies a table.
    """

    sample_ids: NDArray[np.int64]
    """Shape (N,), unique."""
    scores: Mapping[ScoreName, NDArray[np.float32]] = dataclasses.field(default_factory=dict)
    """Uncertainties, shape (N,) each; empty before the first model."""
    table: NDArray[np.floating] | None = None
    """Embeddings of the whole campaign, shape (T, D), float16 or float32, possibly a memory map."""
    rows: NDArray[np.int64] | None = None
    """Row of `table` of each candidate, shape (N,); None without a table."""
    covered_rows: NDArray[np.int64] | None = None
    """Rows of `table` of the samples that are labelled or leased, shape (M,)."""
    probability_table: NDArray[np.floating] | None = None
    """Class probabilities of every scored sample of the campaign, shape (S, K); None: no classification scores."""
    stratum_table: NDArray[np.floating] | None = None
    """Segmentation: uncertainty among the regions of each predicted class (code 0 = background first), shape (S, K+1),
    NaN where a sample has no such region; None: no segmentation scores."""
    score_rows: NDArray[np.int64] | None = None
    """Row of `probability_table` and `stratum_table` of each candidate, shape (N,)."""
    covered_score_rows: NDArray[np.int64] | None = None
    """Row of `probability_table` and `stratum_table` of each sample of `covered_rows`, shape (M,); None: not known."""
    labelled_count: int = 0
    """Labelled samples outside the test reserve: the budget spent so far."""
    skill: float | None = None
    """Skill of the embeddings on held-out labels, 0 (no better than the majority answer) to 1; None: not known yet.
    See `models.heads.linear_head`; the largest over tasks."""
    worse_than_random: bool = False
    """Whether choosing by scores did worse in this campaign than its random control (`al_loop.quality.savings`)."""
    combined: bool = False
    """Whether `scores` are those of several tasks (`al_loop.scoring.task_ranks`), while the tables know of one each."""

    def __post_init__(self) -> None:
        for name, values in self.scores.items():
            if values.shape != self.sample_ids.shape:
                raise ValueError(f"{name}: shape {values.shape}, but there are {len(self.sample_ids)} samples")
        if (self.table is None) != (self.rows is None):
            raise ValueError("table and rows are given together")

    def __len__(self) -> int:
        return len(self.sample_ids)

    @property
    def covered_count(self) -> int:
        """Samples that are labelled or leased, M."""
        return 0 if self.covered_rows is None else len(self.covered_rows)

    def embeddings(self, picks: NDArray[np.int64]) -> NDArray[np.float32]:
        """Embeddings of some candidates.

        Args:
            picks: Positions in the pool, shape (K,).

        Returns:
            Shape (K, D) float32.

        Raises:
            NonFiniteScoresError: Some are NaN or infinite.
        """
        if self.table is None or self.rows is None:
            raise ValueError("this pool has no embeddings")
        return _finite_rows(self.table, self.rows[picks], self.sample_ids[picks], "embeddings")

    def covered(self, most: int, rng: np.random.Generator) -> NDArray[np.float32]:
        """Embeddings of the samples that are labelled or leased, a random `most` of them if there are more.

        Returns:
            Shape (K, D) float32.

        Raises:
            NonFiniteScoresError: Some are NaN or infinite; carries rows of the table, since these are no candidates.
        """
        if self.table is None:
            raise ValueError("this pool has no embeddings")
        rows = np.empty(0, np.int64) if self.covered_rows is None else self.covered_rows
        if len(rows) > most:
            rows = rng.choice(rows, most, replace=False)
        return _finite_rows(self.table, rows, rows, "embeddings (rows of the table)")

    def probabilities(self, picks: NDArray[np.int64]) -> NDArray[np.float32]:
        """Class probabilities of some candidates, shape (K, classes) float32, rows summing to 1 but for rounding.

        Raises:
            NonFiniteScoresError: Some are NaN or infinite.
        """
        if self.probability_table is None or self.score_rows is None:
            raise ValueError("this pool has no class probabilities")
        return _finite_rows(self.probability_table, self.score_rows[picks], self.sample_ids[picks], "probabilities")

    def covered_pairs(self, most: int, rng: np.random.Generator) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Class probabilities and embeddings of the samples that are labelled or leased, a random `most` of them.

        Returns:
            Shapes (K, classes) and (K, D) float32; K = 0 where the one or the other is not known.

        Raises:
            NonFiniteScoresError: Some are NaN or infinite; carries rows of the table, since these are no candidates.
        """
        if self.probability_table is None or self.table is None:
            raise ValueError("this pool has no class probabilities, or no embeddings")
        rows, score_rows = self.covered_rows, self.covered_score_rows
        if rows is None or score_rows is None:
            rows = score_rows = np.empty(0, np.int64)
        some = rng.choice(len(rows), most, replace=False) if len(rows) > most else np.arange(len(rows))
        likely = _finite_rows(self.probability_table, score_rows[some], rows[some], "probabilities (rows of the table)")
        return likely, _finite_rows(self.table, rows[some], rows[some], "embeddings (rows of the table)")

    def strata(self, picks: NDArray[np.int64]) -> NDArray[np.float32]:
        """Uncertainty of some candidates by predicted class, shape (K, classes + 1), NaN where a class is absent."""
        if self.stratum_table is None or self.score_rows is None:
            raise ValueError("this pool has no segmentation scores")
        return np.asarray(self.stratum_table[self.score_rows[picks]], np.float32)

    def checked_scores(self, name: ScoreName) -> NDArray[np.float32]:
        """One uncertainty of every candidate, shape (N,).

        Raises:
            NonFiniteScoresError: Some are NaN or infinite.
        """
        values = self.scores[name]
        broken = ~np.isfinite(values)
        if broken.any():
            raise NonFiniteScoresError(f"{name} scores", self.sample_ids[broken].tolist())
        return values


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


def _finite_rows(
    table: NDArray[np.floating], rows: NDArray[np.int64], names: NDArray[np.int64], what: str
) -> NDArray[np.float32]:
    values = np.asarray(table[rows], np.float32)
    broken = ~np.isfinite(values).all(axis=1)
    if broken.any():
        raise NonFiniteScoresError(what, names[broken].tolist())
    return values


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
