"""Work is repeated at its pace, whatever it raises, until it is stopped."""

import threading
import time
from collections.abc import Iterator

import pytest

from al_loop.runtime.tick_errors import TickErrors
from al_loop.runtime.ticks import Ticks
from tests.waiting import PATIENCE_S


@pytest.fixture
def errors() -> TickErrors:
    return TickErrors()


@pytest.fixture
def ticks(errors: TickErrors) -> Iterator[Ticks]:
    ticks = Ticks(errors)
    yield ticks
    ticks.close()
    assert not ticks.running


class Counted:
    """Work that counts its runs, takes its time and may fail."""

    def __init__(self, *, fails: bool = False, until: threading.Event | None = None) -> None:
        self.runs = self.at_once = self.most_at_once = 0
        self.fails, self.until = fails, until
        self._changed = threading.Condition()

    def __call__(self) -> None:
        with self._changed:
            self.runs += 1
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
            self._changed.notify_all()
        if self.until is not None:
            self.until.wait(PATIENCE_S)
        with self._changed:
            self.at_once -= 1
        if self.fails:
            raise OSError("gone")

    def wait_for(self, runs: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: self.runs >= runs, PATIENCE_S), f"{self.runs} runs"


def test_nothing_runs_before_the_start_and_after_the_end(ticks: Ticks) -> None:
    work = Counted()
    ticks.every(0.02, "work", work)
    time.sleep(0.1)
    assert work.runs == 0
    assert not ticks.running
    ticks.start()
    assert ticks.running
    work.wait_for(3)
    ticks.close()
    runs = work.runs
    time.sleep(0.1)
    assert work.runs == runs


def test_work_may_be_done_at_the_start_and_not_only_after_a_pause(ticks: Ticks) -> None:
    work = Counted()
    ticks.every(3_600, "work", work, at_once=True)
    assert work.runs == 0
    ticks.start()
    work.wait_for(1)


def test_failing_work_is_shown_repeated_and_forgotten_once_stopped(ticks: Ticks, errors: TickErrors) -> None:
    work, other = Counted(fails=True), Counted()
    ticks.start()
    stop = ticks.every(0.02, "work", work)
    ticks.every(0.02, "other", other)
    work.wait_for(3)
    other.wait_for(3)
    assert errors.problems == {"work": "OSError: gone"}
    work.fails = False
    stop()
    time.sleep(0.05)
    runs = work.runs
    other.wait_for(other.runs + 3)
    assert work.runs == runs
    assert errors.problems == {}


def test_work_that_fails_after_it_was_stopped_is_forgotten(ticks: Ticks, errors: TickErrors) -> None:
    may_end = threading.Event()
    work = Counted(until=may_end, fails=True)
    ticks.start()
    stop = ticks.every(0.02, "work", work)
    work.wait_for(1)
    stop()
    may_end.set()
    ticks.close()  # finishes what is going on
    assert errors.problems == {}


def test_slow_work_never_runs_twice_at_once_and_holds_nobody_up(ticks: Ticks) -> None:
    may_end = threading.Event()
    slow, quick = Counted(until=may_end), Counted()
    ticks.start()
    ticks.every(0.02, "slow", slow)
    ticks.every(0.02, "quick", quick)
    slow.wait_for(1)
    quick.wait_for(quick.runs + 3)
    assert slow.at_once == 1
    may_end.set()
    slow.wait_for(2)
    assert slow.most_at_once == 1


def test_work_of_the_same_name_is_stopped_by_itself(ticks: Ticks) -> None:
    first, second = Counted(), Counted()
    ticks.start()
    stop = ticks.every(0.02, "scaneo demo", first)
    ticks.every(0.02, "scaneo demo", second)
    first.wait_for(1)
    stop()
    time.sleep(0.05)
    runs = first.runs
    second.wait_for(second.runs + 3)
    assert first.runs == runs
