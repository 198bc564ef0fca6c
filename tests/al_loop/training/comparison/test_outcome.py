"""A comparison in words: what was shown and what was not."""

from pathlib import Path

import pytest

from al_loop.domain.comparisons import ComparisonRequest
from al_loop.training.comparison.outcome import outcome_of, share, told
from models.training.measuring.figures import BatchTime, MeasuredComparison, ModelCosts, TaskComparison
from tests.models.training.fixtures import CLASSIFICATION, SEGMENTATION, left_half, write_snapshot


def task(low: float | None, high: float | None, difference: float = 0.0, **changes: object) -> TaskComparison:
    fields = {
        "task": "classification",
        "metric": "accuracy",
        "samples": 40,
        "places": 9,
        "alone": [0.8],
        "joint": [0.8],
    }
    return TaskComparison(**(fields | changes), difference=difference, low=low, high=high)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (0.01, 0.05, "the joint model is better"),
        (-0.05, -0.01, "the joint model is worse"),
        (-0.01, 0.03, "no worse by more than a point"),
        (-0.04, 0.04, "was not shown"),
        (None, None, "the reserve is too small for one"),
    ],
)
def test_difference_is_told_by_its_interval(low: float | None, high: float | None, said: str) -> None:
    assert said in told(task(low, high))


def test_shares_of_nothing_are_not_known() -> None:
    assert share(1.0, 0.0) is None
    assert share(1.0, 4.0) == 0.25


def model(name: str, tasks: list[str], seconds: float, memory: float | None) -> ModelCosts:
    return ModelCosts(
        name=name, tasks=tasks, candidate="quick", training_s=seconds, training_memory_mb=None, onnx_mb=seconds,
        batches=[BatchTime(images=1, milliseconds=seconds)], memory_mb=memory, shape=[1, 3, 32, 32],
    )  # fmt: skip


def test_costs_are_shares_of_all_others_and_partial_labels_are_told(tmp_path: Path) -> None:
    rows = [
        {"path": "a.tif", "split": "train", "classification": [0]},
        {"path": "b.tif", "split": "train", "segmentation": [(1, left_half(32))]},
        {"path": "c.tif", "split": "calibration", "classification": [1], "segmentation": []},
        {"path": "d.tif", "split": "test", "classification": [1]},
    ]
    write_snapshot(tmp_path, rows, [CLASSIFICATION, SEGMENTATION])
    measured = MeasuredComparison(
        models=[
            model("classification", ["classification"], 2.0, 10.0),
            model("segmentation", ["segmentation"], 4.0, 10.0),
            model("joint", ["classification", "segmentation"], 3.0, None),
        ],
        tasks=[task(-0.02, 0.02, places=1)],
        left_out=["x.tif (gone)"],
    )
    found = outcome_of(tmp_path, [CLASSIFICATION, SEGMENTATION], ComparisonRequest(seeds=1), measured)
    assert (found.training_time, found.size, found.latency, found.memory) == (0.5, 0.5, [0.5], None)
    assert [(entry.training, entry.reserve) for entry in found.labels] == [(2, 1), (2, 0)]
    assert (found.labelled_for_all, found.training_samples) == (1, 3)
    notices = " ".join(found.notices)
    for said in ("1 of 3 training images", "Not measured: segmentation", "lie in one place", "One seed", "x.tif"):
        assert said in notices
