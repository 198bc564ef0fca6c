"""Which of the strategy's picks a query hands out, where its samples must lie apart (`SpreadSettings`)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from al_loop.footprints import Footprints
from al_loop.lease_records import Pick
from al_loop.pool_book import LABELLED, LEASED, PoolBook
from al_loop.records import SpreadSettings
from al_loop.score_board import Ids
from al_loop.spread import spread

FURTHER = 512
"""Random samples that are looked at when the ranked ones lie too near to each other."""

Drawn = Callable[[int, set[int]], list[Pick]]
"""So many free samples at random, but for some ids."""


@dataclass(frozen=True, eq=False)
class Room:
    """The rules of a campaign and where its samples lie."""

    settings: SpreadSettings
    footprints: Footprints
    """Rows are positions in the book, which may have more samples by now."""


@dataclass(frozen=True)
class Chosen:
    """Picks of one query, and why there are fewer than wanted."""

    picks: list[Pick]
    shortfall: str | None = None


def choose(book: PoolBook, room: Room, order: Sequence[Pick], size: int, beside: Sequence[int], drawn: Drawn) -> Chosen:
    """The first `size` picks that the rules allow; where those ranked do not suffice, random ones that they allow.

    Args:
        book: Locked by the caller.
        room: The rules.
        order: All that were ranked and are free, best first; empty: the whole choice is random.
        size: Picks wanted.
        beside: Ids that the query hands out anyway; none of them is in `order`.
        drawn: Source of chance.
    """
    leased = book.sample_ids[list(book.holders)]

    def asked(rows: Ids) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
        return np.asarray((book.state[rows] & (LABELLED | LEASED)) != 0)

    def allowed(picks: Sequence[Pick], size: int, beside: Sequence[int]) -> tuple[list[Pick], int, str | None]:
        ids = [pick.sample_id for pick in picks]
        found = spread(ids, size, room.footprints, room.settings, leased=leased, beside=beside, asked=asked)
        return [picks[index] for index in found.kept], found.repeats, found.shortfall(size, room.settings)

    first, repeats, shortfall = allowed(order, size, beside)
    missing = size - len(first)
    if not missing:
        return Chosen(first)
    seen = {pick.sample_id for pick in order} | set(beside)
    kept = [*beside, *(pick.sample_id for pick in first)]
    more, again, further_shortfall = allowed(drawn(FURTHER + missing, seen), missing, kept)
    if (
        order and not repeats
    ):  # what was ranked is of new places: others are left, so this query asks about no place twice
        more = more[: len(more) - again]
    shortfall = further_shortfall or shortfall
    return Chosen(first + more, shortfall if len(more) < missing else None)
