"""What became of the boxes of an image, for reports of rounds."""

import numpy as np
import pytest

from models.tasks.detection.boxes import IGNORED
from models.tasks.detection.judging import judged
from models.tasks.detection.task import Detection

SHIP = [10, 10, 20, 20]
PLANE = [40, 40, 60, 60]


def rows(*values: list[float], width: int) -> np.ndarray:
    return np.array(values, np.float32).reshape(-1, width)


def test_boxes_are_right_of_another_class_too_many_or_missing() -> None:
    truth = rows([*SHIP, 0], [*PLANE, 1], [80, 80, 90, 90, 0], width=5)
    answer = rows([*SHIP, 0.9, 0], [*PLANE, 0.8, 0], [0, 60, 9, 70, 0.7, 1], [80, 80, 90, 90, 0.1, 0], width=6)
    found = judged(truth, answer, 2, 0.25)
    assert found.table is not None
    assert found.table.tolist() == [[1, 0, 1], [1, 0, 0], [0, 1, 0]]
    assert found.correct.tolist() == [True, False, False]
    assert found.confidence == pytest.approx([0.9, 0.8, 0.7])
    assert found.mistake == pytest.approx(0.9), "the ship that is missed had a box of .1"
    counts = Detection(classes=["ship", "plane"]).class_counts(found.table.astype(np.float64))
    assert counts.tolist() == [[1, 1, 1, 0], [0, 1, 1, 0]]


def test_object_takes_the_box_of_its_class_though_another_is_likelier() -> None:
    found = judged(rows([*SHIP, 0], width=5), rows([*SHIP, 0.9, 1], [*SHIP, 0.5, 0], width=6), 2, 0.25)
    assert found.table is not None
    assert found.table.tolist() == [[1, 0, 0], [0, 0, 0], [0, 1, 0]]


def test_nothing_answered_where_nothing_is_makes_no_mistake() -> None:
    found = judged(rows(width=5), rows([*SHIP, 0.2, 0], [0, 0, 0, 0, 0.0, 0], width=6), 1, 0.25)
    assert (found.mistake, found.table.sum() if found.table is not None else None) == (0.0, 0)


def test_boxes_in_ignored_regions_count_neither_way() -> None:
    found = judged(rows([0, 0, 99, 99, IGNORED], width=5), rows([*SHIP, 0.9, 0], width=6), 1, 0.25)
    assert (found.mistake, len(found.answers)) == (0.0, 0)
