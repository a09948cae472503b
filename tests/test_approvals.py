"""Approvals: what was never sent, or goes to many, waits for a person; nothing else waits with it."""

from datetime import timedelta

import sqlalchemy as sa
from builders import DAY, NOON, Provider, crowd, product, rows
from sending import DECISIONS, send, statuses

from nurture import approvals

ASKING = product(approval="first_send")
MANY = product(approval={"audience_above": 3})
CORRECTED = ASKING.model_copy(
    update={
        "emails": {
            **ASKING.emails, "thanks": ASKING.emails["thanks"].model_copy(update={"subject": "{{ lead.name }}へ、再び"})
        }
    }
)  # fmt: skip


def say(conn: sa.Connection, said: str) -> approvals.Asked:
    [asked] = approvals.waiting(conn)
    assert approvals.answer(conn, asked.approval_id, said, "a person", NOON)  # pyright: ignore[reportArgumentType]
    assert not approvals.answer(conn, asked.approval_id, "no", "another", NOON)  # it stands
    return asked


def test_content_that_was_never_sent_waits_for_a_yes_and_other_mails_do_not(conn: sa.Connection):
    crowd(conn, 2)
    assert send(conn, provider := Provider(), asked=ASKING) == {"not_now": 2}
    assert send(conn, provider, asked=ASKING) == {"not_now": 2}
    assert rows(conn, DECISIONS) == [("not_now", "awaiting approval", None)] * 2
    asked = say(conn, "yes")
    assert (asked.email, asked.reason, asked.audience_size) == ("thanks", "first send", 2)
    assert "山田" not in asked.subject + asked.text
    crowd(conn, 1, email="case")
    assert send(conn, provider, asked=ASKING) == {"accepted": 2, "not_now": 1}
    assert [asked.email for asked in approvals.waiting(conn, "backup")] == ["case"]
    assert approvals.waiting(conn, "planner") == []


def test_content_that_was_sent_before_is_not_asked_about_again(conn: sa.Connection):
    crowd(conn, 1)
    send(conn, provider := Provider())  # while the product asked for nothing
    crowd(conn, 1)
    assert send(conn, provider, asked=ASKING) == {"accepted": 1}


def test_a_no_stands_until_the_content_is_corrected(conn: sa.Connection):
    crowd(conn, 1)
    send(conn, provider := Provider(), asked=ASKING)
    say(conn, "no")
    assert send(conn, provider, asked=ASKING) == {"not_now": 1}
    assert rows(conn, DECISIONS)[-1] == ("not_now", "not approved", None)
    assert approvals.waiting(conn) == []
    assert send(conn, provider, asked=CORRECTED) == {"not_now": 1}  # a corrected subject is new content
    say(conn, "yes")
    assert send(conn, provider, asked=CORRECTED) == {"accepted": 1}


def test_an_audience_above_the_cap_waits_and_the_yes_is_for_that_audience_and_that_send(conn: sa.Connection):
    crowd(conn, 3)
    assert send(conn, provider := Provider(), asked=MANY) == {"accepted": 3}
    crowd(conn, 4, email="case")
    assert send(conn, provider, asked=MANY) == {"not_now": 4}
    assert say(conn, "yes").audience_size == 4
    crowd(conn, 1, email="case")
    assert send(conn, provider, asked=MANY) == {"not_now": 5}  # five are more than were asked about
    say(conn, "yes")
    assert send(conn, provider, asked=MANY) == {"accepted": 5}
    crowd(conn, 5, email="case")
    later = NOON + 2 * DAY
    assert send(conn, provider, later, asked=MANY) == {"accepted": 5}
    conn.exec_driver_sql("update approvals set answered_at = answered_at - interval '8 days'")
    crowd(conn, 4, email="case")
    assert send(conn, provider, later + timedelta(hours=1), asked=MANY) == {"not_now": 4}
    assert set(statuses(conn)) == {"accepted", "planned"}
