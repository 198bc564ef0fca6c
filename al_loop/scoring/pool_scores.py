"""The newest scores and embeddings of a campaign as aligned arrays, and the pool that one query sees of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from al_loop.scoring.candidates import Candidates
from al_loop.scoring.head_data import HeadScores
from al_loop.scoring.task_ranks import TaskScores, combined, one_score
from models.ids import NO_IDS, Ids, positions_of
from models.scoring.embeddings import NO_EMBEDDINGS, Embeddings
from models.scoring.spec import FEATURES
from models.tasks.uncertainty import ScoreName

HEAD_PREFIX = "head:"
"""Before the kinds of embeddings in the version that a query names, as in "head:features+ssl-1"."""


@dataclass(frozen=True, kw_only=True, eq=False)
class PoolScores:
    """T scored samples of one version; built once an ingestion or refit and shared by every query until the next."""

    version: str | None = None
    """Model version, "features", or None: nothing was scored yet."""
    sample_ids: Ids = field(default_factory=NO_IDS.copy)
    """Shape (T,), ascending."""
    scores: Mapping[ScoreName, NDArray[np.float32]] = field(default_factory=dict)
    """Shape (T,) each; empty for features. With several tasks, each task's scores are ranked over the pool to [0, 1],
    and the largest rank counts: a sample is worth asking about if any task is (`al_loop.scoring.task_ranks`)."""
    table: NDArray[np.floating] | None = None
    """Embeddings, shape (E, D); None if there are none."""
    rows: Ids | None = None
    """Row of `table` of each sample, shape (T,)."""
    labels: int = 0
    """Labelled samples outside the test reserve that the scores know of; 0 for features."""
    scored_at: datetime | None = None
    """When the newest scores were computed; None: nothing was scored yet."""
    probability_table: NDArray[np.floating] | None = None
    """Class probabilities, shape (S, K); None: no classification scores."""
    stratum_table: NDArray[np.floating] | None = None
    """Uncertainty among the regions of each predicted class, shape (S, K+1); None: no segmentation scores."""
    score_rows: Ids | None = None
    """Row of `probability_table` and `stratum_table` of each sample, shape (T,); None without either."""
    skill: float | None = None
    """Skill of the embeddings on held-out labels, as in `Candidates.skill`."""
    worse_than_random: bool = False
    """Whether choosing by scores has done worse than chance so far, as in `Candidates.worse_than_random`."""
    nats: NDArray[np.float32] | None = None
    """Entropy for people, largest over tasks, shape (T,); None: `scores` has it as it is."""
    combined: bool = False
    """Whether `scores` are ranks over several tasks, as in `Candidates.combined`."""

    def __post_init__(self) -> None:
        tables = self.probability_table is not None or self.stratum_table is not None
        if tables and self.score_rows is None:
            raise ValueError("probability_table and stratum_table need score_rows")

    @property
    def is_raw(self) -> bool:
        """Whether `table` is as a model wrote it: those of features and heads lie in an `EmbeddingSpace`."""
        return self.version is not None and self.version != FEATURES and not self.version.startswith(HEAD_PREFIX)

    def entropies(self, sample_ids: list[int]) -> list[float | None]:
        """Entropy of each sample in nats, largest over tasks, None where it was not scored."""
        if "entropy" not in self.scores:
            return [None] * len(sample_ids)
        positions, known = positions_of(np.asarray(sample_ids, np.int64), self.sample_ids)
        entropies = self.scores["entropy"] if self.nats is None else self.nats
        values = iter(entropies[positions].tolist())
        return [next(values) if there else None for there in known.tolist()]

    def pool(self, offered: Ids, covered: Ids, labelled: int = 0) -> tuple[Candidates, Ids]:
        """The part of the samples on offer that was scored, and the ids of the rest.

        Args:
            offered: Ids that may be asked about, ascending.
            covered: Ids that are labelled or leased, ascending; unscored ones cover nothing.
            labelled: Labelled samples outside the test reserve now.
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
            score_rows=None if self.score_rows is None else self.score_rows[positions],
            covered_score_rows=None if self.score_rows is None else self.score_rows[taken],
            labelled_count=labelled,
            skill=self.skill,
            worse_than_random=self.worse_than_random,
            combined=self.combined,
        )
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
    tables = embeddings.probabilities is not None or embeddings.strata is not None
    if embeddings is NO_EMBEDDINGS:
        return PoolScores(
            version=version,
            sample_ids=sample_ids,
            scores=columns,
            nats=nats,
            labels=labels,
            scored_at=scored_at,
            combined=several,
        )
    both, from_scores, rows = np.intersect1d(sample_ids, embeddings.sample_ids, assume_unique=True, return_indices=True)
    return PoolScores(
        version=version,
        sample_ids=both,
        scores={name: values[from_scores] for name, values in columns.items()},
        nats=nats[from_scores],
        table=embeddings.values,
        rows=rows,
        labels=labels,
        scored_at=scored_at,
        probability_table=embeddings.probabilities,
        stratum_table=embeddings.strata,
        score_rows=rows if tables else None,
        combined=several,
    )


def pool_scores_of_heads(
    version: str,
    tasks: Sequence[HeadScores],
    embeddings: Embeddings,
    *,
    labels: int,
    scored_at: datetime,
    skill: float | None,
    worse_than_random: bool,
) -> PoolScores:
    """What the heads scored; samples without an embedding are left out.

    With several tasks each is ranked over the pool and the largest rank counts (`al_loop.scoring.task_ranks`). Class
    probabilities are those of the single-label classification task, strata those of the segmentation task; a sample
    that the task did not score has NaN there.

    Args:
        version: Name of the heads.
        tasks: Scores of each task that has a head, at least one.
        embeddings: Of the samples.
        labels: Labelled samples that the heads know of.
        scored_at: When.
        skill: As in `Candidates.skill`.
        worse_than_random: As in `Candidates.worse_than_random`.
    """
    one = combined([TaskScores(task.sample_ids, task.scores) for task in tasks])
    both, rows, from_scores = np.intersect1d(
        embeddings.sample_ids, one.sample_ids, assume_unique=True, return_indices=True
    )
    several = len(tasks) > 1
    return PoolScores(
        version=version, sample_ids=both, table=embeddings.values, rows=rows,
        scores={name: values[from_scores] for name, values in one.scores.items()},
        labels=labels, scored_at=scored_at, skill=skill, worse_than_random=worse_than_random, score_rows=from_scores,
        probability_table=_table([(task.sample_ids, task.probabilities) for task in tasks], one.sample_ids),
        stratum_table=_table([(task.sample_ids, task.strata) for task in tasks], one.sample_ids),
        nats=one.nats[from_scores] if several else None, combined=several,
    )  # fmt: skip


def _table(tables: Sequence[tuple[Ids, NDArray[np.floating] | None]], wanted: Ids) -> NDArray[np.floating] | None:
    """The first table that is there, one row for each of `wanted`; the same array where it has just these."""
    for sample_ids, table in tables:
        if table is None:
            continue
        if len(sample_ids) == len(wanted):  # a part of `wanted` as long as it is all of it
            return table
        spread = np.full((len(wanted), table.shape[1]), np.nan, table.dtype)
        spread[np.searchsorted(wanted, sample_ids)] = table
        return spread
    return None
