"""Core-set selection: no sample of the pool far from a labelled one."""

from typing import ClassVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from al_loop.querying.strategies.bounds import CANDIDATES_PER_PICK, COVERED, some
from al_loop.querying.strategies.coverage import squared_distances, squared_distances_to
from al_loop.querying.strategies.fallback import NO_EMBEDDINGS, fall_back
from al_loop.querying.strategies.selection import Selection, size_of
from al_loop.scoring.pool_scores import Candidates
from models.arrays import Matrix

FAR_CANDIDATES = 4096
"""Random samples among which the farthest are looked for."""


class CoreSet(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="core_set"):
    """Farthest first: greedy k-centre (core-set; Sener and Savarese 2018, arXiv 1708.00489).

    Each pick is argmax over x of min over s of |h(x) - h(s)|, s labelled, leased or chosen. It spreads widely and likes
    outliers: compare `max_herding`. Needs embeddings only. Looks at 4096 random samples (two a pick in large queries)
    and at most 1024 random labelled ones: 4096 x 1024 distances at once (16 MB). The very farthest sample of a larger
    pool may not be among them.
    """

    uses_scores: ClassVar[bool] = True

    def select(self, pool: Candidates, query_size: int, rng: np.random.Generator) -> Selection:
        """Choose greedily; utilities are distances, 0 for a first pick that nothing is far from."""
        size = size_of(pool, query_size)
        if pool.table is None:
            return fall_back(pool, size, rng, NO_EMBEDDINGS)
        candidates = some(len(pool), max(FAR_CANDIDATES, CANDIDATES_PER_PICK * size), rng)
        values = pool.embeddings(candidates)  # (C, D)
        near = pool.covered(COVERED, rng)  # (M, D)
        distances = squared_distances(values, near).min(axis=1, initial=np.inf)  # (C,)
        chosen, farthest = farthest_first(values, distances, size)
        reasons = ["far from what is labelled or chosen"] * size
        if len(near) == 0:
            reasons[0] = "nothing is labelled yet: a random start"
        return Selection(indices=candidates[chosen], utilities=farthest, reasons=reasons)


def farthest_first(values: Matrix, squared: Matrix, size: int) -> tuple[NDArray[np.int64], Matrix]:
    """Greedy k-centre.

    Args:
        values: Embeddings, shape (C, D).
        squared: Squared distance of each to the nearest centre so far, shape (C,); inf: there is none.
        size: Picks, at most C.

    Returns:
        Row numbers in the order of choice, shape (size,), and the distance of each to the nearest centre before it, 0
        where there was none. Ties are resolved by row order: shuffle the rows.
    """
    squared, lengths = squared.copy(), np.square(values).sum(axis=1)
    chosen = np.empty(size, np.int64)
    farthest = np.zeros(size, np.float32)
    for step in range(size):
        pick = int(np.argmax(squared))
        if np.isfinite(squared[pick]):
            farthest[step] = np.sqrt(squared[pick])
        chosen[step] = pick
        np.minimum(squared, squared_distances_to(values, lengths, [pick])[:, 0], out=squared)
        squared[chosen[: step + 1]] = -np.inf
    return chosen, farthest
