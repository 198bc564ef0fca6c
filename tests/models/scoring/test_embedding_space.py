"""Several kinds of embeddings in one space."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.errors import NonFiniteScoresError
from models.scoring.embedding_space import MAX_SIZE, fit_space


@given(count=st.integers(2, 60), sizes=st.lists(st.integers(1, 20), min_size=1, max_size=3), seed=st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_every_kind_has_the_same_weight_whatever_its_units(count, sizes, seed):
    rng = np.random.default_rng(seed)
    sources = [rng.standard_normal((count, size)) * 10.0 ** rng.integers(-3, 4) + 5 for size in sizes]
    vectors = fit_space(sources).apply(sources).astype(np.float64)
    assert vectors.shape == (count, sum(sizes))
    start = 0
    for size in sizes:
        part = np.square(vectors[:, start : start + size]).sum(axis=1).mean()
        assert part == pytest.approx(1 / len(sizes), rel=0.1)
        start += size


def test_wide_embeddings_keep_their_distances_in_256_values():
    rng = np.random.default_rng(0)
    source = (rng.standard_normal((400, 20)) @ rng.standard_normal((20, 600))).astype(np.float32)
    space = fit_space([source])
    vectors = space.apply([source]).astype(np.float32)
    assert vectors.shape == (400, MAX_SIZE)
    scaled = (source - source.mean(axis=0)) / source.std(axis=0) / np.sqrt(600)
    before = np.linalg.norm(scaled[:50, None] - scaled[None, :50], axis=-1)
    after = np.linalg.norm(vectors[:50, None] - vectors[None, :50], axis=-1)
    np.testing.assert_allclose(after, before, atol=0.03)


def test_what_does_not_vary_says_nothing():
    source = np.column_stack([np.full(30, 7.0), np.random.default_rng(0).standard_normal(30)])
    assert (fit_space([source]).apply([source])[:, 0] == 0).all()


def test_all_samples_alike_become_zeros():
    assert not fit_space([np.ones((9, 4))]).apply([np.ones((9, 4))]).any()


def test_broken_embeddings_are_refused_with_their_rows():
    source = np.zeros((6, 3), np.float32)
    source[4, 1] = np.nan
    with pytest.raises(NonFiniteScoresError, match="4"):
        fit_space([source])


def test_sources_of_different_length_are_refused():
    with pytest.raises(ValueError, match="equally many"):
        fit_space([np.zeros((3, 2)), np.zeros((4, 2))])
