"""Lengths of time in words."""

import pytest

from al_loop.domain.durations import duration


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0, "0 s"), (-3, "0 s"), (59.4, "59 s"), (59.6, "1 min 0 s"), (200, "3 min 20 s"), (7_505, "2 h 5 min")],
)
def test_length_of_time_is_told_by_its_two_largest_units(seconds: float, told: str) -> None:
    assert duration(seconds) == told
