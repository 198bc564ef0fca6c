"""ProbCover: as much of the pool as possible within a fixed distance of a labelled sample."""

from typing import Annotated, ClassVar

import msgspec
import numpy as np

from al_loop.querying.strategies.bounds import CANDIDATES, CANDIDATES_PER_PICK, COVERED, REFERENCES, some
from al_loop.querying.strategies.clustering import k_means
from al_loop.querying.strategies.coverage import cover, kernel_width, squared_distances
from al_loop.querying.strategies.fallback import NO_EMBEDDINGS, fall_back
from al_loop.querying.strategies.selection import Selection, size_of
from al_loop.scoring.pool_scores import Candidates
from models.arrays import Matrix

CLASSES = 10
"""Pseudo-classes that purity is judged by when the number of classes is not known."""


class ProbCover(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="prob_cover"):
    """Balls of one radius over as much of the pool as possible (ProbCover; Yehuda et al. 2022, arXiv 2205.11320).

    Greedily maximises the share of the pool with some chosen s at |h(x) - h(s)| < radius. The radius comes from the
    pool, as in the paper: the largest at which a share `purity` of the balls hold one pseudo-class only, the
    pseudo-classes being k-means clusters, as many as there are classes (10 where that is not known).

    The method is extremely sensitive to that radius, which is why MaxHerding replaces it (arXiv 2407.12212): prefer
    `max_herding`; this one is for comparison. Needs embeddings only. Coverage is counted on 2048 random samples and the
    choice made among 512 random ones (two a pick in large queries).
    """

    purity: Annotated[float, msgspec.Meta(ge=0.5, le=0.999)] = 0.95
    """Share of balls without a second pseudo-class."""

    uses_scores: ClassVar[bool] = True

    def select(self, pool: Candidates, query_size: int, rng: np.random.Generator) -> Selection:
        """Choose greedily; utilities are shares of the pool that a pick newly covers."""
        size = size_of(pool, query_size)
        if pool.table is None:
            return fall_back(pool, size, rng, NO_EMBEDDINGS)
        there = pool.embeddings(some(len(pool), REFERENCES, rng))  # (R, D)
        candidates = some(len(pool), max(CANDIDATES, CANDIDATES_PER_PICK * size), rng)
        near = pool.covered(COVERED, rng)  # (M, D)
        classes = CLASSES if pool.probability_table is None else pool.probability_table.shape[1]
        squared_radius = pure_radius(there, classes, self.purity, rng) ** 2
        covered = _within(there, near, squared_radius).max(axis=1, initial=0)  # (R,)
        reach = _within(pool.embeddings(candidates), there, squared_radius)  # (C, R)
        weights = np.full(len(there), 1 / len(there), np.float32)
        chosen, gains = cover(reach, weights, covered, size)
        reasons = [
            f"near {100 * gain:.1f} % of the pool, none of it near a label" if gain > 0 else "all is covered: random"
            for gain in gains
        ]
        return Selection(indices=candidates[chosen], utilities=gains, reasons=reasons)


def pure_radius(points: Matrix, classes: int, purity: float, rng: np.random.Generator) -> float:
    """Largest radius at which a share of the balls around the points hold points of one pseudo-class only.

    The ball around x is pure up to the distance to the nearest point of another pseudo-class, so the radius is a
    quantile of these distances.

    Args:
        points: Shape (R, D).
        classes: Pseudo-classes.
        purity: The share, 0 to 1.
        rng: Seeds the clustering.

    Returns:
        In the units of the embeddings, > 0; the kernel width of as many centres where there is one pseudo-class only.
    """
    assigned = k_means(points, classes, rng)
    squared = squared_distances(points, points)
    squared[assigned[:, None] == assigned] = np.inf
    other = np.sqrt(squared.min(axis=1))
    if not np.isfinite(other).all():
        return kernel_width(points, classes)
    return float(max(np.quantile(other, 1 - purity, method="lower"), 1e-6))


def _within(first: Matrix, second: Matrix, squared_radius: float) -> Matrix:
    return (squared_distances(first, second) < squared_radius).astype(np.float32)
