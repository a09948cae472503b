"""Calendars: business days, 祝日, closures and hours, in the zone of the people."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from nurture import calendars
from nurture.definitions.products import Calendar

TOKYO, BERLIN, NEW_YORK = ZoneInfo("Asia/Tokyo"), ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York")
JAPAN = Calendar(holidays="JP", closures=["08-13..08-15", "12-29..01-03"])
ALWAYS = Calendar(weekdays=[1, 2, 3, 4, 5, 6, 7], opens=0, closes=24)


def tokyo(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=TOKYO)


def test_weekends_holidays_and_closures_are_not_business_days():
    closed = ["2026-11-21", "2026-11-23", "2026-09-22", "2026-08-13", "2026-08-15", "2026-12-29", "2027-01-03"]
    open_ = ["2026-11-24", "2026-08-12", "2026-12-28", "2027-01-04"]
    assert not any(calendars.is_business_day(JAPAN, date.fromisoformat(day)) for day in closed)
    assert all(calendars.is_business_day(JAPAN, date.fromisoformat(day)) for day in open_)


def test_a_closure_of_one_day_is_written_as_that_day():
    calendar = Calendar(closures=["06-01"])
    assert not calendars.is_business_day(calendar, date(2026, 6, 1))
    assert calendars.is_business_day(calendar, date(2026, 6, 2))


def test_three_business_days_from_the_last_working_day_reach_over_the_new_year():
    arrived = tokyo("2026-12-28T10:30")
    assert calendars.after(JAPAN, TOKYO, arrived, 3, "business days") == tokyo("2027-01-06T10:30")


@pytest.mark.parametrize(
    ("moment", "opens"),
    [
        ("2026-11-16T08:59", "2026-11-16T09:00"),
        ("2026-11-16T09:00", "2026-11-16T09:00"),
        ("2026-11-16T17:59", "2026-11-16T17:59"),
        ("2026-11-16T18:00", "2026-11-17T09:00"),
        ("2026-11-20T18:00", "2026-11-24T09:00"),  # a Friday before 勤労感謝の日
        ("2026-12-28T18:00", "2027-01-04T09:00"),
    ],
)
def test_the_next_open_moment(moment: str, opens: str):
    assert calendars.next_open(JAPAN, TOKYO, tokyo(moment)) == tokyo(opens)


def test_the_last_open_hour_lies_before_a_weekend_or_is_the_hour_that_runs():
    assert calendars.last_open(JAPAN, TOKYO, tokyo("2026-11-22T12:00")) == tokyo("2026-11-20T17:00")
    assert calendars.last_open(JAPAN, TOKYO, tokyo("2026-11-16T09:30")) == tokyo("2026-11-16T09:00")
    assert calendars.last_open(JAPAN, TOKYO, tokyo("2026-11-16T08:30")) == tokyo("2026-11-13T17:00")
    assert calendars.last_open(JAPAN, TOKYO, tokyo("2027-01-02T12:00")) == tokyo("2026-12-28T17:00")


def test_an_always_open_calendar_is_open_at_every_moment():
    for moment in (tokyo("2027-01-01T00:00"), tokyo("2026-11-22T23:59")):
        assert calendars.next_open(ALWAYS, TOKYO, moment) == moment


def test_an_opening_keeps_the_wall_clock_when_summer_time_ends():
    summer, winter = date(2026, 10, 23), date(2026, 10, 26)
    calendar = Calendar()
    assert calendars.opening(calendar, BERLIN, summer) == datetime(2026, 10, 23, 7, tzinfo=UTC)
    assert calendars.opening(calendar, BERLIN, winter) == datetime(2026, 10, 26, 8, tzinfo=UTC)


def test_days_keep_the_wall_clock_and_hours_the_clock_over_a_change_of_time():
    friday = datetime(2026, 10, 23, 10, tzinfo=BERLIN)
    assert calendars.after(ALWAYS, BERLIN, friday, 3, "days") == datetime(2026, 10, 26, 10, tzinfo=BERLIN)
    assert calendars.after(ALWAYS, BERLIN, friday, 72, "hours") == datetime(2026, 10, 26, 9, tzinfo=BERLIN)
    assert calendars.after(ALWAYS, NEW_YORK, friday, 1, "weeks").astimezone(NEW_YORK).hour == 4


def test_a_day_of_24_hours_closes_at_the_next_midnight_even_when_it_has_25():
    assert calendars.closing(ALWAYS, BERLIN, date(2026, 10, 25)) - calendars.opening(
        ALWAYS, BERLIN, date(2026, 10, 25)
    ) == calendars.timedelta(hours=25)
