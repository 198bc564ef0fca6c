"""What a model answered on each sample of the test reserve, kept beside the model; reports are computed from it.

One row a task and sample of `reserve-outcomes.parquet`. Tables and bins are kept sparse: a table of 500 classes holds
one answer. Knows nothing of torch.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from models.arrays import Ids
from models.card import TaskName, TaskSpec
from models.metrics import CALIBRATION_BINS
from models.tasks import Task, task_of
from models.tasks.measuring import Judged
from models.training.data.dataset import LabelledSample

Doubles = NDArray[np.float64]

OUTCOMES_FILE = "reserve-outcomes.parquet"

SCHEMA = pa.schema(
    [
        ("task", pa.string()),
        ("sample_id", pa.int64()),
        ("block", pa.string()),
        ("nearest_m", pa.float64()),
        ("cells", pa.list_(pa.int32())),  # of the table of `Task.tally` or `Judged`, row by row
        ("counts", pa.list_(pa.int64())),
        ("bins", pa.list_(pa.int32())),  # answered class * CALIBRATION_BINS + bin of the confidence
        ("bin_counts", pa.list_(pa.int64())),
        ("bin_confidences", pa.list_(pa.float64())),
        ("bin_correct", pa.list_(pa.int64())),
        ("mistake", pa.float64()),
    ]
)


@dataclass(frozen=True, eq=False)
class TaskOutcomes:
    """Answers to one task on S samples of the reserve, K classes."""

    task: Task
    sample_ids: Ids
    """Shape (S,)."""
    blocks: list[str]
    nearest_m: Doubles
    """Metres from each centre to that of the nearest training image, (S,); NaN where one has no place."""
    class_counts: Doubles
    """True positives, false positives, false negatives, true negatives, (S, K, 4)."""
    answers: Doubles
    """Right answers and all answers, (S, 2): images, pixels, yes and no of each class, or boxes and missed objects."""
    bins: Doubles
    """Count, summed confidence and summed correctness by confidence, (S, 15, 3)."""
    class_bins: Doubles
    """The same of all samples by answered class, (answers, 15, 3)."""
    table: Doubles
    """Sum of the tables, see `Task.report_shape`."""
    worst_cell: Ids
    """Place in the table of what each sample was confused most in, (S,); -1: in nothing."""
    mistake: Doubles
    """Confidence in what is wrong, 0 to 1, (S,)."""


class OutcomeRow:
    """Gathers the answers to one task on one sample, window by window."""

    def __init__(self, task: Task) -> None:
        self._table = np.zeros(task.report_shape, np.int64)
        self._bins = np.zeros((len(task.answer_names) * CALIBRATION_BINS, 3))
        self._mistake = self._weight = 0.0

    def add(self, table: NDArray[Any], judged: Judged) -> None:
        """Count one window, whose table `Task.tally` made."""
        self._table += (table if judged.table is None else judged.table).astype(np.int64)
        place = np.minimum((judged.confidence * CALIBRATION_BINS).astype(np.int64), CALIBRATION_BINS - 1)
        place += judged.answers * CALIBRATION_BINS
        columns = [np.ones(len(place)), judged.confidence, judged.correct.astype(np.float64)]
        size = len(self._bins)
        self._bins += np.stack([np.bincount(place, weights=column, minlength=size) for column in columns], axis=1)
        self._mistake += judged.mistake
        self._weight += judged.weight

    def row(self, task: TaskName, sample: LabelledSample) -> dict[str, Any]:
        """As it is kept."""
        cells, bins = np.flatnonzero(self._table), np.flatnonzero(self._bins[:, 0])
        return {
            "task": task,
            "sample_id": sample.sample_id,
            "block": sample.block,
            "nearest_m": sample.nearest_m,
            "cells": cells,
            "counts": self._table.ravel()[cells],
            "bins": bins,
            "bin_counts": self._bins[bins, 0].astype(np.int64),
            "bin_confidences": self._bins[bins, 1],
            "bin_correct": self._bins[bins, 2].astype(np.int64),
            "mistake": self._mistake / max(self._weight, 1.0),
        }


def write_outcomes(directory: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Write `reserve-outcomes.parquet`."""
    table = pa.table({name: [row[name] for row in rows] for name in SCHEMA.names}, schema=SCHEMA)
    pq.write_table(table, directory / OUTCOMES_FILE, compression="zstd")


def read_outcomes(directory: Path, tasks: Sequence[TaskSpec]) -> list[TaskOutcomes]:
    """Answers by task, of tasks with a sample; each task's samples in the order of the file.

    Args:
        directory: Of a version, or of the results of a training.
        tasks: As the version answers them.

    Raises:
        FileNotFoundError: The version is from before outcomes were kept, or was pruned.
        pyarrow.ArrowInvalid: The file is damaged.
    """
    rows = pq.read_table(directory / OUTCOMES_FILE, schema=SCHEMA).to_pylist()
    found = []
    for spec in tasks:
        own = [row for row in rows if row["task"] == spec.task]
        if own:
            found.append(_gathered(task_of(spec), own))
    return found


def _gathered(task: Task, rows: Sequence[dict[str, Any]]) -> TaskOutcomes:
    samples = len(rows)
    total = np.zeros(task.report_shape)
    class_counts = np.zeros((samples, len(task.classes), 4))
    answers = np.zeros((samples, 2))
    bins = np.zeros((samples, CALIBRATION_BINS, 3))
    class_bins = np.zeros((len(task.answer_names), CALIBRATION_BINS, 3))
    worst = np.full(samples, -1)
    right = task.right_cells()
    for index, row in enumerate(rows):
        table = np.zeros(task.report_shape)
        table.ravel()[row["cells"]] = row["counts"]
        total += table
        class_counts[index] = task.class_counts(table)
        answers[index] = table[right].sum(), table.sum()
        wrong = np.where(right, 0.0, table)
        if wrong.any():
            worst[index] = int(wrong.argmax())
        values = np.column_stack([row["bin_counts"], row["bin_confidences"], row["bin_correct"]]).reshape(-1, 3)
        place = np.array(row["bins"], np.int64)
        np.add.at(bins[index], place % CALIBRATION_BINS, values)
        np.add.at(class_bins, (place // CALIBRATION_BINS, place % CALIBRATION_BINS), values)
    return TaskOutcomes(
        task=task,
        sample_ids=np.array([row["sample_id"] for row in rows], np.int64),
        blocks=[row["block"] for row in rows],
        nearest_m=np.array([np.nan if row["nearest_m"] is None else row["nearest_m"] for row in rows]),
        class_counts=class_counts,
        answers=answers,
        bins=bins,
        class_bins=class_bins,
        table=total,
        worst_cell=worst,
        mistake=np.array([row["mistake"] for row in rows]),
    )
