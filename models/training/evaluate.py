"""Candidate and incumbent on the labelled test reserve, with intervals and their paired difference.

Knows nothing of torch: see `models.training.tallies` for what a model is.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from models import metrics
from models.card import Evaluation, OtherMetric, PairedDifference, TaskEvaluation, TaskSpec
from models.tasks.measuring import OtherMeasure
from models.training.data.dataset import ChipReader, LabelledSample
from models.training.data.label_counts import Counts
from models.training.measuring.slices import slice_evaluations
from models.training.tallies import Infer, Tally, readable, tally

SEED = 20240229
"""Of the bootstrap: candidate and incumbent are resampled alike, which makes their difference paired."""


class Contender(msgspec.Struct, frozen=True, kw_only=True):
    """A model under test."""

    version: str
    tasks: Sequence[TaskSpec]
    infer: Infer


def evaluate(
    samples: Sequence[LabelledSample],
    reader: ChipReader,
    train_counts: Counts,
    candidate: Contender,
    incumbent: Contender | None,
    window_px: int,
    keep: Callable[[list[dict[str, Any]]], None] = lambda rows: None,
) -> Evaluation:
    """Measure both models on the same samples, without those that cannot be read.

    A task whose truth on the samples holds no class has no entry. A task that the incumbent does not answer with the
    same classes has no entry for the incumbent and no difference.

    Args:
        samples: The reserve; may be empty.
        reader: Reads them.
        train_counts: Labels of the training split, for the majority answer.
        candidate: The new model.
        incumbent: The serving model, if there is one that reads the same bands.
        window_px: Larger images are cut into windows of this side.
        keep: Gets what the candidate answered on each sample, as `write_outcomes` takes it.
    """
    tallies = tally(samples, reader, candidate.tasks, candidate.infer, window_px, detailed=True)
    others: list[Tally] = []
    if incumbent is not None:
        shared = [spec for spec in incumbent.tasks if spec in candidate.tasks]
        others = tally(samples, reader, shared, incumbent.infer, window_px)
        for counted in tallies:  # a file may have broken between the two: both are measured on the same samples
            counted.keep(readable(samples, reader))
    new, old = _by_task(tallies), _by_task(others)
    keep([row.row(task, samples[index]) for task, counted in new.items() for index, row in counted.outcomes.items()])
    blocks = {
        task: [sample.block for sample, labelled in zip(samples, counted.labelled, strict=True) if labelled]
        for task, counted in new.items()
    }
    weights = {task: metrics.resample_weights(names, SEED) for task, names in blocks.items()}
    return Evaluation(
        candidate=[_summary(counted, train_counts, weights[task]) for task, counted in new.items()],
        incumbent_version=incumbent.version if incumbent is not None else None,
        incumbent=[_summary(counted, train_counts, weights[task]) for task, counted in old.items()],
        paired=[_difference(new[task], counted, weights[task]) for task, counted in old.items()],
        slices=[
            entry
            for task, counted in new.items()
            for entry in slice_evaluations(counted, old.get(task), blocks[task], weights[task])
        ],
    )


def metric_value(counted: Tally) -> float | None:
    """The task's metric over all samples; None where their truth holds no class."""
    value = float(counted.task.metric.value(counted.tables.sum(axis=0)))
    return value if np.isfinite(value) else None


def _by_task(tallies: Sequence[Tally]) -> dict[str, Tally]:
    """Tallies whose truth holds at least one class: the metric is a number."""
    return {counted.task.name: counted for counted in tallies if metric_value(counted) is not None}


def _summary(counted: Tally, train_counts: Counts, weights: NDArray[np.float64]) -> TaskEvaluation:
    task, tables = counted.task, counted.tables[counted.labelled]
    metric = task.metric
    total = tables.sum(axis=0)
    value = float(metric.value(total))
    low, high = metrics.interval(metrics.resampled(metric.value, tables, weights), value)
    if metric.is_share:
        least, most = metrics.binomial_interval(round(value * len(tables)), len(tables))
        low, high = min(low, least), max(high, most)
    else:
        low, high = metrics.wide_enough(low, high, len(tables))
    return TaskEvaluation(
        task=task.name,
        metric=metric.name,
        value=value,
        low=low,
        high=high,
        baseline=task.baseline(total, train_counts[task.name]),
        samples=len(tables),
        per_class={
            label: None if np.isnan(value) else float(value)
            for label, value in zip(task.classes, metric.by_class(total), strict=True)
        },
        expected_calibration_error=metrics.expected_calibration_error(counted.bins.sum(axis=0)),
        others=[entry for other in metric.others for entry in _other(other, counted, weights)],
    )


def _other(measure: OtherMeasure, counted: Tally, weights: NDArray[np.float64]) -> Iterator[OtherMetric]:
    """What is measured besides; of classes, of those that the truth shows."""
    counts = counted.tables if measure.of == "tables" else counted.further
    if counts is None:
        return
    counts = counts[counted.labelled]
    values = np.atleast_1d(measure.value(counts.sum(axis=0)))
    drawn = metrics.resampled(measure.value, counts, weights).reshape(len(weights), -1)
    names = counted.task.classes if measure.by_class else [None]
    for number, label in enumerate(names):
        value = float(values[number])
        if np.isfinite(value):
            low, high = metrics.interval(drawn[:, number], value)
            yield OtherMetric(name=measure.name, value=value, low=low, high=high, of_class=label)


def _difference(new: Tally, old: Tally, weights: NDArray[np.float64]) -> PairedDifference:
    metric = new.task.metric.value
    tables = [counted.tables[counted.labelled] for counted in (new, old)]
    values = [float(metric(table.sum(axis=0))) for table in tables]
    resampled = [metrics.resampled(metric, table, weights) for table in tables]
    difference = values[0] - values[1]
    low, high = metrics.interval(resampled[0] - resampled[1], difference)
    return PairedDifference(task=new.task.name, difference=difference, low=low, high=high, samples=len(tables[0]))
