"""A month that nobody looks after: what started, when, and what was said."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from al_loop.domain.retraining import RetrainPolicy
from tests.al_loop.training.triggers.month import Event, Month

ZONE = ZoneInfo("Europe/Berlin")
POLICY = RetrainPolicy(
    new_labels=200,
    cron="0 3 * * *",
    timezone="Europe/Berlin",
    quiet_hours=("08:00-18:00",),
    retries=2,
    retry_wait_s=600,
)


def at(day: int, clock: str) -> datetime:
    """By the clocks of Berlin, which are put back in the night to day 14; day 1 is Monday, the 12th of October 2026."""
    hour, minute = map(int, clock.split(":"))
    return (datetime(2026, 10, 11, hour, minute, tzinfo=ZONE) + timedelta(days=day)).astimezone(UTC)


def what_happens() -> list[Event]:
    """Forty labels a working day, a bulk import, a full disk, stops, a clock that is set back."""
    events = [Event(at(day, "15:20"), "labels", 40) for day in range(1, 31) if day % 7 not in (6, 0)]
    events += [Event(at(9, "11:00") + timedelta(seconds=burst), "labels", 100) for burst in range(5)]  # 500 labels
    events += [Event(at(11, "20:00"), "break"), Event(at(13, "12:00"), "repair")]
    events += [Event(at(16, "03:01"), "stop"), Event(at(16, "03:02"), "start")]
    events += [Event(at(19, "22:00"), "stop"), Event(at(22, "07:00"), "start")]
    events += [Event(at(24, "20:00"), "clock", -7_200)]
    return sorted(events)


NIGHTLY = [(day, "03:00", "cron", "promoted") for day in (2, 3, 4, 5, 6, 9)]
AFTERWARDS = [(day, "03:00", "cron", "promoted") for day in (23, 24, 25, 26, 27, 30, 31)]
EXPECTED = [
    *NIGHTLY,
    (9, "18:00", "new_labels", "promoted"),  # the import of 11:00 is one round, after quiet hours
    (11, "03:00", "cron", "promoted"),
    *((12, clock, by, "failed") for clock, by in (("03:00", "cron"), ("03:13", "retry"), ("03:36", "retry"))),
    *((13, clock, by, "failed") for clock, by in (("03:00", "cron"), ("03:13", "retry"), ("03:36", "retry"))),
    (16, "03:00", "cron", "interrupted"),
    (16, "03:02", "cron", "promoted"),  # repeated at the next start
    *((day, "03:00", "cron", "promoted") for day in (17, 18, 19)),
    (22, "07:00", "cron", "promoted"),  # three nights missed, one round
    *AFTERWARDS,  # on day 24 the clock was set back by two hours
]


def test_month_without_anybody_makes_the_rounds_that_the_policy_promises(tmp_path: Path) -> None:
    month, events = Month(tmp_path, POLICY, at(1, "08:00"), samples=1_600), what_happens()
    failed = at(14, "00:00")
    month.live([event for event in events if event.at < failed], failed)
    assert month.notices() == [
        "round 9 failed and was tried again 2 times: no space left; `al-loop round log fields` says more, "
        "`al-loop round start` tries again"
    ]
    month.live([event for event in events if event.at >= failed], at(31, "08:00"))
    if "MONTH_TABLE" in os.environ:
        write_table(month, Path(os.environ["MONTH_TABLE"]))
    assert [
        (day_of(entry.requested_at), f"{entry.requested_at.astimezone(ZONE):%H:%M}", entry.started_by, str(entry.state))
        for entry in month.rounds
    ] == EXPECTED
    assert month.notices() == []
    announced = month.store.announcements.newest(month.campaign.campaign_id, "round_failed")
    assert announced is not None
    assert announced.key == "round 9"  # once for six failures in a row
    assert month.rounds[-1].labels == 1_380  # 22 working days of 40, and 500
    month.close()


def day_of(moment: datetime) -> int:
    return (moment.astimezone(ZONE).date() - at(1, "00:00").astimezone(ZONE).date()).days + 1


def write_table(month: Month, path: Path) -> None:
    rows = [
        f"| {day_of(entry.requested_at)} | {entry.requested_at.astimezone(ZONE):%a %d %b %H:%M} | {entry.number} | "
        f"{entry.reason} | {entry.labels} | {entry.state}{f': {entry.error}' if entry.error else ''} |"
        for entry in month.rounds
    ]
    head = ["| day | when (Berlin) | round | started because | labels | ended |", "|---|---|---|---|---|---|"]
    path.write_text("\n".join(head + rows) + "\n")
