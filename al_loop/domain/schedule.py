"""Times of a retrain policy: cron, time zones, quiet hours, and which policies make no sense. Pure.

Everything here takes and gives aware times in UTC; only what a policy says is read by the clocks of its zone. A
wall-clock time counts once: one that the clocks skip in spring is taken as much later as they were put forward, and one
that they pass twice in autumn is taken the first time.
"""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from apscheduler.triggers.cron import CronTrigger

from al_loop.domain.retraining import RetrainPolicy
from al_loop.errors import InvalidValueError

WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
LONGEST_SHIFT = timedelta(hours=3)
"""Clocks are put forward by less than this, but for zones that change sides of the date line."""
MINUTES = 24 * 60
LOOKED_AT = 1_000
"""Times of a cron expression that are looked at for one outside quiet hours."""


def check_policy(policy: RetrainPolicy, path: str = "$") -> None:
    """Refuse a policy that is nonsense or contradicts itself.

    Args:
        policy: As sent; its types and ranges are checked already.
        path: JSON path of the policy in what was sent.

    Raises:
        InvalidValueError: Names the field: an unknown zone, a cron expression that cannot be read or never comes true,
            quiet hours that cover the day or every time of `cron`, levels of drift in the wrong order.
    """
    try:
        zone_of(policy)
        if policy.cron is not None and next_cron(policy, datetime.now(UTC)) is None:
            raise InvalidValueError("$.cron", f"{policy.cron!r} never comes true: there is no such day")
        _check_quiet_hours(policy)
    except InvalidValueError as error:
        raise InvalidValueError(path + error.path.removeprefix("$"), error.reason) from error
    if policy.drift is not None and policy.drift.warn > policy.drift.critical:
        raise InvalidValueError(
            f"{path}.drift.warn", f"{policy.drift.warn:g} is more than drift.critical ({policy.drift.critical:g})"
        )


def zone_of(policy: RetrainPolicy) -> ZoneInfo:
    """The time zone of a policy.

    Raises:
        InvalidValueError: This machine knows no such zone; carries `$.timezone`.
    """
    try:
        return ZoneInfo(policy.timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise InvalidValueError(
            "$.timezone", f"unknown time zone {policy.timezone!r}; use an IANA name such as Europe/Berlin or UTC"
        ) from error


def next_cron(policy: RetrainPolicy, after: datetime) -> datetime | None:
    """The first time of `cron` after a moment, in UTC; None: it never comes.

    Raises:
        InvalidValueError: The expression or the zone cannot be read.
    """
    zone, trigger = zone_of(policy), _trigger(policy.cron or "")
    wall = _wall(after, zone)
    put_forward = _offset(after, zone) - _offset(after - LONGEST_SHIFT, zone)
    wall -= max(put_forward, timedelta())  # times that were skipped just now come later
    while True:
        found = trigger.get_next_fire_time(None, (wall + timedelta(microseconds=1)).replace(tzinfo=UTC))
        if found is None:
            return None
        wall = found.replace(tzinfo=None)
        moment: datetime = wall.replace(tzinfo=zone).astimezone(UTC)
        if moment > after:
            return moment


def quiet_end(policy: RetrainPolicy, moment: datetime) -> datetime:
    """When a round may start by itself that falls due at a moment: the moment, or the end of the quiet hours then.

    Raises:
        InvalidValueError: The zone cannot be read.
    """
    if not policy.quiet_hours:
        return moment
    zone, windows = zone_of(policy), [_minutes(window) for window in policy.quiet_hours]
    for _ in range(2 * MINUTES):  # by minutes, as clocks may be put forward or back meanwhile
        wall = _wall(moment, zone)
        if not any(_inside(wall.hour * 60 + wall.minute, begin, end) for begin, end in windows):
            break
        moment = moment.replace(second=0, microsecond=0) + timedelta(minutes=1)
    return moment


def local(moment: datetime, policy: RetrainPolicy) -> str:
    """A moment by the clocks of a policy's zone, for people: "2026-11-30 03:00 Europe/Berlin"."""
    return f"{moment.astimezone(zone_of(policy)):%Y-%m-%d %H:%M} {policy.timezone}"


def _check_quiet_hours(policy: RetrainPolicy) -> None:
    covered = set()
    for number, window in enumerate(policy.quiet_hours):
        begin, end = _minutes(window)
        if begin == end % MINUTES and window != "00:00-24:00":
            raise InvalidValueError(f"$.quiet_hours[{number}]", f"{window!r} begins when it ends")
        covered |= {minute for minute in range(MINUTES) if _inside(minute, begin, end)}
    if len(covered) == MINUTES:
        raise InvalidValueError("$.quiet_hours", "they cover the whole day, so that no round would ever start")
    if policy.cron is None or not covered:
        return
    zone, moment = zone_of(policy), datetime.now(UTC)
    for _ in range(LOOKED_AT):
        found = next_cron(policy, moment)
        if found is None:
            return
        wall = _wall(found, zone)
        if wall.hour * 60 + wall.minute not in covered:
            return
        moment = found
    raise InvalidValueError("$.quiet_hours", f"every time of cron {policy.cron!r} lies in them")


@lru_cache(maxsize=256)
def _trigger(cron: str) -> CronTrigger:
    """Reads a crontab expression; its times are those of a clock without a zone.

    Raises:
        InvalidValueError: It cannot be read; carries `$.cron`.
    """
    fields = cron.split()
    try:
        if len(fields) != 5:
            raise ValueError(f"{len(fields)} fields instead of 5: minute, hour, day, month, day of the week")
        minute, hour, day, month, weekday = fields
        if day != "*" and weekday != "*":
            raise ValueError("name a day of the month or of the week, not both")
        return CronTrigger(minute=minute, hour=hour, day=day, month=month, day_of_week=_weekdays(weekday), timezone=UTC)
    except ValueError as error:
        raise InvalidValueError("$.cron", f"{cron!r} cannot be read: {error}") from error


def _weekdays(field: str) -> str:
    """A crontab's days of the week, where 0 and 7 are Sunday, by name; APScheduler counts from Monday."""
    if field == "*":
        return field
    days = [day for part in field.lower().split(",") for day in _weekday_range(part)]
    return ",".join(dict.fromkeys(days))


def _weekday_range(part: str) -> list[str]:
    span, _, step = part.partition("/")
    first, dash, last = span.partition("-")
    begin, end = (0, 6) if span == "*" else (_weekday(first), _weekday(last if dash else first))
    if step and not (step.isdecimal() and 1 <= int(step) <= 7):
        raise ValueError(f"{step!r} is no step of days")
    if end < begin:
        end += 7
    return [WEEKDAYS[day % 7] for day in range(begin, end + 1, int(step or 1))]


def _weekday(text: str) -> int:
    if text in WEEKDAYS:
        return WEEKDAYS.index(text)
    if len(text) == 1 and text in "01234567":
        return int(text)
    raise ValueError(f"{text!r} is no day of the week; use 0 to 7 or sun to sat")


def _wall(moment: datetime, zone: ZoneInfo) -> datetime:
    """What the clocks of a zone show, without a zone."""
    return moment.astimezone(zone).replace(tzinfo=None, fold=0)


def _offset(moment: datetime, zone: ZoneInfo) -> timedelta:
    return moment.astimezone(zone).utcoffset() or timedelta()


def _minutes(window: str) -> tuple[int, int]:
    """Minutes of a day at which a window begins and ends; 1440: at its end."""
    begin, end = (int(clock[:2]) * 60 + int(clock[3:]) for clock in window.split("-"))
    return begin, end


def _inside(minute: int, begin: int, end: int) -> bool:
    return begin <= minute < end if begin < end else minute >= begin or minute < end
