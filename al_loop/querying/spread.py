"""How far apart the samples of one query lie: ground distance, one acquisition a place, quotas of groups.

Pure functions on the candidates of one query; nothing here grows with the pool but
`first_of_each_place`, which is for ranking.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from al_loop.domain.campaigns import SpreadSettings
from al_loop.domain.patterns import first_group, read_pattern
from al_loop.domain.queries import Pick
from al_loop.domain.sample_states import LABELLED, LEASED
from al_loop.store.pool_index import PoolIndex
from models.arrays import Ids, positions_of
from models.geo.footprints import EARTH_RADIUS_M, Footprints, centres, chord_m

Asked = Callable[[Ids], NDArray[np.bool_]]
"""Which of some rows of the footprints, shape (A,), are labelled or on lease."""


@dataclass(frozen=True, eq=False)
class Spread:
    """Which candidates a query may hand out, and why not the others."""

    kept: Ids
    """Positions among the candidates, best first, `wanted` at most; repeated acquisitions last."""
    repeats: int
    """How many of those kept, at the end, are of places that were queried before."""
    near: int
    """Candidates passed over because they lie too near to others."""
    over_quota: int
    """Candidates passed over because their group has its share of the query."""

    def shortfall(self, wanted: int, settings: SpreadSettings) -> str | None:
        """Why there are fewer samples than wanted, for the annotator; None if the rules are not the cause."""
        missing = wanted - len(self.kept)
        causes = []
        if self.near:
            causes.append(f"lie within {settings.min_distance_m:g} m of these or of samples on lease")
        if self.over_quota:
            causes.append(f"are of groups that have {settings.max_per_group} samples here already")
        if missing <= 0 or not causes:
            return None
        return f"{missing} fewer: the other candidates {' or '.join(causes)}"


def is_on(settings: SpreadSettings) -> bool:
    """Whether any rule is set; if not, nothing here need be called."""
    return settings.min_distance_m > 0 or settings.once_per_place or settings.max_per_group is not None


def spread(
    candidates: Ids | Sequence[int],
    wanted: int,
    footprints: Footprints,
    settings: SpreadSettings,
    *,
    leased: Ids | Sequence[int] = (),
    beside: Ids | Sequence[int] = (),
    asked: Asked | None = None,
) -> Spread:
    """Go through the candidates, best first, and take each that no rule forbids until there are enough.

    * Distance: the centre lies at least `min_distance_m` along a great circle from those of all samples taken before,
      of `leased` and of `beside`. Samples without a CRS are far from everything.
    * Quota: fewer than `max_per_group` samples of the same group were taken or are in `beside`. A path that the
      pattern does not match is of no group.
    * Place: with `once_per_place`, candidates whose place was queried, is that of a sample in `beside` or of an
      earlier candidate come after all others, in their order. See `Footprints.places`.

    What distance or quota forbids is not handed out in this query, however short it is: `Spread.shortfall` tells the
    annotator. It comes back as soon as leases nearby end.

    Args:
        candidates: Ids of K samples in order of preference; more than wanted, so that there is something to pass over.
        wanted: Samples taken at most.
        footprints: Where all these samples lie; candidates that are not there are left for later, others ignored.
        settings: The rules.
        leased: Ids of samples on lease, to any annotator.
        beside: Ids of samples that the query hands out anyway, such as its random control.
        asked: For `once_per_place`; None: nothing was queried.
    """
    rows, known = positions_of(np.asarray(candidates, np.int64), footprints.sample_ids)
    beside_rows = positions_of(np.asarray(beside, np.int64), footprints.sample_ids)[0]
    leased_rows = positions_of(np.asarray(leased, np.int64), footprints.sample_ids)[0]
    taken = np.full((len(leased_rows) + len(beside_rows) + wanted, 3), np.nan)  # NaN, without a place, is near nothing
    count = len(leased_rows) + len(beside_rows)
    taken[:count] = centres(footprints.bounds[np.concatenate([leased_rows, beside_rows])])
    vectors = centres(footprints.bounds[rows])
    # Straight lines through the Earth: exact for near points too, where the cosine of the angle is not.
    limit = (chord_m(settings.min_distance_m) / EARTH_RADIUS_M) ** 2
    groups = _groups(footprints, rows, settings)
    counts = Counter(_groups(footprints, beside_rows, settings))
    fresh, repeated = _by_place(footprints, rows, settings, beside_rows, asked)
    kept: list[int] = []
    repeats = near = over_quota = 0
    for turn, position in enumerate([*fresh, *repeated]):
        if len(kept) == wanted:
            break
        group = groups[position]
        if group is not None and settings.max_per_group is not None and counts[group] >= settings.max_per_group:
            over_quota += 1
        elif limit and (np.square(taken[:count] - vectors[position]).sum(axis=1) < limit).any():
            near += 1
        else:
            kept.append(position)
            counts[group] += 1
            taken[count] = vectors[position]
            count += 1
            repeats += turn >= len(fresh)
    return Spread(np.flatnonzero(known)[np.array(kept, np.int64)], repeats, near, over_quota)


def first_of_each_place(offered: Ids, asked: Ids, footprints: Footprints, rng: np.random.Generator) -> Ids:
    """The samples to rank under `once_per_place`: of each place that was not queried yet, one acquisition.

    For ranking, since it takes time in the size of the pool (50 ms for a million samples): `spread` alone can only
    order what a strategy chose, and that might all be of places queried before while others are left.

    Args:
        offered: Ids that may be queried, shape (N,), ascending.
        asked: Ids of samples that are labelled or leased.
        footprints: Where they lie; samples that are not there stay.
        rng: Draws the acquisition.

    Returns:
        Ascending; all of `offered` once every place was queried.
    """
    rows, known = positions_of(offered, footprints.sample_ids)
    positions = np.flatnonzero(known)
    drawn = np.full(len(footprints), -1)  # by place: the position of the acquisition that stands for it
    order = rng.permutation(len(rows))
    drawn[footprints.places[rows[order]]] = positions[order]
    drawn[footprints.places[positions_of(asked, footprints.sample_ids)[0]]] = -1
    chosen = np.union1d(drawn[drawn >= 0], np.flatnonzero(~known))
    return offered[chosen] if len(chosen) else offered


def _groups(footprints: Footprints, rows: Ids, settings: SpreadSettings) -> list[str | None]:
    """Group of each sample: the pattern's first group, or its whole match if it has none; None: no group."""
    if settings.group_pattern is None or settings.max_per_group is None:
        return [None] * len(rows)
    pattern = read_pattern(settings.group_pattern, "$.query.spread.group_pattern")
    return [first_group(pattern, path) for path in footprints.paths_at(rows)]


def _by_place(
    footprints: Footprints, rows: Ids, settings: SpreadSettings, beside: Ids, asked: Asked | None
) -> tuple[list[int], list[int]]:
    """Positions of candidates of places that was not queried yet, one each, and of the others; both in order."""
    if not settings.once_per_place or not len(rows):
        return list(range(len(rows))), []
    places = footprints.places[rows]
    fresh = np.zeros(len(rows), np.bool_)
    fresh[np.unique(places, return_index=True)[1]] = True
    fresh &= ~np.isin(places, footprints.places[beside])
    if asked is not None:
        there, lengths = footprints.acquisitions(rows)
        fresh &= ~np.logical_or.reduceat(asked(there), np.cumsum(lengths) - lengths)
    return np.flatnonzero(fresh).tolist(), np.flatnonzero(~fresh).tolist()


@dataclass(frozen=True, eq=False)
class SpacingRules:
    """The rules of a campaign and where its samples lie."""

    settings: SpreadSettings
    footprints: Footprints
    """Rows are positions in the pool index, which may have more samples by now."""


def choose(
    index: PoolIndex, rules: SpacingRules, ranked: Sequence[Pick], drawn: Sequence[Pick], size: int, beside: Ids
) -> tuple[list[Pick], str | None]:
    """The first `size` picks that the rules allow, and why there are fewer.

    Args:
        index: Locked by the caller.
        rules: The rules.
        ranked: All that were ranked and are free, best first; empty: the whole choice is random.
        drawn: Others at random, for where those ranked do not suffice.
        size: Picks wanted.
        beside: Ids that the query hands out anyway; none of them is in `ranked` or `drawn`.
    """

    def queried(rows: Ids) -> NDArray[np.bool_]:
        return np.asarray((index.state[rows] & (LABELLED | LEASED)) != 0)

    picks = [*ranked, *drawn]
    leased = index.sample_ids[list(index.holders)]
    ids = [pick.sample_id for pick in picks]
    found = spread(ids, size, rules.footprints, rules.settings, leased=leased, beside=beside, asked=queried)
    kept, repeats = found.kept, found.kept[len(found.kept) - found.repeats :]
    if ranked and not (repeats < len(ranked)).any():  # what was ranked is of new places: none twice in this query
        kept = kept[: len(kept) - found.repeats]
    return [picks[row] for row in kept.tolist()], found.shortfall(size, rules.settings)
