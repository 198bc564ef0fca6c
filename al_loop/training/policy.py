"""When a round starts by itself. Pure: the scheduler asks, this answers."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec

from al_loop.domain.campaigns import RetrainPolicy
from al_loop.domain.rounds import NextRound, Round, RoundState


class RetrainState(msgspec.Struct, frozen=True, kw_only=True):
    """What the decision looks at."""

    new_samples: int
    """Samples outside the reserve that were newly labelled since the last snapshot that counts."""
    last_label_at: datetime | None
    last_round_at: datetime | None
    """When the last round was requested; None if there was none."""
    running: bool
    ready: bool
    """Whether there are labels enough for a round at all."""


def should_retrain(state: RetrainState, policy: RetrainPolicy, now: datetime) -> str | None:
    """Return the reason to start a round now, or None.

    Labels are debounced: nothing starts until `policy.debounce_s` have passed since the newest one, so that a bulk
    import or a burst of saves makes one round. While a round runs nothing starts; what arrived meanwhile counts at its
    end.
    """
    if state.running or not state.ready or state.new_samples == 0:
        return None
    if state.last_label_at is not None and now - state.last_label_at < timedelta(seconds=policy.debounce_s):
        return None
    if policy.new_labels is not None and state.new_samples >= policy.new_labels:
        return f"new labels: {state.new_samples}"
    if policy.interval_s is not None and (
        state.last_round_at is None or now - state.last_round_at >= timedelta(seconds=policy.interval_s)
    ):
        return f"interval: {policy.interval_s:g} s, new labels: {state.new_samples}"
    return None


def next_round(
    new_samples: int, policy: RetrainPolicy, *, running: Round | None, missing: str | None, archived: bool
) -> NextRound:
    """How far it is to the next round, in words.

    Args:
        new_samples: As `RetrainState.new_samples`.
        policy: When rounds start by themselves.
        running: A round that has not ended.
        missing: What has to be labelled before a round can train at all, as `readiness` says it; None: nothing.
        archived: Whether the campaign is archived.
    """
    needed = policy.new_labels
    count = f"{new_samples} of {needed} new labels until the next round"
    if archived:
        sentence = "archived: no rounds start"
    elif running is not None:
        sentence = f"round {running.number} is under way ({running.state})"
    elif missing is not None:
        sentence = missing if needed is None else f"{missing}; {count}"
    elif needed is not None and new_samples >= needed:
        sentence = f"{new_samples} new labels: the next round starts in a moment"
    elif needed is not None:
        sentence = count
    elif policy.interval_s is not None:
        sentence = f"{new_samples} new labels; the next round starts by time"
    else:
        sentence = f"{new_samples} new labels since the last round; rounds start by hand only"
    return NextRound(new_labels=new_samples, needed=needed, sentence=sentence)


def seconds_until_retrain(state: RetrainState, policy: RetrainPolicy, now: datetime) -> float | None:
    """In how many seconds `should_retrain` has a reason if nothing changes until then; None: never."""
    if state.running or not state.ready or state.new_samples == 0:
        return None
    starts = []
    if policy.new_labels is not None and state.new_samples >= policy.new_labels:
        starts.append(now)
    if policy.interval_s is not None:
        starts.append(
            now if state.last_round_at is None else state.last_round_at + timedelta(seconds=policy.interval_s)
        )
    if not starts:
        return None
    settled = now if state.last_label_at is None else state.last_label_at + timedelta(seconds=policy.debounce_s)
    return max(0.0, (max(min(starts), settled) - now).total_seconds())


def foreground(rounds: Sequence[Round]) -> list[Round]:
    """The rounds that labels start, without those in the background."""
    return [entry for entry in rounds if not entry.background]


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


def last_counted_snapshot(rounds: list[Round]) -> int | None:
    """Newest label event that a round has used up, from rounds in order of their number.

    A failed or cancelled round counts, so that it is not repeated until new labels arrive. An interrupted one (the
    service was stopped) is repeated, but two in a row count: whatever stops the service may be the round itself.
    """
    interrupted = 0
    for entry in reversed(foreground(rounds)):
        if entry.state is RoundState.INTERRUPTED:
            interrupted += 1
            if interrupted < 2:
                continue
        if entry.label_event_id is not None:
            return entry.label_event_id
    return None
