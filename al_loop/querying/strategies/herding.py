"""Greedy kernel coverage: samples that stand for many others, weighted by how uncertain those are, or not."""

from typing import Annotated, ClassVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from al_loop.querying.strategies.bounds import UNCERTAIN_CANDIDATES
from al_loop.querying.strategies.by_coverage import Weigh, herd
from al_loop.querying.strategies.by_score import available
from al_loop.querying.strategies.fallback import NO_EMBEDDINGS, fall_back
from al_loop.querying.strategies.selection import Selection, size_of
from al_loop.scoring.pool_scores import Candidates
from models.arrays import Floats
from models.tasks.uncertainty import ScoreName, all_scores

RadiusFactor = Annotated[float, msgspec.Meta(ge=0.05, le=20)]


class MaxHerding(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="max_herding"):
    """Typical samples, unlike each other and unlike what is labelled or leased (Bae et al. 2024, arXiv 2407.12212).

    Greedily maximises the generalised coverage, the mean over the pool of max over chosen s of k(x, s), with a Gaussian
    kernel. Needs embeddings only. The mean is taken over 2048 random samples and the choice made among 512 random ones
    (two a pick in large queries).
    """

    radius: RadiusFactor = 1.0
    """Factor on the kernel width, which is the distance to the nearest 1 / (covered + chosen) of the pool."""

    uses_scores: ClassVar[bool] = True

    def select(self, pool: Candidates, query_size: int, rng: np.random.Generator) -> Selection:
        """Choose greedily; without embeddings the highest entropy, else at random."""
        size = size_of(pool, query_size)
        if pool.table is None:
            return fall_back(pool, size, rng, NO_EMBEDDINGS)
        return herd(pool, size, rng, radius=self.radius)


class UHerding(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="u_herding"):
    """Samples that stand for many uncertain others (UHerding; Bae et al. 2025, arXiv 2412.20644).

    Greedily maximises the mean over the pool of u(x) max over chosen s of k(x, s): `MaxHerding` weighted by
    uncertainty. The kernel width shrinks as labels grow, so that the choice turns from coverage to uncertainty. The
    paper scales probabilities by a temperature; models here are calibrated when they are exported, and `temperature`
    corrects further. With every u alike it equals `MaxHerding`. The mean is taken over 2048 random samples, the choice
    made among 512 random and the 1024 most uncertain ones.
    """

    uncertainty: ScoreName = "margin"
    """u; a stand-in where the pool lacks it."""
    temperature: Annotated[float, msgspec.Meta(ge=0.05, le=20)] = 1.0
    """T of p_k^(1/T), normalised, before u is computed; above 1: less sure. Needs class probabilities."""
    radius: RadiusFactor = 1.0
    """As for `max_herding`."""

    uses_scores: ClassVar[bool] = True

    def select(self, pool: Candidates, query_size: int, rng: np.random.Generator) -> Selection:
        """Choose greedily; without embeddings the most uncertain, without scores by coverage, else at random."""
        size = size_of(pool, query_size)
        name, missing = available(pool, self.uncertainty)
        if pool.table is None:
            return fall_back(pool, size, rng, NO_EMBEDDINGS)
        if name is None:
            return herd(pool, size, rng, radius=self.radius, missing=missing)
        uncertainty = pool.checked_scores(name)
        if uncertainty.min() == uncertainty.max():
            return herd(pool, size, rng, radius=self.radius, missing=missing or "all equally uncertain")
        weigh: Weigh | None = None
        if self.temperature != 1:
            weigh = self._softened(pool, name)
            if weigh is None:
                missing = missing or "no class probabilities for a temperature"
        return herd(
            pool, size, rng, uncertainty=uncertainty, name=name, prefilter=UNCERTAIN_CANDIDATES, weigh=weigh,
            radius=self.radius, missing=missing,
        )  # fmt: skip

    def _softened(self, pool: Candidates, name: ScoreName) -> Weigh | None:
        if pool.probability_table is None or name == "bald":
            return None

        def weigh(picks: NDArray[np.int64]) -> NDArray[np.float32]:
            return all_scores(softened(pool.probabilities(picks), self.temperature))[name]

        return weigh


def softened(probabilities: Floats, temperature: float) -> Floats:
    """p_k^(1/T), normalised over the last axis; shape as given, T > 0."""
    logs = np.log(np.maximum(probabilities, np.finfo(np.float32).tiny)) / np.float32(temperature)
    powers = np.exp(logs - logs.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True), np.float32)
