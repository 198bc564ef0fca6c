"""The lazy greedy choice equals the plain one; the kernel and its width behave as distances do."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from al_loop.querying.strategies.coverage import cover, kernel, kernel_width


def plain_greedy(similarity, weights, covered, size):
    chosen, gains = [], []
    for _ in range(size):
        gain = np.maximum(similarity - covered, 0) @ weights
        gain[chosen] = -np.inf
        chosen.append(int(np.argmax(gain)))
        gains.append(gain[chosen[-1]])
        covered = np.maximum(covered, similarity[chosen[-1]])
    return chosen, gains


@given(seed=st.integers(0, 10_000), candidates=st.integers(1, 120), references=st.integers(1, 40), data=st.data())
@settings(max_examples=40, deadline=None)
def test_lazy_choice_equals_plain_greedy(seed, candidates, references, data):
    rng = np.random.default_rng(seed)
    similarity = rng.random((candidates, references)).astype(np.float32)
    weights = rng.random(references).astype(np.float32)
    covered = rng.random(references).astype(np.float32) / 2
    size = data.draw(st.integers(1, candidates))
    chosen, gains = cover(similarity, weights, covered, size)
    _, plain_gains = plain_greedy(similarity, weights, covered, size)
    assert len(set(chosen.tolist())) == size
    np.testing.assert_allclose(gains, plain_gains, atol=1e-4)


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
