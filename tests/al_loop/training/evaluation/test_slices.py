"""Metrics of classes, places, distances and confidences, from known answers."""

from pathlib import Path

import numpy as np
import pytest

from al_loop.training.evaluation.slices import DISTANCES, Sums, distance_slices, place_slices
from models.card import TaskSpec
from models.tasks import task_of
from models.training.data.dataset import LabelledSample
from models.training.reserve.outcomes import OutcomeRow, TaskOutcomes, read_outcomes, write_outcomes

ONE = TaskSpec(task="classification", classes=["dark", "bright", "never"])


def outcomes(folder: Path, answers: list[tuple[int, int, float, str]]) -> TaskOutcomes:
    """Samples by true class, answered class, its confidence and their block."""
    task, rows = task_of(ONE), []
    for number, (truth, answer, confidence, block) in enumerate(answers):
        output = np.full(3, (1 - confidence) / 2, np.float32)
        output[answer] = confidence
        row, (table, _) = OutcomeRow(task), task.tally([truth], output)
        judged = task.judge([truth], output)
        assert judged is not None
        row.add(table, judged)
        sample = LabelledSample(
            sample_id=number, path=Path("a"), block=block, targets={}, height=1, width=1, nearest_m=100.0 * number
        )
        rows.append(row.row("classification", sample))
    write_outcomes(folder, rows)
    return read_outcomes(folder, [ONE])[0]


ANSWERS = [
    (0, 0, 0.9, "place:1:1"), (0, 0, 0.9, "place:1:1"), (0, 1, 0.8, "place:1:1"), (1, 1, 0.7, "place:2:2"),
    (1, 1, 0.7, "place:2:2"), (1, 0, 0.6, "sample:x"),
]  # fmt: skip


def test_class_has_precision_recall_f1_iou_and_calibration(tmp_path: Path) -> None:
    found = outcomes(tmp_path, ANSWERS)
    dark = Sums(found).of_class(0, "dark", found.class_bins[0])
    assert dark.precision is not None
    assert dark.recall is not None
    assert dark.f1 is not None
    assert dark.iou is not None
    assert dark.accuracy is not None
    assert dark.expected_calibration_error is not None
    assert dark.samples == 4
    assert (dark.precision.value, dark.recall.value) == (pytest.approx(2 / 3), pytest.approx(2 / 3))
    assert (dark.f1.value, dark.iou.value) == (pytest.approx(2 / 3), pytest.approx(0.5))
    assert dark.accuracy.value == pytest.approx(4 / 6)
    assert dark.expected_calibration_error.value == pytest.approx((abs(1.8 - 2) + 0.6) / 3)
    assert dark.recall.low is not None
    assert dark.recall.low < 0.15  # two of three images: the exact binomial interval
    never = Sums(found).of_class(2, "never", found.class_bins[2])
    assert (never.recall, never.precision, never.iou, never.samples) == (None, None, None, 0)


def test_places_are_blocks_and_single_samples_are_none(tmp_path: Path) -> None:
    places, left_out = place_slices(Sums(outcomes(tmp_path, ANSWERS)))
    assert ([place.name for place in places], left_out) == (["place:1:1", "place:2:2"], 0)
    assert places[0].accuracy is not None
    assert places[0].accuracy.value == pytest.approx(2 / 3)
    assert places[1].f1 is not None
    assert places[1].f1.value == 1.0
    assert places[1].f1.low == pytest.approx(0.158, abs=1e-3), "two of two images prove little"


def test_distances_are_told_in_footprints(tmp_path: Path) -> None:
    found = outcomes(tmp_path, ANSWERS)
    slices = distance_slices(Sums(found), found.nearest_m, np.full(6, 80.0))
    told = [(entry.name, entry.samples) for entry in slices]
    assert told == [(DISTANCES[0], 2), (DISTANCES[1], 3), (DISTANCES[2], 1)]
    assert distance_slices(Sums(found), np.full(6, np.nan), np.full(6, 80.0)) == []


def test_reliability_counts_answers_by_confidence(tmp_path: Path) -> None:
    bins = Sums(outcomes(tmp_path, ANSWERS)).reliability()
    assert sum(entry.count for entry in bins) == 6
    last = bins[-1]
    assert (last.count, last.confidence, last.correct.value) == (2, pytest.approx(0.9), 1.0)
    assert last.correct.low is not None
    assert last.correct.low < 0.2  # two right answers of two prove little


def test_single_sample_has_no_bootstrap_interval(tmp_path: Path) -> None:
    sums = Sums(outcomes(tmp_path, ANSWERS))
    only = sums.slice("one", np.arange(6) == 5)
    assert only.iou is not None
    assert (only.iou.value, only.iou.low) == (0.0, None)
    assert only.accuracy is not None
    assert only.accuracy.high == pytest.approx(0.975, abs=0.001)
