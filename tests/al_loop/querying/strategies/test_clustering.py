"""k-means finds plain clusters and survives points that are alike."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from al_loop.querying.strategies.clustering import draw, k_means, seeds


def test_plain_clusters_are_found():
    truth = np.repeat(np.arange(4), 25)
    points = 10 * np.eye(4, 6)[truth] + 0.1 * np.random.default_rng(0).standard_normal((100, 6))
    for seed in range(5):
        found = k_means(points.astype(np.float32), 4, np.random.default_rng(seed))
        assert len(set(zip(truth.tolist(), found.tolist(), strict=True))) == len(set(found.tolist())) == 4


@given(count=st.integers(1, 30), clusters=st.integers(1, 40), values=st.integers(1, 3), seed=st.integers(0, 99))
@settings(max_examples=50, deadline=None)
def test_every_point_has_a_cluster_and_twins_the_same(count, clusters, values, seed):
    points = np.random.default_rng(seed).integers(0, values, (count, 2)).astype(np.float32)
    found = k_means(points, clusters, np.random.default_rng(seed))
    assert found.shape == (count,)
    assert ((found >= 0) & (found < clusters)).all()
    kinds = np.unique(points, axis=0, return_inverse=True)[1].ravel()
    assert len(set(zip(kinds.tolist(), found.tolist(), strict=True))) == len(set(kinds.tolist()))


def test_seeds_differ_as_long_as_points_do():
    points = np.repeat(np.array([[0.0], [1], [5]], np.float32), 20, axis=0)
    chosen = seeds(points, 10, np.random.default_rng(0))
    assert sorted(points[chosen, 0].tolist()) == [0, 1, 5]


def test_draw_is_in_proportion_and_never_of_nothing():
    rng = np.random.default_rng(0)
    found = np.bincount(draw(np.array([0, 1, 0, 3], np.float32), 4000, rng), minlength=4) / 4000
    assert found.tolist() == pytest.approx([0, 0.25, 0, 0.75], abs=0.03)
    assert len(draw(np.zeros(3, np.float32), 2, rng)) == 0
