"""What a strategy does when the pool lacks what it wants: the next best choice, and a reason that says so."""

import numpy as np

from al_loop.querying.strategies.at_random import at_random
from al_loop.querying.strategies.by_coverage import herd
from al_loop.querying.strategies.by_score import available, because, most_uncertain
from al_loop.querying.strategies.selection import Selection, size_of
from al_loop.scoring.pool_scores import Candidates
from models.tasks.uncertainty import ScoreName

NO_EMBEDDINGS = "no embeddings yet"


def fall_back(pool: Candidates, query_size: int, rng: np.random.Generator, missing: str) -> Selection:
    """Coverage if there are embeddings, else the highest entropy if there are scores, else random choice.

    Args:
        pool: Candidates.
        query_size: Samples wanted.
        rng: Source of chance.
        missing: What the strategy wanted and the pool lacks, for people: it begins the reasons.
    """
    size = size_of(pool, query_size)
    if pool.table is not None:
        return herd(pool, size, rng, missing=missing)
    name, _ = available(pool, "entropy")
    if name is not None:
        return most_uncertain(pool, size, rng, name, missing)
    return at_random(pool, size, rng, because(missing, "random"))


def most_uncertain_or_else(pool: Candidates, query_size: int, rng: np.random.Generator, wanted: ScoreName) -> Selection:
    """The highest values of an uncertainty; of another one if it is missing; coverage or chance without any."""
    name, missing = available(pool, wanted)
    if name is None:
        return fall_back(pool, query_size, rng, missing)
    return most_uncertain(pool, query_size, rng, name, missing)
