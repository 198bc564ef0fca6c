"""The default strategy, put together from the blocks of the others."""

from typing import Annotated, ClassVar

import msgspec
import numpy as np

from al_loop.acquisition import ScoreName
from al_loop.scored_pool import ScoredPool, Selection, size_of
from al_loop.strategies.at_random import at_random
from al_loop.strategies.by_coverage import herd
from al_loop.strategies.candidates import CANDIDATES, UNCERTAIN_CANDIDATES
from al_loop.strategies.fallback import most_uncertain_or_else


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

        Time and memory grow with the query, not with the pool (`al_loop.strategies.by_coverage`);
        `tests/benchmarks/bench_query.py` measures the time.
        """
        size = size_of(pool, query_size)
        if pool.table is None:
            if pool.scores:
                return most_uncertain_or_else(pool, query_size, rng, self.uncertainty)
            return at_random(pool, query_size, rng, "features not ready: random")
        uncertainty = pool.checked_scores(self.uncertainty) if self.uncertainty in pool.scores else None
        prefilter = max(CANDIDATES, min(self.prefilter * size, UNCERTAIN_CANDIDATES))
        return herd(pool, size, rng, uncertainty=uncertainty, name=self.uncertainty, prefilter=prefilter)
