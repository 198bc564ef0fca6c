"""Power sampling draws in the stated proportion."""

import numpy as np
import pytest

from al_loop.querying.strategies import (
    Power,
)
from al_loop.querying.strategies.power import noisy
from al_loop.querying.strategies.selection import highest
from al_loop.scoring.pool_scores import Candidates
from tests.al_loop.querying.strategies.pools import rng


@pytest.mark.parametrize("variant", ["power", "softmax", "softrank"])
def test_power_with_large_beta_is_the_plain_top(variant):
    values = np.linspace(0.1, 0.9, 40, dtype=np.float32)
    pool = Candidates(sample_ids=np.arange(40), scores={"entropy": np.random.default_rng(0).permutation(values)})
    picks = Power(beta=10_000, variant=variant).select(pool, 8, rng()).indices
    np.testing.assert_array_equal(picks, np.argsort(-pool.scores["entropy"])[:8])


@pytest.mark.parametrize(
    ("variant", "shares"),
    [
        ("power", np.array([0.1, 0.2, 0.7])),
        ("softmax", np.exp([0.1, 0.2, 0.7]) / np.exp([0.1, 0.2, 0.7]).sum()),
        ("softrank", np.array([1 / 3, 1 / 2, 1]) / (1 / 3 + 1 / 2 + 1)),
    ],
)
def test_power_draws_first_in_the_stated_proportion(variant, shares):
    values, draws = np.array([0.1, 0.2, 0.7], np.float32), rng()
    firsts = [int(np.argmax(noisy(values, 1.0, draws, variant))) for _ in range(4000)]
    np.testing.assert_allclose(np.bincount(firsts, minlength=3) / 4000, shares, atol=0.03)


def test_power_without_beta_is_random_and_a_score_of_nothing_comes_last():
    values = np.array([0, 0.5, 0.5, 0.5], np.float32)
    assert {int(np.argmax(noisy(values, 0.0, rng(seed)))) for seed in range(60)} == {0, 1, 2, 3}
    assert all(highest(noisy(values, 1.0, rng(seed)), 4, rng())[-1] == 0 for seed in range(20))
