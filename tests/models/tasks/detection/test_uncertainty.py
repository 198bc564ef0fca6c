"""Uncertainty of boxes: class by class, and as a map."""

import numpy as np
import pytest

from models.tasks.detection.uncertainty import box_scores, hardest_of_class, uncertainty_map


def image(*boxes: tuple[float, int], rows: int = 40) -> np.ndarray:
    """Boxes of these scores and classes."""
    answer = np.zeros((rows, 6), np.float32)
    for row, (score, label) in enumerate(boxes):
        answer[row] = [10 * row, 0, 10 * row + 8, 8, score, label]
    return answer


def test_unsure_box_makes_an_image_uncertain() -> None:
    scores = box_scores(np.stack([image((0.5, 0)), image((0.99, 0)), image()]), 1)
    for values in scores.values():
        assert values[0] > values[1] > values[2] == 0
    assert scores["entropy"][0] == pytest.approx(np.log(2))


def test_many_boxes_of_a_common_class_do_not_hide_a_rare_one() -> None:
    common = [(0.5, 0)] * 30
    scores = box_scores(np.stack([image(*common), image((0.5, 0), (0.5, 1))]), 2)
    assert (scores["entropy"][1] > scores["entropy"][0]).all()


def test_unlikely_boxes_are_no_questions() -> None:
    assert box_scores(image(*[(0.01, 0)] * 40)[None], 1)["entropy"][0] == 0


def test_strata_hold_the_hardest_box_of_each_class() -> None:
    table = hardest_of_class(np.stack([image((0.9, 0), (0.5, 0)), image()]), 2)
    assert table[0, 0] == pytest.approx(np.log(2))
    assert np.isnan(table[0, 1])
    assert np.isnan(table[1]).all()


def test_map_shows_where_the_unsure_box_is() -> None:
    values = uncertainty_map(image((0.5, 0), (0.99, 0)), 20, 30)
    assert values.shape == (20, 30)
    assert values[4, 4] == pytest.approx(np.log(2), abs=0.01)
    assert 0 < values[4, 14] < 0.1
    assert values[15:].max() == 0


def test_boxes_beyond_the_image_are_cut() -> None:
    answer = np.array([[-50, -50, -40, -40, 0.5, 0], [-5, -5, 200, 5, 0.5, 0]], np.float32)
    assert uncertainty_map(answer, 10, 12)[:5].min() > 0
