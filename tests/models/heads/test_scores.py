"""What a head makes of a pool of embeddings."""

import numpy as np
import pytest

from models.heads.linear_head import fit_head
from models.heads.scores import head_scores


@pytest.mark.parametrize("chosen", [None, np.array([5, 2, 7])])
def test_samples_between_the_classes_are_the_uncertain_ones(chosen: np.ndarray | None) -> None:
    rng = np.random.default_rng(0)
    known = np.repeat([[3.0, 0.0], [-3.0, 0.0]], 20, axis=0).astype(np.float32)
    known += rng.normal(0, 0.1, known.shape).astype(np.float32)
    targets = np.repeat(np.eye(2, dtype=np.float32), 20, axis=0)
    head = fit_head(known, targets, rng=rng)
    table = np.tile([[3.0, 0.0]], (8, 1)).astype(np.float16)
    table[2] = 0
    scores, probabilities = head_scores(table, chosen, head, known, targets, rng)
    assert set(scores) == {"least_confidence", "margin", "entropy", "bald"}
    rows = np.arange(8) if chosen is None else chosen
    assert rows[scores["entropy"].argmax()] == rows[scores["margin"].argmax()] == 2
    np.testing.assert_allclose(probabilities.astype(float).sum(axis=1), 1, atol=1e-2)
    without, _ = head_scores(table, chosen, head, known, targets, rng, with_bald=False)
    assert set(without) == {"least_confidence", "margin", "entropy"}
