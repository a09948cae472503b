"""Dispatch: permission is judged at the last moment, and what is not sent says why."""

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa
from builders import (
    DAY,
    LINKS,
    NOON,
    Provider,
    address,
    address_of,
    company,
    crowd,
    insert,
    lead,
    message,
    product,
    raw,
    rows,
    value,
)
from sending import BACKUP, COMPANY, DECISIONS, PLANNER, STATUSES, TOKYO, send, statuses

from nurture import dispatch

# N4: permission at the last moment.


def suppress(conn: sa.Connection, lead_id: int) -> None:
    insert(conn, "suppressions", address_id=address_of(conn, lead_id), reason="complained")


def refuse_cell(conn: sa.Connection, lead_id: int) -> None:
    insert(conn, "opt_outs", lead_id=lead_id, product="backup", mail_type="know_how")


def refuse_by_address(conn: sa.Connection, lead_id: int) -> None:
    insert(conn, "opt_outs", address_id=address_of(conn, lead_id), product="*", mail_type="*")


def refuse_under_a_merged_id(conn: sa.Connection, lead_id: int) -> None:
    merged = insert(conn, "leads", merged_into=lead_id).lead_id
    insert(conn, "opt_outs", lead_id=merged, product="backup")


def withdraw_consent(conn: sa.Connection, lead_id: int) -> None:
    conn.exec_driver_sql("delete from consents where lead_id = %(lead)s", {"lead": lead_id})


def be_unmailable(conn: sa.Connection, lead_id: int) -> None:
    conn.exec_driver_sql("update addresses set unmailable_reason = 'no such form'")


NEVER: dict[str, Callable[[sa.Connection, int], None]] = {
    "suppressed: complained": suppress,
    "opted out of backup × know_how": refuse_cell,
    "opted out of * × *": refuse_by_address,
    "opted out of backup × *": refuse_under_a_merged_id,
    "no consent": withdraw_consent,
    "cannot be mailed: no such form": be_unmailable,
}


@pytest.mark.parametrize("reason", NEVER)
def test_n4_a_message_without_permission_is_cancelled_with_its_reason(conn: sa.Connection, reason: str):
    made = lead(conn)
    message(conn, made)
    NEVER[reason](conn, made)
    provider = Provider()
    assert send(conn, provider) == {"never": 1}
    assert provider.bodies == []
    assert rows(conn, STATUSES) == [("cancelled", reason)]
    assert rows(conn, DECISIONS) == [("never", reason, None)]


def test_n4_an_opt_out_of_another_cell_or_one_that_ended_refuses_nothing(conn: sa.Connection):
    made = lead(conn)
    message(conn, made)
    insert(conn, "opt_outs", lead_id=made, product="backup", mail_type="event")
    insert(conn, "opt_outs", lead_id=made, product="planner")
    insert(conn, "opt_outs", lead_id=made, product="backup", ended_at=NOON - DAY, ended_evidence="form")
    assert send(conn, Provider()) == {"accepted": 1}


def test_n4_own_staff_and_named_addresses_are_excluded(conn: sa.Connection):
    message(conn, lead(conn, "staff@own.example"))
    message(conn, lead(conn, "rival@other.example"))
    message(conn, lead(conn, "else@other.example"))
    of = company(
        exclusions={"own_staff": {"domains": ["Own.example"]}, "rivals": {"addresses": ["Rival@other.example"]}}
    )
    assert send(conn, Provider(), of=of) == {"never": 2, "accepted": 1}
    assert [reason for _, reason in rows(conn, STATUSES)] == ["excluded: own staff", "excluded: rivals", None]


def test_n4_a_refusal_that_nobody_took_in_yet_counts_already(conn: sa.Connection):
    one, two = lead(conn, "info@lead.example"), lead(conn, "info@lead.example", name="佐藤 花子")
    earlier = message(conn, one, status="accepted", sent_at=NOON - 30 * DAY)
    raw(conn, "unsubscribe", message_id=earlier, how="one_click", scope="mail_type")
    message(conn, one)
    message(conn, two)
    assert send(conn, Provider()) == {"never": 2}
    assert rows(conn, "select distinct reason from decisions") == [("opted out just now",)]


@pytest.mark.parametrize(
    ("scope", "sent"), [("mail_type", ["case", "planner"]), ("product", ["planner"]), ("everything", [])]
)
def test_n4_a_refusal_just_in_holds_for_its_own_cells(conn: sa.Connection, scope: str, sent: list[str]):
    made = lead(conn)
    earlier = message(conn, made, status="accepted", sent_at=NOON - 30 * DAY)
    raw(conn, "unsubscribe", message_id=earlier, how="page", scope=scope)
    message(conn, made, occasion="plan/same")
    message(conn, made, occasion="plan/case", email="case", mail_type="case_study", step="case")
    message(conn, made, occasion="plan/planner", product="planner", step="planner")
    send(conn, Provider())
    send(conn, Provider(), asked=PLANNER)
    told = "select step from messages where status = 'accepted' and sent_at = %(at)s order by step"
    assert [step for (step,) in rows(conn, told, at=NOON)] == sent


CAPPED = company(frequency={"mails": 2, "within": "7 days"})


def test_n4_the_frequency_cap_counts_every_product_and_every_id_of_a_person(conn: sa.Connection):
    made = lead(conn)
    merged = insert(conn, "leads", merged_into=made).lead_id
    insert(conn, "lead_addresses", lead_id=merged, address_id=address_of(conn, made))
    message(conn, made, product="planner", status="accepted", sent_at=NOON - 5 * DAY)
    message(conn, merged, status="unknown", sent_at=NOON - 2 * DAY)
    message(conn, made)
    assert send(conn, Provider(), of=CAPPED) == {"not_now": 1}
    assert rows(conn, DECISIONS) == [("not_now", "frequency cap", NOON + 2 * DAY)]
    assert send(conn, Provider(), NOON + DAY, of=CAPPED) == {}
    assert send(conn, Provider(), NOON + 2 * DAY, of=CAPPED) == {"accepted": 1}


def test_n4_one_claim_exceeds_no_cap_either(conn: sa.Connection):
    made = lead(conn)
    for number in range(4):
        message(conn, made, occasion=f"plan/{number}")
    insert(conn, "lead_addresses", lead_id=made, address_id=address(conn, "b@lead.example"), is_primary=False)
    insert(conn, "consents", lead_id=made, address_id=address(conn, "b@lead.example"))
    conn.exec_driver_sql(
        "update messages set address_id = %(other)s where occasion in ('plan/1', 'plan/3')",
        {"other": address(conn, "b@lead.example")},
    )
    for minute in range(3):
        send(conn, Provider(), NOON + timedelta(minutes=minute), of=CAPPED)
    assert Counter(statuses(conn)) == {"accepted": 2, "planned": 2}


def test_n4_a_mail_that_is_refused_takes_nothing_of_a_persons_cap(conn: sa.Connection):
    made = lead(conn)
    message(conn, made, occasion="plan/a", mail_type="event")
    message(conn, made, occasion="plan/b")
    insert(conn, "opt_outs", lead_id=made, product="backup", mail_type="event")
    of = company(frequency={"mails": 1, "within": "7 days"})
    send(conn, Provider(), of=of)
    send(conn, Provider(), NOON + timedelta(minutes=2), of=of)
    assert statuses(conn) == ["cancelled", "accepted"]


def test_g5_two_mails_to_one_mailbox_are_never_of_one_request(conn: sa.Connection):
    for name in ("山田 太郎", "佐藤 花子"):
        message(conn, lead(conn, "info@lead.example", name=name), occasion=f"plan/{name}")
    provider = Provider()
    assert send(conn, provider) == {"accepted": 2}
    assert provider.sizes == [1, 1]  # a request is of one occasion, and an occasion has a mailbox once (N1)


JAPAN = product(calendar="japan")
EVENING = datetime(2026, 11, 20, 20, tzinfo=TOKYO)  # a Friday, and Monday is 勤労感謝の日


def test_n4_out_of_hours_nothing_goes_and_all_is_due_at_the_next_opening(conn: sa.Connection):
    message(conn, lead(conn), due_at=EVENING, expires_at=EVENING + 9 * DAY)
    provider = Provider()
    assert send(conn, provider, EVENING, asked=JAPAN) == {"not_now": 1}
    assert send(conn, provider, EVENING + DAY, asked=JAPAN) == {}
    opens = datetime(2026, 11, 24, 9, tzinfo=TOKYO)
    assert value(conn, "select due_at from messages") == opens
    assert rows(conn, DECISIONS) == [("not_now", "outside business hours", opens)]
    assert send(conn, provider, opens, asked=JAPAN) == {"accepted": 1}


def test_n4_the_daily_budget_is_the_products_day(conn: sa.Connection):
    crowd(conn, 5)
    asked = product(limits={"mails_per_day": 2}, calendar="japan")
    provider = Provider()
    morning = datetime(2026, 11, 16, 12, tzinfo=TOKYO)
    assert send(conn, provider, morning, asked=asked) == {"accepted": 2, "not_now": 3}
    opens = datetime(2026, 11, 17, 9, tzinfo=TOKYO)
    assert rows(conn, DECISIONS) == [("not_now", "daily budget", opens)] * 3
    assert send(conn, provider, morning + timedelta(hours=2), asked=asked) == {}
    assert send(conn, provider, opens, asked=asked) == {"accepted": 2, "not_now": 1}
    assert rows(conn, "select day::text, claimed from budgets where scope = 'product' order by day") == [
        ("2026-11-16", 2),
        ("2026-11-17", 2),
    ]
    assert len(rows(conn, DECISIONS)) == 3  # the last one's reason did not change


# N5: every message that was not sent says why.


def test_n5_a_changed_reason_is_one_more_row_and_the_same_reason_is_none(conn: sa.Connection):
    made = lead(conn)
    message(conn, made, expires_at=NOON + 30 * DAY)
    for _ in range(2):
        message(conn, made, status="accepted", sent_at=NOON - DAY)
    send(conn, Provider(), of=CAPPED)
    conn.exec_driver_sql("update messages set due_at = %(at)s where status = 'planned'", {"at": NOON})
    send(conn, Provider(), NOON + DAY, of=CAPPED)
    conn.exec_driver_sql("update messages set due_at = %(at)s where status = 'planned'", {"at": NOON})
    night = NOON + DAY / 2 + DAY
    send(conn, Provider(), night, asked=JAPAN, of=CAPPED)
    suppress(conn, made)
    send(conn, Provider(), night + DAY / 2, asked=JAPAN, of=CAPPED)
    assert [reason for _, reason, _ in rows(conn, DECISIONS)] == [
        "frequency cap", "outside business hours", "suppressed: complained",
    ]  # fmt: skip


def test_n5_a_message_that_is_too_late_expires(conn: sa.Connection):
    message(conn, lead(conn), expires_at=NOON + DAY)
    provider = Provider()
    assert send(conn, provider, NOON + DAY) == {"expired": 1}
    assert provider.bodies == []
    assert rows(conn, STATUSES) == [("expired", "expired")]
    assert rows(conn, DECISIONS) == [("never", "expired", None)]


def test_n5_a_cap_that_lasts_longer_than_send_within_ends_in_expiry(conn: sa.Connection):
    made = lead(conn)
    message(conn, made, expires_at=NOON + 2 * DAY)
    for _ in range(2):
        message(conn, made, status="accepted", sent_at=NOON - DAY)
    send(conn, Provider(), of=CAPPED)
    send(conn, Provider(), NOON + 6 * DAY, of=CAPPED)
    assert rows(conn, "select status from messages where occasion like 'plan/entry%%'") == [("expired",)]


def test_n6_a_message_is_due_by_as_of_and_judged_at_the_attempts_clock(conn: sa.Connection):
    made = lead(conn)
    message(conn, made)
    message(conn, made, occasion="plan/later", due_at=NOON + timedelta(hours=1))
    at = NOON + timedelta(hours=3)
    dispatch.send_due(conn, BACKUP, COMPANY, NOON, at, Provider(), LINKS)
    assert rows(conn, "select status, accepted_at from messages order by message_id") == [
        ("accepted", at), ("planned", None),
    ]  # fmt: skip
