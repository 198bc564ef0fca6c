"""What one query is made of: picks of the strategy, of chance, of the test reserve, of the overlap and golden ones.

Looks and takes nothing: the sampler leases what is picked here.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from al_loop.domain.campaigns import Campaign
from al_loop.domain.queries import Pick, QuerySource
from al_loop.querying.sources import GoldenSchedule, control_count, mix, overlap_count, reserve_count
from al_loop.querying.spread import Chosen, SpacingRules, choose
from al_loop.querying.strategies import Random, StrategyConfig
from al_loop.scoring.pool_scores import PoolScores
from al_loop.store.pool_index import PoolIndex

BY_CHANCE = "random control"
"""Reason of the control, the test reserve and golden samples alike: people must not tell them apart, or they would
answer them otherwise."""

RANDOM_TRIES = 8
"""Rounds of drawing positions at random before the free ones are listed; a round finds most in a pool that is open."""

Ranked = Callable[[int], list[Pick] | None]
"""The next picks of the strategy that this annotator may get, at least so many if there are; None: rank first."""


@dataclass(frozen=True, eq=False)
class Request:
    """What an annotator asked for."""

    campaign: Campaign
    annotator: str
    strategy: StrategyConfig
    size: int
    shared: bool
    """Whether samples that others have on lease may be offered as well."""
    room: SpacingRules | None = None
    """How far apart the strategy's picks have to lie; None: no rule."""


def compose(
    book: PoolIndex, request: Request, board: PoolScores, ranked: Ranked, pace: GoldenSchedule, rng: np.random.Generator
) -> Chosen | None:
    """The picks of a query in the order in which they are shown.

    Only the strategy's picks have to lie apart: the random control and the test reserve would be no fair samples else.
    They keep to a distance from the control; where all is chosen at random by the `random` strategy, that has to as
    well.

    Args:
        book: Locked by the caller.
        request: What is asked for.
        board: Says the scores of picks that no strategy chose.
        ranked: The strategy's picks.
        pace: When the annotator meets a golden sample.
        rng: Source of chance.

    Returns:
        Picks, or None if the strategy has to rank first.
    """
    query = request.campaign.settings.query
    by_chance = isinstance(request.strategy, Random)
    overlap = _overlap(book, request.annotator)
    others = _held_by_others(book, request.annotator, overlap) if request.shared else []
    mine = max(0, book.free - book.count_skipped(request.annotator))
    golden = _golden(book, request.annotator, rng)
    places, left = pace.places(request.size, len(golden))
    size = request.size - len(places)
    reserve = book.next_reserve(size, request.annotator)
    if request.shared:
        reserve += _held_by_others(book, request.annotator, overlap, reserve=True)
    from_reserve = _reserve_share(book, request, size, len(reserve), mine + len(overlap) + len(others), rng)
    from_pool = size - from_reserve
    several = overlap_count(from_pool, query.overlap_share, query.overlap_annotators, rng) if overlap else 0
    several = min(len(overlap), max(several, from_pool - mine - len(others)))
    alone = min(mine, from_pool - several)
    chance = alone if by_chance else control_count(alone, query.control_share, rng)
    if request.room is not None and by_chance:
        chance = 0
    order = [] if by_chance or alone == chance else ranked(alone - chance)
    if order is None:
        return None
    first, shortfall = order[: alone - chance], None
    if request.room is None:
        drawn = _random(book, request.annotator, chance, {pick.sample_id for pick in first}, rng)
    else:
        drawn = _random(book, request.annotator, chance, set(), rng)
        beside = book.sample_ids[drawn].tolist()

        def further(count: int, left_out: set[int]) -> list[Pick]:
            positions = _random(book, request.annotator, min(count, mine), left_out, rng)
            return _picks(book, board, positions, "strategy", "random" if by_chance else "random: others lie too near")

        rest = [pick for pick in order if pick.sample_id not in beside]
        chosen = choose(book, request.room, rest, alone - chance, beside, further)
        first, shortfall = chosen.picks, chosen.shortfall
    held = min(max(0, from_pool - several - alone), len(others))
    second = (
        _picks(book, board, drawn, "control", BY_CHANCE)
        + _picks(book, board, overlap[:several], "overlap", "for a second opinion")
        + _picks(book, board, others[:held], "strategy", "on lease to somebody else too")
    )
    shown = mix(first, [second[index] for index in rng.permutation(len(second))], rng)
    shown = mix(shown, _picks(book, board, reserve[:from_reserve], "reserve", BY_CHANCE), rng)
    for place, position in zip(places, golden, strict=False):
        shown[place:place] = _picks(book, board, [position], "golden", BY_CHANCE)
    pace.walk(left)
    return Chosen(shown, shortfall)


def _reserve_share(
    book: PoolIndex, request: Request, size: int, there: int, others: int, rng: np.random.Generator
) -> int:
    """Samples of the reserve in a query of `size`, where it has `there` to offer and the pool `others`."""
    wanted = reserve_count(
        size,
        share=request.campaign.settings.reserve.share,
        asked=book.reserve_asked,
        needed=request.campaign.policy.min_reserve_labels,
        rng=rng,
    )
    return min(there, max(wanted, size - others), size)


def _picks(book: PoolIndex, board: PoolScores, positions: list[int], arm: QuerySource, reason: str) -> list[Pick]:
    sample_ids = book.sample_ids[positions].tolist()
    scores = board.entropies(sample_ids)
    return [Pick(sample_id, score, reason, arm) for sample_id, score in zip(sample_ids, scores, strict=True)]


def _random(book: PoolIndex, annotator: str, count: int, left_out: set[int], rng: np.random.Generator) -> list[int]:
    """Positions of free samples, uniform without replacement."""
    skipped = book.skipped.get(annotator, set())
    found: dict[int, None] = {}

    def take(positions: list[int]) -> None:
        for position in positions:
            if len(found) < count and position not in skipped and int(book.sample_ids[position]) not in left_out:
                found.setdefault(position)

    for _ in range(RANDOM_TRIES if count and len(book) else 0):
        some = rng.integers(len(book), size=2 * count + 8)
        take(some[book.state[some] == 0].tolist())
        if len(found) == count:
            return list(found)
    if count:
        take(rng.permutation(np.flatnonzero(book.state == 0)).tolist())
    return list(found)


def _overlap(book: PoolIndex, annotator: str) -> list[int]:
    """Positions of the overlap that this annotator may be asked about after others."""
    return [position for position in book.shared_out if not book.has_met(position, annotator)]


def _golden(book: PoolIndex, annotator: str, rng: np.random.Generator) -> list[int]:
    """Positions of golden samples that this annotator was not asked about, in random order."""
    return [position for position in rng.permutation(book.golden).tolist() if not book.has_met(position, annotator)]


def _held_by_others(book: PoolIndex, annotator: str, overlap: list[int], *, reserve: bool = False) -> list[int]:
    """Positions without a label that somebody else has on lease, of the pool or of the reserve."""
    return [
        position
        for position in book.holders
        if book.is_only_leased(position, reserve=reserve)
        and not book.has_met(position, annotator)
        and position not in overlap
    ]
