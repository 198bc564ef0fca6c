"""Uncertainties of several tasks as one number a sample, so that a campaign with two tasks has one ranking.

Entropies of different tasks do not compare: of ten classes it reaches 2.3 nats, of two 0.7, and that of a map is a mean
over its uncertain regions. The largest raw value would hand the ranking to the task with the most classes. So each task
is ranked over the pool first, and a sample counts by the task that it ranks highest in.
"""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from al_loop.acquisition import SCORE_NAMES, ScoreName

Floats = NDArray[np.float32]
Columns = dict[ScoreName, Floats]


def one_score(scores: pa.Table) -> tuple[NDArray[np.int64], Columns, Floats]:
    """Combine the tasks of each sample.

    With one task the values stay as they are. With several, each task's value becomes its rank in the pool (`ranks`),
    and a sample has the largest over its tasks.

    Args:
        scores: Columns `sample_id`, `task` and `SCORE_NAMES`, at least one row, ordered by sample.

    Returns:
        Sample ids, ascending, shape (T,); the scores, shape (T,) each; and for people the entropy in nats, largest over
        tasks, shape (T,). NaN and infinite values stay what they are, so that strategies can refuse them.
    """
    sample_ids, first = np.unique(scores["sample_id"].to_numpy(), return_index=True)
    raw: Columns = {name: scores[name].to_numpy().astype(np.float32, copy=False) for name in SCORE_NAMES}
    entropies = np.maximum.reduceat(raw["entropy"], first)
    tasks = scores["task"].combine_chunks().dictionary_encode().indices.to_numpy()
    if tasks.max() == 0:
        return sample_ids, {name: np.maximum.reduceat(values, first) for name, values in raw.items()}, entropies
    columns: Columns = {}
    for name, values in raw.items():
        comparable = np.empty_like(values)
        for task in range(tasks.max() + 1):
            rows = tasks == task
            comparable[rows] = ranks(values[rows])
        columns[name] = np.maximum.reduceat(comparable, first)
    return sample_ids, columns, entropies


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
