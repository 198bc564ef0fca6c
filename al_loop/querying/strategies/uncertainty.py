"""The most uncertain samples, one by one: strong with many labels, redundant in large queries, blind at cold start."""

from typing import ClassVar

import msgspec
import numpy as np

from al_loop.querying.strategies.fallback import most_uncertain_or_else
from al_loop.querying.strategies.selection import Selection
from al_loop.scoring.pool_scores import Candidates


class LeastConfidence(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="least_confidence"):
    """The samples whose likeliest class is least likely (Lewis and Gale 1994): highest 1 - max p_k.

    Coverage before the first model.
    """

    uses_scores: ClassVar[bool] = True

    def select(self, pool: Candidates, query_size: int, rng: np.random.Generator) -> Selection:
        """Choose the highest `least_confidence`."""
        return most_uncertain_or_else(pool, query_size, rng, "least_confidence")


class Margin(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="margin"):
    """The samples whose two likeliest classes are closest (Scheffer et al. 2001): highest 1 - (p_first - p_second).

    Coverage before the first model.
    """

    uses_scores: ClassVar[bool] = True

    def select(self, pool: Candidates, query_size: int, rng: np.random.Generator) -> Selection:
        """Choose the highest `margin`."""
        return most_uncertain_or_else(pool, query_size, rng, "margin")


class Entropy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="entropy"):
    """The samples with the highest predictive entropy (Settles 2009): H = -sum_k p_k ln p_k.

    Coverage before the first model.
    """

    uses_scores: ClassVar[bool] = True

    def select(self, pool: Candidates, query_size: int, rng: np.random.Generator) -> Selection:
        """Choose the highest `entropy`."""
        return most_uncertain_or_else(pool, query_size, rng, "entropy")


class Bald(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="bald"):
    """The samples that models disagree about (BALD; Houlsby et al. 2011, arXiv 1112.5745): I = H(E[p]) - E[H(p)].

    The expectation is over a small ensemble of heads on bootstrap samples of the labels (`models.heads.scores`), not
    over MC dropout. What is hard for every head alike, noise in the labels for one, scores low. Entropy where the pool
    has no such score, coverage before the first model.
    """

    uses_scores: ClassVar[bool] = True

    def select(self, pool: Candidates, query_size: int, rng: np.random.Generator) -> Selection:
        """Choose the highest `bald`."""
        return most_uncertain_or_else(pool, query_size, rng, "bald")
