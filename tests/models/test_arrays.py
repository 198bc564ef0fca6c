"""Positions of ids are those that a dict would give."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from models.arrays import NO_IDS, positions_of


def expected(wanted: list[int], known: list[int]) -> tuple[list[int], list[bool]]:
    at = {value: position for position, value in enumerate(known)}
    return [at[value] for value in wanted if value in at], [value in at for value in wanted]


def found(wanted: list[int], known: list[int]) -> tuple[list[int], list[bool]]:
    positions, there = positions_of(np.array(wanted, np.int64), np.array(known, np.int64))
    return positions.tolist(), there.tolist()


@given(st.lists(st.integers(-5, 60)), st.sets(st.integers(0, 50), min_size=1))
def test_positions_are_those_of_a_dict_with_gaps(wanted: list[int], known: set[int]) -> None:
    assert found(wanted, sorted(known)) == expected(wanted, sorted(known))


@given(st.lists(st.integers(-5, 60)), st.integers(0, 20), st.integers(1, 30))
def test_positions_are_those_of_a_dict_without_gaps(wanted: list[int], first: int, count: int) -> None:
    known = list(range(first, first + count))
    assert found(wanted, known) == expected(wanted, known)


@pytest.mark.parametrize("wanted", [[], [1, 2]])
def test_nothing_stands_among_no_ids(wanted: list[int]) -> None:
    assert found(wanted, NO_IDS.tolist()) == ([], [False] * len(wanted))
