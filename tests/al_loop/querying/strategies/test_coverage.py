"""Each lazy greedy choice is the best at its turn; the kernel and its width behave as distances do."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from al_loop.querying.strategies.coverage import cover, kernel, kernel_width


@given(seed=st.integers(0, 10_000), candidates=st.integers(1, 120), references=st.integers(1, 40), data=st.data())
@settings(max_examples=40, deadline=None)
def test_each_lazy_choice_is_the_best_at_its_turn(seed, candidates, references, data):
    """But for rounding: of two that cover almost the same, either may be chosen, and what follows differs."""
    rng = np.random.default_rng(seed)
    similarity = rng.random((candidates, references)).astype(np.float32)
    weights = rng.random(references).astype(np.float32)
    covered = rng.random(references).astype(np.float32) / 2
    size = data.draw(st.integers(1, candidates))
    chosen, gains = cover(similarity, weights, covered, size)
    assert len(set(chosen.tolist())) == size
    left = np.ones(candidates, bool)
    for index, gain in zip(chosen.tolist(), gains.tolist(), strict=True):
        possible = np.maximum(similarity - covered, 0) @ weights
        assert possible[index] >= possible[left].max() - 1e-4
        assert gain == pytest.approx(possible[index], abs=1e-4)
        left[index] = False
        covered = np.maximum(covered, similarity[index])


def test_gains_fall_and_the_input_is_left_alone():
    rng = np.random.default_rng(0)
    covered = np.zeros(50, np.float32)
    _, gains = cover(rng.random((60, 50)).astype(np.float32), np.ones(50, np.float32), covered, 20)
    assert (np.diff(gains) <= 1e-5).all()
    assert not covered.any()


def test_kernel_is_gaussian():
    first = np.array([[0, 0], [3, 4]], np.float32)
    np.testing.assert_allclose(kernel(first, first, 5.0), [[1, np.exp(-0.5)], [np.exp(-0.5), 1]], rtol=1e-5)


def test_kernel_width_shrinks_with_more_centres_and_scales_with_the_embeddings():
    references = np.random.default_rng(0).standard_normal((500, 8)).astype(np.float32)
    widths = [kernel_width(references, centres) for centres in (1, 10, 100, 1000)]
    assert widths == sorted(widths, reverse=True)
    assert widths[0] > 1.5 * widths[-1]
    assert kernel_width(10 * references, 10) == pytest.approx(10 * widths[1], rel=1e-3)


def test_kernel_width_of_identical_samples_is_positive():
    assert kernel_width(np.ones((5, 3), np.float32), 2) > 0
    assert kernel_width(np.ones((1, 3), np.float32), 2) > 0
