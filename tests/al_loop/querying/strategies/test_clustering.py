"""k-means finds plain clusters and survives points that are alike."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from al_loop.querying.strategies.clustering import k_means
from tests.data.examples import examples


def test_plain_clusters_are_found():
    truth = np.repeat(np.arange(4), 25)
    points = 10 * np.eye(4, 6)[truth] + 0.1 * np.random.default_rng(0).standard_normal((100, 6))
    for seed in range(5):
        found = k_means(points.astype(np.float32), 4, np.random.default_rng(seed))
        assert len(set(zip(truth.tolist(), found.tolist(), strict=True))) == len(set(found.tolist())) == 4


@given(count=st.integers(1, 30), clusters=st.integers(1, 40), values=st.integers(1, 3), seed=st.integers(0, 99))
@settings(max_examples=examples(50), deadline=None)
def test_every_point_has_a_cluster_and_twins_the_same(count, clusters, values, seed):
    points = np.random.default_rng(seed).integers(0, values, (count, 2)).astype(np.float32)
    found = k_means(points, clusters, np.random.default_rng(seed))
    assert found.shape == (count,)
    assert ((found >= 0) & (found < clusters)).all()
    kinds = np.unique(points, axis=0, return_inverse=True)[1].ravel()
    assert len(set(zip(kinds.tolist(), found.tolist(), strict=True))) == len(set(kinds.tolist()))


def test_equal_seeds_give_equal_clusters():
    points = np.random.default_rng(0).standard_normal((60, 3)).astype(np.float32)
    first, again = (k_means(points, 7, np.random.default_rng(4)) for _ in range(2))
    np.testing.assert_array_equal(first, again)
