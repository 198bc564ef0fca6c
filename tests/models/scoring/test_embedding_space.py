"""Several kinds of embeddings in one space."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import PCA

from models.errors import NonFiniteScoresError
from models.scoring import embedding_space
from models.scoring.embedding_space import MAX_SIZE, fit_space


@given(count=st.integers(2, 60), sizes=st.lists(st.integers(1, 20), min_size=1, max_size=3), seed=st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_every_kind_has_the_same_weight_whatever_its_units(count, sizes, seed):
    rng = np.random.default_rng(seed)
    sources = [rng.standard_normal((count, size)) * 10.0 ** rng.integers(-3, 4) + 5 for size in sizes]
    vectors = fit_space(sources).apply(sources).astype(np.float64)
    kept = [min(size, count - 1) for size in sizes]
    assert vectors.shape == (count, sum(kept))
    start = 0
    for size in kept:
        part = np.square(vectors[:, start : start + size]).sum(axis=1).mean()
        assert part == pytest.approx(1 / len(sizes), rel=0.02)
        start += size


def distances(vectors: np.ndarray) -> np.ndarray:
    return np.linalg.norm(vectors[:40, None].astype(np.float32) - vectors[None, 40:80], axis=-1)


def test_distances_do_not_depend_on_units_nor_on_what_does_not_vary():
    features = np.random.default_rng(0).standard_normal((300, 5))
    features[:, 2] = 4
    scaled = features * [1, 1e4, 1, 1e-4, 10] + [0, 5, 1, 0, 0]
    expected = distances(fit_space([features]).apply([features]))
    np.testing.assert_allclose(distances(fit_space([scaled]).apply([scaled])), expected, atol=4e-3)


def test_wide_embeddings_keep_their_distances_in_256_values(monkeypatch):
    rng = np.random.default_rng(0)
    source = (rng.standard_normal((400, 20)) @ rng.standard_normal((20, 600))).astype(np.float32)
    vectors = fit_space([source]).apply([source])
    assert vectors.shape == (400, MAX_SIZE)
    monkeypatch.setattr(embedding_space, "MAX_SIZE", 600)
    np.testing.assert_allclose(distances(vectors), distances(fit_space([source]).apply([source])), atol=0.03)


def test_what_is_said_many_times_does_not_drown_the_rest():
    """Brightness in nine values and one value of its own: half whitening leaves the one a third of the weight."""
    brightness, other = np.random.default_rng(0).standard_normal((2, 500))
    source = np.column_stack([*[brightness] * 9, other])
    vectors = fit_space([source]).apply([source]).astype(np.float64)
    shares = np.square(vectors).mean(axis=0)
    assert shares[1] / shares[0] == pytest.approx(1 / 3, abs=0.03)  # 1/9 without, 1 fully whitened


def test_the_axes_are_those_of_scikit_learn():
    source = np.random.default_rng(0).standard_normal((200, 6)) @ np.random.default_rng(1).standard_normal((6, 6))
    space = fit_space([source])
    scaled = np.clip((source - space.means) * space.factors, -5, 5)
    axes = PCA(svd_solver="covariance_eigh").fit(scaled).components_.T
    ours = space.projection / np.linalg.norm(space.projection, axis=0)
    np.testing.assert_allclose(np.abs((axes * ours).sum(axis=0)), 1, atol=0.01)


def test_an_outlier_does_not_squeeze_the_others_together():
    features = np.random.default_rng(0).standard_normal((200, 3)).astype(np.float32)
    before = fit_space([features]).apply([features])[:50].std()
    features[199] = 1e6
    assert fit_space([features]).apply([features])[:50].std() > 0.8 * before


def test_many_rows_are_projected_in_chunks_as_one():
    """45,000 rows are more than two chunks; a row's vector does not depend on where it stands."""
    features = np.random.default_rng(0).standard_normal((45_000, 2)).astype(np.float32)
    features[[10, 25_000, 44_999]] = 1.5
    result = fit_space([features]).apply([features]).astype(np.float32)
    assert (result[[25_000, 44_999]] == result[10]).all()
    assert np.square(result).sum(axis=1).mean() == pytest.approx(1, rel=0.05)


def test_all_samples_alike_become_zeros():
    for count in (1, 9):
        assert not fit_space([np.ones((count, 4))]).apply([np.ones((count, 4))]).any()


def test_broken_embeddings_are_refused_with_their_rows():
    source = np.zeros((6, 3), np.float32)
    source[4, 1] = np.nan
    with pytest.raises(NonFiniteScoresError, match="4"):
        fit_space([source])


def test_sources_of_different_length_are_refused():
    with pytest.raises(ValueError, match="equally many"):
        fit_space([np.zeros((3, 2)), np.zeros((4, 2))])
