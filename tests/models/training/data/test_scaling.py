"""From features to embeddings of about unit length."""

import numpy as np
import pytest

from models.training.data.scaling import CLIP, STATISTICS_WEIGHT, scaling_of


def test_embeddings_have_unit_mean_square_length_and_band_statistics_their_weight() -> None:
    features = np.random.default_rng(0).normal(7, 3, (500, 26)).astype(np.float32)
    embeddings = scaling_of(features, 20)(features)
    assert np.square(embeddings).sum(axis=1).mean() == pytest.approx(1, abs=0.01)
    own, joined = (np.square(part).sum() for part in (embeddings[:, :20], embeddings[:, 20:]))
    assert joined / own == pytest.approx(STATISTICS_WEIGHT**2, rel=0.02)


def test_outliers_are_cut_and_a_constant_feature_says_nothing() -> None:
    features = np.random.default_rng(0).normal(size=(500, 4)).astype(np.float32)
    features[:, 1] = 5
    scaling = scaling_of(features, 3)
    far = scaling(np.full((1, 4), 1e6, np.float32))
    np.testing.assert_allclose(far[0], CLIP * scaling.weight, rtol=1e-6)
    assert (scaling(features)[:, 1] == 0).all()
