"""Stochastic batches: the most uncertain samples with noise, so that a batch is not twenty times the same."""

from typing import Annotated, ClassVar, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from al_loop.querying.strategies.by_score import available, because, words
from al_loop.querying.strategies.fallback import fall_back
from al_loop.querying.strategies.selection import PercentileRanks, Selection, highest, size_of
from al_loop.scoring.pool_scores import Candidates
from models.tasks.uncertainty import ScoreName

Variant = Literal["power", "softmax", "softrank"]


class Power(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="power"):
    """The K highest of a noisy uncertainty (stochastic batch acquisition; Kirsch et al. 2021, arXiv 2106.12059).

    With Gumbel noise e the K highest are K draws without replacement, likely in proportion to:
    power: score^beta, by beta ln(score) + e; softmax: exp(beta score), by beta score + e;
    softrank: rank^-beta, by -beta ln(rank) + e, rank 1 being the highest score.
    As beta grows it becomes the plain K highest; as it falls, random choice. Reads the scores of the whole pool, some
    30 bytes a sample in passing, and no embeddings. Coverage before the first model.
    """

    score: ScoreName = "entropy"
    """Which uncertainty; a stand-in where the pool lacks it."""
    beta: Annotated[float, msgspec.Meta(ge=0, le=10_000)] = 1.0
    """Coldness: 0 is random choice, 1 the paper's default."""
    variant: Variant = "power"
    """What the noise is added to."""

    uses_scores: ClassVar[bool] = True

    def select(self, pool: Candidates, query_size: int, rng: np.random.Generator) -> Selection:
        """Choose the highest noisy scores."""
        size = size_of(pool, query_size)
        name, missing = available(pool, self.score)
        if name is None:
            return fall_back(pool, size, rng, missing)
        values = pool.checked_scores(name)
        indices = highest(noisy(values, self.beta, rng, self.variant), size, rng)
        standings = PercentileRanks(values)
        reasons = [
            because(missing, f"drawn by {words(name)} {values[pick]:.2f} ({standings.top_percent(values[pick])})")
            for pick in indices
        ]
        return Selection(indices=indices, utilities=values[indices], reasons=reasons)


def noisy(
    values: NDArray[np.float32], beta: float, rng: np.random.Generator, variant: Variant = "power"
) -> NDArray[np.float32]:
    """Scores with Gumbel noise, as `Power` says; equal scores are equally likely to come first.

    Args:
        values: Shape (N,), finite; negative ones count as 0 for "power".
        beta: At least 0.
        rng: Source of the noise.
        variant: What the noise is added to.

    Returns:
        Shape (N,); -inf for a score of 0 with "power" and beta > 0: it comes last.
    """
    noise = rng.gumbel(size=len(values))
    if beta == 0:
        return np.asarray(noise, np.float32)
    if variant == "softmax":
        base = np.asarray(values, np.float64)
    elif variant == "softrank":
        base = -np.log(_ranks(values, rng))
    else:
        with np.errstate(divide="ignore"):
            base = np.log(np.maximum(np.asarray(values, np.float64), 0))
    return np.asarray(beta * base + noise, np.float32)


def _ranks(values: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float64]:
    """1 for the highest value to N for the lowest, shape (N,); equal values in random order."""
    order = rng.permutation(len(values))
    ranks = np.empty(len(values))
    ranks[order[np.argsort(-values[order], kind="stable")]] = np.arange(1, len(values) + 1)
    return ranks
