"""Open a query: who gets which samples next. Pool index -> picks -> leases; lists are ranked ahead of the queries."""

import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial

import msgspec
import numpy as np

from al_loop.domain.blind_samples import drawn
from al_loop.domain.campaign_rules import check_unit
from al_loop.domain.campaigns import Campaign
from al_loop.domain.queries import (
    POINTS_ASKED,
    SKIPS_TO_GIVE_UP,
    AlikeSample,
    AskedPoint,
    OpenedQuery,
    Pick,
    QueryAnswer,
    QuerySample,
    QueryUnit,
    RankingSource,
)
from al_loop.errors import ArchivedError, InvalidValueError
from al_loop.querying.alike import alike
from al_loop.querying.compose import GOLD_STANDARD_GAP, Composed, Request, compose
from al_loop.querying.points import NO_PIXELS, PointSource, ReadingBudget, SpreadPoints, known_pixels
from al_loop.querying.rankings import CampaignRankings
from al_loop.querying.spread import SpacingRules, is_on
from al_loop.querying.strategies import Auto, Random, StrategyConfig, wants_bald
from al_loop.runtime.background import Background
from al_loop.runtime.tick_errors import TickErrors
from al_loop.scoring.current import CurrentScores
from al_loop.scoring.pool_scores import PoolScores
from al_loop.store import LabelStore
from al_loop.store.pool_index import PoolIndex
from al_loop.store.tables.queries import Choice

MAX_QUERY_SIZE = 1000

EXPECTED = 64
"""Images ranked first whose points are prepared in the background."""

SWITCH_INTERVAL_S = 0.0005
"""A query changes threads several times on its way into the store, and would wait 5 ms for each while one ranks:
measured on two quiet cores, 300,000 samples, p99 18 ms with Python's own interval and 11 ms with this."""


class _KnownCampaign:
    """What is remembered of a campaign; a cache, except for the random generators."""

    def __init__(self, seed: int, campaign_id: int) -> None:
        self.rng = np.random.default_rng([seed, campaign_id, 0])
        self.rankings: dict[QueryUnit, CampaignRankings] = {
            "image": CampaignRankings([seed, campaign_id, 1]),
            "point": CampaignRankings([seed, campaign_id, 2], "point"),
        }
        self.reserve_drawn = False
        self.waits = defaultdict[str, int](lambda: int(self.rng.integers(GOLD_STANDARD_GAP[1])))
        """Picks of each annotator until they get the next gold-standard sample."""


class Sampler:
    """Answers queries of many annotators at once; nothing in a query takes longer for a larger pool.

    The store's pool index says who may get what. It is locked while samples are picked and leased, so that no two
    queries get the same; the answer does not wait until the store has written the leases.
    """

    def __init__(
        self, store: LabelStore, scores: CurrentScores, seed: int = 0, points: PointSource | None = None
    ) -> None:
        """Make a sampler that ranks when it is asked; see `start`.

        Args:
            store: Where samples, labels and leases are.
            scores: What ranks each campaign's pool.
            seed: Equal seeds answer equal sequences of queries equally, as long as nothing is ranked ahead.
            points: Chooses the pixels that queries about points ask about; None: at random, spread over the image.
        """
        self._store, self._scores, self._seed = store, scores, seed
        self._random_points = SpreadPoints(store, seed=seed)
        self._points = points or self._random_points
        self._campaigns: dict[int, _KnownCampaign] = {}
        self._background: Background | None = None
        self._points_ahead: Background | None = None
        scores.on_change(self._rank_again)

    def start(self, errors: TickErrors | None = None) -> None:
        """Rank ahead in a thread from now on, so that queries need not wait for it.

        Threads of the process hand the interpreter on more often from now on (see `SWITCH_INTERVAL_S`).

        Args:
            errors: Where a ranking that failed is shown; None: it is only logged.
        """
        sys.setswitchinterval(SWITCH_INTERVAL_S)
        self._background = self._background or Background("ranking-ahead", errors)
        self._points_ahead = self._points_ahead or Background("points-ahead", errors)

    def wait(self) -> None:
        """Return once nothing is left to rank and to prepare ahead."""
        for background in (self._background, self._points_ahead):  # the first asks the second
            if background is not None:
                background.wait()

    def close(self) -> None:
        """Stop ranking and preparing ahead. Safe to call twice."""
        running = self._background, self._points_ahead
        self._background = self._points_ahead = None
        for background in running:
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
        unit: QueryUnit | None = None,
        points: int = POINTS_ASKED,
    ) -> QueryAnswer:
        """Lease the next samples to an annotator; leases that they hold already stay, and they get new samples.

        What a query is made of beside the strategy's picks says `al_loop.querying.compose`. While a new version has no
        scores yet, those of the version before it rank the pool, and image features before the first. Samples that
        were not scored come last. What the annotator skipped is never offered to them again.

        Args:
            campaign: As stored now.
            annotator: Who asks.
            query_size: Samples wanted, 1 to 1000.
            strategy: How to choose; None: `Auto`.
            now: Start of the leases.
            shared: Offer samples that others have leased as well, after those that nobody has; not for points.
            unit: What is asked about; None: what the campaign's settings say.
            points: Pixels of each image, where points are asked about.

        Returns:
            Up to `query_size` samples; none, and why, if none can be offered.

        Raises:
            InvalidValueError: The query size is out of range, or no task is asked about points.
            ArchivedError: The campaign is put away.
            NonFiniteScoresError: Stored scores or embeddings are NaN or infinite.
        """
        if not 1 <= query_size <= MAX_QUERY_SIZE:
            raise InvalidValueError("$.query_size", f"{query_size} is not between 1 and {MAX_QUERY_SIZE}")
        if campaign.archived_at is not None:
            raise ArchivedError(campaign.name)
        unit = unit or campaign.settings.query.unit
        check_unit(unit, campaign.tasks, "$.unit")
        strategy = Auto() if strategy is None else strategy
        known, index, scores = self._prepare(campaign, now)
        rankings = known.rankings[unit]
        request = Request(campaign, annotator, strategy, query_size, shared, rankings.spacing, unit)
        likely = rankings.list_of(strategy) if unit == "point" else None
        if likely is not None:  # read after the leases, their headers would wait until the store has written those
            self._store.samples.headers(campaign.campaign_id, likely.first_ids(2 * query_size))
        query, chosen, index = self._lease(known, index, scores, request, now)
        picks = [] if query is None else query.picks
        asked: dict[int, list[AskedPoint]] = {}
        if query is not None and unit == "point":
            asked = self._ask_points(request, query, index, points)
            picks = [pick for pick in picks if pick.sample_id in asked]
        if rankings.runs_low(strategy, index, query_size):
            self._rank_ahead(campaign, strategy, query_size, unit)
        self._expect_labels(campaign, picks)
        ranked = rankings.list_of(strategy)
        if ranked is not None and unit == "point":
            self._expect_points(campaign, ranked.first_ids(query_size + EXPECTED))
        source = scores if ranked is None else ranked.scores
        return QueryAnswer(
            query_id=None if query is None else query.query_id,
            lease_expires_at=None if query is None else query.expires_at,
            samples=_samples(index, picks, asked),
            unit=unit,
            reason=chosen.shortfall or (None if picks else self._why_nothing(campaign, annotator, now)),
            strategy=str(strategy.__struct_config__.tag),
            version=source.version,
            ranking=_freshness(source, index),
        )

    def alike(
        self, campaign: Campaign, sample_id: int, *, annotator: str, limit: int, now: datetime
    ) -> list[AlikeSample]:
        """Samples that look like one and that this annotator may answer without a lease; see `al_loop.querying.alike`.

        Raises:
            ConflictError: The sample was not scored yet.
        """
        index = self._store.pool_indexes.of(campaign.campaign_id, now)
        blind = drawn(campaign, index.sample_ids.tolist())
        return alike(index, self._scores.of(campaign), sample_id, annotator, limit, blind)

    def prepare(self, campaign: Campaign, now: datetime | None = None, strategy: StrategyConfig | None = None) -> None:
        """Read samples, scores and embeddings and rank now, so that the next query does not have to wait for it."""
        known, index, scores = self._prepare(campaign, now or datetime.now(UTC))
        if not isinstance(strategy, Random):
            strategy, rankings = strategy or Auto(), known.rankings[campaign.settings.query.unit]
            rankings.make(strategy, scores, index, 1, instead_of=rankings.list_of(strategy))

    def wants_bald(self, campaign: Campaign) -> bool:
        """Whether a strategy that was asked for lately ranks by BALD, which costs an ensemble to compute."""
        every = self._known(campaign).rankings.values()
        return any(wants_bald(strategy) for rankings in every for strategy in rankings.in_use())

    def _known(self, campaign: Campaign) -> _KnownCampaign:
        number = campaign.campaign_id
        return self._campaigns.get(number) or self._campaigns.setdefault(number, _KnownCampaign(self._seed, number))

    def _prepare(self, campaign: Campaign, now: datetime) -> tuple[_KnownCampaign, PoolIndex, PoolScores]:
        """What a query needs to know: the pool index, and the scores that there are or that it has to wait for."""
        known, background = self._known(campaign), self._background
        if not known.reserve_drawn:
            self._store.samples.draw_reserve(campaign.campaign_id, now)
        index = self._store.pool_indexes.of(campaign.campaign_id, now)
        known.reserve_drawn = known.reserve_drawn or len(index) > 0
        scores = self._scores.known(campaign)
        if scores is None or background is None:
            scores = self._scores.of(campaign)
        elif not self._scores.is_current(campaign):
            background.ask(
                (campaign.campaign_id, "scores"), lambda: self._scores.of(campaign), f"scores of {campaign.name}"
            )
        spacing = self._spacing(campaign, known.rankings["image"].spacing, index)
        for rankings in known.rankings.values():
            rankings.spacing = spacing
        return known, index, scores

    def _spacing(self, campaign: Campaign, before: SpacingRules | None, index: PoolIndex) -> SpacingRules | None:
        """The rules of how far apart samples lie, and where all lie that the index has now; None without a rule."""
        settings = campaign.settings.query.spread
        if not is_on(settings):
            return None
        footprints = before.footprints if before is not None else None
        if footprints is None or not len(footprints):
            footprints = self._store.samples.footprints(campaign.campaign_id)
        elif len(footprints) < len(index):
            after = int(footprints.sample_ids[-1])
            footprints = footprints.extended(self._store.samples.footprints(campaign.campaign_id, after=after))
        return SpacingRules(settings, footprints)

    def _lease(
        self, known: _KnownCampaign, index: PoolIndex, scores: PoolScores, request: Request, now: datetime
    ) -> tuple[OpenedQuery | None, Composed, PoolIndex]:
        """The query, if anything was leased, what rules left out, and the index that it was leased from."""
        campaign, strategy, annotator = request.campaign, request.strategy, request.annotator
        rankings = known.rankings[request.unit]
        chosen: Composed | None = None
        wanted = scores if self._background is None else None

        def next_picks(size: int) -> list[Pick] | None:
            return rankings.next_picks(strategy, index, size, annotator, wanted)

        def choose(locked: PoolIndex) -> Choice:
            nonlocal chosen, index
            index = locked
            chosen = compose(index, request, scores, next_picks, known.waits[annotator], known.rng)
            if chosen is not None:
                known.waits[annotator] = chosen.wait
            ranked = rankings.list_of(strategy)
            source = scores if ranked is None else ranked.scores
            return Choice([] if chosen is None else chosen.picks, source.version, source.labels, source.scored_at)

        while True:
            spent = rankings.list_of(strategy)
            query = self._store.queries.grant(
                campaign.campaign_id,
                choose,
                annotator=annotator,
                strategy=msgspec.json.encode(strategy).decode(),
                query_size=request.size,
                lease_s=campaign.settings.lease_s,
                now=now,
                unit=request.unit,
            )
            if chosen is not None:
                return query, chosen, index
            with index.lock:
                hidden = len(index.hidden_from(annotator, request.unit))
            rankings.make(strategy, scores, index, request.size + hidden, instead_of=spent)

    def _ask_points(
        self, request: Request, query: OpenedQuery, index: PoolIndex, count: int
    ) -> dict[int, list[AskedPoint]]:
        """The points to ask about, by sample, which are stored; leases of images without any are given back."""
        campaign, by_chance = request.campaign, isinstance(request.strategy, Random)
        again = [pick.sample_id for pick in query.picks if index.position(pick.sample_id) in index.partial]
        taken = known_pixels(self._store, campaign, again)
        asked: dict[int, list[AskedPoint]] = {}
        budget = ReadingBudget()
        self._store.samples.headers(campaign.campaign_id, [pick.sample_id for pick in query.picks])  # all in one read
        for pick in query.picks:
            source = self._random_points if by_chance or pick.arm in ("control", "reserve") else self._points
            pixels = source.points_of(campaign, pick.sample_id, count, taken.get(pick.sample_id, NO_PIXELS), budget)
            asked[pick.sample_id] = [AskedPoint(column=column + 0.5, row=row + 0.5) for column, row in pixels.tolist()]
        self._store.queries.set_points(query, asked)
        without = [sample_id for sample_id, points in asked.items() if not points]
        for sample_id in without:
            index.has_no_points(sample_id)
        if without:
            self._store.queries.release(campaign.campaign_id, query.annotator, without, query.opened_at)
        return {sample_id: points for sample_id, points in asked.items() if points}

    def _rank_ahead(self, campaign: Campaign, strategy: StrategyConfig, size: int, unit: QueryUnit) -> None:
        """Have the next list made in the background, if there is one."""

        def job() -> None:
            index, scores = self._store.pool_indexes.known(campaign.campaign_id), self._scores.known(campaign)
            if index is not None and scores is not None:
                rankings = self._known(campaign).rankings[unit]
                rankings.make(strategy, scores, index, size, instead_of=rankings.list_of(strategy))
                ranked = rankings.list_of(strategy)
                if unit == "point" and ranked is not None:
                    self._expect_points(campaign, ranked.first_ids(EXPECTED))

        background = self._background
        if background is not None:
            background.ask((campaign.campaign_id, strategy, unit), job, f"ranking {campaign.name}")

    def _expect_points(self, campaign: Campaign, sample_ids: Sequence[int]) -> None:
        """Have points prepared, one image a job: nobody is to wait for all of them, neither a ranking nor a stop."""
        ahead = self._points_ahead
        if ahead is None:
            return
        headers = partial(self._store.samples.headers, campaign.campaign_id, sample_ids)
        ahead.ask((campaign.campaign_id, "headers"), headers, f"headers {campaign.name}")
        for sample_id in sample_ids:
            job = partial(self._points.expect, campaign, [sample_id])
            ahead.ask((campaign.campaign_id, sample_id), job, f"points of {campaign.name}")

    def _rank_again(self, campaign: Campaign) -> None:
        """The scores changed: rank by them whatever was asked for lately, and forget what was not."""
        for unit, rankings in self._known(campaign).rankings.items():
            rankings.forget_unused()
            for strategy in rankings.in_use():
                ranked = rankings.list_of(strategy)
                if ranked is not None:
                    self._rank_ahead(campaign, strategy, max(1, ranked.length // 2), unit)

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
        unlabelled = counts.total - counts.golden - counts.labelled - counts.reserve_labelled
        if unlabelled == 0:
            return f"all {counts.total} samples are labelled"
        if unlabelled == counts.skipped:
            return (
                f"{unlabelled} samples have no label, and {SKIPS_TO_GIVE_UP} people each could not tell what they show"
            )
        if counts.unusable:
            return f"{unlabelled} samples have no label; their images are damaged or gone, or {annotator} skipped them"
        return f"{unlabelled} samples have no label; {annotator} skipped them, so they wait for others"


def _samples(index: PoolIndex, picks: Sequence[Pick], asked: Mapping[int, list[AskedPoint]]) -> list[QuerySample]:
    paths = index.paths_of([pick.sample_id for pick in picks])
    return [
        QuerySample(
            sample_id=pick.sample_id,
            path=path,
            score=pick.score,
            reason=pick.reason,
            points=asked.get(pick.sample_id, []),
        )
        for pick, path in zip(picks, paths, strict=True)
    ]


def _freshness(scores: PoolScores, index: PoolIndex) -> RankingSource:
    since = max(0, index.labelled - scores.labels)
    return RankingSource(
        version=scores.version, labels=scores.labels, scored_at=scores.scored_at, labels_since=since, stale=since > 0
    )
