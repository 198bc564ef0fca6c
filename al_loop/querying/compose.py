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

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import numpy as np

from al_loop.domain.campaigns import Campaign
from al_loop.domain.queries import Pick, QuerySource, QueryUnit
from al_loop.querying.spread import SpacingRules, choose
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

FURTHER = 512
"""Random samples that are looked at when the ranked ones lie too near to each other."""

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
    unit: QueryUnit = "image"


class Composed(NamedTuple):
    """The picks of one query in the order in which they are shown."""

    picks: list[Pick]
    shortfall: str | None
    """Why there are fewer than wanted, where they have to lie apart."""
    wait: int
    """Picks of the annotator until the next gold-standard sample."""


def compose(
    index: PoolIndex, request: Request, scores: PoolScores, ranked: Ranked, wait: int, rng: np.random.Generator
) -> Composed | None:
    """Choose the picks of a query.

    Only the strategy's picks have to lie apart: the random control and the test reserve would be no fair samples else.
    They keep to a distance from the control; where the `random` strategy chooses everything, its picks do as well.
    Queries about points have no gold-standard samples, no overlap and no samples that others hold: several answers of
    one image compare only where they are of the whole image.

    Args:
        index: Locked by the caller.
        request: What is asked for.
        scores: Say the scores of picks that no strategy chose.
        ranked: The strategy's picks.
        wait: Picks of this annotator until the next gold-standard sample.
        rng: Source of chance.

    Returns:
        None if the strategy has to rank first.
    """
    annotator, settings, unit = request.annotator, request.campaign.settings, request.unit
    whole = unit == "image"

    def unseen(positions: Iterable[int]) -> list[int]:
        return [position for position in positions if not index.has_seen(position, annotator)]

    # What each source has for this annotator, as positions in the order of preference.
    gold_standard = unseen(rng.permutation(index.gold_standard).tolist()) if whole else []
    overlap = unseen(index.shared_out) if whole else []
    held = unseen(index.holders) if request.shared and whole else []
    others = [position for position in held if index.is_only_leased(position) and position not in overlap]
    reserve = index.next_reserve(request.size, annotator, unit)
    reserve += [position for position in held if index.is_only_leased(position, reserve=True)]
    pool = index.count_open(annotator, unit)

    # How many picks come from each.
    places, wait = gold_standard_places(wait, request.size, len(gold_standard), rng)
    size, by_chance = request.size - len(places), isinstance(request.strategy, Random)
    wanted = reserve_count(
        size,
        share=settings.reserve.share,
        queried=index.reserve_queried,
        needed=request.campaign.policy.min_reserve_labels,
        rng=rng,
    )
    reserve = reserve[: max(wanted, size - pool - len(overlap) - len(others))]
    rest = size - len(reserve)
    wanted = overlap_count(rest, settings.query.overlap_share, settings.query.overlap_annotators, rng)
    overlap = overlap[: max(wanted, rest - pool - len(others))]
    alone = min(pool, rest - len(overlap))
    others = others[: rest - len(overlap) - alone]
    controls = rounded(settings.query.control_share * alone, rng)
    if by_chance:
        controls = alone if request.spacing is None else 0

    # The picks.
    order = ranked(alone - controls) if alone > controls and not by_chance else []
    if order is None:
        return None

    def picks(positions: list[int], source: QuerySource, reason: str) -> list[Pick]:
        sample_ids = index.sample_ids[positions].tolist()
        return [Pick(*pick, reason, source) for pick in zip(sample_ids, scores.entropies(sample_ids), strict=True)]

    shortfall = None
    if request.spacing is None:
        chosen = order[: alone - controls]
        control = _random(index, request, controls, {pick.sample_id for pick in chosen}, rng)
    else:
        control = _random(index, request, controls, set(), rng)
        beside = index.sample_ids[control]
        order = [pick for pick in order if pick.sample_id not in beside]
        left_out = {pick.sample_id for pick in order} | set(beside.tolist())
        further = _random(index, request, min(FURTHER + alone, pool), left_out, rng)
        drawn = picks(further, "strategy", "random" if by_chance else "random: others lie too near")
        chosen, shortfall = choose(index, request.spacing, order, drawn, alone - controls, beside)
    second = [
        *picks(control, "control", BY_CHANCE),
        *picks(overlap, "overlap", "for a second opinion"),
        *picks(others, "strategy", "on lease to another annotator too"),
    ]
    shown = mix(chosen, [second[row] for row in rng.permutation(len(second))], rng)
    shown = mix(shown, picks(reserve, "reserve", BY_CHANCE), rng)
    for place, pick in zip(places, picks(gold_standard, "golden", BY_CHANCE), strict=False):
        shown.insert(place, pick)
    return Composed(shown, shortfall, wait)


def gold_standard_places(wait: int, size: int, available: int, rng: np.random.Generator) -> tuple[list[int], int]:
    """Places of gold-standard samples in a query, ascending: now and then, in no order that can be learnt.

    Args:
        wait: Picks until the next one.
        size: Samples of the query.
        available: Gold-standard samples that this annotator has not seen yet.
        rng: Draws the gaps.

    Returns:
        The places, and how many picks remain until the next one after the query.
    """
    places: list[int] = []
    while wait < size and len(places) < available:
        places.append(wait)
        wait += int(rng.integers(*GOLD_STANDARD_GAP))
    return places, max(0, wait - size)


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


def _random(index: PoolIndex, request: Request, count: int, left_out: set[int], rng: np.random.Generator) -> list[int]:
    """Positions of free samples, uniform without replacement."""
    hidden = index.hidden_from(request.annotator, request.unit) if count else set()
    found: dict[int, None] = {}
    for turn in range(RANDOM_TRIES + 1):
        if len(found) >= min(count, len(index)):
            break
        if turn < RANDOM_TRIES:
            some = rng.integers(len(index), size=2 * count + 8)
        else:
            some = rng.permutation(np.flatnonzero(index.is_open(slice(None), request.unit)))
        for position in some[index.is_open(some, request.unit)].tolist():
            if len(found) < count and position not in hidden and int(index.sample_ids[position]) not in left_out:
                found.setdefault(position)
    return list(found)
