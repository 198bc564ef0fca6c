"""Open a query: who gets which samples next. Book -> picks -> leases; rankings are made ahead in the background."""

import sys
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial

import msgspec

from al_loop.domain.campaigns import Campaign
from al_loop.domain.queries import SKIPS_TO_GIVE_UP, OpenedQuery, Pick, QueryAnswer, QuerySample, RankingSource
from al_loop.errors import AlLoopError, InvalidValueError
from al_loop.querying.compose import Request, compose
from al_loop.querying.rankings import CampaignRankings
from al_loop.querying.spread import Chosen, SpacingRules, is_on
from al_loop.querying.strategies import Auto, Random, StrategyConfig, wants_bald
from al_loop.runtime.background import Background
from al_loop.runtime.tick_errors import TickErrors
from al_loop.scoring.current import CurrentScores
from al_loop.scoring.pool_scores import PoolScores
from al_loop.store import LabelStore
from al_loop.store.pool_index import PoolIndex
from al_loop.store.tables.queries import PendingQuery
from models.errors import ModelsError
from models.scoring.embeddings import EmbeddingStore

MAX_QUERY_SIZE = 1000

SWITCH_INTERVAL_S = 0.0005
"""A query changes threads a dozen times on its way into the store, and would wait 5 ms for each while one ranks:
measured on two quiet cores, 300,000 samples, p99 18 ms with Python's own interval and 11 ms with this."""


class Sampler:
    """Answers queries of many annotators at once; nothing in a query takes longer for a larger pool.

    The store's book of the campaign says who may get what. Picks are kept back in it while they are picked, so that no
    two queries pick the same; the answer waits until they are noted on disk, not until the store has them.
    """

    def __init__(self, store: LabelStore, embeddings_for: Callable[[Campaign], EmbeddingStore], seed: int = 0) -> None:
        """Make a sampler that ranks when it is asked; see `start`.

        Args:
            store: Where samples, labels, leases and scores are.
            embeddings_for: The embedding store of a campaign; called once an ingestion.
            seed: Equal seeds answer equal sequences of queries equally, as long as nothing is ranked ahead.
        """
        self._store, self._seed = store, seed
        self._source = CurrentScores(store, embeddings_for)
        self._lock = threading.Lock()
        self._standings: dict[int, CampaignRankings] = {}
        self._background: Background | None = None

    def start(self, errors: TickErrors | None = None) -> None:
        """Rank ahead in a thread from now on, so that queries need not wait for it.

        Threads of the process hand the interpreter on more often from now on (see `SWITCH_INTERVAL_S`).

        Args:
            errors: Where a ranking that failed is shown; None: it is only logged.
        """
        sys.setswitchinterval(SWITCH_INTERVAL_S)
        self._background = self._background or Background("ranking-ahead", errors)

    def wait(self) -> None:
        """Return once nothing is left to rank ahead."""
        if self._background is not None:
            self._background.wait()

    def close(self) -> None:
        """Stop ranking ahead. Safe to call twice."""
        background, self._background = self._background, None
        if background is not None:
            background.close()

    def query(
        self,
        campaign: Campaign,
        *,
        annotator: str,
        query_size: int,
        strategy: StrategyConfig | None = None,
        now: datetime,
        shared: bool = False,
    ) -> QueryAnswer:
        """Lease the next samples to an annotator; leases that they hold already stay, and they get new samples.

        Part of every query comes from the test reserve (see `al_loop.reserve_mix`), part is chosen at random, part was
        asked of somebody else where the campaign wants several answers, all in random places (see `al_loop.picking`).
        While a new version has no scores yet, those of the version before it rank the pool, and image features before
        the first. Samples that were not scored come last. What the annotator skipped is never offered to them again.

        Args:
            campaign: As stored now.
            annotator: Who asks.
            query_size: Samples wanted, 1 to 1000.
            strategy: How to choose; None: `Auto`.
            now: Start of the leases.
            shared: Offer samples that others have leased as well, after those that nobody has.

        Returns:
            Up to `query_size` samples; none, and why, if none can be offered.

        Raises:
            InvalidValueError: The query size is out of range.
            NonFiniteScoresError: Stored scores or embeddings are NaN or infinite.
        """
        if not 1 <= query_size <= MAX_QUERY_SIZE:
            raise InvalidValueError("$.query_size", f"{query_size} is not between 1 and {MAX_QUERY_SIZE}")
        strategy = Auto() if strategy is None else strategy
        standing = self._standing(campaign)
        book = self._book(campaign, standing, now)
        standing.refresh(campaign)
        room = standing.room = self._room(campaign, standing, book)
        request = Request(campaign, annotator, strategy, query_size, shared, room)
        opened, shortfall = self._lease(standing, book, request, now)
        standing.look_ahead(campaign, strategy, book, query_size)
        picks = [] if opened is None else opened.picks
        self._expect_labels(campaign, picks)
        source = standing.source_of(strategy)
        return QueryAnswer(
            query_id=None if opened is None else opened.query_id,
            lease_expires_at=None if opened is None else opened.expires_at,
            samples=_samples(book, picks),
            reason=shortfall or (None if picks else self._why_nothing(campaign, annotator, now)),
            strategy=str(strategy.__struct_config__.tag),
            version=source.version,
            ranking=_freshness(source, book),
        )

    def prepare(self, campaign: Campaign, now: datetime | None = None, strategy: StrategyConfig | None = None) -> None:
        """Read samples, scores and embeddings and rank now, so that the next query does not have to wait for it."""
        standing = self._standing(campaign)
        book = self._book(campaign, standing, now or datetime.now(UTC))
        standing.refresh(campaign)
        standing.room = self._room(campaign, standing, book)
        if not isinstance(strategy, Random):
            standing.make(strategy or Auto(), book, 1)

    def board(self, campaign: Campaign) -> PoolScores:
        """The scores that rank the campaign's pool now, read from the store if nobody did."""
        standing = self._standing(campaign)
        standing.refresh(campaign)
        return standing.board

    def set_board(self, campaign: Campaign, board: PoolScores) -> None:
        """Rank by these scores from now on, until others are ingested or another version is promoted.

        For scores that are newer than those in the store, as a head that was refitted on cached embeddings gives them.
        While rankings are made ahead, queries take from the present ranking until that by the new scores is made.

        Args:
            campaign: As stored when the scores were computed.
            board: Replaces the present one; its `version`, `labels` and `scored_at` are shown with each query.
        """
        self._standing(campaign).set_board(campaign, board)

    def reset_board(self, campaign: Campaign) -> None:
        """Rank by the newest scores in the store again, whatever `set_board` gave.

        Raises:
            ScoringError: The embeddings on disk do not fit together.
        """
        self.set_board(campaign, self._source.newest(campaign))

    def wants_bald(self, campaign: Campaign) -> bool:
        """Whether a strategy that was asked for lately ranks by BALD, which costs an ensemble to compute."""
        return any(wants_bald(strategy) for strategy in self._standing(campaign).in_use())

    def _standing(self, campaign: Campaign) -> CampaignRankings:
        with self._lock:
            standing = self._standings.get(campaign.campaign_id)
            if standing is None:
                number = campaign.campaign_id
                standing = CampaignRankings(
                    self._source,
                    lambda: self._store.pool_indexes.known(number),
                    lambda: self._background,
                    [self._seed, number],
                )
                self._standings[number] = standing
            return standing

    def _book(self, campaign: Campaign, standing: CampaignRankings, now: datetime) -> PoolIndex:
        if not standing.reserve_drawn:
            self._store.samples.draw_reserve(campaign.campaign_id, now)
        book = self._store.pool_indexes.of(campaign.campaign_id, now)
        standing.reserve_drawn = standing.reserve_drawn or len(book) > 0
        return book

    def _room(self, campaign: Campaign, standing: CampaignRankings, book: PoolIndex) -> SpacingRules | None:
        """The rules of how far apart samples lie, and where all lie that the book has now; None without a rule."""
        settings = campaign.settings.query.spread
        if not is_on(settings):
            return None
        footprints = standing.room.footprints if standing.room is not None else None
        if footprints is None or not len(footprints):
            footprints = self._store.samples.footprints(campaign.campaign_id)
        elif len(footprints) < len(book):
            after = int(footprints.sample_ids[-1])
            footprints = footprints.extended(self._store.samples.footprints(campaign.campaign_id, after=after))
        return SpacingRules(settings, footprints)

    def _lease(
        self, standing: CampaignRankings, book: PoolIndex, request: Request, now: datetime
    ) -> tuple[OpenedQuery | None, str | None]:
        """The query with what was leased, if anything was, and what rules left out."""
        while True:
            with book.lock:
                now = book.advance(now)
                chosen = None if book.retired else self._compose(standing, book, request)
                opening = None if chosen is None else self._open(standing, book, request, chosen.picks, now)
            if chosen is not None:
                break
            if book.retired:
                book = self._book(request.campaign, standing, now)
            else:
                skipped = len(book.skipped.get(request.annotator, ()))
                standing.renew(request.strategy, book, request.size + skipped)
        if opening is None:
            return None, chosen.shortfall
        try:
            return opening.secure(), chosen.shortfall
        except (AlLoopError, ModelsError):
            for pick in chosen.picks:
                book.release(pick.sample_id, request.annotator, opening.query.expires_at)
            raise

    def _compose(self, standing: CampaignRankings, book: PoolIndex, request: Request) -> Chosen | None:
        return compose(
            book,
            request,
            standing.board,
            lambda size: standing.first(request.strategy, book, size, request.annotator),
            standing.pace(request.annotator),
            standing.rng,
        )

    def _open(
        self, standing: CampaignRankings, book: PoolIndex, request: Request, picks: Sequence[Pick], now: datetime
    ) -> PendingQuery | None:
        """Keep picks back in the book, and tell the store; None if there are none."""
        if not picks:
            return None
        campaign, source = request.campaign, standing.source_of(request.strategy)
        lapsed = book.take_lapsed([pick.sample_id for pick in picks])
        opening = self._store.queries.open(
            campaign.campaign_id,
            annotator=request.annotator,
            strategy=msgspec.json.encode(request.strategy).decode(),
            query_size=request.size,
            version=source.version,
            picks=picks,
            lapsed=lapsed,
            lease_s=campaign.settings.lease_s,
            now=now,
            ranked_labels=source.labels,
            ranked_at=source.scored_at,
        )
        for pick in picks:
            book.hold(pick.sample_id, request.annotator, opening.query.expires_at)
        return opening

    def _expect_labels(self, campaign: Campaign, picks: Sequence[Pick]) -> None:
        """Read the headers that the labels to come are checked by: all at once costs what one alone would then."""
        if self._background is not None and picks:
            sample_ids = [pick.sample_id for pick in picks]
            job = partial(self._store.samples.headers, campaign.campaign_id, sample_ids)
            self._background.ask((campaign.campaign_id, "headers", *sample_ids), job, f"headers {campaign.name}")

    def _why_nothing(self, campaign: Campaign, annotator: str, now: datetime) -> str:
        counts = self._store.campaigns.counts(campaign.campaign_id, now)
        if counts.total == 0:
            return "no samples are registered yet"
        leases = self._store.queries.leases(campaign.campaign_id, now)
        if leases:
            until = min(lease.expires_at for lease in leases).astimezone(UTC)
            return (
                f"every sample without a label is leased; the first lease ends at {until:%H:%M} UTC: ask again then, "
                "or with `shared` true"
            )
        left = counts.total - counts.golden - counts.labelled - counts.reserve_labelled
        if left == 0:
            return f"all {counts.total - counts.golden} samples are labelled"
        if left == counts.skipped:
            return f"{left} samples have no label, and {SKIPS_TO_GIVE_UP} people each could not tell what they show"
        return f"{left} samples have no label; {annotator} skipped them, so they wait for others"


def _samples(book: PoolIndex, picks: Sequence[Pick]) -> list[QuerySample]:
    paths = book.paths_of([pick.sample_id for pick in picks])
    return [
        QuerySample(sample_id=pick.sample_id, path=path, score=pick.score, reason=pick.reason)
        for pick, path in zip(picks, paths, strict=True)
    ]


def _freshness(board: PoolScores, book: PoolIndex) -> RankingSource:
    since = max(0, book.labelled - board.labels)
    return RankingSource(
        version=board.version, labels=board.labels, scored_at=board.scored_at, labels_since=since, stale=since > 0
    )
