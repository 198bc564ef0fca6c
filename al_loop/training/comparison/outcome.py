"""What a comparison came to, in figures and in words."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow.parquet as pq

from al_loop.domain.comparisons import ComparisonRequest, ComparisonResult, TaskLabels
from al_loop_records.metric_names import metric_name
from models.card import TaskSpec
from models.manifest import SAMPLES_FILE
from models.training.measuring.figures import JOINT, MeasuredComparison, ModelCosts, TaskComparison

POINT = 0.01
"""What counts as worth mentioning, of any metric."""
FEW_PLACES = 5
"""Places of the reserve below which an interval says little."""


def outcome_of(
    snapshot: Path, tasks: Sequence[TaskSpec], request: ComparisonRequest, measured: MeasuredComparison
) -> ComparisonResult:
    """The result of a comparison.

    Args:
        snapshot: Folder of `samples.parquet`.
        tasks: That were compared.
        request: What was asked for.
        measured: By `models.compare`.
    """
    names = [spec.task for spec in tasks]
    rows = pq.read_table(snapshot / SAMPLES_FILE, columns=["split", *names]).to_pylist()
    training = [row for row in rows if row["split"] != "test" and any(row[name] is not None for name in names)]
    labels = [
        TaskLabels(
            task=name,
            training=sum(row[name] is not None for row in training),
            reserve=sum(row["split"] == "test" and row[name] is not None for row in rows),
        )
        for name in names
    ]
    alone = [model for model in measured.models if model.name != JOINT]
    joint = next(model for model in measured.models if model.name == JOINT)
    memories = [model.memory_mb for model in alone if model.memory_mb is not None]
    whole = len(memories) == len(alone) and joint.memory_mb is not None
    for_all = sum(all(row[name] is not None for name in names) for row in training)
    return ComparisonResult(
        tasks=measured.tasks,
        models=measured.models,
        labels=labels,
        labelled_for_all=for_all,
        training_samples=len(training),
        training_time=share(joint.training_s, sum(model.training_s for model in alone)),
        size=share(joint.onnx_mb, sum(model.onnx_mb for model in alone)),
        latency=_latency(alone, joint),
        memory=share(joint.memory_mb or 0.0, sum(memories)) if whole else None,
        sentences=[*map(told, measured.tasks), _costs_told(alone, joint)],
        notices=_notices(names, request, measured, training, for_all),
    )


def share(part: float, whole: float) -> float | None:
    """Part / whole; None where there is nothing to divide by."""
    return part / whole if whole > 0 else None


def told(entry: TaskComparison) -> str:
    """One task in a sentence."""
    means = [sum(values) / len(values) for values in (entry.joint, entry.alone)]
    start = (
        f"{entry.task}: the joint model has {means[0]:.3f} {metric_name(entry.metric)}, its own model "
        f"{means[1]:.3f}; the difference is {100 * entry.difference:+.1f} points"
    )
    if entry.low is None or entry.high is None:
        return f"{start}, without an interval, as the reserve is too small for one"
    between = f"{start} [{100 * entry.low:+.1f}, {100 * entry.high:+.1f}]"
    if entry.low > 0:
        return f"{between}: the joint model is better"
    if entry.high < 0:
        return f"{between}: the joint model is worse"
    if entry.low >= -POINT:
        return f"{between}: the joint model is no worse by more than a point"
    return f"{between}: which of the two is better was not shown"


def _costs_told(alone: Sequence[ModelCosts], joint: ModelCosts) -> str:
    seconds, megabytes = sum(model.training_s for model in alone), sum(model.onnx_mb for model in alone)
    return (
        f"one joint model took {joint.training_s:,.1f} s of training and has {joint.onnx_mb:.1f} MB; the {len(alone)} "
        f"others together took {seconds:,.1f} s and have {megabytes:.1f} MB"
    )


def _latency(alone: Sequence[ModelCosts], joint: ModelCosts) -> list[float]:
    sums = [sum(model.batches[index].milliseconds for model in alone) for index in range(len(joint.batches))]
    return [batch.milliseconds / total for batch, total in zip(joint.batches, sums, strict=True) if total > 0]


def _notices(
    names: Sequence[str],
    request: ComparisonRequest,
    measured: MeasuredComparison,
    training: Sequence[object],
    for_all: int,
) -> list[str]:
    notices = []
    if for_all < len(training):
        notices.append(
            f"Labels are partial: {for_all} of {len(training)} training images are labelled for all tasks. The joint "
            "model sees every image, each other one only those of its task."
        )
    missing = [name for name in names if name not in {entry.task for entry in measured.tasks}]
    if missing:
        notices.append(f"Not measured: {', '.join(missing)}. The labelled reserve shows no class of it.")
    for entry in measured.tasks:
        if entry.low is None:
            notices.append(f"The reserve of {entry.task} holds {entry.samples} image: too few for an interval.")
        elif entry.places == 1:
            notices.append(
                f"All {entry.samples} reserve images of {entry.task} lie in one place: intervals are by image."
            )
        elif entry.places < FEW_PLACES:
            notices.append(f"The reserve of {entry.task} has {entry.places} places: its interval is rough.")
    if request.seeds == 1:
        notices.append("One seed: how much a training differs from the next is not in the intervals.")
    if len({model.candidate for model in measured.models}) > 1:
        kinds = ", ".join(f"{model.name} {model.candidate}" for model in measured.models)
        notices.append(f"The models are of several kinds ({kinds}): this compares what rounds would have made.")
    if measured.left_out:
        notices.append(f"{len(measured.left_out)} images could not be read and were left out: {measured.left_out[0]}.")
    notices.append("Times are of this machine, beside whatever else ran on it; nothing was published or promoted.")
    return notices
