"""The newest scores and embeddings of a campaign as aligned arrays, and the part that one query chooses from."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from al_loop.scoring.task_ranks import one_score
from models.arrays import NO_IDS, Ids, positions_of
from models.errors import NonFiniteScoresError
from models.scoring.embeddings import NO_EMBEDDINGS, Embeddings
from models.scoring.spec import FEATURES, FROZEN
from models.tasks.uncertainty import ScoreName

JOINED = f"{FEATURES}+{FROZEN}"
"""Version that a query names before the first model, where simple features and the shipped encoder rank together."""

HEAD_PREFIX = "head:"
"""Before the kinds of embeddings in the version that a query names, as in "head:features+ssl-1"."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Candidates:
    """The candidates of one query, or all scored samples that a query's are taken from (`PoolScores`): N rows.

    `scores` and `embeddings` may lie in tables that are larger than the pool and shared between queries: `rows` maps
    the pool onto them, so that no query copies a table.
    """

    sample_ids: Ids = field(default_factory=NO_IDS.copy)
    """Shape (N,), unique."""
    scores: Mapping[ScoreName, NDArray[np.float32]] = field(default_factory=dict)
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
    detection: among the boxes of each class, shape (S, K); NaN where a sample has none; None: scores of neither."""
    unsure_table: NDArray[np.floating] | None = None
    """Segmentation: share of an image's pixels by predicted class and bin of the margin score, shape (S, (K+1) * B),
    see `models.tasks.unsure_pixels`; None: no such scores, or those of an earlier version of al-loop."""
    score_rows: NDArray[np.int64] | None = None
    """Row of `probability_table`, `stratum_table` and `unsure_table` of each candidate, shape (N,)."""
    covered_score_rows: NDArray[np.int64] | None = None
    """Row of `probability_table` and `stratum_table` of each sample of `covered_rows`, shape (M,); None: not known."""
    labelled_count: int = 0
    """Labelled samples outside the test reserve: the budget spent so far."""
    skill: float | None = None
    """Skill of the embeddings on held-out labels, 0 (no better than the majority answer) to 1; None: not known yet.
    See `models.heads.linear_head`; the largest over tasks."""
    worse_than_random: bool = False
    """Whether choosing by scores did worse in this campaign than its random control (`al_loop.quality.savings`)."""
    features_only: bool = False
    """Whether embeddings are simple image features (`models.scoring.features`), which no training has shaped."""
    about_points: bool = False
    """Whether points of the samples are asked about, not the samples as a whole."""
    combined: bool = False
    """Whether `scores` are those of several tasks (`al_loop.scoring.task_ranks`), while the tables know of one each."""

    def __post_init__(self) -> None:
        for name, values in self.scores.items():
            if values.shape != self.sample_ids.shape:
                raise ValueError(f"{name}: shape {values.shape}, but there are {len(self.sample_ids)} samples")
        if (self.table is None) != (self.rows is None):
            raise ValueError("table and rows are given together")
        tables = self.probability_table, self.stratum_table, self.unsure_table
        if self.score_rows is None and any(table is not None for table in tables):
            raise ValueError("probability_table, stratum_table and unsure_table need score_rows")

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


@dataclass(frozen=True, kw_only=True, eq=False)
class PoolScores(Candidates):
    """All scored samples of one version, ascending by id; built once an ingestion or refit, shared by every query.

    With several tasks, each task's scores are ranked over the pool to [0, 1], and the largest rank counts: a sample is
    worth asking about if any task is (`al_loop.scoring.task_ranks`).
    """

    version: str | None = None
    """Model version, "features", or None: nothing was scored yet."""
    labels: int = 0
    """Labelled samples outside the test reserve that the scores know of; 0 for features."""
    scored_at: datetime | None = None
    """When the newest scores were computed; None: nothing was scored yet."""
    nats: NDArray[np.float32] | None = None
    """Entropy for people, largest over tasks, shape (N,); None: `scores` has it as it is."""

    @property
    def is_raw(self) -> bool:
        """Whether `table` is as a model wrote it: those of features and heads lie in an `EmbeddingSpace`."""
        return self.version not in (None, FEATURES, JOINED) and not (self.version or "").startswith(HEAD_PREFIX)

    def entropies(self, sample_ids: list[int]) -> list[float | None]:
        """Entropy of each sample in nats, largest over tasks, None where it was not scored."""
        if "entropy" not in self.scores:
            return [None] * len(sample_ids)
        positions, known = positions_of(np.asarray(sample_ids, np.int64), self.sample_ids)
        entropies = self.scores["entropy"] if self.nats is None else self.nats
        values = iter(entropies[positions].tolist())
        return [next(values) if there else None for there in known.tolist()]

    def pool(
        self, offered: Ids, covered: Ids, labelled: int = 0, *, about_points: bool = False
    ) -> tuple[Candidates, Ids]:
        """The part of the samples on offer that was scored, and the ids of the rest.

        Args:
            offered: Ids that may be asked about, ascending.
            covered: Ids that are labelled or leased, ascending; unscored ones cover nothing.
            labelled: Labelled samples outside the test reserve now.
            about_points: Whether points of them are to be asked about.
        """
        positions, known = positions_of(offered, self.sample_ids)
        taken = positions_of(covered, self.sample_ids)[0]
        scored = Candidates(
            sample_ids=offered[known],
            scores={name: values[positions] for name, values in self.scores.items()},
            table=self.table,
            rows=None if self.rows is None else self.rows[positions],
            covered_rows=None if self.rows is None else self.rows[taken],
            probability_table=self.probability_table,
            stratum_table=self.stratum_table,
            unsure_table=self.unsure_table,
            about_points=about_points,
            score_rows=None if self.score_rows is None else self.score_rows[positions],
            covered_score_rows=None if self.score_rows is None else self.score_rows[taken],
            features_only=self.version in (FEATURES, HEAD_PREFIX + FEATURES),
            labelled_count=labelled, skill=self.skill, worse_than_random=self.worse_than_random, combined=self.combined,
        )  # fmt: skip
        return scored, offered[~known]


def build_pool_scores(
    version: str, scores: pa.Table, embeddings: Embeddings, *, labels: int = 0, scored_at: datetime | None = None
) -> PoolScores:
    """Align scores and embeddings of one version; samples that lack one of the two are left out.

    Args:
        version: A model version or "features".
        scores: Rows by sample as `LabelStore.scores.load` gives them; empty for features.
        embeddings: As `EmbeddingStore.load` gives them; if empty, there are scores only. Class probabilities
            and strata come with them.
        labels: Labelled samples outside the test reserve that the version was trained on.
        scored_at: When it scored last.
    """
    if scores.num_rows == 0:
        if embeddings is NO_EMBEDDINGS:
            return PoolScores()
        every = np.arange(len(embeddings.sample_ids))
        return PoolScores(
            version=version, sample_ids=embeddings.sample_ids, table=embeddings.values, rows=every, scored_at=scored_at
        )
    sample_ids, columns, nats = one_score(scores)
    several = len(scores["task"].unique()) > 1
    built = PoolScores(
        version=version, sample_ids=sample_ids, scores=columns, nats=nats, labels=labels, scored_at=scored_at,
        combined=several,
    )  # fmt: skip
    if embeddings is NO_EMBEDDINGS:
        return built
    both, from_scores, rows = np.intersect1d(sample_ids, embeddings.sample_ids, assume_unique=True, return_indices=True)
    tables = any(some is not None for some in (embeddings.probabilities, embeddings.strata, embeddings.unsure))
    return replace(
        built, sample_ids=both, scores={name: values[from_scores] for name, values in columns.items()},
        nats=nats[from_scores], table=embeddings.values, rows=rows, score_rows=rows if tables else None,
        probability_table=embeddings.probabilities, stratum_table=embeddings.strata,
        unsure_table=embeddings.unsure,
    )  # fmt: skip


def _finite_rows(
    table: NDArray[np.floating], rows: NDArray[np.int64], names: NDArray[np.int64], what: str
) -> NDArray[np.float32]:
    values = np.asarray(table[rows], np.float32)
    broken = ~np.isfinite(values).all(axis=1)
    if broken.any():
        raise NonFiniteScoresError(what, names[broken].tolist())
    return values
