"""One strategy with one seed on a prepared pool: query, answer, refit a light head, measure. Seconds instead of hours.

The strategies are the service's own and see the pool as the sampler shows it to them; only the network is left out.
"""

import time
from collections.abc import Callable, Sequence

import numpy as np

from al_loop.querying.strategies import StrategyConfig, wants_bald
from al_loop.scoring.pool_scores import Candidates
from al_loop.simulation.fast.measuring import measure
from al_loop.simulation.fast.pool import SimulatedPool
from al_loop.simulation.records import RoundRecord
from models.arrays import Rows
from models.heads.linear_head import Head, fit_head
from models.heads.scores import head_scores


def play_fast(
    pool: SimulatedPool,
    strategy: StrategyConfig,
    seed: int,
    label_counts: Sequence[int],
    report: Callable[[int, RoundRecord], None],
) -> list[RoundRecord]:
    """All rounds of one run; ends early when the pool is exhausted.

    Args:
        pool: What can be asked about, and the right answers.
        strategy: Chooses.
        seed: Equal seeds give equal runs; every strategy draws from a generator of its own.
        label_counts: Labels spent after each round, ascending.
        report: Called with each round, numbered from 0.
    """
    rng = np.random.default_rng(seed)
    askable = np.flatnonzero(~pool.reserve)
    labelled: Rows = np.empty(0, np.int64)
    head: Head | None = None
    rounds: list[RoundRecord] = []
    for number, count in enumerate(label_counts):
        started = time.perf_counter()
        free = np.setdiff1d(askable, labelled, assume_unique=True)
        size = min(count - len(labelled), len(free))
        if size <= 0:
            break
        scored_by = head if strategy.uses_scores else None
        seen = _scored(pool, free, labelled, scored_by, np.random.default_rng(seed), wants_bald(strategy))
        labelled = np.concatenate([labelled, free[strategy.select(seen, size, rng).indices]])
        asked = time.perf_counter()
        head = fit_head(
            np.asarray(pool.embeddings[labelled], np.float32),
            pool.targets[labelled],
            rng=np.random.default_rng(seed),
            start=None if head is None else head.weights,
        )
        fitted = time.perf_counter()
        value, per_class = measure(pool, head)
        rounds.append(
            RoundRecord(
                labels=len(labelled), value=value, per_class=per_class,
                query_seconds=asked - started, training_seconds=fitted - asked,
                scoring_seconds=time.perf_counter() - fitted,
            )
        )  # fmt: skip
        report(number, rounds[-1])
    return rounds


def _scored(
    pool: SimulatedPool, free: Rows, labelled: Rows, head: Head | None, rng: np.random.Generator, with_bald: bool
) -> Candidates:
    """The pool as a strategy sees it: scores by the head of the round before, coverage by what is labelled."""
    if head is None:
        return Candidates(
            sample_ids=free, table=pool.embeddings, rows=free, covered_rows=labelled, labelled_count=len(labelled),
            features_only=pool.features_only,
        )  # fmt: skip
    scores, probabilities = head_scores(
        pool.embeddings, free, head, np.asarray(pool.embeddings[labelled], np.float32), pool.targets[labelled],
        rng, with_bald=with_bald,
    )  # fmt: skip
    return Candidates(
        sample_ids=free, scores=scores, table=pool.embeddings, rows=free, covered_rows=labelled,
        probability_table=probabilities,
        score_rows=np.arange(len(free)), labelled_count=len(labelled), skill=head.skill,
        features_only=pool.features_only,
    )  # fmt: skip
