"""Scores of light heads as scores of the pool: one ranking for all tasks."""

from collections.abc import Sequence
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from al_loop.scoring.head_data import HeadScores
from al_loop.scoring.pool_scores import PoolScores
from al_loop.scoring.task_ranks import TaskScores, combined
from models.arrays import Ids
from models.scoring.embeddings import Embeddings


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
    probabilities are those of the first single-label task; a sample that it did not score has NaN there.

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
