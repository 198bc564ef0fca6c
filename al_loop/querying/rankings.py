"""One ranked list of picks for each strategy in use, made again when the scores change or it is used up.

Greedy choice goes on where it stopped: the picks after the first k are those that the strategy would choose once the
first k are leased. So one list serves the queries of many annotators. In the background, a query takes from the list
that there is while the next one is made; else it waits for the list that it needs, so that equal seeds give equal
answers.
"""

import threading
import time
from collections.abc import Callable, Sequence, Set
from functools import partial

import numpy as np
from numpy.typing import NDArray

from al_loop.domain.queries import Pick, QueryUnit
from al_loop.querying.spread import SpacingRules, first_of_each_place
from al_loop.querying.strategies import StrategyConfig
from al_loop.scoring.pool_scores import Candidates, PoolScores
from al_loop.store.pool_index import PoolIndex
from models.arrays import NO_IDS, Ids

MOST_AHEAD = 512
"""Picks ranked at most, unless one query wants more or annotators take more while the next list is made."""

MOST_DEMAND = 4096
"""Picks ranked at most, however many annotators take while a list is made."""

CANDIDATES_PER_PICK = 3
"""Picks ranked for each that is needed where samples must lie apart, so that some can be passed over."""

IN_USE_S = 600.0
"""Seconds since its last query in which a strategy is ranked again when scores change; later its list is forgotten."""


class RankedList:
    """Picks of one strategy that were not handed out yet, best first."""

    def __init__(self, picks: Sequence[Pick], scores: PoolScores) -> None:
        """Keep `picks`, which were ranked by `scores`."""
        self.scores = scores
        self.length = len(picks)
        """Picks at first."""
        self.used_at = time.monotonic()
        """When a query took from it last."""
        self.demand = 0
        """How many picks were taken from the list before while this one was made."""
        self._picks = list(picks)
        self._ids: Ids = np.array([pick.sample_id for pick in picks], np.int64)

    def first_ids(self, count: int) -> list[int]:
        """Samples of the best picks that were left when it was last asked for them."""
        return [pick.sample_id for pick in self._picks[:count]]

    def still_free(self, is_free: Callable[[Ids], NDArray[np.bool_]], left_out: Set[int] = frozenset()) -> list[Pick]:
        """The picks that may still be handed out, best first.

        Args:
            is_free: Which of some ids may be queried now.
            left_out: Ids that are not for the annotator who asks; they stay for others.
        """
        free = is_free(self._ids)
        if not free.all():
            self._picks = [pick for pick, still in zip(self._picks, free.tolist(), strict=True) if still]
            self._ids = self._ids[free]
        return [pick for pick in self._picks if pick.sample_id not in left_out] if left_out else list(self._picks)


def rank(
    strategy: StrategyConfig,
    scores: PoolScores,
    offered: Ids,
    covered: Ids,
    size: int,
    rng: np.random.Generator,
    *,
    labelled: int = 0,
    most: int = MOST_AHEAD,
    front: Sequence[Pick] = (),
    last: Ids = NO_IDS,
    unit: QueryUnit = "image",
) -> RankedList:
    """Rank at least `size` samples if there are enough; those that were not scored come last, at random.

    How far ahead grows with the labelled and leased samples: coverage is planned for their number, and a long plan
    would spread the first few picks too thin.

    Args:
        strategy: Chooses among the scored samples.
        scores: The newest.
        offered: Ids that may be queried, ascending.
        covered: Ids labelled or leased.
        size: Picks needed now.
        rng: Source of chance.
        labelled: Labelled samples outside the test reserve.
        most: Picks ranked at most if `size` is smaller.
        front: Picks of the list before that will be handed out while this one is made: they stay in front, and what
            comes after is unlike them.
        last: Further ids that may be queried, at random after all those offered: repeated acquisitions.
        unit: What is asked about.

    Raises:
        NonFiniteScoresError: Scores or embeddings are NaN or infinite.
    """
    ahead = max(size, min(most, len(covered) // 2))
    if front:
        kept = np.array([pick.sample_id for pick in front], np.int64)
        offered, last = (np.setdiff1d(ids, kept, assume_unique=True) for ids in (offered, last))
        covered = np.concatenate([covered, kept])
    picks = list(front)
    if len(offered):
        pool, unscored = scores.pool(offered, covered, labelled, about_points=unit == "point")
        if len(pool) == 0 or not strategy.uses_scores:
            pool, unscored = Candidates(sample_ids=offered, labelled_count=labelled), unscored[:0]
        selection = strategy.select(pool, ahead, rng)
        chosen = pool.sample_ids[selection.indices].tolist()
        others = rng.permutation(unscored)[: max(0, ahead - len(chosen))].tolist()
        reasons = [*selection.reasons, *["not scored yet: random"] * len(others)]
        picks += map(Pick, chosen + others, scores.entropies(chosen + others), reasons)
    again = rng.permutation(last)[: max(0, ahead - len(picks))].tolist() if len(last) else []
    picks += [
        Pick(sample_id, score, "of a place asked about before")
        for sample_id, score in zip(again, scores.entropies(again), strict=True)
    ]
    return RankedList(picks, scores)


class CampaignRankings:
    """The ranked lists of one campaign by strategy; a cache, except for the random generator."""

    def __init__(self, seed: Sequence[int], unit: QueryUnit = "image") -> None:
        """Nothing is ranked yet; `seed` is that of all chance in it, `unit` what is asked about."""
        self.unit = unit
        self.spacing: SpacingRules | None = None
        """Rules of how far apart samples lie, if there are any."""
        self._rng = np.random.default_rng(seed)
        self._making = threading.Lock()
        self._lists: dict[StrategyConfig, RankedList] = {}

    def in_use(self) -> list[StrategyConfig]:
        """Strategies whose list was used lately."""
        now = time.monotonic()
        return [strategy for strategy, ranked in list(self._lists.items()) if now - ranked.used_at < IN_USE_S]

    def forget_unused(self) -> None:
        """Drop the lists that were not used lately: the next query of such a strategy ranks anew."""
        in_use = self.in_use()
        for strategy in set(self._lists) - set(in_use):
            self._lists.pop(strategy, None)

    def list_of(self, strategy: StrategyConfig) -> RankedList | None:
        """The newest list of a strategy, if one was made."""
        return self._lists.get(strategy)

    def next_picks(
        self, strategy: StrategyConfig, index: PoolIndex, size: int, annotator: str, scores: PoolScores | None = None
    ) -> list[Pick] | None:
        """The next picks for an annotator, perhaps more than `size`, or None if a list has to be made first.

        Args:
            strategy: Which list.
            index: Locked by the caller.
            size: Picks wanted; fewer come only if the pool has no more.
            annotator: What is hidden from them is left out.
            scores: Those that the list must be ranked by; None: any.
        """
        ranked = self._lists.get(strategy)
        if ranked is None or (scores is not None and ranked.scores is not scores):
            return None
        ranked.used_at = time.monotonic()
        hidden = index.hidden_from(annotator, self.unit)
        left_out = set(index.sample_ids[list(hidden)].tolist()) if hidden else frozenset[int]()
        picks = ranked.still_free(self._open_in(index), left_out)
        return None if len(picks) < min(size, index.count_open(annotator, self.unit)) else picks

    def make(
        self,
        strategy: StrategyConfig,
        scores: PoolScores,
        index: PoolIndex,
        size: int,
        *,
        instead_of: RankedList | None = None,
    ) -> None:
        """Rank the pool as it is now.

        Args:
            strategy: Chooses.
            scores: The newest.
            index: Not locked by the caller.
            size: Picks needed at least.
            instead_of: The list that does not suffice: if another thread has replaced it meanwhile, nothing is done.

        Raises:
            NonFiniteScoresError: Scores or embeddings are NaN or infinite.
        """
        with self._making:
            old = self._lists.get(strategy)
            if old is not None and old is not instead_of:
                return
            with index.lock:
                before = [] if old is None else old.still_free(self._open_in(index))
                states = index.copy(self.unit)
            spacing, offered, last = self.spacing, states.free(), NO_IDS
            demand = 0 if old is None else old.demand
            if spacing is not None:
                size *= CANDIDATES_PER_PICK
                if spacing.settings.once_per_place:
                    every = offered
                    offered = first_of_each_place(every, states.queried(), spacing.footprints, self._rng)
                    last = np.setdiff1d(every, offered, assume_unique=True)
            made = rank(
                strategy, scores, offered, states.covered(), size, self._rng,
                labelled=states.labelled,
                most=min(max(MOST_AHEAD, 3 * demand), MOST_DEMAND),
                front=before[:demand] if old is not None and old.scores is scores else (),
                last=last,
                unit=self.unit,
            )  # fmt: skip
            if old is not None:
                made.used_at = old.used_at
                with index.lock:
                    made.demand = len(before) - len(old.still_free(self._open_in(index)))
            self._lists[strategy] = made

    def runs_low(self, strategy: StrategyConfig, index: PoolIndex, size: int) -> bool:
        """Whether, after a query of `size`, it is time to make the next list."""
        ranked = self._lists.get(strategy)
        if ranked is None:
            return False
        with index.lock:
            free = len(ranked.still_free(self._open_in(index)))
        return free < max(ranked.length // 2, size, 2 * ranked.demand)

    def _open_in(self, index: PoolIndex) -> Callable[[Ids], NDArray[np.bool_]]:
        return partial(index.free_among, unit=self.unit)
