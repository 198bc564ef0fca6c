from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from al_loop.domain.round_pace import PHASES, SHARES, phase_seconds, round_seconds_left, usual_seconds
from al_loop.domain.rounds import RoundEvent, RoundState
from models.progress import ProgressLine

START = datetime(2026, 3, 1, tzinfo=UTC)


def events(*seconds: float) -> list[RoundEvent]:
    """A round that was in each of `PHASES` for so long, and ended."""
    states, at, found = [*PHASES[: len(seconds)], RoundState.PROMOTED], START, []
    for state, passed in zip(states, [*seconds, 0.0], strict=True):
        found.append(RoundEvent(state=state, entered_at=at, detail=None))
        at += timedelta(seconds=passed)
    return found


def line(phase: str, after_s: float, left: float | None) -> ProgressLine:
    return ProgressLine(time=START.timestamp() + after_s, phase=phase, done=1, total=2, seconds_left=left)


def test_phases_that_follow_take_what_they_took_in_rounds_before():
    usual = usual_seconds([events(100, 10, 4, 1, 30), events(120, 20, 6, 1, 50), events(300, 12, 5, 1, 40)])
    assert usual[RoundState.SCORING] == 40
    assert round_seconds_left(line("training", 10, 90), START, usual) == 90 + 12 + 5 + 1 + 40
    assert round_seconds_left(line("exporting", 1, 2), START, usual) == 2 + 1 + 40


def test_phase_that_cannot_tell_itself_takes_its_usual_time():
    usual = usual_seconds([events(100, 10, 4, 1, 30)])
    assert round_seconds_left(line("training", 30, None), START, usual) == 70 + 45
    assert round_seconds_left(line("training", 400, None), START, usual) == 45  # longer than ever: never below 0


def test_first_round_is_told_by_stated_shares_of_its_training():
    left = round_seconds_left(line("training", 20, 80), START, {})
    assert left == pytest.approx(80 + 100 * sum(SHARES.values()))
    assert round_seconds_left(line("training", 20, None), START, {}) is None
    assert round_seconds_left(line("evaluating", 1, 5), START, {}) == 5


def test_round_that_waits_for_a_cluster_tells_nothing():
    assert round_seconds_left(line("waiting", 20, 80), START, usual_seconds([events(100, 10, 4, 1, 30)])) is None


def test_time_of_a_round_that_was_taken_up_again_is_that_of_its_last_try():
    first, again = events(500), events(80, 9, 3, 1, 20)
    assert phase_seconds([first[0], *again])[RoundState.TRAINING] == 80


@given(st.lists(st.floats(0, 1e5), min_size=5, max_size=5), st.floats(0, 1e5), st.floats(0, 1e5))
def test_time_left_never_lies_below_that_of_the_phase(usual: list[float], spent: float, left: float):
    known = usual_seconds([events(*usual)])
    told = round_seconds_left(line("training", spent, left), START, known)
    assert told is not None
    assert told >= left
    assert told == pytest.approx(left + sum(usual[1:]), abs=1e-3)
