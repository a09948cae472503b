"""Events: what says no, or that nobody is there, is a refusal at once (N13)."""

from typing import Any

import pytest
import sqlalchemy as sa
from arriving import SECOND, take
from builders import (
    DAY,
    LINKS,
    NOON,
    Provider,
    address_of,
    company,
    insert,
    lead,
    message,
    product,
    raw,
    rows,
    told,
    value,
)

from nurture import dispatch


def test_a_complaint_suppresses_the_address_and_opts_the_lead_out_of_everything(
    conn: sa.Connection, person: int, mailed: int
):
    told(conn, "spamreport", mailed, NOON + DAY)
    take(conn)
    assert rows(conn, "select address_id, reason from suppressions") == [(address_of(conn, person), "complained")]
    assert rows(conn, "select lead_id, address_id, product, mail_type, how from opt_outs") == [
        (person, address_of(conn, person), "*", "*", "complaint")
    ]


@pytest.mark.parametrize(
    ("event", "more", "suppressed"),
    [
        ("bounce", {"type": "bounce", "reason": "550 5.1.1"}, ["bounced"]),
        ("bounce", {"type": "blocked", "reason": "421"}, []),
        ("deferred", {}, []),
        ("dropped", {"reason": "Bounced Address"}, ["bounced"]),
        ("dropped", {"reason": "Unsubscribed Address"}, ["global_unsubscribe"]),
        ("dropped", {"reason": "Spam Reporting Address"}, ["complained"]),
        ("dropped", {"reason": "Invalid"}, ["invalid"]),
        ("dropped", {"reason": "Invalid SMTPAPI header"}, []),
        ("dropped", {"reason": "Spam Content"}, []),
        ("dropped", {"reason": "Recipient List over Package Quota"}, []),
    ],
)
def test_an_address_is_suppressed_by_what_says_that_it_is_gone(
    conn: sa.Connection, mailed: int, event: str, more: dict[str, Any], suppressed: list[str]
):
    told(conn, event, mailed, NOON + DAY, **more)
    take(conn)
    assert [reason for (reason,) in rows(conn, "select reason from suppressions")] == suppressed


def test_a_second_reason_does_not_replace_the_first(conn: sa.Connection, mailed: int):
    told(conn, "bounce", mailed, NOON + DAY)
    take(conn)
    told(conn, "spamreport", mailed, NOON + 2 * DAY)
    take(conn)
    assert rows(conn, "select reason from suppressions") == [("bounced",)]
    assert rows(conn, "select how from opt_outs") == [("complaint",)]


def test_n13_one_click_opts_out_of_its_cell_for_lead_and_address(conn: sa.Connection, person: int, mailed: int):
    raw(conn, "unsubscribe", message_id=mailed, how="one_click", scope="mail_type", received_at=NOON + DAY)
    raw(conn, "unsubscribe", message_id=mailed, how="one_click", scope="mail_type", received_at=NOON + DAY + SECOND)
    take(conn)
    assert rows(conn, "select lead_id, address_id, product, mail_type, how, occurred_at from opt_outs") == [
        (person, address_of(conn, person), "backup", "case_study", "one_click", NOON + DAY)
    ]


def test_n13_a_refusal_holds_for_another_lead_of_the_address_and_the_leads_other_address(
    conn: sa.Connection, person: int, mailed: int
):
    raw(conn, "unsubscribe", message_id=mailed, how="one_click", scope="mail_type")
    take(conn)
    insert(conn, "lead_addresses", lead_id=person, address_id=other_address(conn), is_primary=False)
    insert(conn, "consents", lead_id=person, address_id=other_address(conn))
    colleague = lead(conn, "yamada@lead.example", name="佐藤 花子")
    message(conn, person, occasion="plan/a", mail_type="case_study", address_id=other_address(conn))
    message(conn, colleague, occasion="plan/b", mail_type="case_study")
    message(conn, colleague, occasion="plan/c", mail_type="know_how")
    counts = dispatch.send_due(conn, product(), company(), NOON, NOON, Provider(), LINKS)
    assert (counts["never"], counts["accepted"]) == (2, 1)


def other_address(conn: sa.Connection) -> int:
    found = conn.exec_driver_sql("select address_id from addresses where address = 'other@lead.example'").scalar()
    return found or insert(conn, "addresses", address="other@lead.example").address_id


def test_n13_a_second_refusal_after_one_that_ended_holds_again(conn: sa.Connection, person: int, mailed: int):
    raw(conn, "unsubscribe", message_id=mailed, how="one_click", scope="mail_type", received_at=NOON + DAY)
    take(conn)
    conn.exec_driver_sql("update opt_outs set ended_at = now(), ended_evidence = 'their own form'")
    raw(conn, "unsubscribe", message_id=mailed, how="one_click", scope="mail_type", received_at=NOON + 5 * DAY)
    take(conn)
    assert value(conn, "select count(*) from opt_outs where ended_at is null") == 1


def test_the_providers_own_unsubscribe_is_one_of_everything(conn: sa.Connection, mailed: int):
    told(conn, "unsubscribe", mailed, NOON + DAY)
    take(conn)
    assert rows(conn, "select product, mail_type, how from opt_outs") == [("*", "*", "provider")]


# Replies, visits, sources.
