"""The query strategies. The registry is the union `StrategyConfig`: one frozen Struct each, holding its options.

A strategy sees arrays only; leases, annotators and the test reserve are the sampler's business.
"""

from typing import Annotated, ClassVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from al_loop.acquisition import ScoreName
from al_loop.coverage import cover, kernel, kernel_width
from al_loop.scored_pool import ScoredPool, Selection, highest, size_of, top_percent

REFERENCES = 2048
"""Random samples on which coverage of the pool is estimated."""

CANDIDATES = 512
"""Random candidates of a coverage query; as many most uncertain ones join them when there is a model."""

COVERED = 1024
"""Labelled and leased samples that are taken into account, at most; a random part of them when there are more."""

CANDIDATES_PER_PICK = 2
"""Large queries look at this many random candidates a pick at least."""

UNCERTAIN_CANDIDATES = 1024
"""Most uncertain candidates of a coverage query, at most."""


class Random(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="random"):
    """Uniform choice: the baseline that every learning curve includes."""

    uses_scores: ClassVar[bool] = False

    def select(self, pool: ScoredPool, query_size: int, rng: np.random.Generator) -> Selection:
        """Choose uniformly without replacement."""
        return _random(pool, query_size, rng, "random control")


class LeastConfidence(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="least_confidence"):
    """The samples whose likeliest class is least likely (Lewis and Gale 1994); coverage before the first model."""

    uses_scores: ClassVar[bool] = True

    def select(self, pool: ScoredPool, query_size: int, rng: np.random.Generator) -> Selection:
        """Choose the highest `least_confidence`."""
        return _most_uncertain(pool, query_size, rng, "least_confidence")


class Margin(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="margin"):
    """The samples whose two likeliest classes are closest (Scheffer et al. 2001); coverage before the first model."""

    uses_scores: ClassVar[bool] = True

    def select(self, pool: ScoredPool, query_size: int, rng: np.random.Generator) -> Selection:
        """Choose the highest `margin`."""
        return _most_uncertain(pool, query_size, rng, "margin")


class Entropy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="entropy"):
    """The samples with the highest predictive entropy (Settles 2009); coverage before the first model."""

    uses_scores: ClassVar[bool] = True

    def select(self, pool: ScoredPool, query_size: int, rng: np.random.Generator) -> Selection:
        """Choose the highest `entropy`."""
        return _most_uncertain(pool, query_size, rng, "entropy")


class Auto(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="auto"):
    """Both uncertain and diverse: uncertainty-weighted kernel coverage (UHerding, arXiv 2412.20644).

    Before the first model every sample weighs the same (MaxHerding, arXiv 2407.12212): typical samples, unlike each
    other and unlike what is labelled or leased. Without embeddings or features the choice is random.
    """

    uncertainty: ScoreName = "entropy"
    """Which score says how uncertain a sample is."""
    prefilter: Annotated[int, msgspec.Meta(ge=1, le=100)] = 10
    """The most uncertain candidates that are looked at, per sample of the query; as many random ones join them."""

    uses_scores: ClassVar[bool] = True

    def select(self, pool: ScoredPool, query_size: int, rng: np.random.Generator) -> Selection:
        """Choose greedily.

        Time and memory grow with the query, not with the pool. For 20 samples the largest matrix is 1024 x 2048, of
        which three exist at once (25 MB); `tests/benchmarks/bench_query.py` measures the time.
        """
        size = size_of(pool, query_size)
        if pool.table is None:
            if pool.scores:
                return _most_uncertain(pool, query_size, rng, self.uncertainty)
            return _random(pool, query_size, rng, "features not ready: random")
        uncertainty = pool.checked_scores(self.uncertainty) if self.uncertainty in pool.scores else None
        prefilter = max(CANDIDATES, min(self.prefilter * size, UNCERTAIN_CANDIDATES))
        return _herd(pool, size, rng, uncertainty, self.uncertainty, prefilter)


StrategyConfig = Random | LeastConfidence | Margin | Entropy | Auto


def _random(pool: ScoredPool, query_size: int, rng: np.random.Generator, reason: str) -> Selection:
    size = size_of(pool, query_size)
    indices = rng.choice(len(pool), size, replace=False)
    return Selection(indices=indices, utilities=np.zeros(size, np.float32), reasons=[reason] * size)


def _most_uncertain(pool: ScoredPool, query_size: int, rng: np.random.Generator, name: ScoreName) -> Selection:
    size = size_of(pool, query_size)
    if name not in pool.scores:
        return Auto().select(pool, query_size, rng)
    values = pool.checked_scores(name)
    indices = highest(values, size, rng)
    words = name.replace("_", " ")
    reasons = [f"uncertain: {words} {values[pick]:.2f} ({top_percent(values, values[pick])})" for pick in indices]
    return Selection(indices=indices, utilities=values[indices], reasons=reasons)


def _herd(
    pool: ScoredPool,
    size: int,
    rng: np.random.Generator,
    uncertainty: NDArray[np.float32] | None,
    name: ScoreName,
    prefilter: int,
) -> Selection:
    """Greedy coverage of a random reference by candidates that are random or among the most uncertain."""
    references = _some(len(pool), REFERENCES, rng)
    candidates = _some(len(pool), max(CANDIDATES, CANDIDATES_PER_PICK * size), rng)
    weights = np.ones(len(references), np.float32)
    if uncertainty is not None:
        candidates = np.union1d(candidates, highest(uncertainty, min(prefilter, len(pool)), rng))
        weights = np.maximum(uncertainty[references], np.float32(1e-6))  # a pool of certainties is still covered
    candidates = rng.permutation(candidates)  # `cover` resolves equal gains by row order
    there = pool.embeddings(references)  # (R, D)
    near = pool.covered(COVERED, rng)  # (M, D)
    width = kernel_width(there, pool.covered_count + size)
    covered = kernel(there, near, width).max(axis=1, initial=0)  # (R, M) -> (R,)
    similarity = kernel(pool.embeddings(candidates), there, width)  # (C, R)
    chosen, gains = cover(similarity, weights, covered, size)
    picks = candidates[chosen]
    if uncertainty is None:
        return Selection(indices=picks, utilities=gains, reasons=["covers an unlabelled part of the pool"] * size)
    return Selection(indices=picks, utilities=gains, reasons=[_reason(uncertainty, pick, name) for pick in picks])


def _reason(uncertainty: NDArray[np.float32], pick: int, name: ScoreName) -> str:
    value = f"{name.replace('_', ' ')} {uncertainty[pick]:.2f}"
    rank = top_percent(uncertainty, uncertainty[pick])
    if np.count_nonzero(uncertainty > uncertainty[pick]) <= len(uncertainty) / 4:
        return f"uncertain and unlike the others: {value} ({rank})"
    return f"stands for uncertain samples around it: {value} ({rank})"


def _some(count: int, most: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """All of `count` positions, or a random `most` of them, in random order."""
    return rng.choice(count, min(count, most), replace=False)
