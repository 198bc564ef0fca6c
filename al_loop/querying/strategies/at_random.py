"""Random choice, the baseline of every learning curve and the last resort of every other strategy."""

from typing import ClassVar

import msgspec
import numpy as np

from al_loop.querying.strategies.selection import Selection, size_of
from al_loop.scoring.pool_scores import Candidates


def at_random(pool: Candidates, query_size: int, rng: np.random.Generator, reason: str) -> Selection:
    """Choose uniformly without replacement, all for one reason."""
    size = size_of(pool, query_size)
    indices = rng.choice(len(pool), size, replace=False)
    return Selection(indices=indices, utilities=np.zeros(size, np.float32), reasons=[reason] * size)


class Random(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="random"):
    """Uniform choice: the baseline that every learning curve includes."""

    uses_scores: ClassVar[bool] = False

    def select(self, pool: Candidates, query_size: int, rng: np.random.Generator) -> Selection:
        """Choose uniformly without replacement."""
        return at_random(pool, query_size, rng, "random control")
