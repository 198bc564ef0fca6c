"""Pauses grow and end after about three days; a receiver that is gone is left alone."""

from datetime import UTC, datetime, timedelta

import pytest

from al_loop.webhooks.backoff import GIVE_UP_AFTER, LONGEST_PAUSE, next_attempt

NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.mark.parametrize("chance", [0.0, 0.5, 1.0])
def test_pauses_grow_until_it_is_given_up_after_three_days(chance: float) -> None:
    now, pauses = NOW, []
    while (again := next_attempt(len(pauses) + 1, NOW, now, status=500, chance=chance)) is not None:
        pauses.append(again - now)
        now = again
    assert pauses == sorted(pauses)
    assert pauses[0] == timedelta(seconds=5) * (0.8 + 0.4 * chance)
    assert pauses[-1] <= LONGEST_PAUSE * 1.2
    assert GIVE_UP_AFTER <= now - NOW <= GIVE_UP_AFTER + timedelta(hours=10)
    assert 13 <= len(pauses) <= 20


def test_receiver_that_is_gone_is_given_up_at_once() -> None:
    assert next_attempt(1, NOW, NOW, status=410, chance=0.5) is None
    assert next_attempt(1, NOW, NOW, status=404, chance=0.5) is not None


def test_many_attempts_overflow_nothing() -> None:
    assert next_attempt(10**6, NOW, NOW, status=None, chance=0.5) == NOW + LONGEST_PAUSE
