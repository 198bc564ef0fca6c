"""Whether a round starts now, and if not, when the next one would and why. Pure: time is an argument."""

from datetime import datetime

from al_loop.domain.retraining import PolicyPreview, RetrainPolicy, TriggerOutlook
from al_loop.domain.rounds import NextRound
from al_loop.domain.schedule import local, quiet_end
from al_loop.errors import InvalidValueError
from al_loop.training.triggers.outlooks import labels_needed, outlooks
from al_loop.training.triggers.state import RetrainState, settled_at


def preview(state: RetrainState, policy: RetrainPolicy, now: datetime) -> PolicyPreview:
    """When the next round would start by itself, and why.

    The first trigger that holds starts a round, unless the campaign is archived, a round is under way, labels are
    missing, labels still arrive (`debounce_s`), or it is a quiet hour. While a failed round waits for its retry nothing
    else starts: the retry trains on the new labels too.

    Args:
        state: How the campaign stands.
        policy: When rounds start by themselves.
        now: The present, aware.
    """
    try:
        return _preview(state, policy, now)
    except InvalidValueError as error:  # a zone that this machine does not know, of a policy made on another one
        said = f"no rounds start by themselves: {error.reason}"
        return PolicyPreview(
            sentence=said, due=False, starts_at=None, trigger=None, reason=None, waits_for=[error.reason], triggers=[],
            new_labels=state.new_samples, as_of=now, timezone=policy.timezone,
        )  # fmt: skip


def _preview(state: RetrainState, policy: RetrainPolicy, now: datetime) -> PolicyPreview:
    triggers = outlooks(state, policy, now)
    first = _first(triggers, state, policy, now)
    stopped = _stopped(state)
    waits_for = [stopped] if stopped else []
    starts_at = None
    if first is not None and first.at is not None:
        starts_at = max(first.at, now)
        settled = None if first.trigger == "retry" else settled_at(state, policy.debounce_s)
        if settled is not None and settled > starts_at:
            waits_for.append(f"labels still arrive: none for {policy.debounce_s:g} s is waited for")
            starts_at = settled
        if (awake := quiet_end(policy, starts_at)) > starts_at:
            waits_for.append(f"quiet hours until {local(awake, policy)}")
            starts_at = awake
    if stopped:
        starts_at = None
    due = starts_at is not None and starts_at <= now
    reason = None if first is None or starts_at is None else _reason(first, state, policy)
    return PolicyPreview(
        sentence=_stopped_in_words(stopped, state, policy) or _sentence(first, triggers, starts_at, state, policy, now),
        due=due,
        starts_at=starts_at,
        trigger=None if first is None or starts_at is None else first.trigger,
        reason=reason,
        waits_for=waits_for,
        triggers=triggers,
        new_labels=state.new_samples,
        as_of=now,
        timezone=policy.timezone,
    )


def next_round(answer: PolicyPreview, state: RetrainState, policy: RetrainPolicy) -> NextRound:
    """A preview in one sentence, as status and the pages show it."""
    needed = None if policy.new_labels is None else labels_needed(state, policy.new_labels)
    return NextRound(new_labels=state.new_samples, needed=needed, sentence=answer.sentence)


def _stopped(state: RetrainState) -> str | None:
    """What no trigger can overcome."""
    if state.archived:
        return "archived: no rounds start"
    return state.running or state.missing


def _stopped_in_words(stopped: str | None, state: RetrainState, policy: RetrainPolicy) -> str | None:
    """It, and how far it is to the next round where only labels are missing."""
    if stopped is None or stopped != state.missing or state.few_images or policy.new_labels is None:
        return stopped
    return f"{stopped}; {_count(state, labels_needed(state, policy.new_labels))}"


def _first(
    triggers: list[TriggerOutlook], state: RetrainState, policy: RetrainPolicy, now: datetime
) -> TriggerOutlook | None:
    """The trigger that starts the next round if nothing changes: the first that holds, or else the earliest."""
    if state.failed is not None and state.failed.retries < policy.retries:
        triggers = [entry for entry in triggers if entry.trigger == "retry"]
    dated = [(max(entry.at, now), number) for number, entry in enumerate(triggers) if entry.at is not None]
    return triggers[min(dated)[1]] if dated else None


def _reason(first: TriggerOutlook, state: RetrainState, policy: RetrainPolicy) -> str:
    """As the round will name it."""
    if first.trigger == "new_labels":
        return f"new labels: {state.new_samples}"
    if first.trigger == "interval_s":
        return f"interval: {policy.interval_s:g} s, new labels: {state.new_samples}"
    if first.trigger == "cron":
        return f"cron: {policy.cron} {policy.timezone}, new labels: {state.new_samples}"
    if first.trigger == "retry":
        return first.sentence
    return f"{first.trigger.replace('_', ' ')}: {first.sentence}"


def _sentence(
    first: TriggerOutlook | None,
    triggers: list[TriggerOutlook],
    starts_at: datetime | None,
    state: RetrainState,
    policy: RetrainPolicy,
    now: datetime,
) -> str:
    if first is None or starts_at is None:
        return _undated(triggers, state, policy)
    if first.trigger == "retry" and state.failed is not None:
        begun = f"round {state.failed.number} failed: {first.sentence.partition(':')[0]}"
    elif first.trigger in ("cron", "interval_s"):
        if not first.holds:  # by time, unless enough labels arrive before
            when = f"{local(starts_at, policy)} ({_by(first)})"
            if policy.new_labels is None:
                return f"{state.new_samples} new labels; the next round starts at {when}"
            return f"{_count(state, labels_needed(state, policy.new_labels))}, or at {when}"
        begun = f"{state.new_samples} new labels ({_by(first)})"
    elif first.trigger == "new_labels":
        begun = f"{state.new_samples} new labels"
    else:
        begun = f"{first.trigger.replace('_', ' ')}: {first.sentence}"
    if starts_at <= now or (first.trigger != "retry" and quiet_end(policy, now) == now):
        return f"{begun}: the next round starts in a moment"
    return f"{begun}: the next round starts at {local(starts_at, policy)}"


def _undated(triggers: list[TriggerOutlook], state: RetrainState, policy: RetrainPolicy) -> str:
    """No trigger would start a round if nothing changed."""
    on = [entry for entry in triggers if entry.on and entry.trigger != "retry"]
    if policy.new_labels is not None:
        return _count(state, labels_needed(state, policy.new_labels))
    if not on:
        return f"{state.new_samples} new labels since the last round; rounds start by hand only"
    return "; ".join(f"{_by(entry)}: {entry.sentence}" for entry in on)


def _by(entry: TriggerOutlook) -> str:
    return {"interval_s": "interval"}.get(entry.trigger, entry.trigger.replace("_", " "))


def _count(state: RetrainState, needed: int) -> str:
    return f"{state.new_samples} of {needed} new labels until the next round"
