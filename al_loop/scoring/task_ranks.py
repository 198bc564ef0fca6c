"""Uncertainties of several tasks as one number a sample, so that a campaign with two tasks has one ranking.

Entropies of different tasks do not compare: of ten classes it reaches 2.3 nats, of two 0.7, and that of a map is a mean
over its uncertain regions. The largest raw value would hand the ranking to the task with the most classes. So each task
is ranked over the pool first, and a sample counts by the task that it ranks highest in.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from models.arrays import Floats, Ids
from models.tasks.uncertainty import SCORE_NAMES, ScoreName

Columns = dict[ScoreName, Floats]


class TaskScores(NamedTuple):
    """What one task makes of the S samples that it can score."""

    sample_ids: Ids
    """Shape (S,), ascending, unique."""
    scores: Columns
    """Shape (S,) each, "entropy" among them."""


class OneScore(NamedTuple):
    """The scores of T samples over all tasks."""

    sample_ids: Ids
    """Shape (T,), ascending: those that at least one task scored."""
    scores: Columns
    """Shape (T,) each. NaN and infinite values stay what they are, so that strategies can refuse them."""
    nats: Floats
    """For people the entropy in nats, largest over tasks, shape (T,)."""


def one_score(scores: pa.Table) -> OneScore:
    """Combine the tasks of each sample, as `combined` does.

    Args:
        scores: Columns `sample_id`, `task` and `SCORE_NAMES`, at least one row, ordered by sample, one row for each
            sample and task.
    """
    sample_ids = scores["sample_id"].to_numpy()
    raw: Columns = {name: scores[name].to_numpy().astype(np.float32, copy=False) for name in SCORE_NAMES}
    tasks = scores["task"].combine_chunks().dictionary_encode().indices.to_numpy()
    if tasks.max() == 0:
        return combined([TaskScores(sample_ids, raw)])
    each = [np.flatnonzero(tasks == task) for task in range(tasks.max() + 1)]
    return combined(
        [TaskScores(sample_ids[rows], {name: values[rows] for name, values in raw.items()}) for rows in each]
    )


def combined(tasks: Sequence[TaskScores]) -> OneScore:
    """Combine the tasks of each sample.

    With one task the values stay as they are. With several, each task's value becomes its rank in the pool (`ranks`),
    and a sample has the largest over the tasks that scored it.

    Args:
        tasks: At least one, all with the same scores, at least one sample each.
    """
    if len(tasks) == 1:
        return OneScore(tasks[0].sample_ids, tasks[0].scores, tasks[0].scores["entropy"])
    sample_ids = np.unique(np.concatenate([task.sample_ids for task in tasks]))
    places = [np.searchsorted(sample_ids, task.sample_ids) for task in tasks]

    def largest(columns: Sequence[Floats]) -> Floats:
        found = np.full(len(sample_ids), -np.inf, np.float32)
        for place, values in zip(places, columns, strict=True):
            found[place] = np.maximum(found[place], values)
        return found

    scores: Columns = {name: largest([ranks(task.scores[name]) for task in tasks]) for name in tasks[0].scores}
    return OneScore(sample_ids, scores, largest([task.scores["entropy"] for task in tasks]))


def ranks(values: Floats) -> Floats:
    """Share of the other values that are lower: 0 for the lowest, 1 for a highest that stands alone.

    Equal values have equal ranks, so a task that is equally sure of everything says nothing (0).

    Args:
        values: Shape (N,), N >= 1.

    Returns:
        Shape (N,), in [0, 1]; values that are not finite stay what they are.
    """
    finite = np.isfinite(values)
    known = values[finite]
    result = values.copy()
    order = np.argsort(known)
    ascending = known[order]
    steps = np.flatnonzero(ascending[1:] > ascending[:-1]) + 1  # where a higher value begins
    lower = np.zeros(len(known), np.int64)
    lower[steps] = steps
    shares = np.empty(len(known), np.float32)
    shares[order] = np.maximum.accumulate(lower) / max(len(known) - 1, 1)
    result[finite] = shares
    return result
