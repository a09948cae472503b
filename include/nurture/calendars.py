"""Calendars: when a company's people are at work, in the product's own zone."""

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import holidays

from nurture.definitions.products import Calendar

_DAY = timedelta(days=1)


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
    """Say whether a day lies in a closure written `MM-DD..MM-DD`, which may run over the year's end."""
    first, _, last = closure.partition("..")
    today = f"{day:%m-%d}"
    last = last or first
    return first <= today <= last if first <= last else today >= first or today <= last


def business_days_after(calendar: Calendar, day: date, days: int) -> date:
    """Return the day that is `days` business days after `day`."""
    while days > 0:
        day += _DAY
        days -= is_business_day(calendar, day)
    return day


def opening(calendar: Calendar, zone: ZoneInfo, day: date) -> datetime:
    """Return the moment in UTC at which a business day opens."""
    return datetime.combine(day, time(calendar.opens), zone).astimezone(UTC)


def closing(calendar: Calendar, zone: ZoneInfo, day: date) -> datetime:
    """Return the moment in UTC at which a day closes; 24 is the next midnight."""
    midnight = datetime.combine(day + _DAY, time(0), zone).astimezone(UTC)
    return midnight if calendar.closes == 24 else datetime.combine(day, time(calendar.closes), zone).astimezone(UTC)


def next_open(calendar: Calendar, zone: ZoneInfo, moment: datetime) -> datetime:
    """Return the first open moment at or after `moment`, in UTC."""
    day = moment.astimezone(zone).date()
    while True:
        if is_business_day(calendar, day) and moment < closing(calendar, zone, day):
            return max(moment.astimezone(UTC), opening(calendar, zone, day))
        day += _DAY


def last_open(calendar: Calendar, zone: ZoneInfo, moment: datetime) -> datetime:
    """Return the last full hour of work that had begun by `moment`, in UTC: where a played history may end."""
    hour = moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    while next_open(calendar, zone, hour) != hour:
        hour -= timedelta(hours=1)
    return hour


def after(calendar: Calendar, zone: ZoneInfo, moment: datetime, amount: int, unit: str) -> datetime:
    """Return `moment` plus a span: business days skip closed days, and all but hours keep the wall clock."""
    if unit == "hours":
        return moment.astimezone(UTC) + timedelta(hours=amount)
    local = moment.astimezone(zone)
    if unit == "business days":
        day = business_days_after(calendar, local.date(), amount)
    else:
        day = local.date() + timedelta(days=amount * {"days": 1, "weeks": 7, "months": 30}[unit])
    return datetime.combine(day, local.time(), zone).astimezone(UTC)
