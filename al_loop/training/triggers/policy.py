"""What the rounds of a campaign so far mean for the next one. Pure."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from al_loop.domain.rounds import Round, RoundState


def foreground(rounds: Sequence[Round]) -> list[Round]:
    """The rounds that labels start: none in the background, and none that measured a model from elsewhere."""
    return [entry for entry in rounds if not entry.background and entry.started_by != "added"]


class DeepQuestion(NamedTuple):
    """What decides whether a deep network is worth a round in the background."""

    labels: int
    """Of the newest round that made a version."""
    tried: int | None
    """Labels at the last round in the background; None: there was none that counts."""


def deep_question(rounds: Sequence[Round]) -> DeepQuestion | None:
    """What to ask `models.training.plan.deep_is_worth`, from rounds by number; None: nothing now.

    Nothing is tried while a round waits or runs, nor before one has made a version. A round in the background counts
    with the labels of the round before it, however it ended; of interrupted ones, as in `last_counted_snapshot`, only
    two in a row do.
    """
    if any(not entry.state.is_end for entry in rounds):
        return None
    done = [entry for entry in foreground(rounds) if entry.version and entry.labels and entry.evaluation is not None]
    if not done:
        return None
    interrupted = 0
    for entry in reversed(rounds):
        if not entry.background:
            continue
        interrupted = interrupted + 1 if entry.state is RoundState.INTERRUPTED else 0
        if interrupted == 1:
            continue
        before = [other.labels for other in done if other.number < entry.number]
        return DeepQuestion(done[-1].labels or 0, before[-1] if before else 0)
    return DeepQuestion(done[-1].labels or 0, None)


def counted(rounds: Sequence[Round]) -> list[Round]:
    """The rounds that labels start and that count, by number: all but the newest if it was interrupted.

    An interrupted round (the service was stopped) is repeated, but of two in a row the first counts: whatever stops the
    service may be the round itself.
    """
    entries = foreground(rounds)
    return entries[:-1] if entries and entries[-1].state is RoundState.INTERRUPTED else entries


def last_counted_snapshot(rounds: Sequence[Round]) -> int | None:
    """Newest label event that a round has used up, from rounds in order of their number.

    A failed or cancelled round counts, so that it is not repeated until new labels arrive.
    """
    events = [entry.label_event_id for entry in counted(rounds) if entry.label_event_id is not None]
    return events[-1] if events else None


class FailedRound(NamedTuple):
    """The newest round, if it started by itself and failed."""

    number: int
    """Of the round that failed first: the others were retries of it."""
    retries: int
    """How often it was tried again."""
    failed_at: datetime
    """When it failed last."""
    error: str
    """Why."""
    key: str
    """The same for all rounds that failed since the last one that did not."""


def failed_round(rounds: Sequence[Round]) -> FailedRound | None:
    """The newest round that counts, if it started by itself and failed; from rounds by number."""
    streak: list[Round] = []
    for entry in reversed(counted(rounds)):
        interrupted = entry.state is RoundState.INTERRUPTED and entry.started_by == "retry"
        if not (entry.state is RoundState.FAILED or interrupted) or entry.started_by in (None, "hand", "added"):
            break
        streak.insert(0, entry)
    if not streak:
        return None
    first = max(n for n, entry in enumerate(streak) if entry.started_by != "retry" or n == 0)
    last = streak[-1]
    return FailedRound(
        number=streak[first].number,
        retries=len(streak) - 1 - first,
        failed_at=last.ended_at or last.requested_at,
        error=last.error or "it failed",
        key=f"round {streak[0].number}",
    )
