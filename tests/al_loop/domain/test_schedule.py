"""Cron, time zones, quiet hours, and policies that make no sense."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from al_loop.domain.retraining import DriftSettings, RetrainPolicy
from al_loop.domain.schedule import check_policy, local, next_cron, quiet_end
from al_loop.errors import InvalidValueError

ZONES = ["UTC", "Europe/Berlin", "America/Havana", "Australia/Lord_Howe", "Pacific/Apia", "Asia/Kathmandu"]


def times(cron: str, zone: str, start: datetime, count: int) -> list[str]:
    """By the clocks of the zone, with the offset from UTC."""
    policy, found = RetrainPolicy(cron=cron, timezone=zone), []
    for _ in range(count):
        moment = next_cron(policy, start)
        assert moment is not None
        start = moment
        found.append(f"{moment.astimezone(ZoneInfo(zone)):%d %H:%M %z}")
    return found


def test_time_that_the_clocks_skip_comes_an_hour_later() -> None:
    start = datetime(2026, 3, 28, 12, tzinfo=UTC)
    assert times("30 2 * * *", "Europe/Berlin", start, 2) == ["29 03:30 +0200", "30 02:30 +0200"]
    start = datetime(2026, 3, 7, 12, tzinfo=UTC)  # Havana has no midnight on the 8th
    assert times("0 0 * * *", "America/Havana", start, 2) == ["08 01:00 -0400", "09 00:00 -0400"]


def test_time_that_the_clocks_pass_twice_comes_once() -> None:
    start = datetime(2026, 10, 24, 12, tzinfo=UTC)
    assert times("30 2 * * *", "Europe/Berlin", start, 2) == ["25 02:30 +0200", "26 02:30 +0100"]


def test_times_after_the_clocks_were_put_back_are_found_from_within_the_hour_that_comes_twice() -> None:
    inside = datetime(2026, 10, 25, 1, 10, tzinfo=UTC)  # 02:10 for the second time
    assert times("30 2 * * *", "Europe/Berlin", inside, 1) == ["26 02:30 +0100"]


def test_days_of_the_week_are_those_of_crontab() -> None:
    start = datetime(2026, 6, 1, tzinfo=UTC)  # a Monday
    for field, days in (
        ("1", ["01", "08"]), ("0", ["07", "14"]), ("7", ["07", "14"]), ("mon,wed", ["01", "03"]),
        ("fri-mon", ["01", "05"]), ("1-5/2", ["01", "03"]), ("*/6", ["06", "07"]),
    ):  # fmt: skip
        assert [found[:2] for found in times(f"0 3 * * {field}", "UTC", start, 2)] == days, field


@given(
    cron=st.sampled_from(["*/7 * * * *", "0,30 2,3 * * *", "15 */5 * * *", "0 0 * * *", "0 3 29 2 *", "5 1 * * sun"]),
    zone=st.sampled_from(ZONES),
    start=st.integers(0, 11 * 366 * 86_400).map(lambda s: datetime(2020, 1, 1, tzinfo=UTC) + timedelta(seconds=s)),
)
def test_next_time_is_later_stays_the_next_until_it_comes_and_shows_on_the_clock(cron, zone, start):
    policy = RetrainPolicy(cron=cron, timezone=zone)
    found = next_cron(policy, start)
    assert found is not None
    assert found > start
    middle = start + (found - start) * 0.5
    assert next_cron(policy, middle) == found
    wall = found.astimezone(ZoneInfo(zone))
    was_skipped = wall.utcoffset() != (found - timedelta(hours=3)).astimezone(ZoneInfo(zone)).utcoffset()
    minutes = {"*/7 * * * *": range(0, 60, 7), "0,30 2,3 * * *": (0, 30), "15 */5 * * *": (15,), "5 1 * * sun": (5,)}
    assert was_skipped or wall.minute in minutes.get(cron, (0,))


@given(
    windows=st.lists(
        st.tuples(st.integers(0, 1439), st.integers(1, 600)).map(
            lambda window: "{:02}:{:02}-{:02}:{:02}".format(*divmod(window[0], 60), *divmod(sum(window) % 1440, 60))
        ),
        min_size=1,
        max_size=3,
    ),
    zone=st.sampled_from(ZONES),
    moment=st.integers(0, 365 * 86_400).map(lambda s: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=s)),
)
def test_quiet_hours_end_at_the_first_moment_outside_of_all_windows(windows, zone, moment):
    policy = RetrainPolicy(quiet_hours=tuple(windows), timezone=zone)
    end = quiet_end(policy, moment)
    assert end >= moment
    assert quiet_end(policy, end) == end
    for share in (0.0, 0.3, 0.999):
        assert quiet_end(policy, moment + share * (end - moment)) == end


def test_quiet_hours_over_midnight_follow_the_clocks_of_the_zone() -> None:
    policy = RetrainPolicy(quiet_hours=("22:00-06:00",), timezone="Europe/Berlin")
    evening = datetime(2026, 3, 28, 21, 30, tzinfo=UTC)  # 22:30; the clocks are put forward in that night
    assert quiet_end(policy, evening) == datetime(2026, 3, 29, 4, tzinfo=UTC)
    assert local(quiet_end(policy, evening), policy) == "2026-03-29 06:00 Europe/Berlin"
    noon = datetime(2026, 3, 28, 12, tzinfo=UTC)
    assert quiet_end(policy, noon) == noon


@pytest.mark.parametrize(
    ("policy", "field", "words"),
    [
        ({"cron": "often"}, "cron", "1 fields instead of 5"),
        ({"cron": ""}, "cron", "0 fields"),
        ({"cron": "61 * * * *"}, "cron", "maximum value"),
        ({"cron": "* * * * 8"}, "cron", "no day of the week"),
        ({"cron": "* * * * mon#1"}, "cron", "no day of the week"),
        ({"cron": "* * * * 1/0"}, "cron", "no step"),
        ({"cron": "0 0 1 * 1"}, "cron", "not both"),
        ({"cron": "0 0 30 2 *"}, "cron", "never comes true"),
        ({"cron": "\x00 * * * *"}, "cron", "cannot be read"),
        ({"timezone": "Berlin"}, "timezone", "unknown time zone 'Berlin'"),
        ({"timezone": ""}, "timezone", "unknown time zone"),
        ({"timezone": "../../etc/passwd"}, "timezone", "unknown time zone"),
        ({"timezone": "Europe"}, "timezone", "unknown time zone"),
        ({"timezone": "a\x00b", "cron": "0 3 * * *"}, "timezone", "unknown time zone"),
        ({"quiet_hours": ("00:00-24:00",)}, "quiet_hours", "whole day"),
        ({"quiet_hours": ("20:00-08:00", "07:00-21:00")}, "quiet_hours", "whole day"),
        ({"quiet_hours": ("08:00-09:00", "10:00-10:00")}, "quiet_hours[1]", "begins when it ends"),
        ({"quiet_hours": ("22:00-06:00",), "cron": "0 3 * * *"}, "quiet_hours", "every time of cron '0 3 * * *'"),
        ({"drift": DriftSettings(warn=0.9, critical=0.8)}, "drift.warn", "more than drift.critical"),
    ],
)
def test_policy_that_makes_no_sense_is_refused_by_field(policy: dict[str, object], field: str, words: str) -> None:
    with pytest.raises(InvalidValueError) as caught:
        check_policy(RetrainPolicy(**policy), "$.policy")  # type: ignore[arg-type]
    assert caught.value.path == f"$.policy.{field}"
    assert words in caught.value.reason


def test_policy_that_makes_sense_is_taken() -> None:
    check_policy(RetrainPolicy())
    check_policy(
        RetrainPolicy(
            cron="0 3,12 * * 1-5", timezone="Europe/Berlin", quiet_hours=("22:00-06:00",), drift=DriftSettings()
        )
    )
