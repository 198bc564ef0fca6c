"""Open a query: who gets which samples next. Candidates -> strategy -> leases, one query of a campaign at a time."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import msgspec
import numpy as np

from al_loop.errors import InvalidValueError
from al_loop.lease_records import SKIPS_TO_GIVE_UP, Lease
from al_loop.ranking import Pick, Ranking
from al_loop.records import Campaign, QueryAnswer, QuerySample
from al_loop.reserve import offer_order
from al_loop.reserve_mix import mix, reserve_count
from al_loop.score_board import Ids, ScoreBoard, build_board, positions_of
from al_loop.score_parts import FEATURES, EmbeddingStore
from al_loop.store import LabelStore
from al_loop.strategies import Auto, StrategyConfig

MAX_QUERY_SIZE = 1000

SPARES = 4
"""Picks beyond the query size, for those that are labelled between choice and lease."""

OFFER_AGE = timedelta(seconds=1)
"""How long the list of samples on offer is used without reading it again; it is a hint, leases are checked anew."""


@dataclass(frozen=True, eq=False)
class _Offer:
    """Ids that may be asked about, ascending."""

    read_at: datetime
    pool: Ids
    reserve: Ids
    every_reserve: Ids
    """The whole reserve, labelled or not."""

    def without(self, sample_ids: Sequence[int]) -> "_Offer":
        if not len(sample_ids):
            return self
        gone = np.asarray(sample_ids, np.int64)
        pool, reserve = (np.delete(ids, positions_of(gone, ids)[0]) for ids in (self.pool, self.reserve))
        return _Offer(self.read_at, pool, reserve, self.every_reserve)


@dataclass(frozen=True, eq=False)
class _Request:
    """What an annotator asked for."""

    campaign: Campaign
    annotator: str
    strategy: StrategyConfig
    now: datetime
    shared: bool
    skipped: list[int]
    """Samples that the annotator does not want to see again; offers and rankings are shared and still have them."""


@dataclass(eq=False)
class _CampaignState:
    """What the sampler remembers of a campaign; a cache, except for the random generator."""

    rng: np.random.Generator
    lock: threading.Lock = field(default_factory=threading.Lock)
    reserve_drawn: bool = False
    offer: _Offer | None = None
    board: ScoreBoard = field(default_factory=ScoreBoard)
    board_key: tuple[str | None, int] | None = None
    rankings: dict[StrategyConfig, Ranking] = field(default_factory=dict)


class Sampler:
    """Answers queries of many annotators at once; scores are read once per ingestion, not per query."""

    def __init__(self, store: LabelStore, embeddings_for: Callable[[Campaign], EmbeddingStore], seed: int = 0) -> None:
        """Make a sampler.

        Args:
            store: Where samples, labels, leases and scores are.
            embeddings_for: The embedding store of a campaign; called once an ingestion.
            seed: Equal seeds answer equal sequences of queries equally.
        """
        self._store, self._embeddings_for, self._seed = store, embeddings_for, seed
        self._lock = threading.Lock()
        self._states: dict[int, _CampaignState] = {}

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

        Part of every query comes from the test reserve, in random places (see `al_loop.reserve_mix`). While a new
        version has no scores yet, those of the version before it rank the pool, and image features before the first.
        Samples that were not scored come last. What the annotator skipped is never offered to them again.

        Args:
            campaign: As stored now.
            annotator: Who asks.
            query_size: Samples wanted, 1 to 1000.
            strategy: How to choose; None: `Auto`.
            now: Start of the leases.
            shared: Offer samples that others have leased as well.

        Returns:
            Up to `query_size` samples; none, and why, if none can be offered.

        Raises:
            InvalidValueError: The query size is out of range.
            NonFiniteScoresError: Stored scores or embeddings are NaN or infinite.
        """
        if not 1 <= query_size <= MAX_QUERY_SIZE:
            raise InvalidValueError("$.query_size", f"{query_size} is not between 1 and {MAX_QUERY_SIZE}")
        skipped = self._store.leases.skipped_by(campaign.campaign_id, annotator)
        request = _Request(campaign, annotator, Auto() if strategy is None else strategy, now, shared, skipped)
        state = self._state(campaign)
        with state.lock:
            self._refresh(state, campaign)
            granted = self._grant(state, request, query_size)
            board = state.board
        samples = self._samples(board, campaign, granted)
        return QueryAnswer(
            query_id=granted[0][0].query_id if granted else None,
            lease_expires_at=min((lease.expires_at for lease, _ in granted), default=None),
            samples=samples,
            reason=None if granted else self._why_nothing(campaign, annotator, now),
            strategy=str(request.strategy.__struct_config__.tag),
            version=board.version,
        )

    def prepare(self, campaign: Campaign) -> None:
        """Read new scores and embeddings now, so that the next query does not have to wait for them."""
        state = self._state(campaign)
        with state.lock:
            self._refresh(state, campaign)

    def board(self, campaign: Campaign) -> ScoreBoard:
        """The scores that rank the campaign's pool now, read from the store if nobody did."""
        state = self._state(campaign)
        with state.lock:
            self._refresh(state, campaign)
            return state.board

    def set_board(self, campaign: Campaign, board: ScoreBoard) -> None:
        """Rank by these scores from now on, until others are ingested or another version is promoted.

        For scores that are newer than those in the store, as a head that was refitted on cached embeddings gives them.

        Args:
            campaign: As stored when the scores were computed.
            board: Replaces the present one; its `version`, `labels` and `scored_at` are shown with each query.
        """
        state = self._state(campaign)
        with state.lock:
            self._refresh(state, campaign)
            state.board = board
            state.rankings.clear()

    def _state(self, campaign: Campaign) -> _CampaignState:
        with self._lock:
            state = self._states.get(campaign.campaign_id)
            if state is None:
                state = _CampaignState(rng=np.random.default_rng([self._seed, campaign.campaign_id]))
                self._states[campaign.campaign_id] = state
            return state

    def _refresh(self, state: _CampaignState, campaign: Campaign) -> None:
        """Build the board anew if scores were ingested or another version was promoted."""
        key = campaign.current_version, self._store.scores.revision(campaign.campaign_id)
        if state.board_key == key:
            return
        state.board = self._newest_board(campaign)
        state.board_key = key
        state.rankings.clear()

    def _newest_board(self, campaign: Campaign) -> ScoreBoard:
        """Scores of the serving version, else of the one that served last before it, else features."""
        embeddings = self._embeddings_for(campaign)
        if campaign.current_version is not None:
            served = [item for item in self._store.versions.list(campaign.campaign_id) if item.promoted_at]
            served.sort(key=lambda item: (item.current, item.promoted_at or item.created_at), reverse=True)
            for item in served:
                scores = self._store.scores.load(campaign.campaign_id, item.version)
                if scores.num_rows:
                    return build_board(item.version, scores, embeddings.load(item.version))
        nothing = self._store.scores.load(campaign.campaign_id, FEATURES)
        return build_board(FEATURES, nothing, embeddings.load(FEATURES))

    def _grant(self, state: _CampaignState, request: _Request, query_size: int) -> list[tuple[Lease, str]]:
        """Leases and why; what a recent offer cannot give is taken from a fresh one."""
        granted: list[tuple[Lease, str]] = []
        offer = state.offer
        if offer is not None and not request.shared and timedelta(0) <= request.now - offer.read_at < OFFER_AGE:
            granted = self._open(state, request, offer, query_size)
        if len(granted) < query_size:
            granted += self._open(state, request, self._read_offer(state, request), query_size - len(granted))
        return granted

    def _open(
        self, state: _CampaignState, request: _Request, offer: _Offer, query_size: int
    ) -> list[tuple[Lease, str]]:
        """Choose from an offer and lease what is still there."""
        picks = self._choose(state, request, offer, query_size)
        if not picks:
            return []
        scores = state.board.entropies([sample_id for sample_id, _ in picks])
        _, leases = self._store.queries.open(
            request.campaign.campaign_id,
            annotator=request.annotator,
            strategy=msgspec.json.encode(request.strategy).decode(),
            query_size=query_size,
            version=state.board.version,
            picks=[(sample_id, score, reason) for (sample_id, reason), score in zip(picks, scores, strict=True)],
            lease_s=request.campaign.settings.lease_s,
            now=request.now,
            shared=request.shared,
        )
        state.offer = None if request.shared else offer.without([lease.sample_id for lease in leases])
        reasons = dict(picks)
        return [(lease, reasons[lease.sample_id]) for lease in leases]

    def _read_offer(self, state: _CampaignState, request: _Request) -> _Offer:
        campaign_id, now = request.campaign.campaign_id, request.now
        if not state.reserve_drawn:
            self._store.samples.draw_reserve(campaign_id, now)
        pool, reserve = self._store.queries.available(campaign_id, now)
        state.reserve_drawn = state.reserve_drawn or len(pool) > 0
        every_reserve = self._store.samples.reserve_ids(campaign_id)
        if request.shared:
            others = self._store.queries.leased_samples(campaign_id, now, exclude_annotator=request.annotator)
            own = [lease.sample_id for lease in self._store.queries.leases(campaign_id, now, request.annotator)]
            others = np.setdiff1d(others, np.asarray(own, np.int64))
            in_reserve = np.isin(others, every_reserve)
            pool, reserve = np.union1d(pool, others[~in_reserve]), np.union1d(reserve, others[in_reserve])
        return _Offer(now, pool, reserve, every_reserve)

    def _choose(self, state: _CampaignState, request: _Request, offer: _Offer, query_size: int) -> list[Pick]:
        """The picks of a query and some spares."""
        campaign = request.campaign
        mine = offer.without(request.skipped)
        wanted = reserve_count(
            query_size,
            share=campaign.settings.reserve.share,
            asked=len(offer.every_reserve) - len(offer.reserve),
            needed=campaign.policy.min_reserve_labels,
            rng=state.rng,
        )
        from_reserve = min(len(mine.reserve), max(wanted, query_size - len(mine.pool)))
        from_pool = min(len(mine.pool), query_size - from_reserve)
        reserve = offer_order(mine.reserve, campaign.settings.reserve.seed)[: from_reserve + SPARES]
        reserve_picks = [(sample_id, "test reserve") for sample_id in reserve.tolist()]
        pool_picks = self._rank(state, request, offer, from_pool + SPARES) if from_pool else []
        mixed = mix(pool_picks[:from_pool], reserve_picks[:from_reserve], state.rng)
        return mixed + pool_picks[from_pool:] + reserve_picks[from_reserve:]

    def _rank(self, state: _CampaignState, request: _Request, offer: _Offer, size: int) -> list[Pick]:
        skipped = set(request.skipped).intersection(offer.pool.tolist()) if request.skipped else set()
        known = state.rankings.get(request.strategy)
        picks = None if request.shared or known is None else known.first(offer.pool, size, skipped)
        if picks is not None:
            return picks
        asked = np.setdiff1d(state.board.sample_ids, offer.pool, assume_unique=True)
        covered = np.setdiff1d(asked, offer.every_reserve, assume_unique=True)
        ranking = Ranking.of(request.strategy, state.board, offer.pool, covered, size + len(skipped), state.rng)
        if not request.shared:  # what others have leased must not be handed out by the next query
            state.rankings[request.strategy] = ranking
        return ranking.first(offer.pool, size, skipped) or []

    def _samples(
        self, board: ScoreBoard, campaign: Campaign, granted: Sequence[tuple[Lease, str]]
    ) -> list[QuerySample]:
        sample_ids = [lease.sample_id for lease, _ in granted]
        samples = self._store.samples.get_many(campaign.campaign_id, sample_ids)
        return [
            QuerySample(sample_id=lease.sample_id, path=samples[lease.sample_id].path, score=score, reason=reason)
            for (lease, reason), score in zip(granted, board.entropies(sample_ids), strict=True)
        ]

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
        left = counts.total - counts.labelled - counts.reserve_labelled
        if left == 0:
            return f"all {counts.total} samples are labelled"
        if left == counts.skipped:
            return f"{left} samples have no label, and {SKIPS_TO_GIVE_UP} people each could not tell what they show"
        return f"{left} samples have no label; {annotator} skipped them, so they wait for others"
