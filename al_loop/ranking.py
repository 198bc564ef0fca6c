"""Picks ranked ahead, so that many small queries share the work of one choice.

Greedy choice goes on where it stopped: the picks after the first k are those that the strategy would choose once the
first k are leased. So the rest of a ranking serves the next annotators, until the pool changed in other ways.
"""

from collections.abc import Set
from typing import Self

import numpy as np

from al_loop.score_board import Ids, ScoreBoard, positions_of
from al_loop.scored_pool import ScoredPool
from al_loop.strategies import StrategyConfig

MOST_AHEAD = 128
"""Picks ranked at most, unless one query wants more."""


Pick = tuple[int, str]
"""Sample id and reason."""


class Ranking:
    """Picks that were not handed out yet, best first."""

    def __init__(self, picks: list[Pick], offered: int) -> None:
        """Keep picks that were ranked when `offered` samples could be asked about."""
        self._picks = picks
        self._others = offered - len(picks)

    @classmethod
    def of(
        cls,
        strategy: StrategyConfig,
        board: ScoreBoard,
        offered: Ids,
        covered: Ids,
        size: int,
        rng: np.random.Generator,
    ) -> Self:
        """Rank at least `size` samples if there are so many; those that were not scored come last, at random.

        How far ahead grows with the labelled and leased samples: coverage is planned for their number, and a long plan
        would spread the first few picks too thin.

        Args:
            strategy: Chooses among the scored samples.
            board: The newest scores.
            offered: Ids that may be asked about, ascending, at least one.
            covered: Ids labelled or leased, ascending.
            size: Picks needed now.
            rng: Source of chance.
        """
        ahead = max(size, min(MOST_AHEAD, len(covered) // 2))
        pool, unscored = board.pool(offered, covered)
        if len(pool) == 0 or not strategy.uses_scores:
            pool, unscored = ScoredPool(sample_ids=offered), unscored[:0]
        selection = strategy.select(pool, ahead, rng)
        picks = list(zip(pool.sample_ids[selection.indices].tolist(), selection.reasons, strict=True))
        rest = rng.permutation(unscored)[: max(0, ahead - len(picks))]
        picks += [(sample_id, "not scored yet: random") for sample_id in rest.tolist()]
        return cls(picks, len(offered))

    def first(self, offered: Ids, size: int, left_out: Set[int] = frozenset()) -> list[Pick] | None:
        """The best picks that may still be asked about, or None if the choice must be made anew.

        That is when too few are left, or when more than `size` samples came to or left the pool otherwise: labels
        that nobody was asked for, expired leases, queries by other strategies.

        Args:
            offered: Ids that may be asked about now, ascending.
            size: Picks wanted, spare ones included; fewer come only if the pool has no more.
            left_out: Ids among those offered that are not for whoever asks now; they stay for others.
        """
        there = positions_of(np.array([pick[0] for pick in self._picks], np.int64), offered)[1]
        self._picks = [pick for pick, still in zip(self._picks, there.tolist(), strict=True) if still]
        drift = abs(len(offered) - self._others - len(self._picks))
        picks = [pick for pick in self._picks if pick[0] not in left_out] if left_out else self._picks
        if drift > size or len(picks) < min(size, len(offered) - len(left_out)):
            return None
        return picks[:size]
