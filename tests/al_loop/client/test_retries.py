"""Pauses grow, are spread, and follow what the service asks for."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from al_loop.client.retries import Retries, seconds_of


@given(st.integers(1, 40), st.floats(0.01, 10), st.floats(0.01, 100))
def test_pauses_lie_between_half_and_all_of_the_backoff(failed: int, first_s: float, most_s: float) -> None:
    pause_s = Retries(tries=50, first_s=first_s, most_s=most_s).pause_s(failed, None)
    backoff = min(first_s * 2.0 ** (failed - 1), most_s)
    assert pause_s is not None
    assert backoff / 2 <= pause_s <= backoff


def test_last_try_is_not_followed_by_another() -> None:
    assert Retries(tries=3).pause_s(2, None) is not None
    assert Retries(tries=3).pause_s(3, None) is None
    assert Retries(tries=1).pause_s(1, "0") is None


def test_service_is_waited_for_as_it_asks_unless_that_is_too_long() -> None:
    assert Retries().pause_s(1, "7") == 7.0
    assert Retries(most_s=5).pause_s(1, "7") is None


@pytest.mark.parametrize("text", ["soon", "", "nan", "-3 s"])
def test_header_that_is_no_time_is_left_out_of_account(text: str) -> None:
    assert seconds_of(text) is None


def test_header_may_be_a_date() -> None:
    seconds = seconds_of(format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True))
    assert seconds is not None
    assert 60 < seconds <= 90
    assert seconds_of("Wed, 21 Oct 2015 07:28:00 GMT") == 0.0
