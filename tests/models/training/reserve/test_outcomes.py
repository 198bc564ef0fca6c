"""Answers on the test reserve, sample by sample: kept, and read again as what reports count."""

from pathlib import Path

import numpy as np
import pytest

from models.card import TaskSpec
from models.tasks import task_of
from models.training.data.dataset import LabelledSample
from models.training.reserve.outcomes import OutcomeRow, TaskOutcomes, read_outcomes, write_outcomes

ONE = TaskSpec(task="classification", classes=["dark", "bright", "striped"])
SEVERAL = TaskSpec(task="classification", classes=["water", "road"], multi_label=True)
PIXELS = TaskSpec(task="segmentation", classes=["dark", "bright"])


def sample(number: int, nearest_m: float | None = None) -> LabelledSample:
    return LabelledSample(
        sample_id=number, path=Path("a.tif"), block=f"b{number}", targets={}, height=2, width=2, nearest_m=nearest_m
    )


def outcomes_of(folder: Path, spec: TaskSpec, *answers: tuple[object, list[object]]) -> TaskOutcomes:
    """What is read again of samples with a truth and an output each."""
    task, rows = task_of(spec), []
    for number, (truth, output) in enumerate(answers):
        row, values = OutcomeRow(task), np.array(output, np.float32)
        table, _ = task.tally(truth, values)
        judged = task.judge(truth, values)
        assert judged is not None
        row.add(table, judged)
        rows.append(row.row(spec.task, sample(number, 12.5 if number else None)))
    write_outcomes(folder, rows)
    (found,) = read_outcomes(folder, [spec])
    return found


def test_one_class_an_image(tmp_path: Path) -> None:
    found = outcomes_of(tmp_path, ONE, ([0], [0.75, 0.25, 0.0]), ([1], [0.875, 0.125, 0.0]))
    assert found.sample_ids.tolist() == [0, 1]
    assert found.blocks == ["b0", "b1"]
    assert np.isnan(found.nearest_m[0])
    assert found.nearest_m[1] == 12.5
    assert found.answers.tolist() == [[1, 1], [0, 1]]
    assert found.class_counts.sum(axis=0).tolist() == [[1, 1, 0, 0], [0, 0, 1, 1], [0, 0, 0, 2]]
    assert found.mistake.tolist() == [0.0, 0.875]
    assert found.worst_cell.tolist() == [-1, 3]  # bright taken for dark
    assert found.bins.sum(axis=0)[11].tolist() == [1, 0.75, 1]
    assert found.class_bins[0, 13].tolist() == [1, 0.875, 0]


def test_several_classes_an_image(tmp_path: Path) -> None:
    found = outcomes_of(tmp_path, SEVERAL, ([0], [0.25, 0.75]), ([0, 1], [0.875, 0.875]))
    assert found.answers.tolist() == [[0, 2], [2, 2]]
    assert found.class_counts[0].tolist() == [[0, 0, 1, 0], [0, 1, 0, 0]]
    assert found.mistake.tolist() == [0.75, 0.0]
    assert found.class_bins[1, 11].tolist() == [1, 0.75, 0]


def test_pixels_without_truth_count_nothing(tmp_path: Path) -> None:
    truth = np.array([[1, 255], [2, 0]], np.uint8)
    output = [[[0.0, 1.0], [0.5, 1.0]], [[1.0, 0.0], [0.25, 0.0]], [[0.0, 0.0], [0.25, 0.0]]]
    found = outcomes_of(tmp_path, PIXELS, (truth, output))
    assert found.answers.tolist() == [[2, 3]]
    assert found.class_counts[0].tolist() == [[1, 0, 0, 2], [0, 0, 1, 2]]
    assert found.mistake[0] == pytest.approx(0.5 / 3)
    assert found.worst_cell.tolist() == [6]  # bright taken for background
    assert found.table.sum() == 3


def test_version_without_outcomes_says_so(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_outcomes(tmp_path, [ONE])


def test_boxes_are_counted_by_what_became_of_them(tmp_path: Path) -> None:
    spec = TaskSpec(task="detection", classes=["ship", "plane"])
    truth = np.array([[10, 10, 20, 20, 0]], np.float32)
    found = outcomes_of(
        tmp_path, spec,
        (truth, [[10, 10, 20, 20, 0.75, 0]]),
        (truth, [[10, 10, 20, 20, 0.75, 1], [50, 50, 60, 60, 0.875, 1]]),
        (truth, [[10, 10, 20, 20, 0.125, 0]]),
    )  # fmt: skip
    assert found.class_counts.sum(axis=0).tolist() == [[1, 0, 2, 0], [0, 2, 0, 0]]
    assert found.answers.tolist() == [[1, 1], [0, 2], [0, 1]]
    assert found.mistake.tolist() == [0.0, 0.875, 0.875]
    assert [found.task.confused(*divmod(int(cell), 3)) for cell in found.worst_cell[1:]] == [
        ("ship", "plane"), ("ship", "nothing")
    ]  # fmt: skip
    assert found.class_bins[0, 11].tolist() == [1, 0.75, 1]
