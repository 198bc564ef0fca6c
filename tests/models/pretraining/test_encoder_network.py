"""The effective rank of embeddings counts their directions."""

import numpy as np
import pytest

from models.pretraining.encoder_network import effective_rank


def test_effective_rank_counts_directions() -> None:
    rng = np.random.default_rng(0)
    directions = rng.normal(size=(2000, 4)).astype(np.float32)
    spread = directions @ rng.normal(size=(4, 40)).astype(np.float32)
    assert 2 < effective_rank(spread) <= 4.01
    assert effective_rank(directions * [1, 10, 100, 500]) == pytest.approx(4, abs=0.1)  # scale does not count
    assert effective_rank(np.ones((10, 5), np.float32)) == 1
    assert effective_rank(np.repeat(directions[:, :1], 5, axis=1)) == pytest.approx(1)
