"""Calendars: when a company's people are at work, in the product's own zone."""

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import holidays

from nurture.definitions.products import Calendar
from nurture.problem import Problem

_DAY = timedelta(days=1)
_NEVER = 400  # days without an open one: a calendar by mistake


@lru_cache(maxsize=64)
def _holidays(country: str, year: int) -> frozenset[date]:
    return frozenset(holidays.country_holidays(country, years=year))


def is_business_day(calendar: Calendar, day: date) -> bool:
    """Say whether people work on a day: a weekday of theirs, no holiday, not within a yearly closure."""
    if day.isoweekday() not in calendar.weekdays:
        return False
    if calendar.holidays and day in _holidays(calendar.holidays, day.year):
        return False
    return not any(_within(closure, day) for closure in calendar.closures)


def _within(closure: str, day: date) -> bool:
    """Say whether a day lies in a closure: `MM-DD..MM-DD` of every year, over its end too, or of one year."""
    first, _, last = closure.partition("..")
    last = last or first
    today = f"{day:%m-%d}" if len(first) == 5 else day.isoformat()
    return first <= today <= last if first <= last else today >= first or today <= last


def business_days_after(calendar: Calendar, day: date, days: int) -> date:
    """Return the day that is `days` business days after `day`."""
    for _ in range(days):
        day = _next_business_day(calendar, day + _DAY, _DAY)
    return day


def business_days_before(calendar: Calendar, day: date, days: int) -> date:
    """Return the day that is `days` business days before `day`."""
    for _ in range(days):
        day = _next_business_day(calendar, day - _DAY, -_DAY)
    return day


def _next_business_day(calendar: Calendar, day: date, way: timedelta) -> date:
    for _ in range(_NEVER):
        if is_business_day(calendar, day):
            return day
        day += way
    raise Problem(f"a calendar of company.yaml is closed for {_NEVER} days around {day}: see its closures")


def opening(calendar: Calendar, zone: ZoneInfo, day: date) -> datetime:
    """Return the moment in UTC at which a business day opens."""
    return datetime.combine(day, time(calendar.opens), zone).astimezone(UTC)


def closing(calendar: Calendar, zone: ZoneInfo, day: date) -> datetime:
    """Return the moment in UTC at which a day closes; 24 is the next midnight."""
    midnight = datetime.combine(day + _DAY, time(0), zone).astimezone(UTC)
    return midnight if calendar.closes == 24 else datetime.combine(day, time(calendar.closes), zone).astimezone(UTC)


def next_open(calendar: Calendar, zone: ZoneInfo, moment: datetime) -> datetime:
    """Return the first open moment at or after `moment`, in UTC; Problem for a calendar that never opens again."""
    day = moment.astimezone(zone).date()
    for _ in range(_NEVER):
        opened = max(moment.astimezone(UTC), opening(calendar, zone, day))
        if opened < closing(calendar, zone, day) and is_business_day(calendar, day):
            return opened
        day += _DAY
    raise Problem(f"a calendar of company.yaml is closed for {_NEVER} days from {moment:%Y-%m-%d}: see its closures")


def last_open(calendar: Calendar, zone: ZoneInfo, moment: datetime) -> datetime:
    """Return the last full hour of work that had begun by `moment`, in UTC: where a played history may end."""
    hour = moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    while next_open(calendar, zone, hour) != hour:
        hour -= timedelta(hours=1)
    return hour


def after(calendar: Calendar, zone: ZoneInfo, moment: datetime, amount: int, unit: str) -> datetime:
    """Return `moment` plus a span: business days skip closed days, and all but hours keep the wall clock.

    A wall clock that a day does not have is the moment as many minutes after the change; one that it has twice, the
    first. Never earlier than `moment`.
    """
    if unit == "hours":
        return moment.astimezone(UTC) + timedelta(hours=amount)
    local = moment.astimezone(zone)
    if unit == "business days":
        day = business_days_after(calendar, local.date(), amount)
    else:
        day = local.date() + timedelta(days=amount * {"days": 1, "weeks": 7, "months": 30}[unit])
    return max(_on_the_clock(day, local.time(), zone), moment.astimezone(UTC))


def until(zone: ZoneInfo, moment: datetime, weekday: int | None, clock: tuple[int, int] | None) -> datetime:
    """Return the first moment, `moment` included, of a weekday (0 is Monday) and at a time of day, in UTC.

    A weekday alone begins at its midnight, and who comes on that day waits no longer.
    """
    local = moment.astimezone(zone)
    for ahead in range(9):
        day = local.date() + ahead * _DAY
        if weekday is not None and day.weekday() != weekday:
            continue
        if clock is None:
            return max(_on_the_clock(day, time(0), zone), moment.astimezone(UTC))
        found = _on_the_clock(day, time(*clock), zone)
        if found >= moment:
            return found
    raise ValueError(f"{weekday} is no weekday")


def _on_the_clock(day: date, clock: time, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, clock.replace(fold=0), zone).astimezone(UTC)
