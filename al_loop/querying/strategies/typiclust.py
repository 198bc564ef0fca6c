"""TypiClust: the most typical sample of each part of the pool that nobody labelled yet."""

from typing import Annotated, ClassVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from al_loop.querying.strategies.bounds import CANDIDATES_PER_PICK, COVERED, REFERENCES, some
from al_loop.querying.strategies.clustering import k_means
from al_loop.querying.strategies.coverage import squared_distances
from al_loop.querying.strategies.fallback import NO_EMBEDDINGS, fall_back
from al_loop.querying.strategies.selection import Selection, size_of
from al_loop.scoring.pool_scores import Candidates
from models.arrays import Matrix

MOST_CLUSTERS = 128
"""Clusters at most; with more labels the least labelled clusters are asked about."""

MOST_MEMBERS = 1024
"""Members of a cluster whose typicality is computed, at most: a matrix of 4 MB."""


class TypiClust(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="typiclust"):
    """Typical samples of the largest uncovered clusters (TypiClust; Hacohen et al. 2022, arXiv 2202.02794).

    k-means with (labelled and leased + query size) clusters; typicality(x) = 1 / mean distance to the nearest members
    of its cluster. Clusters with the fewest labelled, leased or chosen samples come first, larger before smaller. Made
    for the first labels on self-supervised embeddings. Needs embeddings only. Clusters 2048 random samples (two a pick
    in large queries) and at most 1024 labelled ones, into at most 128 clusters.
    """

    neighbours: Annotated[int, msgspec.Meta(ge=1, le=200)] = 20
    """Nearest neighbours that typicality is measured with; fewer in small clusters."""

    uses_scores: ClassVar[bool] = True

    def select(self, pool: Candidates, query_size: int, rng: np.random.Generator) -> Selection:
        """Choose cluster by cluster; utilities are typicalities."""
        size = size_of(pool, query_size)
        if pool.table is None:
            return fall_back(pool, size, rng, NO_EMBEDDINGS)
        candidates = some(len(pool), max(REFERENCES, CANDIDATES_PER_PICK * size), rng)
        values = pool.embeddings(candidates)  # (C, D)
        near = pool.covered(COVERED, rng)  # (M, D)
        clusters = min(pool.covered_count + size, MOST_CLUSTERS)
        assigned = k_means(np.concatenate([values, near]), clusters, rng)
        chosen, typicalities, reasons = self._by_cluster(values, assigned, clusters, size, rng)
        return Selection(indices=candidates[chosen], utilities=typicalities, reasons=reasons)

    def _by_cluster(
        self, values: Matrix, assigned: NDArray[np.int64], clusters: int, size: int, rng: np.random.Generator
    ) -> tuple[NDArray[np.int64], Matrix, list[str]]:
        """Picks in order, their typicalities and reasons."""
        mine = assigned[: len(values)]
        sizes = np.bincount(mine, minlength=clusters)
        taken = np.bincount(assigned[len(values) :], minlength=clusters)
        left: dict[int, list[tuple[int, float]]] = {}
        chosen: list[int] = []
        typicalities: list[float] = []
        reasons: list[str] = []
        remaining = sizes.copy()
        while len(chosen) < size:
            open_clusters = rng.permutation(np.flatnonzero(remaining > 0))
            cluster = int(min(open_clusters, key=lambda index: (taken[index], -sizes[index])))
            if cluster not in left or not left[cluster]:
                members = np.setdiff1d(np.flatnonzero(mine == cluster), chosen)
                left[cluster] = self._most_typical(values, members, rng)
            pick, typicality = left[cluster].pop(0)
            chosen.append(pick)
            typicalities.append(typicality)
            share = 100 * sizes[cluster] / len(values)
            others = "none labelled" if taken[cluster] == 0 else f"{taken[cluster]} labelled or chosen"
            reasons.append(f"typical of a group of {share:.1f} % of the pool, {others} in it")
            taken[cluster] += 1
            remaining[cluster] -= 1
        return np.array(chosen), np.array(typicalities, np.float32), reasons

    def _most_typical(
        self, values: Matrix, members: NDArray[np.int64], rng: np.random.Generator
    ) -> list[tuple[int, float]]:
        """Members with their typicality, the most typical first, equal ones in random order."""
        members = rng.permutation(members)[:MOST_MEMBERS]
        found = typicality(values[members], self.neighbours)
        order = np.argsort(-found, kind="stable")
        return list(zip(members[order].tolist(), found[order].tolist(), strict=True))


def typicality(points: Matrix, neighbours: int) -> Matrix:
    """1 / mean distance of each point to its nearest neighbours among the others.

    Args:
        points: Shape (M, D), M >= 1.
        neighbours: Number of neighbours; fewer if there are not enough.

    Returns:
        Shape (M,), finite, > 0; a point alone has 1.
    """
    count = min(neighbours, len(points) - 1)
    if count == 0:
        return np.ones(len(points), np.float32)
    squared = squared_distances(points, points)
    np.fill_diagonal(squared, np.inf)
    nearest = np.partition(squared, count - 1, axis=1)[:, :count]
    return np.asarray(1 / np.maximum(np.sqrt(nearest).mean(axis=1), 1e-6), np.float32)
