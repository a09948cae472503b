"""Journeys: who is enrolled, where they stand, when they move on, and why they end."""

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from builders import (
    DAY,
    LINKS,
    NOON,
    Provider,
    address_of,
    company,
    everything,
    insert,
    lead,
    product,
    record,
    rows,
    value,
)

from nurture import dispatch, journeys, segments
from nurture.consolidate import consolidate
from nurture.definitions.products import Product

TOKYO = ZoneInfo("Asia/Tokyo")
COMPANY = company()
THANKS = {"email": "thanks", "mail_type": "know_how"}
CASE = {"email": "case", "mail_type": "case_study"}
GUIDE = {"email": "guide", "mail_type": "download"}
COOL_OFF = {"wait": "3 days", "name": "cool_off"}
CARD = {"consent": {"basis": "business_card", "evidence": "名刺"}}
OPENED = {"if": {"clicked": "thanks"}, "then": [CASE], "else": [GUIDE]}
STANDING = "select step, step_at, ended_reason from enrollments order by enrollment_id"


def having(journey: list[Any], **said: Any) -> Product:
    """Return a product of one scenario."""
    changed = {name: said.pop(name) for name in ("calendar", "send_within") if name in said}
    return product(scenarios=[{"scenario": "follow_up", "journey": journey, **said}], **changed)


def go(conn: sa.Connection, asked: Product, at: datetime, provider: Provider | None = None) -> dict[str, int]:
    """Refresh, walk and send at a moment; return the walk's counts."""
    segments.refresh(conn, asked, at)
    counts = journeys.walk(conn, asked, COMPANY.calendars[asked.calendar], at)
    dispatch.send_due(conn, asked, COMPANY, at, at, provider or Provider(), LINKS)
    return counts


def days_of(conn: sa.Connection, asked: Product, days: int, start: datetime = NOON) -> None:
    for day in range(days):
        go(conn, asked, start + day * DAY)


def statuses(conn: sa.Connection) -> list[tuple[str, str, str | None]]:
    return rows(conn, "select step, status, ended_reason from messages order by message_id")


@pytest.fixture
def one(conn: sa.Connection) -> int:
    made = lead(conn)
    conn.commit()
    return made


def test_a_lead_of_the_audience_is_enrolled_once_and_mailed(conn: sa.Connection, one: int):
    asked = having([THANKS, COOL_OFF])
    provider = Provider()
    assert go(conn, asked, NOON, provider) == {
        "enrolled": 1, "ended": 0, "planned": 1, "same_mailbox": 0, "completed": 0,
    }  # fmt: skip
    go(conn, asked, NOON + DAY, provider)
    assert len(provider.posted) == 1
    assert rows(conn, "select occasion, reason from messages") == [
        ("scenario/follow_up/thanks/1", "in follow_up since 2026-11-16")
    ]


def test_a_lead_without_a_mailbox_is_not_enrolled(conn: sa.Connection):
    lead(conn, None)
    assert go(conn, having([THANKS]), NOON)["enrolled"] == 0


def test_a_wait_after_an_email_counts_from_when_the_provider_took_it(conn: sa.Connection, one: int):
    asked = having([THANKS, COOL_OFF, CASE])
    segments.refresh(conn, asked, NOON)
    journeys.walk(conn, asked, COMPANY.calendars["always"], NOON)
    taken_at = NOON + timedelta(hours=5)
    dispatch.send_due(conn, asked, COMPANY, taken_at, taken_at, Provider(), LINKS)
    go(conn, asked, NOON + 3 * DAY)
    assert rows(conn, STANDING) == [("cool_off", taken_at, None)]
    go(conn, asked, NOON + 3 * DAY + timedelta(hours=5))
    assert value(conn, "select first_due_at from messages where step = 'case'") == taken_at + 3 * DAY


def test_business_days_of_a_wait_reach_over_the_new_year(conn: sa.Connection, one: int):
    journey = [THANKS, {"wait": "3 business days", "name": "cool_off"}, CASE]
    asked = having(journey, calendar="japan")
    begun = datetime(2026, 12, 28, 10, tzinfo=TOKYO)
    days_of(conn, asked, 9, begun)
    assert [step for step, *_ in rows(conn, STANDING)] == ["cool_off"]
    go(conn, asked, begun + 9 * DAY)
    assert rows(conn, "select step, sent_at from messages order by message_id") == [
        ("thanks", begun), ("case", datetime(2027, 1, 6, 10, tzinfo=TOKYO)),
    ]  # fmt: skip


def test_a_mail_planned_out_of_hours_is_due_at_the_next_opening(conn: sa.Connection, one: int):
    evening = datetime(2026, 11, 20, 20, tzinfo=TOKYO)  # a Friday, and Monday is 勤労感謝の日
    go(conn, having([THANKS], calendar="japan"), evening)
    assert rows(conn, "select status, due_at, expires_at from messages") == [
        ("planned", datetime(2026, 11, 24, 9, tzinfo=TOKYO), datetime(2026, 11, 27, 9, tzinfo=TOKYO))
    ]
    assert rows(conn, "select reason from decisions") == []


def test_a_branch_sends_each_lead_its_own_way(conn: sa.Connection):
    clicked, silent = lead(conn), lead(conn)
    asked = having([THANKS, COOL_OFF, {"branch": OPENED, "name": "clicked_or_not"}])
    go(conn, asked, NOON)
    insert(conn, "signals", lead_id=clicked, subject="thanks")
    days_of(conn, asked, 4)
    assert rows(conn, "select lead_id, step from messages where step <> 'thanks' order by lead_id") == [
        (clicked, "case"), (silent, "guide"),
    ]  # fmt: skip
    go(conn, asked, NOON + 5 * DAY)
    assert {reason for *_, reason in rows(conn, STANDING)} == {"completed"}


def test_a_branch_with_an_empty_way_goes_on_to_what_follows(conn: sa.Connection, one: int):
    fork = {"if": {"clicked": True}, "then": [CASE]}
    go(conn, having([{"branch": fork, "name": "clicked"}, GUIDE]), NOON)
    assert [step for step, *_ in statuses(conn)] == ["guide"]


def test_the_held_out_walk_the_journey_unsent(conn: sa.Connection):
    people = [lead(conn) for _ in range(40)]
    asked = having([THANKS, COOL_OFF, CASE], holdout="50%")
    provider = Provider()
    for day in range(8):
        go(conn, asked, NOON + day * DAY, provider)
    held_out = {found for (found,) in rows(conn, "select lead_id from enrollments where is_held_out")}
    mailed = {found for (found,) in rows(conn, "select lead_id from messages")}
    assert held_out
    assert mailed
    assert held_out | mailed == set(people)
    assert not held_out & mailed
    assert len(provider.posted) == 2 * len(mailed)
    assert {reason for *_, reason in rows(conn, STANDING)} == {"completed"}


def test_who_is_held_out_is_the_same_in_a_second_database(conn: sa.Connection):
    for number in range(1, 41):
        insert(conn, "leads", lead_id=1_000 + number)
        insert(conn, "lead_addresses", lead_id=1_000 + number, address_id=number)
    go(conn, having([THANKS], holdout="10%"), NOON)
    found = [lead_id for (lead_id,) in rows(conn, "select lead_id from enrollments where is_held_out order by 1")]
    assert found == [1010, 1011, 1017, 1021, 1022, 1030]


def test_re_entry_begins_a_second_walk_with_messages_of_its_own(conn: sa.Connection, one: int):
    asked = having([THANKS], reenter="after 10 days")
    provider = Provider()
    for day in (0, 1, 9):
        go(conn, asked, NOON + day * DAY, provider)
    assert rows(conn, "select occasion from messages") == [("scenario/follow_up/thanks/1",)]
    go(conn, asked, NOON + 10 * DAY, provider)
    assert rows(conn, "select occasion from messages order by 1") == [
        ("scenario/follow_up/thanks/1",),
        ("scenario/follow_up/thanks/2",),
    ]
    assert len(provider.posted) == 2


def test_never_means_never_even_when_the_lead_left_and_came_back(conn: sa.Connection, one: int):
    asked = having([THANKS], audience={"industry": "logistics"})
    for industry in ("logistics", "retail", "logistics"):
        conn.exec_driver_sql("update leads set industry = %(industry)s", {"industry": industry})
        go(conn, asked, NOON)
    assert value(conn, "select count(*) from enrollments") == 1


CHANGED = [THANKS, {"wait": "1 days", "name": "cool_off"}, CASE, GUIDE]


@pytest.mark.parametrize(
    ("in_flight", "after_two_days", "after_five"),
    [
        ("finish_old", ("cool_off", None), ["thanks", "case"]),
        ("move_on", ("case", None), ["thanks", "case", "guide"]),
        ("stop", ("cool_off", "withdrawn"), ["thanks"]),
    ],
)
def test_a_changed_scenario_does_with_those_under_way_as_it_says(
    conn: sa.Connection, one: int, in_flight: str, after_two_days: tuple[str, str | None], after_five: list[str]
):
    go(conn, having([THANKS, COOL_OFF, CASE]), NOON)
    go(conn, having([THANKS, COOL_OFF, CASE]), NOON + timedelta(hours=1))
    changed = having(CHANGED, in_flight=in_flight)
    go(conn, changed, NOON + 2 * DAY)
    [(step, _, reason)] = rows(conn, STANDING)
    assert (step, reason) == after_two_days
    for day in (3, 4, 5):
        go(conn, changed, NOON + day * DAY)
    assert [step for step, *_ in statuses(conn)] == after_five


def test_move_on_ends_who_stands_at_a_step_that_is_gone(conn: sa.Connection, one: int):
    go(conn, having([THANKS, COOL_OFF, CASE]), NOON)
    go(conn, having([THANKS, COOL_OFF, CASE]), NOON + timedelta(hours=1))
    go(conn, having([THANKS, CASE], in_flight="move_on"), NOON + DAY)
    assert [reason for *_, reason in rows(conn, STANDING)] == ["withdrawn"]


def test_n5_stop_cancels_what_was_planned_and_says_so(conn: sa.Connection, one: int):
    evening = datetime(2026, 11, 16, 20, tzinfo=TOKYO)
    go(conn, having([THANKS], calendar="japan"), evening)
    go(conn, having([CASE], calendar="japan", in_flight="stop"), evening + DAY / 24)
    assert statuses(conn) == [("thanks", "cancelled", "withdrawn")]
    assert rows(conn, "select outcome, reason from decisions") == [("never", "withdrawn")]


def test_n5_a_removed_scenario_ends_its_walks_and_cancels_what_was_planned(conn: sa.Connection, one: int):
    evening = datetime(2026, 11, 16, 20, tzinfo=TOKYO)
    go(conn, having([THANKS], calendar="japan"), evening)
    go(conn, product(calendar="japan"), evening + DAY / 24)
    assert [reason for *_, reason in rows(conn, STANDING)] == ["withdrawn"]
    assert statuses(conn) == [("thanks", "cancelled", "withdrawn")]


def qualify(conn: sa.Connection, lead_id: int) -> None:
    insert(conn, "qualifications", lead_id=lead_id)


def refuse(conn: sa.Connection, lead_id: int) -> None:
    insert(conn, "opt_outs", lead_id=lead_id, product="backup")


def suppress(conn: sa.Connection, lead_id: int) -> None:
    insert(conn, "suppressions", address_id=address_of(conn, lead_id))


def leave(conn: sa.Connection, lead_id: int) -> None:
    conn.exec_driver_sql("update leads set crm_lifecycle = 'customer'")


@pytest.mark.parametrize(
    ("happens", "reason"),
    [(qualify, "qualified"), (refuse, "opted_out"), (suppress, "suppressed"), (leave, "left_segment")],
)
def test_n5_an_exit_ends_the_walk_and_cancels_what_was_planned_with_its_reason(
    conn: sa.Connection, one: int, happens: Any, reason: str
):
    asked = having([THANKS, COOL_OFF], calendar="japan")
    evening = datetime(2026, 11, 16, 20, tzinfo=TOKYO)
    go(conn, asked, evening)
    assert statuses(conn) == [("thanks", "planned", None)]
    happens(conn, one)
    assert go(conn, asked, evening + DAY / 2)["ended"] == 1
    assert [found for *_, found in rows(conn, STANDING)] == [reason]
    assert statuses(conn) == [("thanks", "cancelled", reason)]
    assert rows(conn, "select outcome, reason from decisions") == [("never", reason)]


def test_a_refusal_of_one_mail_type_ends_no_walk(conn: sa.Connection, one: int):
    asked = having([THANKS, COOL_OFF])
    go(conn, asked, NOON)
    insert(conn, "opt_outs", lead_id=one, product="backup", mail_type="event")
    assert go(conn, asked, NOON + DAY)["ended"] == 0


def test_a_refused_mail_does_not_hold_its_lead(conn: sa.Connection):
    lead(conn, consent=False)
    asked = having([THANKS, COOL_OFF])
    go(conn, asked, NOON)
    go(conn, asked, NOON + DAY)
    assert statuses(conn) == [("thanks", "cancelled", "no consent")]
    assert [step for step, *_ in rows(conn, STANDING)] == ["cool_off"]


def test_n1_two_leads_of_one_mailbox_get_one_mail_and_the_loser_says_why(conn: sa.Connection):
    first, second = lead(conn, "info@lead.example"), lead(conn, "info@lead.example", name="佐藤 花子")
    asked = having([THANKS, COOL_OFF])
    provider = Provider()
    assert go(conn, asked, NOON, provider)["same_mailbox"] == 1
    go(conn, asked, NOON + DAY, provider)
    assert len(provider.posted) == 1
    assert rows(conn, "select lead_id, status, ended_reason from messages order by lead_id") == [
        (first, "accepted", None), (second, "cancelled", "same mailbox"),
    ]  # fmt: skip
    assert rows(conn, "select outcome, reason from decisions") == [("never", "same mailbox")]
    assert [step for step, *_ in rows(conn, STANDING)] == ["cool_off", "cool_off"]


def test_n1_a_person_who_was_mailed_under_a_merged_id_is_not_mailed_again(conn: sa.Connection):
    record(conn, "a", email="a@lead.example", name="山田 太郎", facts=CARD)
    record(conn, "b", source="forms", email="b@lead.example", name="山田 太郎", crm_id="7", facts=CARD)
    consolidate(conn, NOON)
    younger = value(conn, "select max(lead_id) from source_records")
    asked = having([THANKS, COOL_OFF, CASE], audience={"source": "forms"})
    provider = Provider()
    go(conn, asked, NOON, provider)
    assert value(conn, "select lead_id from messages") == younger
    record(conn, "c", email="a@lead.example", name="山田 太郎", crm_id="7", occurred_at=NOON)
    assert consolidate(conn, NOON + DAY)["merged_leads"] == 1
    again = having([THANKS, COOL_OFF, CASE], audience={"source": "forms"}, reenter="after 1 days")
    for day in range(1, 3):
        go(conn, asked, NOON + day * DAY, provider)
    assert len(provider.posted) == 1
    go(conn, again, NOON + 4 * DAY, provider)
    assert rows(conn, "select occurrence, lead_id = %(younger)s from enrollments order by 1", younger=younger) == [
        (1, True), (2, False),
    ]  # fmt: skip


def test_n1_a_merge_of_two_walkers_leaves_one_walk_and_one_mail_an_occasion(conn: sa.Connection):
    record(conn, "a", email="a@lead.example", name="山田 太郎", facts=CARD)
    record(conn, "b", email="b@lead.example", name="山田 太郎", crm_id="7", facts=CARD)
    consolidate(conn, NOON)
    asked = having([COOL_OFF, THANKS])
    provider = Provider()
    go(conn, asked, NOON, provider)
    record(conn, "c", email="a@lead.example", name="山田 太郎", crm_id="7", occurred_at=NOON)
    consolidate(conn, NOON + DAY)
    for day in range(1, 6):
        go(conn, asked, NOON + day * DAY, provider)
    assert [reason for *_, reason in rows(conn, STANDING)] == ["completed", "merged"]
    assert len(provider.posted) == 1


def test_n6_the_same_walk_twice_changes_nothing(conn: sa.Connection, one: int):
    asked = having([THANKS, COOL_OFF, CASE])
    go(conn, asked, NOON)
    segments.refresh(conn, asked, NOON + DAY)
    journeys.walk(conn, asked, COMPANY.calendars["always"], NOON + DAY)
    before = everything(conn)
    again = journeys.walk(conn, asked, COMPANY.calendars["always"], NOON + DAY)
    assert again == {"enrolled": 0, "ended": 0, "planned": 0, "same_mailbox": 0, "completed": 0}
    assert everything(conn) == before


def test_n7_a_run_that_is_not_live_enrolls_plans_and_ends_nothing(conn: sa.Connection, one: int):
    asked = having([THANKS])
    segments.refresh(conn, asked, NOON)
    before = everything(conn)
    counts = journeys.walk(conn, asked, COMPANY.calendars["always"], NOON, live=False)
    assert set(counts.values()) == {0}
    assert everything(conn) == before
