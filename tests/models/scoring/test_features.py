"""Simple image features: known values, nodata left out, standardised over the pool."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.scoring.features import feature_size, image_features, standardise


@pytest.mark.parametrize("bands", [1, 3, 4, 13])
def test_features_are_finite_and_of_the_stated_size(bands):
    image = np.random.default_rng(0).random((bands, 40, 33)).astype(np.float32)
    features = image_features(image)
    assert features.shape == (feature_size(bands),)
    assert np.isfinite(features).all()


def test_features_of_a_striped_band_are_known():
    """Columns 0, 2, 0, 2, ...: mean 1, deviation 1, a step of 2 across and 0 down, nothing left at 4 px."""
    image = np.tile(np.array([0, 2], np.float32), (1, 16, 8))
    mean, deviation, *quantiles, fine, coarse = image_features(image)
    assert (mean, deviation, quantiles) == (1, 1, [0, 0, quantiles[2], 2, 2])
    assert fine == pytest.approx(2 * (15 * 16) / (15 * 16 * 2))
    assert coarse == 0


def test_band_relations_are_known():
    band = np.arange(16, dtype=np.float32).reshape(4, 4)
    *_, difference, correlation = image_features(np.stack([band, 3 * band]))
    assert difference == pytest.approx(-0.5)
    assert correlation == pytest.approx(1, abs=1e-5)


@given(seed=st.integers(0, 1000), pad=st.integers(1, 12))
@settings(max_examples=20, deadline=None)
def test_features_ignore_nodata(seed, pad):
    image = np.random.default_rng(seed).random((3, 16, 16)).astype(np.float32)
    padded = np.pad(image, ((0, 0), (0, pad), (0, pad)), constant_values=np.nan)
    padded[0, 16:] = 7  # one band is there, but the pixel as a whole is not
    np.testing.assert_allclose(image_features(padded), image_features(image), rtol=1e-5)


def test_image_without_valid_pixel_is_refused():
    with pytest.raises(ValueError, match="no valid pixel"):
        image_features(np.full((2, 8, 8), np.nan, np.float32))


@pytest.mark.parametrize("shape", [(2, 1, 1), (2, 1, 9), (2, 3, 3)])
def test_tiny_images_have_features(shape):
    assert np.isfinite(image_features(np.ones(shape, np.float32))).all()


def test_standardised_features_do_not_depend_on_units_and_drop_constants():
    features = np.random.default_rng(0).standard_normal((300, 5)).astype(np.float32)
    features[:, 2] = 4
    scaled = features * np.array([1, 1e4, 1, 1e-4, 10], np.float32) + np.array([0, 5, 1, 0, 0], np.float32)
    first, second = standardise(features), standardise(scaled)
    assert np.square(first).sum(axis=1).mean() == pytest.approx(1, rel=1e-4)
    distances = [np.linalg.norm(rows[:20, None] - rows[20:40], axis=2) for rows in (first, second)]
    np.testing.assert_allclose(distances[0], distances[1], atol=2e-3)


def test_an_outlier_does_not_squeeze_the_others_together():
    features = np.random.default_rng(0).standard_normal((200, 3)).astype(np.float32)
    before = standardise(features)[:50].std()
    features[199] = 1e6
    assert standardise(features)[:50].std() > 0.8 * before


def test_identical_images_standardise_to_zero():
    assert not standardise(np.full((4, 3), 2.5, np.float32)).any()
    assert not standardise(np.full((1, 3), 2.5, np.float32)).any()


def test_many_rows_are_standardised_in_chunks_as_one():
    """45,000 rows are more than two chunks; a row's value does not depend on where it stands."""
    features = np.random.default_rng(0).standard_normal((45_000, 2)).astype(np.float32)
    features[[10, 25_000, 44_999]] = 1.5
    result = standardise(features).astype(np.float32)
    assert (result[[25_000, 44_999]] == result[10]).all()
    assert np.square(result).sum(axis=1).mean() == pytest.approx(1, rel=0.05)
