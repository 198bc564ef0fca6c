"""Simple image features: known values, nodata left out."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.scoring.features import feature_size, image_features
from tests.data.examples import examples


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
@settings(max_examples=examples(20), deadline=None)
def test_features_ignore_nodata(seed, pad):
    image = np.random.default_rng(seed).random((3, 16, 16)).astype(np.float32)
    padded = np.pad(image, ((0, 0), (0, pad), (0, pad)), constant_values=np.nan)
    np.testing.assert_allclose(image_features(padded), image_features(image), rtol=1e-5)


def test_band_that_a_pixel_lacks_counts_as_its_mean():
    image = np.random.default_rng(0).random((3, 16, 16)).astype(np.float32)
    lacking = image.copy()
    lacking[1, :4] = np.nan
    known = image.copy()
    known[1, :4] = image[1, 4:].mean()

    np.testing.assert_allclose(image_features(lacking), image_features(known), rtol=1e-5)


def test_image_without_valid_pixel_is_refused():
    with pytest.raises(ValueError, match="no valid pixel"):
        image_features(np.full((2, 8, 8), np.nan, np.float32))


@pytest.mark.parametrize("shape", [(2, 1, 1), (2, 1, 9), (2, 3, 3)])
def test_tiny_images_have_features(shape):
    assert np.isfinite(image_features(np.ones(shape, np.float32))).all()
