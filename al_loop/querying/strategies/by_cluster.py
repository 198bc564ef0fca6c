"""The most central samples of parts of the pool that nobody labelled yet: what the first labels are best spent on."""

import numpy as np
from numpy.typing import NDArray

from al_loop.querying.strategies.bounds import CANDIDATES_PER_PICK, COVERED, REFERENCES, some
from al_loop.querying.strategies.by_score import because
from al_loop.querying.strategies.clustering import k_means
from al_loop.querying.strategies.selection import Selection
from al_loop.scoring.pool_scores import Candidates
from models.arrays import Matrix

MOST_CLUSTERS = 128
"""Clusters at most; with more labels the least labelled clusters are asked about."""


def central(pool: Candidates, size: int, rng: np.random.Generator, missing: str = "") -> Selection:
    """Choose samples nearest to the centre of clusters, those with the fewest labels first, larger before smaller.

    k-means with (labelled and leased + size) clusters, of 2048 random samples (two a pick in large queries) and at most
    1024 labelled ones, into at most 128 clusters.

    Args:
        pool: With embeddings.
        size: Samples wanted, at most N.
        rng: Draws what is clustered, seeds it, breaks ties.
        missing: Put before the reasons if the strategy wanted something else.

    Returns:
        Picks; utilities are shares of the pool that their clusters hold.

    Raises:
        NonFiniteScoresError: Embeddings that were looked at are NaN or infinite.
    """
    candidates = some(len(pool), max(REFERENCES, CANDIDATES_PER_PICK * size), rng)
    values = pool.embeddings(candidates)  # (C, D)
    near = pool.covered(COVERED, rng)  # (M, D)
    clusters = min(pool.covered_count + size, MOST_CLUSTERS)
    points = np.concatenate([values, near])
    assigned = k_means(points, clusters, rng)
    distances = _distances(points, assigned, clusters)[: len(values)]
    mine = assigned[: len(values)]
    taken = np.bincount(assigned[len(values) :], minlength=clusters)
    sizes = np.bincount(mine, minlength=clusters)
    order = np.lexsort((distances, mine))
    turns = np.empty(len(mine), np.int64)
    turns[order] = np.arange(len(mine)) - (np.cumsum(sizes) - sizes)[mine[order]]  # 0 for the most central of each
    chosen = np.lexsort((rng.random(len(mine)), -sizes[mine], turns + taken[mine]))[:size]
    shares = (sizes[mine[chosen]] / len(values)).astype(np.float32)
    reasons = [
        because(missing, f"central in a group of {100 * share:.1f} % of the pool, {_others(count)}")
        for share, count in zip(shares.tolist(), (turns + taken[mine])[chosen].tolist(), strict=True)
    ]
    return Selection(indices=candidates[chosen], utilities=shares, reasons=reasons)


def _distances(points: Matrix, assigned: NDArray[np.int64], clusters: int) -> Matrix:
    """Squared distance of each point (N, D) to the mean of its cluster, shape (N,)."""
    sums = np.zeros((clusters, points.shape[1]), np.float64)
    np.add.at(sums, assigned, points)
    means = sums / np.maximum(np.bincount(assigned, minlength=clusters), 1)[:, None]
    return np.asarray(np.square(points - means[assigned]).sum(axis=1), np.float32)


def _others(count: int) -> str:
    return "none labelled in it" if count == 0 else f"{count} labelled or chosen in it"
