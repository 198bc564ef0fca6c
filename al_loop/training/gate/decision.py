"""The gate: decides from what was measured on the test reserve whether a candidate may serve. Pure."""

import math
from collections.abc import Iterator, Mapping

from al_loop.domain.gate import GateCheck, GateReport, GateSettings
from al_loop.training.gate.checks import (
    FormerNames,
    calibration_checks,
    latency_check,
    parity_check,
    threshold_checks,
)
from al_loop_records.metric_names import metric_name
from models.card import Evaluation, ParityReport, TaskEvaluation, TaskName
from models.metrics import binomial_interval
from models.tasks import Task

MOST_SAMPLES = 10_000
"""Reserve samples beyond which nobody is told a number."""


def should_promote(
    evaluation: Evaluation,
    *,
    version: str = "",
    tolerance: float = 0.0,
    more: int = 50,
    settings: GateSettings | None = None,
    tasks: Mapping[TaskName, Task] | None = None,
    former: FormerNames | None = None,
    parity: ParityReport | None = None,
    withdrawn: str | None = None,
    background: str | None = None,
) -> GateReport:
    """Compare the candidate with constant answers (first model) or with the serving model (later ones).

    A first model has to be shown to beat chance and the majority answer: the lower end of its 95 % interval must lie
    above `TaskEvaluation.baseline`. For an accuracy that interval is at least as wide as the exact binomial one, so
    that a handful of lucky answers promotes nothing; for other metrics it is the bootstrap by block.

    A later candidate must not be worse on any task: the mean paired difference on the same reserve samples has to be at
    least `-tolerance`. The serving model is the best so far, so small losses cannot add up over rounds as they do when
    anything that is not *significantly* worse is accepted.

    Beside that all of `settings` has to hold. Every check is reported, whichever of them decides.

    Args:
        evaluation: Metrics in [0, 1] on the labelled reserve.
        version: Name of the candidate.
        tolerance: How much worse, in units of the metric, a candidate may be.
        more: Training labels to ask for when more of the reserve would not help.
        settings: What else is asked; None: nothing.
        tasks: Those of the campaign, whose metrics thresholds name.
        former: Names that classes had before, which thresholds may hold.
        parity: How far export and network differ.
        withdrawn: Why this very artefact is not promoted by the service; None: nothing speaks against it.
        background: Why a deep network that was tried in the background is no better; None: it was not, or it is.
    """
    asked = settings or GateSettings()
    checks = [*_of_metrics(evaluation, tolerance, more)]
    if background is not None:
        checks.insert(0, GateCheck(check="background", outcome="failed", sentence=background))
    checks += threshold_checks(evaluation, asked, tasks or {}, former or {})
    checks += calibration_checks(evaluation, asked.most_ece_increase)
    checks += [found for found in (latency_check(evaluation, asked.most_latency_ratio), parity_check(parity)) if found]
    if withdrawn is not None:
        checks.append(GateCheck(check="artefact", outcome="failed", sentence=withdrawn))
    failed = [check.sentence for check in checks if check.outcome == "failed"]
    if background is not None:
        failed = [background]  # which network won says more than the figures of the one that lost
    passed = [check.sentence for check in checks if check.check == "metric"]
    return GateReport(
        version=version,
        promote=not failed,
        reason="; ".join(failed or passed),
        checks=checks,
        against=evaluation.incumbent_version,
    )


def _of_metrics(evaluation: Evaluation, tolerance: float, more: int) -> Iterator[GateCheck]:
    """Whether the candidate beats constant answers, or is not worse than what serves, on each task."""
    if not evaluation.candidate:
        sentence = "no labelled reserve sample to measure the model on; label the test reserve"
        yield GateCheck(check="reserve", outcome="failed", sentence=sentence, samples=0)
    paired = {entry.task: entry for entry in evaluation.paired}
    before = {entry.task: entry.value for entry in evaluation.incumbent}
    for entry in evaluation.candidate:
        pair = paired.get(entry.task)
        if pair is not None and entry.baseline >= 1.0:
            yield _one_class(entry)
        if pair is None:
            beats = entry.low > entry.baseline
            said = f"{_measured(entry)} beats chance and the majority answer, {entry.baseline:.3f}"
            yield GateCheck(
                check="metric", outcome="passed" if beats else "failed",
                sentence=said if beats else _no_better_than_chance(entry, more), task=entry.task, metric=entry.metric,
                value=entry.value, low=entry.low, high=entry.high, samples=entry.samples,
            )  # fmt: skip
            continue
        said = (
            f"{_measured(entry)}, {pair.difference:+.3f} [{pair.low:+.3f}, {pair.high:+.3f}] against "
            f"{evaluation.incumbent_version} on the same {pair.samples} reserve samples"
        )
        worse = pair.difference < -tolerance
        yield GateCheck(
            check="metric", outcome="failed" if worse else "passed",
            sentence=f"worse than the serving model: {said}" if worse else said, task=entry.task, metric=entry.metric,
            value=entry.value, before=before.get(entry.task, entry.value - pair.difference), low=pair.low,
            high=pair.high, samples=pair.samples,
        )  # fmt: skip


def _one_class(entry: TaskEvaluation) -> GateCheck:
    """Nothing can be told apart where a constant answer is right about every sample."""
    shown = ", ".join(name for name, value in entry.per_class.items() if value is not None)
    sentence = (
        f"{entry.task}: the test reserve holds one answer only ({shown}), which a model that always gives it gets "
        f"right; label reserve samples of other classes"
    )
    return GateCheck(check="reserve", outcome="failed", sentence=sentence, task=entry.task, samples=entry.samples)


def missing_reserve_labels(entry: TaskEvaluation) -> int | None:
    """How many more reserve labels would show that a model is better than constant answers, if it stays as good.

    None: at this rate no number of them would, or more than `MOST_SAMPLES`.
    """
    above = entry.value - entry.baseline
    if above <= 0:
        return None
    if entry.metric == "accuracy":
        enough = next(
            (
                size
                for size in range(entry.samples + 1, MOST_SAMPLES)
                if binomial_interval(math.floor(entry.value * size), size)[0] > entry.baseline
            ),
            MOST_SAMPLES,
        )
    else:  # a bootstrap interval shrinks with the root of the number of samples
        enough = math.floor(entry.samples * ((entry.value - entry.low) / above) ** 2) + 1
    return None if enough >= MOST_SAMPLES else max(1, enough - entry.samples)


def _measured(entry: TaskEvaluation) -> str:
    return f"{entry.task} {metric_name(entry.metric)} {entry.value:.3f} [{entry.low:.3f}, {entry.high:.3f}]"


def _no_better_than_chance(entry: TaskEvaluation, more: int) -> str:
    missing = missing_reserve_labels(entry)
    wanted = f"{more} more" if missing is None else f"{missing} more of the test reserve"
    return (
        f"not better than chance yet: label {wanted}; {_measured(entry)} on {entry.samples} reserve samples, where the "
        f"best constant answer has {entry.baseline:.3f}"
    )
