import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from models.card import IGNORE
from models.tasks.segmentation.thin import COUNTS, thin_counts, thin_metrics

MAPS = arrays(np.uint8, (12, 14), elements=st.sampled_from([0, 1, 2, IGNORE]))
ANSWERS = arrays(np.uint8, (12, 14), elements=st.integers(0, 2))


def stripe(row: int, code: int = 1) -> np.ndarray:
    codes = np.zeros((12, 20), np.uint8)
    codes[row] = code
    return codes


def values(truth: np.ndarray, answer: np.ndarray, classes: int = 1) -> dict[str, float]:
    return {name: float(found[0]) for name, found in thin_metrics(thin_counts(truth, answer, classes)).items()}


@pytest.mark.parametrize(("off", "one", "two"), [(0, 1, 1), (1, 1, 1), (2, 0, 1), (3, 0, 0)])
def test_road_that_is_off_by_some_pixels_counts_within_them(off: int, one: float, two: float) -> None:
    found = values(stripe(4), stripe(4 + off))
    assert (found["f1_1px"], found["f1_2px"], found["cldice"]) == (one, two, float(off == 0))


def test_cldice_of_a_broken_road_is_what_is_left_of_it() -> None:
    answer = stripe(4)
    answer[4, 5:15] = 0
    assert values(stripe(4), answer)["cldice"] == pytest.approx(2 * 0.5 / 1.5)


def test_cldice_forgives_a_width_that_relaxed_f1_does_not() -> None:
    answer = np.zeros((12, 20), np.uint8)
    answer[1:8] = 1  # 7 px wide around a line of 1
    found = values(stripe(4), answer)
    assert found["cldice"] > 0.8
    assert found["f1_1px"] < 0.7


def test_class_that_the_truth_does_not_show_has_no_value_and_still_counts_against_later_samples() -> None:
    alone = thin_counts(np.zeros((12, 20), np.uint8), stripe(4), 1)
    assert np.isnan(thin_metrics(alone)["f1_1px"]).all()
    both = alone + thin_counts(stripe(4), stripe(4), 1)
    assert thin_metrics(both)["f1_1px"][0] == pytest.approx(2 * 0.5 / 1.5)


def test_nothing_answered_is_zero() -> None:
    assert values(stripe(4), np.zeros((12, 20), np.uint8)) == {"f1_1px": 0, "f1_2px": 0, "cldice": 0}


@given(MAPS, ANSWERS)
def test_counts_are_consistent_and_metrics_are_shares(truth: np.ndarray, answer: np.ndarray) -> None:
    counts = thin_counts(truth, answer, 2)
    assert counts.shape == (2, COUNTS)
    assert (counts[:, [1, 4]] <= counts[:, [2, 5]]).all()
    assert (counts[:, [2, 5, 7, 9]] <= counts[:, [0, 3, 6, 8]]).all()
    for found in thin_metrics(counts).values():
        shown = found[~np.isnan(found)]
        assert ((shown >= 0) & (shown <= 1)).all()


@given(MAPS)
def test_the_truth_itself_is_perfect(truth: np.ndarray) -> None:
    answer = np.where(truth == IGNORE, 0, truth).astype(np.uint8)
    for found in thin_metrics(thin_counts(truth, answer, 2)).values():
        shown = found[~np.isnan(found)]
        assert np.allclose(shown, 1)


@pytest.mark.parametrize("scale", [1, 2])
def test_distances_are_in_pixels_of_the_image_whatever_the_grid(scale: int) -> None:
    """The same stripes on a finer grid have the same relaxed F1."""
    truth, answer = (stripe(row).repeat(scale, axis=0).repeat(scale, axis=1) for row in (4, 5))
    found = thin_metrics(thin_counts(truth, answer, 1, scale))
    assert found["f1_1px"][0] == 1.0
    assert thin_metrics(thin_counts(truth, stripe(7).repeat(scale, axis=0).repeat(scale, axis=1), 1, scale))["f1_2px"][
        0
    ] == (0.0 if scale == 1 else pytest.approx(0.0))
