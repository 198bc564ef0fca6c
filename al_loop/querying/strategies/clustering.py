"""k-means on a bounded number of points: pseudo-classes of a pool without labels."""

import numpy as np
from numpy.typing import NDArray

from al_loop.querying.strategies.coverage import Matrix, squared_distances, squared_distances_to

ROUNDS = 10
"""Rounds of Lloyd's algorithm at most; for choosing samples later ones change little."""


def k_means(points: Matrix, clusters: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Assign points to clusters (Lloyd 1982 from k-means++ seeds, Arthur and Vassilvitskii 2007).

    Time grows with points x clusters x D, memory with points x clusters.

    Args:
        points: Shape (N, D), finite, N >= 1.
        clusters: Clusters wanted, at least 1; there are fewer when fewer points differ.
        rng: Draws the seeds.

    Returns:
        Cluster of each point, shape (N,), from 0; some clusters may be empty.
    """
    centres = points[seeds(points, min(clusters, len(points)), rng)]
    assigned = np.full(len(points), -1, np.int64)
    for _ in range(ROUNDS):
        nearest = squared_distances(points, centres).argmin(axis=1)
        if np.array_equal(nearest, assigned):
            break
        assigned = nearest
        counts = np.bincount(assigned, minlength=len(centres))
        held = np.flatnonzero(counts)
        starts = (np.cumsum(counts) - counts)[held]
        sums = np.add.reduceat(points[np.argsort(assigned, kind="stable")], starts, axis=0)  # (held, D)
        centres[held] = sums / counts[held, None]
    return assigned


def seeds(points: Matrix, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Greedy k-means++: points drawn in proportion to the squared distance to the nearest seed, the best of a few each.

    Args:
        points: Shape (N, D).
        count: Seeds wanted, 1 to N.
        rng: Draws them.

    Returns:
        Positions, shape (K,), unique; fewer than `count` when all other points equal a seed.
    """
    lengths = np.square(points).sum(axis=1)
    chosen = [int(rng.integers(len(points)))]
    nearest = squared_distances_to(points, lengths, chosen)[:, 0]
    while len(chosen) < count:
        nearest[chosen] = 0
        tries = draw(nearest, 2 + int(np.log(count)), rng)
        if len(tries) == 0:
            break
        after = np.minimum(nearest[:, None], squared_distances_to(points, lengths, tries))  # (N, tries)
        best = int(after.sum(axis=0).argmin())
        chosen.append(int(tries[best]))
        nearest = after[:, best]
    return np.array(chosen)


def draw(weights: Matrix, size: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Positions in proportion to weights (N,) >= 0, with replacement, shape (size,); none when all weights are 0."""
    sums = np.cumsum(weights, dtype=np.float64)
    if sums[-1] <= 0:
        return np.empty(0, np.int64)
    return np.searchsorted(sums / sums[-1], rng.random(size), side="right")
