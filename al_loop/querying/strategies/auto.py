"""The default strategy, put together from the blocks of the others; it switches by itself as labels grow."""

from typing import Annotated, ClassVar

import msgspec
import numpy as np

from al_loop.querying.strategies.at_random import at_random
from al_loop.querying.strategies.bounds import CANDIDATES, UNCERTAIN_CANDIDATES
from al_loop.querying.strategies.by_cluster import central
from al_loop.querying.strategies.by_coverage import herd
from al_loop.querying.strategies.by_score import available
from al_loop.querying.strategies.clasp_pe import ClaspPE
from al_loop.querying.strategies.fallback import NO_EMBEDDINGS, fall_back
from al_loop.querying.strategies.selection import Selection, size_of
from al_loop.querying.strategies.unsure_images import by_unsure_pixels
from al_loop.scoring.pool_scores import Candidates
from models.tasks.uncertainty import ScoreName

LEAST_SKILL = 0.05
"""Skill below which embeddings are not used; see `models.heads.linear_head.Head.skill`."""

UNKNOWN = "not known yet whether image features tell the classes apart: random"

MANY_RADIUS = 0.5
"""Factor on the kernel width once labels are many: the choice turns to the particular."""


class Auto(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="auto"):
    """Central samples first, then uncertainty and coverage, then more and more uncertainty.

    * Image features only, and too few labels to tell whether they separate the classes: chance. On spectra or places
      that say nothing of the classes, coverage would be worse than that.
    * Embeddings of an encoder or a model, and no scores yet: the most central samples of clusters without a label.
      `max_herding` gave 7 points less at 10 labels on the shipped encoder's features (docs/strategies.md).
    * With scores: `u_herding`, coverage weighted by entropy (arXiv 2412.20644), whose kernel shrinks as labels grow.
    * From `many_labels` a class on: weighted by margin instead, with half the kernel width. Entropy looks for what the
      model knows nothing of, margin for the borders between classes that it already knows (docs/strategies.md).
    * Segmentation with scores: `clasp_pe`, equal shares for the predicted classes (arXiv 2601.13677), which was ahead
      of coverage there. Not where several tasks are scored: it would pass over the others.
    * Points of segmentation with scores: images in which turns of the classes over all images' unsure pixels would ask
      most often (`al_loop.querying.strategies.unsure_images`); at random while those are not counted.
    * Where held-out labels show that the embeddings barely separate the classes, or the random control that chance
      has done better so far: chance.

    The reason of each sample says which of these it was.
    """

    many_labels: Annotated[int, msgspec.Meta(ge=1, le=100_000)] = 10
    """Labels a class from which margin takes over."""
    uncertainty: ScoreName | None = None
    """Always weigh by this; None: entropy, then margin."""

    uses_scores: ClassVar[bool] = True

    def select(self, pool: Candidates, query_size: int, rng: np.random.Generator) -> Selection:
        """Choose greedily; without embeddings the most uncertain, without either at random.

        Time and memory grow with the query, not with the pool (`al_loop.querying.strategies.by_coverage`);
        `tests/benchmarks/bench_query.py` measures the time.
        """
        size = size_of(pool, query_size)
        if pool.about_points and pool.scores and not pool.worse_than_random:
            return by_unsure_pixels(pool, size, rng)
        if pool.table is None:
            return fall_back(pool, size, rng, NO_EMBEDDINGS)
        if pool.features_only and pool.skill is None:
            return at_random(pool, size, rng, UNKNOWN)
        if pool.skill is not None and pool.skill < LEAST_SKILL:
            return at_random(pool, size, rng, "embeddings hardly tell the classes apart: random")
        if pool.worse_than_random:
            return at_random(pool, size, rng, "chance has done better so far: random")
        if pool.stratum_table is not None and not pool.combined and self.uncertainty is None:
            return ClaspPE().select(pool, size, rng)
        many = pool.labelled_count >= self.many_labels * _classes(pool)
        name, missing = available(pool, self.uncertainty or ("margin" if many else "entropy"))
        if name is None:
            return central(pool, size, rng)
        return herd(
            pool,
            size,
            rng,
            uncertainty=pool.checked_scores(name),
            name=name,
            prefilter=max(CANDIDATES, min(10 * size, UNCERTAIN_CANDIDATES)),
            radius=MANY_RADIUS if many else 1.0,
            missing=missing,
        )


def _classes(pool: Candidates) -> int:
    """Classes that the pool is scored for; 2 where it does not say."""
    return 2 if pool.probability_table is None else int(pool.probability_table.shape[1])
