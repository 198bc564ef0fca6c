"""What one query is made of, as a table: source -> count -> picks.

    source         count                                            picks
    gold standard  one every 20 to 40 picks of an annotator         random, not yet seen by them
    reserve        half at first, then the campaign's share         the reserve's own order
    overlap        keeps pace with the first offers                 those queried first come first
    control        the campaign's share of what is left             random
    strategy       the rest                                         the ranked list
    others'        what is still missing, if the query is `shared`  on lease to other annotators

Looks and takes nothing: `QueryTable.grant` leases what is picked here.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import numpy as np

from al_loop.domain.campaigns import Campaign
from al_loop.domain.queries import Pick, QuerySource
from al_loop.querying.spread import Chosen, SpacingRules, choose
from al_loop.querying.strategies import Random, StrategyConfig
from al_loop.scoring.pool_scores import PoolScores
from al_loop.store.pool_index import PoolIndex

T = TypeVar("T")

BY_CHANCE = "random control"
"""Reason of the control, the test reserve and gold-standard samples alike: annotators must not tell them apart, or they
would answer them otherwise."""

GOLD_STANDARD_GAP = (20, 40)
"""Picks of one annotator from one gold-standard sample to the next: at least the first, drawn below the second."""

EARLY_SHARE = 0.5
"""Share of a query that goes to the reserve while a round cannot yet be judged."""

EARLY_LABELS = 3
"""Times the policy's `min_reserve_labels`: this many reserve samples are queried early."""

RANDOM_TRIES = 8
"""Rounds of drawing positions at random before the free ones are listed; a round finds most in a pool that is open."""

Ranked = Callable[[int], list[Pick] | None]
"""The next picks of the strategy that this annotator may get, at least n if there are; None: rank first."""


@dataclass(frozen=True, eq=False)
class Request:
    """What an annotator asked for."""

    campaign: Campaign
    annotator: str
    strategy: StrategyConfig
    size: int
    shared: bool
    """Whether samples that other annotators have on lease may be offered as well."""
    spacing: SpacingRules | None = None
    """How far apart the strategy's picks have to lie; None: no rule."""


class _Offer(NamedTuple):
    """What each source has for this annotator, as positions in the order of preference."""

    gold_standard: list[int]
    reserve: list[int]
    overlap: list[int]
    others: list[int]
    """On lease to other annotators; empty unless the query is shared."""
    pool: int
    """How many samples strategies may choose from."""


class _Counts(NamedTuple):
    """How many picks of a query come from each source."""

    reserve: int
    overlap: int
    control: int
    strategy: int
    others: int


class GoldStandardSchedule:
    """When an annotator gets the next gold-standard sample: now and then, in no order that can be learnt."""

    def __init__(self, rng: np.random.Generator) -> None:
        """Draw when the first comes."""
        self._rng = rng
        self._wait = int(rng.integers(GOLD_STANDARD_GAP[1]))

    def places(self, size: int, available: int) -> tuple[list[int], int]:
        """Places of gold-standard samples in the next query, ascending, and what `advance` takes once it is answered.

        Args:
            size: Samples of the query.
            available: Gold-standard samples that this annotator has not seen yet.
        """
        places: list[int] = []
        place = self._wait
        while place < size and len(places) < available:
            places.append(place)
            place += int(self._rng.integers(*GOLD_STANDARD_GAP))
        return places, max(0, place - size)

    def advance(self, wait: int) -> None:
        """The query was answered: `wait` picks remain until the next gold-standard sample."""
        self._wait = wait


def compose(
    index: PoolIndex,
    request: Request,
    scores: PoolScores,
    ranked: Ranked,
    schedule: GoldStandardSchedule,
    rng: np.random.Generator,
) -> Chosen | None:
    """The picks of a query in the order in which they are shown.

    Only the strategy's picks have to lie apart: the random control and the test reserve would be no fair samples else.
    They keep to a distance from the control; where the `random` strategy chooses everything, its picks do as well.

    Args:
        index: Locked by the caller.
        request: What is asked for.
        scores: Say the scores of picks that no strategy chose.
        ranked: The strategy's picks.
        schedule: When the annotator gets a gold-standard sample.
        rng: Source of chance.

    Returns:
        Picks, or None if the strategy has to rank first.
    """
    offer = _offer(index, request, rng)
    places, wait = schedule.places(request.size, len(offer.gold_standard))
    counts = _counts(index, request, offer, request.size - len(places), rng)
    by_chance = isinstance(request.strategy, Random)
    order = ranked(counts.strategy) if counts.strategy and not by_chance else []
    if order is None:
        return None

    def picks(positions: list[int], source: QuerySource, reason: str) -> list[Pick]:
        sample_ids = index.sample_ids[positions].tolist()
        return [Pick(*pick, reason, source) for pick in zip(sample_ids, scores.entropies(sample_ids), strict=True)]

    if request.spacing is None:
        chosen = Chosen(order[: counts.strategy])
        control = _random(index, request.annotator, counts.control, {pick.sample_id for pick in chosen.picks}, rng)
    else:
        control = _random(index, request.annotator, counts.control, set(), rng)
        beside = index.sample_ids[control].tolist()

        def further(count: int, left_out: set[int]) -> list[Pick]:
            positions = _random(index, request.annotator, min(count, offer.pool), left_out, rng)
            return picks(positions, "strategy", "random" if by_chance else "random: others lie too near")

        rest = [pick for pick in order if pick.sample_id not in beside]
        chosen = choose(index, request.spacing, rest, counts.strategy, beside, further)
    second = [
        *picks(control, "control", BY_CHANCE),
        *picks(offer.overlap[: counts.overlap], "overlap", "for a second opinion"),
        *picks(offer.others[: counts.others], "strategy", "on lease to another annotator too"),
    ]
    shown = mix(chosen.picks, [second[row] for row in rng.permutation(len(second))], rng)
    shown = mix(shown, picks(offer.reserve[: counts.reserve], "reserve", BY_CHANCE), rng)
    for place, pick in zip(places, picks(offer.gold_standard, "golden", BY_CHANCE), strict=False):
        shown.insert(place, pick)
    schedule.advance(wait)
    return Chosen(shown, chosen.shortfall)


def _offer(index: PoolIndex, request: Request, rng: np.random.Generator) -> _Offer:
    annotator = request.annotator
    overlap = [position for position in index.shared_out if not index.has_seen(position, annotator)]
    reserve = index.next_reserve(request.size, annotator)
    others: list[int] = []
    if request.shared:
        held = [position for position in index.holders if not index.has_seen(position, annotator)]
        others = [position for position in held if index.is_only_leased(position) and position not in overlap]
        reserve += [position for position in held if index.is_only_leased(position, reserve=True)]
    shuffled = rng.permutation(index.gold_standard).tolist()
    gold_standard = [position for position in shuffled if not index.has_seen(position, annotator)]
    return _Offer(gold_standard, reserve, overlap, others, max(0, index.free - index.count_skipped(annotator)))


def _counts(index: PoolIndex, request: Request, offer: _Offer, size: int, rng: np.random.Generator) -> _Counts:
    """Shares of `size` picks, those of gold-standard samples left out."""
    settings, query = request.campaign.settings, request.campaign.settings.query
    wanted = reserve_count(
        size,
        share=settings.reserve.share,
        queried=index.reserve_queried,
        needed=request.campaign.policy.min_reserve_labels,
        rng=rng,
    )
    elsewhere = offer.pool + len(offer.overlap) + len(offer.others)
    reserve = min(len(offer.reserve), max(wanted, size - elsewhere), size)
    rest = size - reserve
    overlap = overlap_count(rest, query.overlap_share, query.overlap_annotators, rng) if offer.overlap else 0
    overlap = min(len(offer.overlap), max(overlap, rest - offer.pool - len(offer.others)))
    alone = min(offer.pool, rest - overlap)
    if isinstance(request.strategy, Random):
        control = alone if request.spacing is None else 0
    else:
        control = rounded(query.control_share * alone, rng)
    others = min(max(0, rest - overlap - alone), len(offer.others))
    return _Counts(reserve, overlap, control, alone - control, others)


def reserve_count(query_size: int, *, share: float, queried: int, needed: int, rng: np.random.Generator) -> int:
    """Number of reserve samples in a query.

    Up to half of each query until three times `needed` were queried, so that the first rounds can be judged; from then
    on the reserve's share, so that the metric grows more certain as labels do.

    Args:
        query_size: Samples of the query.
        share: The campaign's `reserve.share`.
        queried: Reserve samples labelled or leased.
        needed: The policy's `min_reserve_labels`.
        rng: Rounds.
    """
    early = min(EARLY_SHARE * query_size, max(0, EARLY_LABELS * needed - queried))
    return rounded(max(share * query_size, early), rng)


def overlap_count(picks: int, share: float, annotators: int, rng: np.random.Generator) -> int:
    """How many of a query's picks of the pool go to samples that another annotator was asked for already.

    They keep pace with the first offers, of which `share` want `annotators - 1` more answers each.

    Args:
        picks: Picks of the pool.
        share: The campaign's `overlap_share`.
        annotators: How many annotators answer one sample, at least 2.
        rng: Rounds.
    """
    further = share * (annotators - 1)
    return rounded(picks * further / (1 + further), rng)


def rounded(expected: float, rng: np.random.Generator) -> int:
    """`expected` rounded down or up, at random so that its mean is kept."""
    return int(expected) + int(rng.random() < expected % 1)


def mix(pool: Sequence[T], reserve: Sequence[T], rng: np.random.Generator) -> list[T]:
    """Both in one list, each in its own order, interleaved at random: its position does not reveal a reserve sample."""
    from_reserve = rng.permutation(np.repeat([False, True], [len(pool), len(reserve)]))
    sides = iter(pool), iter(reserve)
    return [next(sides[side]) for side in from_reserve.astype(int)]


def _random(index: PoolIndex, annotator: str, count: int, left_out: set[int], rng: np.random.Generator) -> list[int]:
    """Positions of free samples, uniform without replacement."""
    skipped = index.skipped.get(annotator, set())
    found: dict[int, None] = {}

    def take(positions: list[int]) -> None:
        for position in positions:
            if len(found) < count and position not in skipped and int(index.sample_ids[position]) not in left_out:
                found.setdefault(position)

    for _ in range(RANDOM_TRIES if count and len(index) else 0):
        some = rng.integers(len(index), size=2 * count + 8)
        take(some[index.state[some] == 0].tolist())
        if len(found) == count:
            return list(found)
    if count:
        take(rng.permutation(np.flatnonzero(index.state == 0)).tolist())
    return list(found)
