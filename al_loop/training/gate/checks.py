"""What the gate checks beside "not worse than what serves": thresholds, calibration, latency, parity. Pure."""

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from al_loop.domain.gate import EACH, ChangeThreshold, GateCheck, GateSettings, GateThreshold, ValueThreshold
from al_loop.domain.gate_rules import ECE, metric_of, metrics_of
from al_loop_records.metric_names import metric_name
from models.card import Evaluation, ParityReport, TaskName
from models.tasks import Task

FormerNames = Mapping[TaskName, Mapping[str, str]]
"""By task: the present name of each name that a class had before."""


class MeasuredSlice(msgspec.Struct, frozen=True, kw_only=True):
    """One metric of candidate and serving version on the reserve or a slice of it."""

    task: TaskName
    metric: str
    by: str
    """`class`, `place` or empty: all of the reserve."""
    name: str
    value: float
    before: float | None
    low: float | None
    high: float | None
    samples: int

    @property
    def where(self) -> str:
        """The slice, for people; the name of a place says what it is."""
        return f"{self.by} {self.name}" if self.by == "class" else self.name


def measured(evaluation: Evaluation) -> Iterator[MeasuredSlice]:
    """Everything that thresholds may ask about."""
    before = {entry.task: entry for entry in evaluation.incumbent}
    paired = {entry.task: entry for entry in evaluation.paired}
    for entry in evaluation.candidate:
        old, pair = before.get(entry.task), paired.get(entry.task)
        yield MeasuredSlice(
            task=entry.task, metric=entry.metric, by="", name="", value=entry.value,
            before=None if old is None else old.value,
            low=None if pair is None else pair.low, high=None if pair is None else pair.high, samples=entry.samples,
        )  # fmt: skip
        yield MeasuredSlice(
            task=entry.task, metric=ECE, by="", name="", value=entry.expected_calibration_error,
            before=None if old is None else old.expected_calibration_error,
            low=None, high=None, samples=entry.samples,
        )  # fmt: skip
    for part in evaluation.slices:
        yield MeasuredSlice(
            task=part.task, metric=part.metric, by=part.by, name=part.name, value=part.value, before=part.incumbent,
            low=part.low, high=part.high, samples=part.samples,
        )  # fmt: skip
        if part.expected_calibration_error is not None:
            yield MeasuredSlice(
                task=part.task, metric=ECE, by=part.by, name=part.name, value=part.expected_calibration_error,
                before=part.incumbent_calibration_error, low=None, high=None, samples=part.samples,
            )  # fmt: skip


def threshold_checks(
    evaluation: Evaluation, settings: GateSettings, tasks: Mapping[TaskName, Task], former: FormerNames
) -> list[GateCheck]:
    """One check for each metric and slice that a threshold is about; none is left out silently."""
    known = list(measured(evaluation))
    found: list[GateCheck] = []
    for threshold in settings.thresholds:
        for name, task in tasks.items():
            own = metric_of(threshold, task)
            if threshold.task not in (None, name) or own not in metrics_of(
                task, of_class=threshold.of_class is not None
            ):
                continue
            entries = [entry for entry in known if (entry.task, entry.metric) == (name, own)]
            entries = _of_slice(entries, threshold, former.get(name, {}))
            found += [_checked(threshold, entry) for entry in entries]
            if not entries:
                found.append(_not_measured(name, own, threshold.where))
            elif threshold.of_class == EACH:
                shown = {entry.name for entry in entries}
                missing = [known for known in task.classes if known not in shown]
                found += [_not_measured(name, own, f"class {', '.join(missing)}")] if missing else []
    return found


def calibration_checks(evaluation: Evaluation, most: float | None) -> Iterator[GateCheck]:
    """Whether each task's expected calibration error grew by more than `most`; None: it is only told."""
    for entry in measured(evaluation):
        if entry.metric != ECE or entry.by or entry.before is None:
            continue
        change = entry.value - entry.before
        said = f"{entry.task} calibration error {entry.value:.3f}, {change:+.3f} against what serves"
        asked = "" if most is None else f"; at most {most:+.3f} is allowed"
        yield GateCheck(
            check="calibration",
            outcome="not asked" if most is None else "passed" if change <= most + ROUNDING else "failed",
            sentence=said + asked,
            task=entry.task,
            metric=ECE,
            value=entry.value,
            before=entry.before,
            samples=entry.samples,
        )


def latency_check(evaluation: Evaluation, most: float | None) -> GateCheck | None:
    """Whether a run takes more than `most` times as long as before; None: nothing was measured."""
    latency = evaluation.latency
    if latency is None:
        return None
    said = f"a run takes {latency.candidate_ms:.1f} ms on an image of {latency.shape[-1]} x {latency.shape[-2]} px"
    if latency.incumbent_ms is None:
        return GateCheck(check="latency", outcome="not asked", sentence=said, value=latency.candidate_ms)
    ratio = latency.candidate_ms / max(latency.incumbent_ms, 1e-6)
    said += f", {ratio:.2f} times the {latency.incumbent_ms:.1f} ms of what serves"
    asked = "" if most is None else f"; at most {most:g} times is allowed"
    return GateCheck(
        check="latency",
        outcome="not asked" if most is None else "passed" if ratio <= most else "failed",
        sentence=said + asked,
        value=latency.candidate_ms,
        before=latency.incumbent_ms,
    )


def parity_check(parity: ParityReport | None) -> GateCheck | None:
    """Whether the exported graph answers as the network did; None: it was not compared."""
    if parity is None or not parity.differences:
        return None
    most = max(parity.differences.values())
    return GateCheck(
        check="parity",
        outcome="passed" if most <= parity.tolerance else "failed",
        sentence=f"exported graph and network differ by {most:.1e} at most; {parity.tolerance:.1e} is allowed",
        value=most,
    )


ROUNDING = 1e-9


def _of_slice(
    entries: Sequence[MeasuredSlice], threshold: GateThreshold, former: Mapping[str, str]
) -> list[MeasuredSlice]:
    by = "class" if threshold.of_class is not None else "place" if threshold.place is not None else ""
    name = threshold.of_class or threshold.place or ""
    if by == "class":
        name = former.get(name, name)
    return [entry for entry in entries if entry.by == by and (name in ("", EACH) or entry.name == name)]


def _checked(threshold: GateThreshold, entry: MeasuredSlice) -> GateCheck:
    failures, demands = [], []
    if threshold.value_threshold is not None:
        demands.append(_value_demand(threshold.value_threshold))
        failures += [] if _value_holds(threshold.value_threshold, entry.value) else ["value"]
    change = threshold.change_threshold
    if change is not None:
        lower = (change.direction or ("lower_is_better" if entry.metric == ECE else "")) == "lower_is_better"
        demands.append(_change_demand(change, lower=lower))
        if entry.before is not None:
            failures += [] if _change_holds(change, entry.value, entry.before, lower=lower) else ["change"]
    few = entry.samples < threshold.min_examples
    skipped = few or (entry.before is None and threshold.value_threshold is None)
    said = f"{entry.task} {metric_name(entry.metric)}{f' of {entry.where}' if entry.where else ''} {entry.value:.3f}"
    if entry.before is not None:
        said += f", {entry.value - entry.before:+.3f} against what serves,"
    said += f" on {entry.samples} reserve sample{'' if entry.samples == 1 else 's'}; asked: {' and '.join(demands)}"
    if few:
        said += f", from {threshold.min_examples} samples on"
    elif skipped:
        said += "; nothing that serves was measured on it"
    return GateCheck(
        check="threshold",
        outcome="not asked" if skipped else "failed" if failures else "passed",
        sentence=said,
        task=entry.task,
        metric=entry.metric,
        where=entry.where,
        value=entry.value,
        before=entry.before,
        low=entry.low,
        high=entry.high,
        samples=entry.samples,
    )


def _not_measured(task: TaskName, metric: str, where: str) -> GateCheck:
    return GateCheck(
        check="threshold",
        outcome="not asked",
        sentence=f"{task} {metric_name(metric)}{f' of {where}' if where else ''}: no labelled reserve sample shows it",
        task=task,
        metric=metric,
        where=where,
        samples=0,
    )


def _value_holds(asked: ValueThreshold, value: float) -> bool:
    low = -1.0 if asked.lower_bound is None else asked.lower_bound
    high = 2.0 if asked.upper_bound is None else asked.upper_bound
    return low - ROUNDING <= value <= high + ROUNDING


def _change_holds(asked: ChangeThreshold, value: float, before: float, *, lower: bool) -> bool:
    sign = -1.0 if lower else 1.0
    change = value - before
    share = change / before if before else 0.0 if change == 0 else float("inf") * change
    pairs = ((change, asked.absolute), (share, asked.relative))
    return all(bound is None or sign * found >= sign * bound - ROUNDING for found, bound in pairs)


def _value_demand(asked: ValueThreshold) -> str:
    if asked.upper_bound is None:
        return f"at least {asked.lower_bound:g}"
    if asked.lower_bound is None:
        return f"at most {asked.upper_bound:g}"
    return f"{asked.lower_bound:g} to {asked.upper_bound:g}"


def _change_demand(asked: ChangeThreshold, *, lower: bool) -> str:
    word = "most" if lower else "least"
    parts = [] if asked.absolute is None else [f"{asked.absolute:+g}"]
    parts += [] if asked.relative is None else [f"{100 * asked.relative:+g} %"]
    return f"a change of at {word} {' and '.join(parts)}"
