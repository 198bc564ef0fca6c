"""The board and the rankings of one campaign, and when to make them anew.

In the background, a query takes what stands and never waits for a better ranking; else each query has the ranking made
first that it needs, so that equal seeds give equal answers.
"""

import threading
import time
from collections.abc import Callable

import numpy as np

from al_loop.domain.campaigns import Campaign
from al_loop.domain.queries import Pick
from al_loop.querying.ranking import MOST_AHEAD, Ranking
from al_loop.querying.sources import GoldenSchedule
from al_loop.querying.spread import SpacingRules, unasked
from al_loop.querying.strategies import StrategyConfig
from al_loop.runtime.background import Background
from al_loop.scoring.current import BoardKey, CurrentScores
from al_loop.scoring.pool_scores import PoolScores
from al_loop.store.pool_index import PoolIndex

MOST_DEMAND = 4096
"""Picks ranked at most, however many annotators take while a ranking is made."""

CANDIDATES_PER_PICK = 3
"""Picks ranked for each that is needed where samples must lie apart, so that some can be passed over."""

IN_USE_S = 600.0
"""Seconds since its last query in which a strategy is ranked again when scores change."""


class CampaignRankings:
    """What the sampler remembers of a campaign; a cache, except for the random generators."""

    def __init__(
        self,
        source: CurrentScores,
        known_book: Callable[[], PoolIndex | None],
        background: Callable[[], Background | None],
        seed: list[int],
    ) -> None:
        """Nothing is read yet.

        Args:
            source: Builds boards.
            known_book: The campaign's book, if it was read.
            background: What ranks ahead; None: rank when asked.
            seed: Of all chance in the campaign's queries.
        """
        self.rng, self._rank_rng, self._pace_rng = (np.random.default_rng([*seed, stream]) for stream in range(3))
        self.board = PoolScores()
        self.reserve_drawn = False
        self.room: SpacingRules | None = None
        """Rules of how far apart samples lie, if there are any."""
        self._source, self._known_book, self._background = source, known_book, background
        self._board_key: BoardKey | None = None
        self._making = threading.RLock()
        self._rankings: dict[StrategyConfig, Ranking] = {}
        self._used: dict[StrategyConfig, float] = {}
        self._taken: dict[StrategyConfig, int] = {}
        """Picks that were handed out while the last ranking was made."""
        self._paces: dict[str, GoldenSchedule] = {}

    def pace(self, annotator: str) -> GoldenSchedule:
        """When an annotator meets the next golden sample."""
        return self._paces.setdefault(annotator, GoldenSchedule(self._pace_rng))

    def refresh(self, campaign: Campaign) -> None:
        """See that the board is that of the newest scores, or soon will be."""
        key = self._source.key(campaign)
        if self._board_key == key:
            return
        background = self._background()
        if background is None or self._board_key is None:
            self._load(campaign, key)
        else:
            background.ask(
                (campaign.campaign_id, "board"), lambda: self._replace(campaign), f"scores of {campaign.name}"
            )

    def set_board(self, campaign: Campaign, board: PoolScores) -> None:
        """Rank by this board from now on."""
        with self._making:
            self._board_key = self._source.key(campaign)
            self.board = board
        self._rank_again(campaign)

    def in_use(self) -> list[StrategyConfig]:
        """Strategies that were asked for within the last ten minutes."""
        now = time.monotonic()
        return [strategy for strategy, used_at in list(self._used.items()) if now - used_at < IN_USE_S]

    def first(self, strategy: StrategyConfig, book: PoolIndex, size: int, annotator: str) -> list[Pick] | None:
        """The next picks for an annotator, more than `size` perhaps, or None if `make` is needed first.

        Args:
            strategy: Which ranking.
            book: Locked by the caller.
            size: Picks wanted; fewer come only if the pool has no more.
            annotator: What they skipped is left out.
        """
        self._used[strategy] = time.monotonic()
        ranking = self._rankings.get(strategy)
        if ranking is None:
            return None
        skipped = book.skipped.get(annotator)
        left_out = set(book.sample_ids[list(skipped)].tolist()) if skipped else frozenset[int]()
        picks = ranking.left(book.free_among, left_out)
        if len(picks) < min(size, book.free - book.count_skipped(annotator)):
            return None
        if self._background() is None and (ranking.board is not self.board or ranking.drift(book.free) > size):
            return None
        return picks

    def renew(self, strategy: StrategyConfig, book: PoolIndex, size: int) -> None:
        """Rank the pool for a query that waits, unless another one that waited had that done meanwhile."""
        spent = self._rankings.get(strategy)
        with self._making:
            if self._rankings.get(strategy) is spent:
                self.make(strategy, book, size)

    def make(self, strategy: StrategyConfig, book: PoolIndex, size: int, *, ahead: bool = False) -> None:
        """Rank the pool as it is now.

        Args:
            strategy: Chooses.
            book: Not locked by the caller.
            size: Picks needed at least.
            ahead: Nobody waits for it: what is handed out meanwhile is taken into account.

        Raises:
            NonFiniteScoresError: Scores or embeddings are NaN or infinite.
        """
        with self._making:
            board, old = self.board, self._rankings.get(strategy)
            with book.lock:
                before = [] if old is None else old.left(book.free_among)
                states = book.copy()
            offered = states.free()
            if not len(offered):
                self._rankings[strategy] = Ranking([], 0, board)
                return
            demand = self._taken.get(strategy, 0)
            same = ahead and old is not None and old.board is board  # by new scores the old order is worth nothing
            taken = demand if same else 0
            room, last = self.room, offered[:0]
            size *= 1 if room is None else CANDIDATES_PER_PICK
            if room is not None and room.settings.once_per_place:
                every, offered = offered, unasked(offered, states.asked(), room.footprints, self._rank_rng)
                last = np.setdiff1d(every, offered, assume_unique=True)
            ranking = Ranking.of(
                strategy,
                board,
                offered,
                states.covered(),
                size,
                self._rank_rng,
                labelled=states.labelled,
                most=min(max(MOST_AHEAD, 3 * demand), MOST_DEMAND),
                front=before[:taken],
                last=last,
            )
            with book.lock:
                self._taken[strategy] = len(before) - (0 if old is None else len(old.left(book.free_among)))
                self._rankings[strategy] = ranking

    def look_ahead(self, campaign: Campaign, strategy: StrategyConfig, book: PoolIndex, size: int) -> None:
        """After a query of `size`: have the next ranking made in the background, if it is time."""
        background, ranking = self._background(), self._rankings.get(strategy)
        if background is None or ranking is None:
            return
        with book.lock:
            left, drift = len(ranking.left(book.free_among)), ranking.drift(book.free)
        low = max(ranking.length // 4, size, 2 * self._taken.get(strategy, 0))
        if ranking.board is not self.board or drift > max(ranking.length // 2, size) or left < low:
            self._ask(background, campaign, strategy, size)

    def source_of(self, strategy: StrategyConfig) -> PoolScores:
        """The board that a strategy's ranking was made by."""
        ranking = self._rankings.get(strategy)
        return self.board if ranking is None else ranking.board

    def _load(self, campaign: Campaign, key: BoardKey) -> None:
        with self._making:
            if self._board_key != key:
                self.board = self._source.newest(campaign)
                self._board_key = key

    def _replace(self, campaign: Campaign) -> None:
        self._load(campaign, self._source.key(campaign))
        self._rank_again(campaign)

    def _rank_again(self, campaign: Campaign) -> None:
        """Rank by new scores whatever was asked for lately."""
        background = self._background()
        if background is None:
            return
        for strategy in self.in_use():
            ranking = self._rankings.get(strategy)
            if ranking is not None:
                self._ask(background, campaign, strategy, ranking.length // 2)

    def _ask(self, background: Background, campaign: Campaign, strategy: StrategyConfig, size: int) -> None:
        def job() -> None:
            book = self._known_book()
            if book is not None:
                self.make(strategy, book, size, ahead=True)

        background.ask((campaign.campaign_id, strategy), job, f"ranking {campaign.name}")
