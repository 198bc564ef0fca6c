"""Choice by weighted kernel coverage on bounded random parts of the pool: the block of the herding strategies."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from al_loop.querying.strategies.bounds import CANDIDATES, CANDIDATES_PER_PICK, COVERED, REFERENCES, some
from al_loop.querying.strategies.by_score import because, words
from al_loop.querying.strategies.coverage import cover, kernel, kernel_width
from al_loop.querying.strategies.selection import PercentileRanks, Selection, highest
from al_loop.scoring.pool_scores import Candidates
from models.tasks.uncertainty import ScoreName

LEAST_WEIGHT = np.float32(1e-6)
"""Weight of a certain sample: a pool of certainties is still covered."""

UNCERTAIN_SHARE = 0.25
"""A pick among the most uncertain quarter was chosen for itself, others for what is around them."""

Weigh = Callable[[NDArray[np.int64]], NDArray[np.float32]]


def herd(
    pool: Candidates,
    size: int,
    rng: np.random.Generator,
    *,
    uncertainty: NDArray[np.float32] | None = None,
    name: ScoreName = "entropy",
    prefilter: int = CANDIDATES,
    weigh: Weigh | None = None,
    radius: float = 1.0,
    missing: str = "",
) -> Selection:
    """Greedy coverage of a random reference by candidates that are random or among the most uncertain.

    What is labelled or leased counts as covered. For 20 samples the largest matrix is 1024 x 2048, of which three exist
    at once (25 MB), whatever the size of the pool.

    Args:
        pool: With embeddings.
        size: Samples wanted, at most N.
        rng: Draws candidates and reference, breaks ties.
        uncertainty: Shape (N,), finite: its highest values join the candidates, and it weighs the reference unless
            `weigh` does. None: every sample weighs the same.
        name: What `uncertainty` is, for the reasons.
        prefilter: The most uncertain candidates, at most.
        weigh: Importance of some positions of the pool, shape (R,) -> (R,), >= 0.
        radius: Factor on the kernel width, which shrinks as labels grow (see `coverage.kernel_width`).
        missing: Put before the reasons if the strategy wanted something else.

    Raises:
        NonFiniteScoresError: Embeddings that were looked at are NaN or infinite.
    """
    references = some(len(pool), REFERENCES, rng)
    candidates = some(len(pool), max(CANDIDATES, CANDIDATES_PER_PICK * size), rng)
    weights = np.ones(len(references), np.float32)
    if uncertainty is not None:
        candidates = np.union1d(candidates, highest(uncertainty, min(prefilter, len(pool)), rng))
        weights = np.maximum(uncertainty[references], LEAST_WEIGHT)
    if weigh is not None:
        weights = np.maximum(weigh(references), LEAST_WEIGHT)
    candidates = rng.permutation(candidates)  # `cover` resolves equal gains by row order
    there = pool.embeddings(references)  # (R, D)
    near = pool.covered(COVERED, rng)  # (M, D)
    width = radius * kernel_width(there, pool.covered_count + size)
    covered = kernel(there, near, width).max(axis=1, initial=0)  # (R, M) -> (R,)
    similarity = kernel(pool.embeddings(candidates), there, width)  # (C, R)
    chosen, gains = cover(similarity, weights, covered, size)
    picks = candidates[chosen]
    if uncertainty is None:
        reasons = ["covers an unlabelled part of the pool"] * size
    else:
        standings = PercentileRanks(uncertainty)
        reasons = [_reason(standings, value, name) for value in uncertainty[picks].tolist()]
    return Selection(indices=picks, utilities=gains, reasons=[because(missing, text) for text in reasons])


def _reason(standings: PercentileRanks, value: float, name: ScoreName) -> str:
    rank = f"{words(name)} {value:.2f} ({standings.top_percent(value)})"
    if standings.share_above(value) <= UNCERTAIN_SHARE:
        return f"uncertain and unlike the others: {rank}"
    return f"stands for uncertain samples around it: {rank}"
