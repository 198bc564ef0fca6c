"""The gate: decides from what was measured on the test reserve whether a candidate may serve. Pure."""

import math

import msgspec

from models.card import Evaluation, TaskEvaluation
from models.metrics import binomial_interval

MOST_SAMPLES = 10_000
"""Reserve samples beyond which nobody is told a number."""


class GateDecision(msgspec.Struct, frozen=True, kw_only=True):
    """What the gate decided, and why in one sentence."""

    promote: bool
    reason: str


def should_promote(evaluation: Evaluation, *, tolerance: float = 0.0, more: int = 50) -> GateDecision:
    """Compare the candidate with constant answers (first model) or with the serving model (later ones).

    A first model has to be shown to beat chance and the majority answer: the lower end of its 95 % interval must lie
    above `TaskEvaluation.baseline`. For an accuracy that interval is at least as wide as the exact binomial one, so
    that a handful of lucky answers promotes nothing; for other metrics it is the bootstrap by block.

    A later candidate must not be worse on any task: the mean paired difference on the same reserve samples has to be at
    least `-tolerance`. The serving model is the best so far, so small losses cannot add up over rounds as they do when
    anything that is not *significantly* worse is accepted.

    Args:
        evaluation: Metrics in [0, 1] on the labelled reserve.
        tolerance: How much worse, in units of the metric, a candidate may be.
        more: Training labels to ask for when more of the reserve would not help.
    """
    if not evaluation.candidate:
        return GateDecision(
            promote=False, reason="no labelled reserve sample to measure the model on; label the test reserve"
        )
    paired = {entry.task: entry for entry in evaluation.paired}
    reasons = []
    for entry in evaluation.candidate:
        pair = paired.get(entry.task)
        if pair is None:
            if entry.low <= entry.baseline:
                return GateDecision(promote=False, reason=_no_better_than_chance(entry, more))
            reasons.append(f"{_measured(entry)} beats chance and the majority answer, {entry.baseline:.3f}")
        else:
            difference = (
                f"{pair.difference:+.3f} [{pair.low:+.3f}, {pair.high:+.3f}] against {evaluation.incumbent_version} "
                f"on the same {pair.samples} reserve samples"
            )
            if pair.difference < -tolerance:
                return GateDecision(
                    promote=False, reason=f"worse than the serving model: {_measured(entry)}, {difference}"
                )
            reasons.append(f"{_measured(entry)}, {difference}")
    return GateDecision(promote=True, reason="; ".join(reasons))


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
    return f"{entry.task} {entry.metric} {entry.value:.3f} [{entry.low:.3f}, {entry.high:.3f}]"


def _no_better_than_chance(entry: TaskEvaluation, more: int) -> str:
    missing = missing_reserve_labels(entry)
    wanted = f"{more} more" if missing is None else f"{missing} more of the test reserve"
    return (
        f"not better than chance yet: label {wanted}; {_measured(entry)} on {entry.samples} reserve samples, where the "
        f"best constant answer has {entry.baseline:.3f}"
    )
