"""Herding with and without weights, worked out by hand."""

import numpy as np

from al_loop.querying.strategies import (
    MaxHerding,
    UHerding,
)
from al_loop.querying.strategies.herding import softened
from models.tasks.uncertainty import all_scores
from tests.al_loop.querying.strategies.pools import clustered_pool, embedded, rng


def test_u_herding_with_equal_weights_is_max_herding():
    table = np.random.default_rng(0).standard_normal((300, 8))
    pool = embedded(table, 20, scores={"margin": np.full(280, 0.4, np.float32)})
    weighted, plain = (strategy.select(pool, 12, rng(3)) for strategy in (UHerding(), MaxHerding()))
    np.testing.assert_array_equal(weighted.indices, plain.indices)
    assert weighted.reasons[0].startswith("all equally uncertain: ")


def test_nearly_equal_weights_choose_nearly_as_max_herding_does():
    """Weights alike but for noise, so that the weighted path itself runs: the same clusters, the same gains."""
    pool, clusters = clustered_pool(uncertain=())
    noise = 0.5 + 1e-4 * np.random.default_rng(0).random(200).astype(np.float32)
    weighted = UHerding().select(embedded(pool.table, scores={"margin": noise}), 5, rng(3))
    plain = MaxHerding().select(pool, 5, rng(3))
    assert set(clusters[weighted.indices]) == set(clusters[plain.indices]) == {0, 1, 2, 3, 4}
    np.testing.assert_allclose(weighted.utilities / 0.5, plain.utilities, rtol=0.05)


def test_a_high_temperature_lets_sure_samples_count():
    """Nine in ten are nearly sure, at 0.98; softened they are unsure too, and there are more of them."""
    pool, clusters = clustered_pool(uncertain=())
    likely = np.where(clusters == 0, 0.6, 0.98)
    probabilities = np.stack([likely, 1 - likely], axis=1).astype(np.float32)
    pool = embedded(pool.table, scores=all_scores(probabilities), probability_table=probabilities)
    cold, warm = (UHerding(temperature=t, radius=0.5).select(pool, 3, rng()).indices for t in (0.2, 20.0))
    assert set(clusters[cold]) == {0}
    assert len(set(clusters[warm])) == 3


def test_softened_probabilities_are_known():
    rows = np.array([[0.9, 0.1], [0.5, 0.5], [1.0, 0.0]], np.float32)
    np.testing.assert_allclose(softened(rows, 1.0), rows, atol=1e-6)
    np.testing.assert_allclose(softened(rows, 2.0)[0], [0.75, 0.25], atol=1e-6)
