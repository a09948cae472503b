"""The steps of a journey on a database: waits for something, goals, clocks, leaving, and changes under way."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from builders import DAY, LINKS, NOON, Provider, company, insert, lead, product, rows, value

from nurture import dispatch, journeys, segments
from nurture.definitions.products import Product

TOKYO, BERLIN, NEW_YORK = "Asia/Tokyo", "Europe/Berlin", "America/New_York"
COMPANY = company()
HOUR = timedelta(hours=1)
THANKS = {"email": "thanks", "mail_type": "know_how"}
CASE = {"email": "case", "mail_type": "case_study"}
GUIDE = {"email": "guide", "mail_type": "download"}
NEWS = {"email": "news", "mail_type": "product_news"}
PAUSE = {"wait": "3 days", "name": "pause"}
CLICK = {"wait_for": {"clicked": "thanks"}, "at_most": "3 days", "name": "a_click", "then": [CASE], "else": [GUIDE]}


def having(journey: list[Any], **said: Any) -> Product:
    """Return a product of one scenario."""
    changed = {name: said.pop(name) for name in ("calendar", "timezone") if name in said}
    return product(scenarios=[{"scenario": "follow_up", "journey": journey, **said}], **changed)


def walk(conn: sa.Connection, asked: Product, at: datetime) -> dict[str, int]:
    """Refresh and walk at a moment; return the walk's counts."""
    segments.refresh(conn, asked, at)
    return journeys.walk(conn, asked, COMPANY.calendars[asked.calendar], at)


def go(conn: sa.Connection, asked: Product, at: datetime) -> dict[str, int]:
    """Walk and send at a moment; return the walk's counts."""
    counts = walk(conn, asked, at)
    dispatch.send_due(conn, asked, COMPANY, at, at, Provider(), LINKS)
    return counts


def standing(conn: sa.Connection) -> list[tuple[str, str | None]]:
    return rows(conn, "select step, ended_reason from enrollments order by enrollment_id")


def mailed(conn: sa.Connection) -> list[str]:
    return [step for (step,) in rows(conn, "select step from messages where status = 'accepted' order by message_id")]


def click(conn: sa.Connection, lead_id: int, at: datetime) -> None:
    insert(conn, "signals", lead_id=lead_id, day=str(at.astimezone(ZoneInfo(TOKYO)).date()), subject="thanks")
    conn.commit()


@pytest.fixture
def one(conn: sa.Connection) -> int:
    made = lead(conn)
    conn.commit()
    return made


def test_who_does_what_is_waited_for_goes_then_at_the_next_walk(conn: sa.Connection, one: int):
    asked = having([THANKS, CLICK])
    go(conn, asked, NOON)
    go(conn, asked, NOON + DAY)
    assert standing(conn) == [("a_click", None)]
    click(conn, one, NOON + 2 * DAY)
    go(conn, asked, NOON + 2 * DAY)
    assert mailed(conn) == ["thanks", "case"]
    assert value(conn, "select step_at from enrollments") == NOON + 2 * DAY


@pytest.mark.parametrize(
    ("clicks_after", "walks_after", "then"),
    [
        (None, 3 * DAY - timedelta(microseconds=1), []),
        (None, 3 * DAY, ["guide"]),
        (3 * DAY, 3 * DAY, ["case"]),
        (4 * DAY, 4 * DAY, ["guide"]),  # on a later day than that on which the time was over
        (3 * DAY, 4 * DAY, ["case"]),
    ],
)
def test_the_time_of_a_wait_for_something_is_over_exactly_at_its_bound(
    conn: sa.Connection, one: int, clicks_after: timedelta | None, walks_after: timedelta, then: list[str]
):
    asked = having([THANKS, CLICK])
    go(conn, asked, NOON)  # sent at noon, from when the three days count
    walk(conn, asked, NOON + HOUR)
    assert standing(conn) == [("a_click", None)]
    if clicks_after is not None:
        click(conn, one, NOON + clicks_after)
    walk(conn, asked, NOON + walks_after)
    assert [step for (step,) in rows(conn, "select step from messages where step <> 'thanks'")] == then


def test_the_other_way_counts_from_when_the_time_was_over(conn: sa.Connection, one: int):
    asked = having([THANKS, {**CLICK, "else": [PAUSE, GUIDE]}])
    go(conn, asked, NOON)
    walk(conn, asked, NOON + 5 * DAY)
    assert rows(conn, "select step, step_at from enrollments") == [("pause", NOON + 3 * DAY)]


def test_business_days_of_a_wait_for_something_skip_the_new_years_closure(conn: sa.Connection, one: int):
    asked = having([{**CLICK, "at_most": "2 business days"}], calendar="japan")
    begun = datetime(2026, 12, 28, 10, tzinfo=ZoneInfo(TOKYO))
    walk(conn, asked, begun)
    over = datetime(2027, 1, 5, 10, tzinfo=ZoneInfo(TOKYO))
    walk(conn, asked, over - timedelta(seconds=1))
    assert standing(conn) == [("a_click", None)]
    walk(conn, asked, over)
    assert rows(conn, "select step, due_at from messages") == [("guide", over)]


def test_who_reaches_the_goal_ends_as_converted_and_what_was_planned_is_cancelled(conn: sa.Connection, one: int):
    asked = having([THANKS, PAUSE], goal={"submitted": "quote_request"}, calendar="japan")
    evening = NOON + 8 * HOUR
    assert walk(conn, asked, evening)["planned"] == 1
    insert(conn, "signals", lead_id=one, kind="submitted", subject="quote_request")
    assert walk(conn, asked, evening + HOUR)["ended"] == 1
    assert standing(conn) == [("thanks", "converted")]
    assert rows(conn, "select status, ended_reason from messages") == [("cancelled", "converted")]
    assert rows(conn, "select outcome, reason from decisions") == [("never", "converted")]


def test_who_has_reached_the_goal_beforehand_is_not_enrolled(conn: sa.Connection, one: int):
    other = lead(conn)
    insert(conn, "signals", lead_id=one, kind="submitted", subject="quote_request")
    asked = having([THANKS], goal={"submitted": "quote_request", "within": "90 days"}, reenter="after 1 days")
    assert go(conn, asked, NOON)["enrolled"] == 1
    assert rows(conn, "select lead_id from enrollments") == [(other,)]
    assert go(conn, asked, NOON + 90 * DAY)["enrolled"] == 2  # the goal lies too long ago; the other's re-entry


def test_n6_a_step_walked_twice_at_one_moment_is_walked_once(conn: sa.Connection, one: int):
    asked = having([CLICK, {"until": "monday 10:00", "name": "a_monday"}], goal={"visited": "/x"})
    walk(conn, asked, NOON)
    walk(conn, asked, NOON + 3 * DAY)
    before = rows(conn, "select step, step_at, ended_at from enrollments"), rows(conn, "select * from messages")
    assert not any(walk(conn, asked, NOON + 3 * DAY).values())
    assert (
        rows(conn, "select step, step_at, ended_at from enrollments"),
        rows(conn, "select * from messages"),
    ) == before


@pytest.mark.parametrize(
    ("zone", "until", "arrived", "over"),
    [
        (NEW_YORK, "monday", "2026-10-30T15:00", "2026-11-02T05:00Z"),  # summer time ends on Sunday 1 November
        (NEW_YORK, "monday 10:00", "2026-10-30T15:00", "2026-11-02T15:00Z"),
        (NEW_YORK, "monday 10:00", "2027-03-12T15:00", "2027-03-15T14:00Z"),  # begins on Sunday 14 March
        (NEW_YORK, "02:30", "2027-03-13T15:00", "2027-03-14T07:30Z"),  # 2:30 is not there: 3:30
        (NEW_YORK, "01:30", "2026-10-31T15:00", "2026-11-01T05:30Z"),  # 1:30 comes twice: the first
        (BERLIN, "10:00", "2026-10-24T15:00", "2026-10-25T09:00Z"),
        (BERLIN, "10:00", "2027-03-27T15:00", "2027-03-28T08:00Z"),
        (TOKYO, "10:00", "2026-12-31T23:00", "2027-01-01T01:00Z"),
    ],
)
def test_a_wait_until_a_moment_ends_by_the_wall_clock(
    conn: sa.Connection, one: int, zone: str, until: str, arrived: str, over: str
):
    asked = having([{"until": until, "name": "a_moment"}, PAUSE], timezone=zone)
    over_at = datetime.fromisoformat(over)
    walk(conn, asked, datetime.fromisoformat(arrived).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC))
    walk(conn, asked, over_at - timedelta(seconds=1))
    assert standing(conn) == [("a_moment", None)]
    walk(conn, asked, over_at)
    assert rows(conn, "select step, step_at from enrollments") == [("pause", over_at)]


def test_a_mail_after_a_wait_until_a_closed_monday_is_due_when_work_begins_again(conn: sa.Connection, one: int):
    asked = having([{"until": "monday 10:00", "name": "a_monday"}, THANKS], calendar="japan")
    begun = datetime(2027, 1, 1, 12, tzinfo=ZoneInfo(TOKYO))
    walk(conn, asked, begun)
    walk(conn, asked, begun + 3 * DAY)
    assert value(conn, "select due_at from messages") == datetime(2027, 1, 4, 10, tzinfo=ZoneInfo(TOKYO))
    other = having([{"until": "saturday", "name": "a_saturday"}, THANKS], calendar="japan")
    lead(conn)
    walk(conn, other, datetime(2027, 12, 28, 12, tzinfo=ZoneInfo(TOKYO)))
    walk(conn, other, datetime(2028, 1, 2, 12, tzinfo=ZoneInfo(TOKYO)))
    assert value(conn, "select max(due_at) from messages") == datetime(2028, 1, 4, 9, tzinfo=ZoneInfo(TOKYO))


@pytest.mark.parametrize(
    ("leave", "after"), [("exit", [("pause", "left_segment")]), ("finish", [("(end)", "completed")])]
)
def test_who_leaves_the_audience_exits_or_finishes_as_the_scenario_says(
    conn: sa.Connection, one: int, leave: str, after: list[tuple[str, str | None]]
):
    asked = having([THANKS, PAUSE, CASE], leave=leave)
    go(conn, asked, NOON)
    go(conn, asked, NOON + HOUR)
    conn.exec_driver_sql("update leads set crm_lifecycle = 'customer'")
    for day in (1, 3, 4):
        go(conn, asked, NOON + day * DAY)
    assert standing(conn) == after
    assert mailed(conn) == (["thanks", "case"] if leave == "finish" else ["thanks"])


@pytest.mark.parametrize(
    ("in_flight", "journey", "sent"),
    [
        ("move_on", [THANKS, PAUSE, NEWS, CASE], ["thanks", "news", "case"]),  # a step was added behind
        ("move_on", [NEWS, THANKS, PAUSE, CASE], ["thanks", "case"]),  # before where they stand
        ("move_on", [THANKS, PAUSE, CASE, GUIDE], ["thanks", "case", "guide"]),  # at the end
        ("move_on", [THANKS, PAUSE, GUIDE], ["thanks", "guide"]),  # one to come was removed
        ("move_on", [PAUSE, CASE], ["thanks", "case"]),  # one that they passed
        ("move_on", [THANKS, CASE], ["thanks"]),  # the one at which they stand
        ("stop", [THANKS, PAUSE, NEWS, CASE], ["thanks"]),
        ("stop", [THANKS, PAUSE], ["thanks"]),
        ("finish_old", [THANKS, PAUSE, NEWS, CASE], ["thanks", "case"]),
        ("finish_old", [GUIDE], ["thanks", "case"]),
    ],
)
def test_a_step_added_or_removed_does_with_those_under_way_as_the_change_says(
    conn: sa.Connection, one: int, in_flight: str, journey: list[Any], sent: list[str]
):
    old = having([THANKS, PAUSE, CASE])
    go(conn, old, NOON)
    go(conn, old, NOON + HOUR)
    changed = having(journey, in_flight=in_flight)
    for day in (1, 3, 4, 5):
        go(conn, changed, NOON + day * DAY)
    assert mailed(conn) == sent
    [(_, reason)] = standing(conn)
    was_stopped = in_flight == "stop" or journey == [THANKS, CASE]
    assert reason == ("withdrawn" if was_stopped else "completed")


@pytest.mark.parametrize(
    ("step", "ended", "sent"),
    [
        ({**THANKS, "name": "hello"}, [], ["thanks"]),
        ({**NEWS, "name": "hello"}, [], ["news"]),  # another mail in its place
        ({**PAUSE, "name": "hello"}, ["withdrawn"], []),  # no mail any more
        ({**CLICK, "name": "hello", "then": [], "else": [GUIDE]}, ["withdrawn"], []),
    ],
)
def test_what_is_planned_for_who_moves_on_follows_its_step_or_is_not_sent(
    conn: sa.Connection, one: int, step: dict[str, Any], ended: list[str], sent: list[str]
):
    walk(conn, having([{**THANKS, "name": "hello"}, CASE]), NOON)
    changed = having([step, CASE], in_flight="move_on")
    go(conn, changed, NOON + HOUR)
    assert [reason for (reason,) in rows(conn, "select reason from decisions where outcome = 'never'")] == ended
    assert rows(conn, "select ended_reason from messages where ended_reason is not null") == [(why,) for why in ended]
    asked = "select email from messages where status = 'accepted'"
    assert [email for (email,) in rows(conn, asked)] == sent
    assert standing(conn) == [("hello", None)]


@pytest.mark.parametrize("in_flight", ["finish_old", "move_on", "stop"])
def test_a_change_that_is_none_to_the_walk_stops_nobody(conn: sa.Connection, one: int, in_flight: str):
    journey = [THANKS, PAUSE, CASE]
    go(conn, having(journey, in_flight=in_flight), NOON)
    changed = having(journey, in_flight=in_flight, purpose="upsell", holdout="1%", reenter="after 90 days")
    for day in (1, 3, 4):
        go(conn, changed, NOON + day * DAY)
    assert standing(conn) == [("(end)", "completed")]
    assert mailed(conn) == ["thanks", "case"]


def test_a_goal_of_a_changed_scenario_holds_for_who_moves_on_alone(conn: sa.Connection, one: int):
    old = having([PAUSE, THANKS])
    walk(conn, old, NOON)
    insert(conn, "signals", lead_id=one, kind="submitted", subject="quote_request")
    goal = {"submitted": "quote_request"}
    walk(conn, having([PAUSE, THANKS], goal=goal, in_flight="finish_old"), NOON + DAY)
    assert standing(conn) == [("pause", None)]
    walk(conn, having([PAUSE, THANKS], goal=goal, in_flight="move_on"), NOON + 2 * DAY)
    assert standing(conn) == [("pause", "converted")]
