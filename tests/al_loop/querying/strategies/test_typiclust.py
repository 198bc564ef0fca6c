"""TypiClust takes dense centres of clusters without a label."""

import numpy as np

from al_loop.querying.strategies import (
    TypiClust,
)
from al_loop.querying.strategies.typiclust import typicality
from tests.al_loop.querying.strategies.pools import embedded, rng


def test_typiclust_takes_dense_centres():
    """Three groups, each thick around its centre and thin outside: picks are from the thick middle."""
    draws = np.random.default_rng(0)
    centres = np.repeat(20 * np.eye(3, 4), 60, axis=0)
    spread = np.tile(np.repeat([0.1, 3.0], 30), 3)[:, None]
    table = centres + spread * draws.standard_normal((180, 4))
    for seed in range(5):
        picks = TypiClust().select(embedded(table), 3, rng(seed)).indices
        assert set(picks // 60) == {0, 1, 2}
        assert (picks % 60 < 30).all()


def test_typiclust_begins_with_the_largest_unlabelled_cluster():
    draws = np.random.default_rng(0)
    sizes = [50, 30, 10]
    table = np.repeat(20 * np.eye(3, 4), sizes, axis=0) + 0.1 * draws.standard_normal((90, 4))
    first = np.repeat([0, 1, 2], sizes)[TypiClust().select(embedded(table), 3, rng()).indices]
    assert first.tolist() == [0, 1, 2]
    labelled = np.concatenate([table, 20 * np.eye(1, 4)])
    selection = TypiClust().select(embedded(labelled, 1), 2, rng())
    assert np.repeat([0, 1, 2], sizes)[selection.indices].tolist() == [1, 2]
    assert "none labelled in it" in selection.reasons[0]


def test_typicality_is_one_over_the_mean_distance_to_neighbours():
    points = np.array([[0.0], [1], [3]], np.float32)
    np.testing.assert_allclose(typicality(points, 1), [1, 1, 0.5], rtol=1e-5)
    np.testing.assert_allclose(typicality(points, 20), [0.5, 1 / 1.5, 0.4], rtol=1e-5)
    assert typicality(points[:1], 20).tolist() == [1]
