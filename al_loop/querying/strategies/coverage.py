"""Greedy kernel coverage: choose samples that stand for many others, weighted by how uncertain those are.

With every weight 1 this is MaxHerding (Bae, Noh, Sutherland 2024, arXiv 2407.12212): typical samples, far from each
other and from what is labelled. Weighted by uncertainty it is UHerding (Bae, Oliveira, Sutherland 2025,
arXiv 2412.20644). The expectation over the pool is estimated on a bounded random reference.
"""

import numpy as np
from numpy.typing import NDArray

from models.arrays import Matrix

LAZY_BATCH = 32
"""Candidates whose gain is brought up to date together; the others keep their upper bound."""


def kernel_width(references: Matrix, centres: int) -> float:
    """Distance within which one sample should stand for others, when `centres` samples are to cover the pool.

    The width shrinks as labels grow, so that coverage turns from the typical to the particular (the adaptive radius of
    UHerding): it is the median distance to the nearest share `1 / centres` of the pool.

    Args:
        references: Random samples of the pool, shape (R, D).
        centres: Samples labelled, leased and about to be chosen, at least 1.

    Returns:
        Width in the units of the embeddings, > 0.
    """
    probes = references[:128]
    squared = squared_distances(probes, references)  # (P, R)
    rank = min(max(len(references) // max(centres, 1), 1), len(references) - 1)
    nearest = np.partition(squared, rank, axis=1)[:, rank]
    return float(max(np.sqrt(np.median(nearest)), 1e-6))


def kernel(first: Matrix, second: Matrix, width: float) -> Matrix:
    """Gaussian similarity of each row of `first` (A, D) to each of `second` (B, D), shape (A, B), in (0, 1]."""
    exponents = squared_distances(first * np.float32(np.sqrt(0.5) / width), second * np.float32(np.sqrt(0.5) / width))
    np.negative(exponents, out=exponents)
    return np.asarray(np.exp(exponents, out=exponents))


def cover(similarity: Matrix, weights: Matrix, covered: Matrix, size: int) -> tuple[NDArray[np.int64], Matrix]:
    """Choose candidates one by one, each with the largest gain: sum over j of w_j * max(0, k(candidate, j) - c_j).

    Gains only fall as the choice grows, so an old gain is an upper bound and most are never computed again (lazy
    greedy, Minoux 1978, doi 10.1007/BFb0006528); the result is that of the plain greedy algorithm.

    Args:
        similarity: k(candidate, j), shape (C, R).
        weights: Importance of each reference, shape (R,), >= 0.
        covered: c, the similarity of each reference to the nearest sample that is labelled or leased, shape (R,).
        size: Candidates to choose, at most C.

    Returns:
        Row numbers in the order of choice, shape (size,), and the gain of each when it was chosen. Equal gains are
        resolved by row order: shuffle the candidates.
    """
    covered = covered.copy()
    bounds = _gains(similarity, weights, covered)
    fresh = np.ones(len(bounds), bool)
    chosen = np.empty(size, np.int64)
    gains = np.empty(size, np.float32)
    for step in range(size):
        best = int(np.argmax(bounds))
        while not fresh[best]:
            stale = _highest(np.where(fresh, -np.inf, bounds), LAZY_BATCH)
            bounds[stale] = _gains(similarity[stale], weights, covered)
            fresh[stale] = True
            best = int(np.argmax(bounds))
        chosen[step], gains[step] = best, bounds[best]
        np.maximum(covered, similarity[best], out=covered)
        bounds[best] = -np.inf
        fresh = np.isneginf(bounds)  # what is chosen stays so, every other bound is out of date
    return chosen, gains


def _highest(values: Matrix, count: int) -> NDArray[np.int64]:
    """Positions of the highest finite values, at most `count`, in any order."""
    picks = np.argpartition(values, -count)[-count:] if len(values) > count else np.arange(len(values))
    return picks[np.isfinite(values[picks])]


def _gains(similarity: Matrix, weights: Matrix, covered: Matrix) -> Matrix:
    rest = similarity - covered
    return np.asarray(np.maximum(rest, 0, out=rest) @ weights)


def squared_distances(first: Matrix, second: Matrix) -> Matrix:
    """|a - b|^2 as one matrix product of (a, |a|^2, 1) and (-2b, 1, |b|^2), shape (A, B), >= 0."""
    left = np.column_stack([first, np.square(first).sum(axis=1), np.ones(len(first), np.float32)])
    right = np.column_stack([-2 * second, np.ones(len(second), np.float32), np.square(second).sum(axis=1)])
    squared = left @ right.T
    return np.asarray(np.maximum(squared, 0, out=squared))
