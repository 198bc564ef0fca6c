"""Picks ranked ahead, so that many small queries share the work of one choice.

Greedy choice goes on where it stopped: the picks after the first k are those that the strategy would choose once the
first k are leased. So the rest of a ranking serves the next annotators, until the pool changed in other ways.
"""

from collections.abc import Callable, Sequence, Set
from typing import Self

import numpy as np
from numpy.typing import NDArray

from al_loop.domain.queries import Pick
from al_loop.querying.strategies import StrategyConfig
from al_loop.scoring.candidates import Candidates
from al_loop.scoring.pool_scores import PoolScores
from models.ids import NO_IDS, Ids

MOST_AHEAD = 512
"""Picks ranked at most, unless one query wants more or annotators take more while the next ranking is made."""


class Ranking:
    """Picks that were not handed out yet, best first."""

    def __init__(self, picks: Sequence[Pick], free: int, board: PoolScores) -> None:
        """Keep picks that were ranked by `board` when `free` samples could be asked about."""
        self.board = board
        self.length = len(picks)
        """Picks at first."""
        self._picks = list(picks)
        self._ids: Ids = np.array([pick.sample_id for pick in picks], np.int64)
        self._others = free - len(picks)

    @classmethod
    def of(
        cls,
        strategy: StrategyConfig,
        board: PoolScores,
        offered: Ids,
        covered: Ids,
        size: int,
        rng: np.random.Generator,
        *,
        labelled: int = 0,
        most: int = MOST_AHEAD,
        front: Sequence[Pick] = (),
        last: Ids = NO_IDS,
    ) -> Self:
        """Rank at least `size` samples if there are so many; those that were not scored come last, at random.

        How far ahead grows with the labelled and leased samples: coverage is planned for their number, and a long plan
        would spread the first few picks too thin.

        Args:
            strategy: Chooses among the scored samples.
            board: The newest scores.
            offered: Ids that may be asked about, ascending, at least one.
            covered: Ids labelled or leased.
            size: Picks needed now.
            rng: Source of chance.
            labelled: Labelled samples outside the test reserve.
            most: Picks ranked at most if `size` is smaller.
            front: Picks of the ranking before that will be handed out while this one is made: they stay in front, and
                what comes after is unlike them.
            last: Further ids that may be asked about, at random after all those offered: repeated acquisitions.
        """
        ahead, free = max(size, min(most, len(covered) // 2)), len(offered) + len(last)
        if front:
            kept = np.array([pick.sample_id for pick in front], np.int64)
            rest, last = (np.setdiff1d(ids, kept, assume_unique=True) for ids in (offered, last))
            covered = np.concatenate([covered, kept])
        else:
            rest = offered
        picks = list(front)
        if len(rest):
            pool, unscored = board.pool(rest, covered, labelled)
            if len(pool) == 0 or not strategy.uses_scores:
                pool, unscored = Candidates(sample_ids=rest, labelled_count=labelled), unscored[:0]
            selection = strategy.select(pool, ahead, rng)
            chosen = pool.sample_ids[selection.indices].tolist()
            others = rng.permutation(unscored)[: max(0, ahead - len(chosen))].tolist()
            reasons = [*selection.reasons, *["not scored yet: random"] * len(others)]
            scores = board.entropies(chosen + others)
            picks += [Pick(*pick) for pick in zip(chosen + others, scores, reasons, strict=True)]
        again = rng.permutation(last)[: max(0, ahead - len(picks))].tolist() if len(last) else []
        scores = board.entropies(again)
        picks += [Pick(*pick, "of a place asked about before") for pick in zip(again, scores, strict=True)]
        return cls(picks, free, board)

    def left(self, free: Callable[[Ids], NDArray[np.bool_]], left_out: Set[int] = frozenset()) -> list[Pick]:
        """The picks that may still be asked about, best first.

        Args:
            free: Which of some ids may be asked about now.
            left_out: Ids that are not for whoever asks now; they stay for others.
        """
        there = free(self._ids)
        if not there.all():
            self._picks = [pick for pick, still in zip(self._picks, there.tolist(), strict=True) if still]
            self._ids = self._ids[there]
        return [pick for pick in self._picks if pick.sample_id not in left_out] if left_out else list(self._picks)

    def drift(self, free: int) -> int:
        """By how many samples the pool changed since, other than by these picks.

        By labels that nobody was asked for, leases that ran out, picks of other strategies.

        Args:
            free: Samples that may be asked about now, after `left`.
        """
        return abs(free - self._others - len(self._picks))
