"""Answers follow the campaign's classes, whatever the model's order."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.tasks.class_order import codes_in_campaign_order, in_campaign_order

NAMES = ["a", "b", "c", "d", "e"]


@given(st.permutations(NAMES), st.integers(1, 5), st.permutations(NAMES))
def test_answers_are_found_under_their_names(order: list[str], known_count: int, wanted: list[str]) -> None:
    known = order[:known_count]
    values = np.linspace(0.1, 0.5, known_count, dtype=np.float32)
    answer = dict(zip(wanted, in_campaign_order(values, known, wanted), strict=True))
    assert answer == dict(zip(NAMES, [0.0] * 5, strict=True)) | dict(zip(known, values.tolist(), strict=True))
    codes = np.arange(known_count + 1, dtype=np.uint8).reshape(1, -1)
    mapped = codes_in_campaign_order(codes, known, wanted)
    assert mapped[0, 0] == 0
    assert [wanted[code - 1] for code in mapped[0, 1:]] == known


def test_grown_list_needs_no_mapping() -> None:
    codes = np.array([[0, 1, 2]], np.uint8)
    assert codes_in_campaign_order(codes, ["a", "b"], ["a", "b", "c"]) is codes


def test_class_that_the_campaign_does_not_have_is_background() -> None:
    assert codes_in_campaign_order(np.array([[1, 2]], np.uint8), ["gone", "a"], ["a"]).tolist() == [[0, 1]]
    assert in_campaign_order(np.array([0.75, 0.25], np.float32), ["gone", "a"], ["a"]) == [0.25]
