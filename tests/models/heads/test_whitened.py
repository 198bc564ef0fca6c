"""Heads on partly whitened axes."""

import numpy as np
import pytest

from models.heads.linear_head import TUNED_FROM, fit_head
from models.heads.whitened import POWERS, fit_whitened


def weak_axis(count: int, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Two classes that only a short axis tells apart, beside long ones that say nothing."""
    rng = np.random.default_rng(seed)
    answers = rng.integers(0, 2, count)
    embeddings = rng.standard_normal((count, 16)) * np.geomspace(1, 0.05, 16)
    embeddings[:, -1] = 0.05 * (2 * answers - 1) + 0.02 * rng.standard_normal(count)
    return embeddings.astype(np.float32), np.eye(2, dtype=np.float32)[answers]


def test_head_answers_as_one_on_the_axes_that_held_out_labels_prefer() -> None:
    embeddings, targets = weak_axis(600)
    head = fit_whitened(embeddings[:200], targets[:200], embeddings, seed=0)
    plain = fit_head(embeddings[:200], targets[:200], rng=np.random.default_rng(0))
    assert head.held_out_loss is not None
    assert plain.held_out_loss is not None
    assert head.held_out_loss < plain.held_out_loss
    truth = targets[200:].argmax(axis=1)
    likely = head.probabilities(embeddings[200:])[np.arange(400), truth]
    assert -np.log(likely).mean() == pytest.approx(head.held_out_loss, abs=0.1)
    assert (head.probabilities(embeddings[200:]).argmax(axis=1) == truth).mean() > 0.95


def test_few_labels_leave_the_axes_as_they_are() -> None:
    embeddings, targets = weak_axis(100)
    few = slice(TUNED_FROM - 1)
    head = fit_whitened(embeddings[few], targets[few], embeddings, seed=0)
    plain = fit_head(embeddings[few], targets[few], rng=np.random.default_rng(0))
    np.testing.assert_allclose(head.probabilities(embeddings), plain.probabilities(embeddings), atol=0.02)
    assert POWERS[0] == 0


def test_embeddings_that_do_not_vary_are_no_error() -> None:
    targets = np.eye(2, dtype=np.float32)[np.arange(40) % 2]
    head = fit_whitened(np.ones((40, 4), np.float32), targets, np.ones((40, 4), np.float32), seed=0)
    assert np.isfinite(head.weights).all()
