"""Plan: the year's dated mails, on their day, once an entry."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from builders import DAY, LINKS, Provider, address_of, company, everything, insert, lead, product, rows

from nurture import dispatch, plan
from nurture.definitions.products import Product

TOKYO = ZoneInfo("Asia/Tokyo")
COMPANY = company()
MORNING = datetime(2026, 11, 17, 9, tzinfo=TOKYO)
NONE = {"entries": 0, "planned": 0, "same_mailbox": 0, "had_it": 0, "withdrawn": 0}


def dated(day: str = "2026-11-17", **changed: Any) -> Product:
    """Return a product with one dated mail for everyone."""
    entry = {"name": "november_case", "date": day, "email": "case", "to": "everyone", "mail_type": "case_study"}
    return product(calendar="japan", plan=[entry], **changed)


def plan_at(conn: sa.Connection, asked: Product, as_of: datetime, **how: Any) -> dict[str, int]:
    return plan.plan_due(conn, asked, COMPANY.calendars[asked.calendar], as_of, **how)


@pytest.fixture(autouse=True)
def members(conn: sa.Connection) -> list[int]:
    made = [lead(conn), lead(conn)]
    for each in made:
        insert(conn, "segment_members", lead_id=each)
    conn.commit()
    return made


def test_an_entry_is_planned_on_its_day_from_the_opening(conn: sa.Connection):
    asked = dated()
    assert plan_at(conn, asked, MORNING - DAY / 24) == NONE
    assert plan_at(conn, asked, MORNING) == {**NONE, "entries": 1, "planned": 2}
    assert rows(conn, "select distinct occasion, due_at, expires_at, scenario, reason from messages") == [
        ("plan/november_case", MORNING, MORNING + 3 * DAY, None, "in everyone since 2026-11-15")
    ]


def test_an_entry_on_a_holiday_is_due_at_the_next_opening(conn: sa.Connection):
    asked = dated("2026-11-21")  # a Saturday, and Monday is 勤労感謝の日
    assert plan_at(conn, asked, datetime(2026, 11, 23, 12, tzinfo=TOKYO)) == NONE
    assert plan_at(conn, asked, datetime(2026, 11, 24, 9, tzinfo=TOKYO))["planned"] == 2


def test_an_entry_that_would_be_too_late_is_not_planned(conn: sa.Connection):
    assert plan_at(conn, dated(), MORNING + 3 * DAY) == NONE
    assert plan_at(conn, dated(), MORNING + 2 * DAY)["planned"] == 2


def test_who_joins_the_segment_on_the_second_day_is_still_in_time(conn: sa.Connection):
    plan_at(conn, dated(), MORNING)
    insert(conn, "segment_members", lead_id=lead(conn), joined_at=MORNING + DAY)
    assert plan_at(conn, dated(), MORNING + DAY)["planned"] == 1


def test_n1_moving_the_date_sends_nothing_twice(conn: sa.Connection):
    plan_at(conn, dated(), MORNING)
    moved = dated("2026-11-19")
    assert plan_at(conn, moved, MORNING + 2 * DAY) == {**NONE, "entries": 1, "planned": 0}


def test_n1_an_entry_is_not_planned_again_for_a_person_who_had_it_under_a_merged_id(
    conn: sa.Connection, members: list[int]
):
    plan_at(conn, dated(), MORNING)
    survivor = lead(conn)
    merge = "update leads set merged_into = %(survivor)s where lead_id = %(merged)s"
    conn.exec_driver_sql(merge, {"survivor": survivor, "merged": members[0]})
    insert(conn, "segment_members", lead_id=survivor)
    assert plan_at(conn, dated(), MORNING)["planned"] == 0


def test_n6_planned_twice_with_one_as_of_it_changes_nothing(conn: sa.Connection):
    plan_at(conn, dated(), MORNING)
    before = everything(conn)
    assert plan_at(conn, dated(), MORNING) == {**NONE, "entries": 1, "planned": 0}
    assert everything(conn) == before


def test_n7_a_run_that_is_not_live_plans_nothing(conn: sa.Connection):
    before = everything(conn)
    assert plan_at(conn, dated(), MORNING, live=False) == NONE
    assert everything(conn) == before


def test_the_year_shows_what_is_sent_due_ready_and_still_to_be_written(conn: sa.Connection, members: list[int]):
    def entry(name: str, day: str, **said: Any) -> dict[str, Any]:
        return {"name": name, "date": day, "email": "case", "to": "everyone", "mail_type": "case_study", **said}

    unwritten = entry("april", "2027-04")
    del unwritten["email"]
    asked = product(
        calendar="japan", reviews=["2026-11-30"],
        plan=[
            entry("october", "2026-10-06"), entry("november", "2026-11-17"), entry("late_november", "2026-W48"),
            entry("january", "2027-01-01"), unwritten,
        ],
    )  # fmt: skip
    insert(conn, "lead_addresses", lead_id=lead(conn, None), address_id=address_of(conn, members[0]))
    insert(conn, "segment_members", lead_id=members[-1] + 1)
    plan_at(conn, asked, MORNING)
    dispatch.send_due(conn, asked, COMPANY, MORNING, MORNING, Provider(), LINKS)
    counted, sizes = plan.counts(conn, asked)
    shown = plan.year(asked, COMPANY.calendars["japan"], MORNING, counted, sizes)
    assert [(f"{row.date}", row.name, row.state, row.people, row.sent, row.not_sent) for row in shown] == [
        ("2026-10-06", "october", "missed", 0, 0, 0),
        ("2026-11-17", "november", "sent", 0, 2, 1),
        ("2026-11-24", "late_november", "ready", 3, 0, 0),  # Monday is 勤労感謝の日
        ("2026-11-30", "review", "review", 0, 0, 0),
        ("2026-12-01", "(nothing)", "no mail this month", 0, 0, 0),
        ("2027-01-04", "january", "ready", 3, 0, 0),
        ("2027-02-01", "(nothing)", "no mail this month", 0, 0, 0),
        ("2027-03-01", "(nothing)", "no mail this month", 0, 0, 0),
        ("2027-04-01", "april", "write by 2027-03-25", 3, 0, 0),
    ]


def test_n5_what_was_planned_for_an_entry_that_is_gone_is_cancelled_with_its_reason(conn: sa.Connection):
    plan_at(conn, dated(), MORNING)
    assert plan_at(conn, product(calendar="japan"), MORNING + DAY / 24)["withdrawn"] == 2
    assert rows(conn, "select distinct status, ended_reason from messages") == [("cancelled", "withdrawn")]
    assert rows(conn, "select distinct outcome, reason from decisions") == [("never", "withdrawn")]


def test_what_is_planned_and_not_sent_follows_its_entry(conn: sa.Connection):
    plan_at(conn, dated(), MORNING)
    later = dated("2026-11-19")
    assert plan_at(conn, later, MORNING)["planned"] == 0
    assert rows(conn, "select distinct occasion, due_at from messages") == [("plan/november_case", MORNING + 2 * DAY)]


def test_a_place_in_the_year_without_a_mail_plans_nothing(conn: sa.Connection):
    entry = {"name": "november_case", "date": "2026-11-17", "to": "everyone", "mail_type": "case_study"}
    assert plan_at(conn, product(calendar="japan", plan=[entry]), MORNING) == NONE
