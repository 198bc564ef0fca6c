"""A sample is worth its most uncertain quarter of cells, whatever the others say."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.heads.linear_head import fit_head
from models.heads.scores import cell_scores, region_scores, region_strata


@given(st.lists(st.integers(1, 9), min_size=1, max_size=12), st.integers(0, 100))
def test_scores_are_means_of_the_highest_quarter(sizes, seed):
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(len(sizes)), sizes)
    values = rng.random(len(groups)).astype(np.float32)
    found = region_scores(groups, {"entropy": values})["entropy"]
    for group, size in enumerate(sizes):
        highest = np.sort(values[groups == group])[::-1][: -(-size // 4)]
        assert abs(found[group] - highest.mean()) < 1e-6


def test_strata_hold_the_highest_entropy_of_each_predicted_code():
    groups = np.array([0, 0, 0, 1])
    entropy = np.array([0.1, 0.4, 0.3, 0.2], np.float32)
    probabilities = np.eye(2)[[0, 0, 1, 1]]
    nan = np.nan
    np.testing.assert_allclose(region_strata(groups, entropy, probabilities, 0), [[0.4, 0.3], [nan, 0.2]])
    np.testing.assert_allclose(region_strata(groups, entropy, probabilities, 1), [[nan, 0.4, 0.3], [nan, nan, 0.2]])


def test_one_unknown_region_outranks_many_a_little_uncertain():
    rng = np.random.default_rng(0)
    known = np.repeat([[3.0, 0.0], [-3.0, 0.0]], 20, axis=0).astype(np.float32)
    known += rng.normal(0, 0.1, known.shape).astype(np.float32)
    targets = np.repeat(np.eye(2, dtype=np.float32), 20, axis=0)
    head = fit_head(known, targets, rng=rng)
    easy, dull = np.tile([[3.0, 0.0]], (4, 1)), np.tile([[1.5, 0.0]], (4, 1))
    easy[2] = 0  # between the classes
    table = np.concatenate([dull, easy]).astype(np.float16)
    index = np.array([[7, 0, column, 32, 32] for column in range(4)] + [[9, 0, column, 32, 32] for column in range(4)])
    found = cell_scores(table, index, head, known, targets, rng, first_code=1)
    assert found.sample_ids.tolist() == [7, 9]
    assert set(found.scores) == {"least_confidence", "margin", "entropy", "bald"}
    assert found.scores["entropy"][1] > found.scores["entropy"][0]
    assert found.strata.shape == (2, 3)
    assert np.isnan(found.strata[:, 0]).all()
