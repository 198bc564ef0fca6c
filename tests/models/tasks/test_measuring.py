"""What tasks measure besides: a number, or one for each class, from what they count."""

import numpy as np
import pytest

from models.card import TaskSpec
from models.tasks import task_of

TRUTH = np.array([[1, 1, 0], [0, 2, 2]], np.uint8)


@pytest.mark.parametrize(
    ("spec", "truth", "output"),
    [
        (TaskSpec(task="segmentation", classes=["road", "river"]), TRUTH, np.eye(3)[TRUTH].transpose(2, 0, 1)),
        (
            TaskSpec(task="detection", classes=["ship", "plane"]),
            np.array([[0, 0, 8, 8, 0], [9, 9, 20, 20, 1]], np.float32),
            np.array([[0, 0, 8, 8, 0.9, 0], [9, 9, 20, 20, 0.8, 1]], np.float32),
        ),
    ],
)
def test_other_measures_of_a_right_answer_are_one(spec: TaskSpec, truth: np.ndarray, output: np.ndarray) -> None:
    task = task_of(spec)
    tables, _ = task.tally(truth, output)
    sums = {"tables": tables, "further counts": task.further_counts(truth, output)}
    assert task.metric.others
    for measure in task.metric.others:
        counts = sums[measure.of]
        assert counts is not None
        values = measure.value(np.stack([counts, 2 * counts]).astype(np.float64))
        assert values.shape == ((2, 2) if measure.by_class else (2,)), measure.name
        np.testing.assert_allclose(values, 1.0)
