"""The time left of a training, by a clock that is set."""

import itertools

import pytest

from models.training.running.pace import REPORTS_BEHIND, WARM_UP_STEPS, WINDOW, Pace


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_nothing_is_known_before_the_first_step() -> None:
    pace = Pace(100, 8, 10, 2.0, Clock())
    assert (pace.seconds_left(0), pace.samples_per_s) == (None, None)


def test_time_left_counts_steps_and_reports_and_leaves_out_the_warm_up() -> None:
    clock = Clock()
    pace = Pace(100, 8, 10, 2.0, clock)
    for number in range(1, 11):
        clock.now += 9.0 if number <= WARM_UP_STEPS else 0.5
        pace.step()
    assert pace.samples_per_s == pytest.approx(16)
    assert pace.seconds_left(10) == pytest.approx(90 * 0.5 + 11 * 1.0)  # a report is said to take two steps
    clock.now += 3.0
    pace.reported()
    assert pace.seconds_left(10) == pytest.approx(90 * 0.5 + 11 * 3.0)


def test_time_left_shrinks_to_the_calibration_and_follows_a_machine_that_became_busy() -> None:
    clock = Clock()
    pace = Pace(1000, 8, 100, 1.0, clock)
    left = []
    for step in range(1, 1001):
        clock.now += 0.1
        pace.step()
        if step % 100 == 0:
            clock.now += 0.1
            pace.reported()
        left.append(pace.seconds_left(step))
    assert all(later < earlier for earlier, later in itertools.pairwise(left[WARM_UP_STEPS:]) if later and earlier)
    assert left[-1] == pytest.approx(REPORTS_BEHIND * 0.1)
    for _ in range(WINDOW):
        clock.now += 1.0
        pace.step()
    assert pace.samples_per_s == pytest.approx(8)
