"""Adds to the progress of a round how long it will take to its end, from the rounds before that were like it."""

from datetime import datetime
from functools import lru_cache

import msgspec

from al_loop.domain.round_pace import LOOKED_AT, round_seconds_left, usual_seconds
from al_loop.domain.rounds import RoundState
from al_loop.store.tables.rounds import RoundTable
from models.progress import ProgressLine

DECIDED = (RoundState.PROMOTED, RoundState.REJECTED, RoundState.CANDIDATE)
"""Rounds that came to their end."""
REMEMBERED = 64
"""Phases whose rounds before are not looked up again."""


class TimeLeft:
    """Of rounds that run in this process. Safe to share by threads."""

    def __init__(self, rounds: RoundTable) -> None:
        self._rounds = rounds
        self._usual = lru_cache(maxsize=REMEMBERED)(self._look)

    def told(self, campaign_id: int, number: int, line: ProgressLine) -> ProgressLine:
        """The line with `total_seconds_left`; equal lines of one phase stay equal."""
        left = round_seconds_left(line, *self._usual(campaign_id, number, line.phase))
        return msgspec.structs.replace(line, total_seconds_left=left)

    def _look(self, campaign_id: int, number: int, phase: str) -> tuple[datetime | None, dict[RoundState, float]]:
        """When a round entered a phase, and how long the phases of rounds like it took."""
        entered = [event.entered_at for event in self._rounds.events(campaign_id, number) if event.state == phase]
        background = self._rounds.get(campaign_id, number).background
        alike = [
            entry.number
            for entry in self._rounds.list(campaign_id)
            if entry.background == background and entry.state in DECIDED
        ]
        usual = usual_seconds([self._rounds.events(campaign_id, before) for before in alike[-LOOKED_AT:]])
        return (entered[-1] if entered else None), usual
