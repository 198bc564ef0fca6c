"""Strategies that choose by one score take the highest."""

import numpy as np
import pytest

from al_loop.querying.strategies import (
    Bald,
    Entropy,
    LeastConfidence,
    Margin,
)
from al_loop.scoring.pool_scores import Candidates
from tests.al_loop.querying.strategies.pools import rng

SCORES = ("least_confidence", "margin", "entropy", "bald")


def scored(count: int = 50) -> Candidates:
    draws = np.random.default_rng(0)
    return Candidates(
        sample_ids=np.arange(count), scores={name: draws.random(count).astype(np.float32) for name in SCORES}
    )


@pytest.mark.parametrize(
    ("strategy", "name", "words"),
    [
        (LeastConfidence, "least_confidence", "least confidence"),
        (Margin, "margin", "margin"),
        (Entropy, "entropy", "entropy"),
        (Bald, "bald", "BALD"),
    ],
)
def test_uncertainty_strategies_choose_the_highest_score(strategy, name, words):
    pool = scored()
    selection = strategy().select(pool, 7, rng())
    np.testing.assert_array_equal(selection.indices, np.argsort(-pool.scores[name])[:7])
    assert selection.reasons[0] == f"uncertain: {words} {pool.scores[name].max():.2f} (top 2 %)"
