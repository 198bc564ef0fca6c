"""Paired figures of a joint model and one of a single task, and the time of their runs."""

from pathlib import Path

import numpy as np
import pytest

from models.card import TaskSpec
from models.registry import ONNX_FILE
from models.tasks import task_of
from models.training.data.dataset import LabelledSample
from models.training.measuring.comparison import compare_task, measure_batches, padded
from models.training.tallies import Tally
from tests.models.training.fixtures import TrainedRun

TASK = task_of(TaskSpec(task="classification", classes=["a", "b"]))


def counted(right: list[bool]) -> Tally:
    """A model that is right about some samples, of which every other one is of class `a`."""
    samples = [
        LabelledSample(sample_id=i, path=Path("x"), block="b", targets={TASK.name: [i % 2]}, height=1, width=1)
        for i in range(len(right))
    ]
    found = Tally(TASK, samples)
    for index, good in enumerate(right):
        truth = index % 2
        found.tables[index][truth, truth if good else 1 - truth] += 1
    return found


def test_difference_is_paired_over_seeds_and_lies_in_its_interval() -> None:
    places = [f"place:{index // 2}" for index in range(12)]
    good, bad = [True] * 12, [index >= 6 for index in range(12)]
    found = compare_task(TASK, places, [counted(bad), counted(good)], [counted(good), counted(good)])
    assert found is not None
    assert (found.alone, found.joint) == ([0.5, 1.0], [1.0, 1.0])
    assert found.difference == pytest.approx(0.25)
    assert found.low is not None
    assert found.high is not None
    assert found.low <= 0.25 <= found.high
    assert (found.samples, found.places) == (12, 6)


def test_equal_models_differ_by_nothing() -> None:
    answers = [True, False, True, True]
    found = compare_task(TASK, ["a", "a", "b", "c"], [counted(answers)], [counted(answers)])
    assert found is not None
    assert (found.difference, found.low, found.high) == (0.0, 0.0, 0.0)


def test_one_sample_has_no_interval() -> None:
    found = compare_task(TASK, ["a"], [counted([True])], [counted([False])])
    assert found is not None
    assert (found.difference, found.low, found.high) == (-1.0, None, None)


def test_reserve_without_a_label_is_not_measured() -> None:
    empty = counted([True, True])
    empty.keep(np.array([False, False]))
    assert compare_task(TASK, ["a", "b"], [empty], [counted([True, True])]) is None


def test_runs_are_timed_for_every_batch_size(trained_run: TrainedRun) -> None:
    file = trained_run.out / ONNX_FILE
    times = measure_batches({"one": file, "other": file}, np.zeros((3, 30, 33), np.float32), batches=(1, 3))
    assert {name: [entry.images for entry in found] for name, found in times.items()} == {
        "one": [1, 3],
        "other": [1, 3],
    }
    assert all(entry.milliseconds > 0 for found in times.values() for entry in found)


def test_images_are_padded_to_the_stride() -> None:
    image = padded(np.zeros((2, 33, 64), np.float32))
    assert image.shape == (2, 64, 64)
    assert np.isnan(image[:, 33:]).all()
