"""How long a round will take to its end: what is left of its phase, and the phases that follow as in rounds before."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from statistics import median

from al_loop.domain.rounds import RoundEvent, RoundState
from models.progress import ProgressLine

PHASES = (RoundState.TRAINING, RoundState.EVALUATING, RoundState.EXPORTING, RoundState.GATE, RoundState.SCORING)
"""In their order."""

SHARES = {RoundState.EVALUATING: 0.15, RoundState.EXPORTING: 0.15, RoundState.GATE: 0.0, RoundState.SCORING: 0.3}
"""What a phase takes as a share of training, as long as no round of the campaign has come that far."""

LOOKED_AT = 5
"""Rounds before that are looked at: the newest ones, as pools and labels grow."""


def phase_seconds(events: Sequence[RoundEvent]) -> dict[RoundState, float]:
    """How long a round was in each of `PHASES` that it left; the last time counts, where it was taken up again."""
    found: dict[RoundState, float] = {}
    for event, following in pairwise(events):
        if event.state in PHASES:
            found[event.state] = (following.entered_at - event.entered_at).total_seconds()
    return found


def usual_seconds(rounds: Sequence[Sequence[RoundEvent]]) -> dict[RoundState, float]:
    """The median of each phase over rounds; a phase that none of them had is missing.

    Args:
        rounds: Changes of state of each, oldest first; of rounds that came to their end.
    """
    every = [phase_seconds(events) for events in rounds]
    return {phase: median(found) for phase in PHASES if (found := [one[phase] for one in every if phase in one])}


def round_seconds_left(
    line: ProgressLine, entered_at: datetime | None, usual: Mapping[RoundState, float]
) -> float | None:
    """Seconds from a line of progress to the end of its round; None: too early to say, or the round waits.

    Args:
        line: The newest one.
        entered_at: When the round entered the phase.
        usual: Of rounds before, from `usual_seconds`.
    """
    if line.phase not in PHASES:
        return None
    phase = RoundState(line.phase)
    spent = 0.0 if entered_at is None else max(0.0, line.time - entered_at.timestamp())
    left = line.seconds_left
    if left is None:
        if phase not in usual:
            return None
        left = max(0.0, usual[phase] - spent)
    training = usual.get(RoundState.TRAINING, spent + left if phase is RoundState.TRAINING else None)
    for follows in PHASES[PHASES.index(phase) + 1 :]:
        if follows in usual:
            left += usual[follows]
        elif training is not None:
            left += SHARES[follows] * training
    return left
