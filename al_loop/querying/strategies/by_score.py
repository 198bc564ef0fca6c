"""Choice by one uncertainty: which one the pool has, and its highest values."""

import numpy as np

from al_loop.querying.strategies.selection import PercentileRanks, Selection, highest, size_of
from al_loop.scoring.pool_scores import Candidates
from models.tasks.uncertainty import ScoreName

STAND_INS: tuple[ScoreName, ...] = ("entropy", "margin", "least_confidence", "bald")
"""What is taken for an uncertainty that the pool lacks, the first that there is."""


def words(name: ScoreName) -> str:
    """The name of an uncertainty for people."""
    return "BALD" if name == "bald" else name.replace("_", " ")


def available(pool: Candidates, wanted: ScoreName) -> tuple[ScoreName | None, str]:
    """The wanted uncertainty or a stand-in for it, None without any; and what was missing, "" if nothing."""
    if wanted in pool.scores:
        return wanted, ""
    stand_in = next((name for name in STAND_INS if name in pool.scores), None)
    return stand_in, "no scores yet" if stand_in is None else f"no {words(wanted)} score yet"


def most_uncertain(
    pool: Candidates, query_size: int, rng: np.random.Generator, name: ScoreName, missing: str = ""
) -> Selection:
    """Choose the highest values of an uncertainty that the pool has.

    Args:
        pool: Candidates.
        query_size: Samples wanted.
        rng: Breaks ties.
        name: A key of `pool.scores`.
        missing: Put before the reasons if the strategy wanted something else.
    """
    size = size_of(pool, query_size)
    values = pool.checked_scores(name)
    indices = highest(values, size, rng)
    standings = PercentileRanks(values)
    reasons = [f"uncertain: {words(name)} {value:.2f} ({standings.top_percent(value)})" for value in values[indices]]
    return Selection(indices=indices, utilities=values[indices], reasons=[because(missing, text) for text in reasons])


def because(missing: str, reason: str) -> str:
    """A reason with what was missing before it, if anything was."""
    return f"{missing}: {reason}" if missing else reason
