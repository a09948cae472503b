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


def local(text: str, zone: ZoneInfo) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "arrived", "weekday", "clock", "over"),
    [
        (TOKYO, "2026-11-16T12:00", 0, None, "2026-11-16T03:00"),  # on that day: no longer
        (TOKYO, "2026-11-17T00:00", 0, None, "2026-11-22T15:00"),
        (TOKYO, "2026-11-16T10:00", 0, (10, 0), "2026-11-16T01:00"),  # at that minute: no longer
        (TOKYO, "2026-11-16T10:01", 0, (10, 0), "2026-11-23T01:00"),
        (TOKYO, "2026-12-31T23:59", None, (10, 0), "2027-01-01T01:00"),
        (NEW_YORK, "2027-03-13T12:00", None, (2, 30), "2027-03-14T07:30"),  # not there: 3:30
        (NEW_YORK, "2027-03-14T12:00", None, (2, 30), "2027-03-15T06:30"),
        (NEW_YORK, "2026-10-31T12:00", None, (1, 30), "2026-11-01T05:30"),  # there twice: the first
        (BERLIN, "2027-03-27T12:00", None, (2, 30), "2027-03-28T01:30"),
        (BERLIN, "2026-10-24T12:00", None, (2, 30), "2026-10-25T00:30"),
        (BERLIN, "2027-03-26T12:00", 0, (10, 0), "2027-03-29T08:00"),
        (BERLIN, "2026-10-23T12:00", 0, (10, 0), "2026-10-26T09:00"),
    ],
)
def test_until_is_the_first_such_moment_on_the_wall_clock(
    zone: ZoneInfo, arrived: str, weekday: int | None, clock: tuple[int, int] | None, over: str
):
    assert calendars.until(zone, local(arrived, zone), weekday, clock) == utc(over)


def test_who_comes_in_the_hour_that_is_there_again_waits_for_the_next_day():
    again = datetime(2026, 11, 1, 1, 10, tzinfo=NEW_YORK, fold=1)
    assert calendars.until(NEW_YORK, again, None, (1, 30)) == utc("2026-11-02T06:30")
    assert calendars.after(ALWAYS, NEW_YORK, again, 0, "days") == again.astimezone(UTC)


@pytest.mark.parametrize("zone", [TOKYO, BERLIN, NEW_YORK])
def test_until_never_goes_back_and_nobody_waits_longer_than_a_week_and_an_hour(zone: ZoneInfo):
    for hour in range(0, 24 * 400, 7):
        moment = utc("2026-09-01T00:20") + calendars.timedelta(hours=hour)
        for weekday, clock in ((0, None), (None, (2, 30)), (6, (2, 30)), (3, (10, 0))):
            over = calendars.until(zone, moment, weekday, clock)
            assert moment <= over <= moment + calendars.timedelta(days=7 if weekday is not None else 1, hours=1)
            assert calendars.until(zone, over, weekday, clock) == over


@pytest.mark.parametrize(
    ("arrived", "days", "over"),
    [
        ("2026-12-28T10:30", 1, "2027-01-04T10:30"),
        ("2026-12-30T10:30", 1, "2027-01-04T10:30"),  # within the closure
        ("2027-01-03T23:59", 1, "2027-01-04T23:59"),
        ("2026-12-25T10:30", 5, "2027-01-07T10:30"),
        ("2027-01-08T10:30", 1, "2027-01-12T10:30"),  # 成人の日 on Monday the 11th
    ],
)
def test_business_days_at_the_years_end_skip_the_closure_and_the_holiday(arrived: str, days: int, over: str):
    assert calendars.after(JAPAN, TOKYO, tokyo(arrived), days, "business days") == tokyo(over)


def test_business_days_backwards_skip_the_closure_too():
    assert calendars.business_days_before(JAPAN, date(2027, 1, 5), 2) == date(2026, 12, 28)


def test_a_closure_of_one_years_end_is_that_years_alone():
    calendar = Calendar(closures=["2026-12-28..2027-01-08"])
    assert calendars.business_days_after(calendar, date(2026, 12, 25), 1) == date(2027, 1, 11)
    assert calendars.is_business_day(calendar, date(2027, 12, 28))


def test_an_hour_of_work_that_a_day_does_not_have_is_no_open_moment():
    calendar = Calendar(weekdays=[1, 2, 3, 4, 5, 6, 7], opens=2, closes=3)
    saturday = local("2027-03-27T12:00", BERLIN)
    assert calendars.next_open(calendar, BERLIN, saturday) == utc("2027-03-29T00:00")
