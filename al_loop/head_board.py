"""The scores of the heads of all tasks and the embeddings of the samples, side by side as one board."""

from collections.abc import Sequence
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from al_loop.refit_material import Scored
from al_loop.score_board import ScoreBoard
from al_loop.score_parts import Embeddings
from al_loop.task_scores import TaskScores, combined

Ids = NDArray[np.int64]


def head_board(
    version: str,
    tasks: Sequence[Scored],
    embeddings: Embeddings,
    *,
    labels: int,
    scored_at: datetime,
    trust: float | None,
    harmful: bool,
) -> ScoreBoard:
    """One board of what the heads scored; samples without an embedding are left out.

    With several tasks each is ranked over the pool and the largest rank counts (`al_loop.task_scores`). Class
    probabilities are those of the single-label classification task, strata those of the segmentation task; a sample
    that the task did not score has NaN there.

    Args:
        version: Name of the heads.
        tasks: Scores of each task that has a head, at least one.
        embeddings: Of the samples.
        labels: Labelled samples that the heads know of.
        scored_at: When.
        trust: As in `ScoredPool.trust`.
        harmful: As in `ScoredPool.harmful`.
    """
    one = combined([TaskScores(task.sample_ids, task.scores) for task in tasks])
    both, rows, from_scores = np.intersect1d(
        embeddings.sample_ids, one.sample_ids, assume_unique=True, return_indices=True
    )
    several = len(tasks) > 1
    return ScoreBoard(
        version=version, sample_ids=both, table=embeddings.values, rows=rows,
        scores={name: values[from_scores] for name, values in one.scores.items()},
        labels=labels, scored_at=scored_at, trust=trust, harmful=harmful, score_rows=from_scores,
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
