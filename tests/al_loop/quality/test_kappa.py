"""Kappa worked by hand, and laws of agreement."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from al_loop.quality.kappa import cohen_kappa, kappa_estimate, mean_estimate, one_against_rest, positive_agreement

HALF_AGREED = np.array([[20, 5], [10, 15]])
"""Observed 35 / 50 = 0.7; by chance (25 * 30 + 25 * 20) / 50^2 = 0.5."""


def test_hand_computed_kappa() -> None:
    assert cohen_kappa(HALF_AGREED) == pytest.approx(0.4)
    assert cohen_kappa(np.array([[10, 0], [0, 10]])) == 1.0
    assert cohen_kappa(np.array([[5, 5], [5, 5]])) == 0.0
    assert cohen_kappa(np.array([[0, 10], [10, 0]])) == -1.0


def test_kappa_is_that_of_scikit_learn() -> None:
    table = np.random.default_rng(0).integers(0, 30, (10, 10))
    first, second = np.indices(table.shape).reshape(2, -1)
    assert cohen_kappa(table) == pytest.approx(cohen_kappa_score(first, second, sample_weight=table.ravel()))


def test_kappa_of_one_class_or_of_nothing_is_not_defined() -> None:
    assert cohen_kappa(np.array([[9, 0], [0, 0]])) is None
    assert cohen_kappa(np.zeros((3, 3), np.int64)) is None
    assert kappa_estimate(np.zeros((3, 3), np.int64)) is None


def test_interval_of_kappa_is_that_of_the_large_sample_formula() -> None:
    found = kappa_estimate(HALF_AGREED * 10)
    assert found is not None
    error = np.sqrt(0.7 * 0.3 / (500 * 0.5**2))  # Cohen 1960, an upper bound of about the right size
    assert found.low == pytest.approx(0.4 - 1.96 * error, abs=0.02)
    assert found.high == pytest.approx(0.4 + 1.96 * error, abs=0.02)


def test_one_class_against_the_rest() -> None:
    table = np.array([[5, 1, 2], [0, 7, 3], [4, 0, 8]])
    assert one_against_rest(table, 1).tolist() == [[19, 1], [3, 7]]
    assert positive_agreement(table, 1) == pytest.approx(14 / 18)
    assert positive_agreement(np.zeros((2, 2), np.int64), 1) is None


@given(st.lists(st.lists(st.integers(0, 30), min_size=3, max_size=3), min_size=3, max_size=3))
def test_kappa_does_not_depend_on_who_is_first_and_stays_in_its_interval(rows: list[list[int]]) -> None:
    table = np.array(rows)
    value, swapped = cohen_kappa(table), cohen_kappa(table.T)
    assert (value is None) == (swapped is None)
    if value is not None:
        assert value == pytest.approx(swapped)
        assert -1 <= value <= 1
        found = kappa_estimate(table)
        assert found is not None
        assert -1 <= found.low <= found.high <= 1


def test_mean_of_equal_values_has_no_width() -> None:
    found = mean_estimate(np.full(5, 0.5))
    assert (found.value, found.low, found.high) == (0.5, 0.5, 0.5)
