"""The gate: decides from what was measured on the test reserve whether a candidate may serve. Pure."""

import msgspec

from models.card import Evaluation, TaskEvaluation


class GateDecision(msgspec.Struct, frozen=True, kw_only=True):
    """What the gate decided, and why in one sentence."""

    promote: bool
    reason: str


def should_promote(evaluation: Evaluation, *, tolerance: float = 0.0) -> GateDecision:
    """Compare the candidate with the majority baseline (first model) or with the serving model (later ones).

    A later candidate must not be worse on any task: the mean paired difference on the same reserve samples has to be at
    least `-tolerance`. The serving model is the best so far, so small losses cannot add up over rounds as they do when
    anything that is not *significantly* worse is accepted.

    Args:
        evaluation: Metrics in [0, 1] on the labelled reserve.
        tolerance: How much worse, in units of the metric, a candidate may be.
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
            if entry.value <= entry.baseline:
                return GateDecision(promote=False, reason=_below_baseline(entry))
            reasons.append(f"{_measured(entry)} beats the majority baseline {entry.baseline:.3f}")
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


def _measured(entry: TaskEvaluation) -> str:
    return f"{entry.task} {entry.metric} {entry.value:.3f} [{entry.low:.3f}, {entry.high:.3f}]"


def _below_baseline(entry: TaskEvaluation) -> str:
    return (
        f"{_measured(entry)} does not beat the majority baseline {entry.baseline:.3f} on {entry.samples} "
        "reserve samples; label more samples"
    )
