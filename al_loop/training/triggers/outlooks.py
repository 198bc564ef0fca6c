"""What each trigger of a policy says: whether it asks for a round, from when on, by which figures. Pure."""

import math
from datetime import datetime, timedelta

from al_loop.campaigns.notices import counted
from al_loop.domain.retraining import RetrainPolicy, TriggerName, TriggerOutlook, drift_level
from al_loop.domain.schedule import local, next_cron
from al_loop.training.triggers.learning_curve import LEAST_POINTS, TaskCurve, fit_curve
from al_loop.training.triggers.state import RetrainState
from al_loop_records.metric_names import metric_name

CURVE_GROWTH = 0.5
"""Share by which labels grow from round to round until the learning curve has points enough to be fitted."""

SMALLEST_REST = 0.1
"""Of `new_labels`: where no more images are left to label, so many new labels are worth a round."""


def labels_needed(state: RetrainState, new_labels: int) -> int:
    """New labels that start a round: as many as the policy says, or fewer where the campaign has no more images."""
    if state.left is None:
        return new_labels
    return min(new_labels, max(state.new_samples + state.left, math.ceil(SMALLEST_REST * new_labels)))


def outlooks(state: RetrainState, policy: RetrainPolicy, now: datetime) -> list[TriggerOutlook]:
    """What every trigger says, in the order in which they are asked.

    Raises:
        InvalidValueError: The policy names a zone that this machine does not know.
    """
    found = [
        _retry(state, policy, now),
        _new_labels(state, policy, now),
        _share(state, policy, now),
        _gain(state, policy, now),
        _drift(state, policy, now),
        _cron(state, policy, now),
        _interval(state, policy, now),
    ]
    if state.new_samples:
        return found
    return [entry if entry.trigger == "retry" else _without_labels(entry) for entry in found]


def _without_labels(entry: TriggerOutlook) -> TriggerOutlook:
    """Nothing but a retry starts a round that would learn from the same labels as the last one."""
    words = f"{entry.sentence}; nothing is new to learn from yet" if entry.at is not None else entry.sentence
    return TriggerOutlook(
        trigger=entry.trigger, on=entry.on, holds=False, at=None, sentence=words, figures=entry.figures
    )


def _off(trigger: TriggerName) -> TriggerOutlook:
    return TriggerOutlook(trigger=trigger, on=False, holds=False, at=None, sentence="off")


def _retry(state: RetrainState, policy: RetrainPolicy, now: datetime) -> TriggerOutlook:
    if not policy.retries:
        return _off("retry")
    failed = state.failed
    if failed is None:
        said = f"a round that starts by itself and fails is tried again up to {counted(policy.retries, 'time')}"
        return TriggerOutlook(trigger="retry", on=True, holds=False, at=None, sentence=said)
    figures: dict[str, float | None] = {"retries": failed.retries, "most": policy.retries}
    if failed.retries >= policy.retries:
        said = f"round {failed.number} failed and was tried again {counted(failed.retries, 'time')}: it stays failed"
        return TriggerOutlook(trigger="retry", on=True, holds=False, at=None, sentence=said, figures=figures)
    wait_s = policy.retry_wait_s * 2**failed.retries
    at = failed.failed_at + timedelta(seconds=wait_s)
    said = f"retry {failed.retries + 1} of {policy.retries}: round {failed.number} failed"
    figures["wait_s"] = wait_s
    return TriggerOutlook(trigger="retry", on=True, holds=at <= now, at=at, sentence=said, figures=figures)


def _new_labels(state: RetrainState, policy: RetrainPolicy, now: datetime) -> TriggerOutlook:
    if policy.new_labels is None:
        return _off("new_labels")
    return _count("new_labels", state.new_samples, labels_needed(state, policy.new_labels), now)


def _share(state: RetrainState, policy: RetrainPolicy, now: datetime) -> TriggerOutlook:
    if policy.new_labels_share is None:
        return _off("new_labels_share")
    needed = max(1, math.ceil(policy.new_labels_share * state.known_samples))
    return _count("new_labels_share", state.new_samples, needed, now)


def _count(trigger: TriggerName, new: int, needed: int, now: datetime) -> TriggerOutlook:
    holds = new >= needed
    return TriggerOutlook(
        trigger=trigger,
        on=True,
        holds=holds,
        at=now if holds else None,
        sentence=f"{new} of {needed} new labels",
        figures={"new_labels": new, "needed": needed},
    )


def _gain(state: RetrainState, policy: RetrainPolicy, now: datetime) -> TriggerOutlook:
    """Projected for each task from the last measured round to the labels of now; the best task decides."""
    threshold = policy.expected_gain
    if threshold is None:
        return _off("expected_gain")
    projected = [gain for curve in state.curves if (gain := _projection(curve, state, threshold, now)) is not None]
    if projected:
        return max(projected, key=lambda entry: (entry.holds, entry.figures["gain"] or 0.0))
    points = max((len({entry.labels for entry in curve.rounds}) for curve in state.curves), default=0)
    needed = max(1, math.ceil(CURVE_GROWTH * state.known_samples))
    holds = state.new_samples >= needed
    said = (
        f"{points} of {LEAST_POINTS} rounds that a learning curve needs; until then rounds start when labels have "
        f"grown by half: {state.new_samples} of {needed} new labels"
    )
    figures: dict[str, float | None] = {"rounds": points, "new_labels": state.new_samples, "needed": needed}
    return TriggerOutlook(
        trigger="expected_gain", on=True, holds=holds, at=now if holds else None, sentence=said, figures=figures
    )


def _projection(curve: TaskCurve, state: RetrainState, threshold: float, now: datetime) -> TriggerOutlook | None:
    fit = fit_curve(curve.rounds)
    if fit is None:
        return None
    start, end = curve.rounds[-1].labels, max(state.known_samples + state.new_samples, curve.rounds[-1].labels)
    gain, noise = fit.gain(start, end)
    holds = gain >= threshold and gain > noise
    said = (
        f"{metric_name(curve.metric)} of {curve.task} is projected to rise by {gain:.4f} (noise {noise:.4f}) "
        f"from {start} to {end} labels; {threshold:g} is asked for"
    )
    a, b, c = (float(value) for value in fit.parameters)
    figures: dict[str, float | None] = {
        "gain": gain, "noise": noise, "threshold": threshold, "from_labels": start, "to_labels": end,
        "limit": a, "scale": b, "exponent": c, "unit_labels": fit.unit, "rounds": len(curve.rounds),
    }  # fmt: skip
    return TriggerOutlook(
        trigger="expected_gain", on=True, holds=holds, at=now if holds else None, sentence=said, figures=figures
    )


def _drift(state: RetrainState, policy: RetrainPolicy, now: datetime) -> TriggerOutlook:
    settings, report = policy.drift, state.drift
    if settings is None:
        return _off("drift")
    if report is None:
        said = "no images are new since the last round, or too few are described yet"
        return TriggerOutlook(trigger="drift", on=True, holds=False, at=None, sentence=said)
    level = drift_level(report, settings)
    holds = level == "critical" and state.labelled_new_images >= settings.labels
    said = (
        f"AUC {report.auc:.2f} between {report.new_images} new and {report.old_images} older images (chance "
        f"{report.chance:.2f}, p {report.p_value:.3f}; warning from {settings.warn:g}, critical from "
        f"{settings.critical:g})"
    )
    if level == "critical":
        said += f"; {state.labelled_new_images} of {settings.labels} new images labelled that a round waits for"
    figures: dict[str, float | None] = {
        "auc": report.auc, "chance": report.chance, "p_value": report.p_value, "warn": settings.warn,
        "critical": settings.critical, "labelled": state.labelled_new_images, "needed": settings.labels,
    }  # fmt: skip
    return TriggerOutlook(
        trigger="drift", on=True, holds=holds, at=now if holds else None, sentence=said, figures=figures
    )


def _cron(state: RetrainState, policy: RetrainPolicy, now: datetime) -> TriggerOutlook:
    """Times before the first new label, the last round or the policy start nothing; of several missed ones one does."""
    if policy.cron is None:
        return _off("cron")
    marks = (state.first_new_at, state.last_round_at, state.policy_since)
    at = next_cron(policy, max((mark for mark in marks if mark is not None), default=now))
    holds = bool(state.new_samples) and at is not None and at <= now
    shown = "never" if at is None else local(at, policy)
    if not state.new_samples:
        upcoming = next_cron(policy, now)
        shown = "never" if upcoming is None else local(upcoming, policy)
    said = f"{policy.cron!r}: {'missed at' if holds else 'next at'} {shown}"
    return TriggerOutlook(trigger="cron", on=True, holds=holds, at=at, sentence=said)


def _interval(state: RetrainState, policy: RetrainPolicy, now: datetime) -> TriggerOutlook:
    if policy.interval_s is None:
        return _off("interval_s")
    last = state.last_round_at
    at = now if last is None else last + timedelta(seconds=policy.interval_s)
    said = f"every {policy.interval_s:g} s: {'since' if at <= now else 'next at'} {local(at, policy)}"
    passed = None if last is None else (now - last).total_seconds()
    figures: dict[str, float | None] = {"interval_s": policy.interval_s, "passed_s": passed}
    return TriggerOutlook(trigger="interval_s", on=True, holds=at <= now, at=at, sentence=said, figures=figures)
