"""The metric of a head on the test reserve is the one that rounds measure."""

import numpy as np
import pytest

from al_loop.scoring.head_data import HeadData, presence
from al_loop.scoring.task_head import reserve_metric
from models.heads.linear_head import Head

NO_ROWS = np.empty(0, np.int64)


def material(table, targets, *, multi_label) -> HeadData:
    """All rows are of the reserve."""
    return HeadData(
        table=np.float32(table), rows=NO_ROWS, targets=np.empty((0, 3), np.float32), labelled=NO_ROWS,
        sample_ids=np.arange(len(table)), multi_label=multi_label, reserve=(np.arange(len(table)), np.float32(targets)),
    )  # fmt: skip


def same_answers(*, multi_label) -> Head:
    """Answers what the embedding says: class k where value k is above 0."""
    return Head(weights=np.float32([*np.eye(3), [0, 0, 0]]), multi_label=multi_label)


def test_macro_f1_is_the_mean_over_the_classes_that_are_there():
    answered = [[1, 1, -1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]
    truth = [[1, 1, 0], [1, 0, 0], [1, 0, 0], [0, 1, 0]]  # the third class is in no truth
    first = 2 * 2 / (2 * 2 + 0 + 1)  # two right, none too many, one missed
    second = 2 * 1 / (2 * 1 + 1 + 1)
    head = same_answers(multi_label=True)
    assert reserve_metric(material(answered, truth, multi_label=True), head, 4) == pytest.approx((first + second) / 2)


def test_accuracy_is_the_share_of_right_classes():
    found = material([[1, 0, 0], [0, 1, 0], [0, 1, 0]], np.eye(3)[[0, 1, 2]], multi_label=False)
    assert reserve_metric(found, same_answers(multi_label=False), 3) == pytest.approx(2 / 3)


def test_too_few_labels_or_no_class_at_all_give_no_metric():
    head = same_answers(multi_label=True)
    assert reserve_metric(material([[1, 1, 1]], [[1, 1, 1]], multi_label=True), head, 2) is None
    assert reserve_metric(material([[1, 1, 1]] * 2, [[0, 0, 0]] * 2, multi_label=True), head, 2) is None


def test_presence_of_each_class_in_an_answer():
    found = presence([["b", "a"], [], ["c"], ["b", "unheard of"]], ["a", "b", "c"])
    assert found.tolist() == [[1, 1, 0], [0, 0, 0], [0, 0, 1], [0, 1, 0]]
    assert presence([], ["a", "b"]).shape == (0, 2)
