"""One model for all tasks against one model for each, measured on the same reserve samples and the same input.

Knows nothing of torch.
"""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from models import metrics
from models.tasks import Task
from models.training.data.stride import STRIDE_PX
from models.training.evaluate import SEED
from models.training.measuring.figures import BatchTime, TaskComparison
from models.training.tallies import Tally

BATCHES = (1, 8)
"""Images of one run whose time is measured."""
WARM_UP = 2
LEAST_RUNS = 5
MOST_RUNS = 30
BUDGET_S = 1.0
"""Time for the timed runs of one batch size, beyond `LEAST_RUNS` of each model."""
LEAST_FOR_INTERVAL = 2
"""Reserve samples that an interval needs."""


def compare_task(
    task: Task, blocks: Sequence[str], alone: Sequence[Tally], joint: Sequence[Tally]
) -> TaskComparison | None:
    """The figures of one task; None where the truth of its reserve samples holds no class.

    Args:
        task: The task.
        blocks: Of each sample, in the order of the tallies.
        alone: Of the task's own model, by seed.
        joint: Of the joint model, by seed.
    """
    labelled = np.logical_and.reduce([counted.labelled for counted in (*alone, *joint)])
    metric = task.metric.value
    tables = [[counted.tables[labelled] for counted in side] for side in (alone, joint)]
    values = [[float(metric(table.sum(axis=0))) for table in side] for side in tables]
    if not labelled.any() or not np.isfinite(values).all():
        return None
    places = [block for block, counts in zip(blocks, labelled, strict=True) if counts]
    difference = float(np.mean(values[1]) - np.mean(values[0]))
    low, high = _interval(task, places, tables[0], tables[1], difference)
    return TaskComparison(
        task=task.name, metric=task.metric.name, samples=len(places), places=len(set(places)),
        alone=values[0], joint=values[1], difference=difference, low=low, high=high,
    )  # fmt: skip


def _interval(
    task: Task,
    places: Sequence[str],
    alone: Sequence[NDArray[np.float64]],
    joint: Sequence[NDArray[np.float64]],
    difference: float,
) -> tuple[float | None, float | None]:
    """Places are drawn anew and, within each draw, seeds: both are samples of what could have been."""
    if len(places) < LEAST_FOR_INTERVAL:
        return None, None
    weights = metrics.resample_weights(places, SEED)
    pairs = zip(alone, joint, strict=True)
    by_seed = np.stack(
        [
            metrics.resampled(task.metric.value, ours, weights) - metrics.resampled(task.metric.value, theirs, weights)
            for theirs, ours in pairs
        ]
    )  # Shape: (seeds, resamples)
    seeds, draws = by_seed.shape
    drawn = np.random.default_rng(SEED).integers(seeds, size=(seeds, draws))
    means = np.take_along_axis(by_seed, drawn, axis=0).mean(axis=0)
    return metrics.interval(means, difference) if np.isfinite(means).any() else (None, None)


def measure_batches(
    files: Mapping[str, Path], chip: NDArray[np.float32], batches: Sequence[int] = BATCHES
) -> dict[str, list[BatchTime]]:
    """Times of models on the same input by one thread, in turn; whatever else the machine does only adds to them.

    Args:
        files: ONNX file of each model by name, all of the same bands.
        chip: Raw image (C, H, W), NaN invalid.
        batches: How often the image is repeated in one run.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    sessions = {
        name: onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
        for name, file in files.items()
    }
    found: dict[str, list[BatchTime]] = {name: [] for name in files}
    for images in batches:
        batch = np.repeat(padded(chip)[np.newaxis], images, axis=0)
        for session in sessions.values():
            for _ in range(WARM_UP):
                session.run(None, {"image": batch})
        times: dict[str, list[float]] = {name: [] for name in files}
        began, runs = time.perf_counter(), 0
        while runs < LEAST_RUNS or (runs < MOST_RUNS and time.perf_counter() - began < BUDGET_S):
            for name in list(files) if runs % 2 else list(files)[::-1]:
                started = time.perf_counter()
                sessions[name].run(None, {"image": batch})
                times[name].append(time.perf_counter() - started)
            runs += 1
        for name, taken in times.items():
            found[name].append(BatchTime(images=images, milliseconds=1000 * min(taken)))
    return found


def padded(chip: NDArray[np.float32]) -> NDArray[np.float32]:
    """An image (C, H, W) with NaN below and to the right, so that its sides are multiples of the stride."""
    height, width = chip.shape[1:]
    padding = (0, 0), (0, -height % STRIDE_PX), (0, -width % STRIDE_PX)
    return np.pad(chip, padding, constant_values=np.nan)
