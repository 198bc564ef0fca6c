"""Scores of the heads of several tasks in one table."""

from datetime import UTC, datetime

import numpy as np
import pytest

from al_loop.scoring.head_data import HeadScores
from al_loop.scoring.pool_scores_of_heads import pool_scores_of_heads
from models.scoring.embeddings import Embeddings

NOW = datetime(2026, 3, 1, tzinfo=UTC)
EMBEDDINGS = Embeddings(np.array([2, 5, 7, 9]), np.eye(4, dtype=np.float16))


def columns(values):
    return {name: np.float32(values) for name in ("least_confidence", "margin", "entropy")}


CLASSES = HeadScores(
    sample_ids=np.array([2, 5, 7, 9]), scores=columns([2.0, 1.5, 1.0, 0.5]),
    probabilities=np.float16([[0.5, 0.5], [0.625, 0.375], [0.75, 0.25], [1, 0]]),
)  # fmt: skip
SEVERAL = HeadScores(sample_ids=np.array([5, 9, 12]), scores=columns([0.1, 0.3, 0.2]))
"""Of a multi-label task, whose probabilities are no distribution."""


def merged(*tasks):
    return pool_scores_of_heads(
        "head:features", tasks, EMBEDDINGS, labels=3, scored_at=NOW, skill=0.5, worse_than_random=False
    )


def test_one_task_keeps_its_values_and_tables():
    found = merged(CLASSES)
    assert found.sample_ids.tolist() == [2, 5, 7, 9]
    assert found.scores["entropy"].tolist() == [2.0, 1.5, 1.0, 0.5]
    assert found.probability_table is CLASSES.probabilities
    assert (found.stratum_table, found.nats, found.combined) == (None, None, False)


def test_each_sample_counts_by_the_task_that_it_ranks_highest_in():
    found = merged(CLASSES, SEVERAL)
    assert found.sample_ids.tolist() == [2, 5, 7, 9]  # 12 has no embedding
    assert found.scores["margin"].tolist() == pytest.approx([1.0, 2 / 3, 1 / 3, 1.0])
    assert found.entropies([2, 5, 7, 9]) == [2.0, 1.5, 1.0, 0.5]
    assert found.combined


def test_probabilities_follow_the_samples():
    pool, _ = merged(SEVERAL, CLASSES).pool(np.array([5, 7, 9]), np.array([2]))
    every = np.arange(3)
    np.testing.assert_array_equal(pool.probabilities(every), [[0.625, 0.375], [0.75, 0.25], [1, 0]])
