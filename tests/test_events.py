"""Events: what arrives is taken once, understood or kept with its problem, and becomes signals, refusals, evidence."""

from typing import Any

import pytest
import sqlalchemy as sa
from arriving import SECOND, SIGNALS, URL, take
from builders import (
    DAY,
    NOON,
    address_of,
    everything,
    lead,
    message,
    raw,
    record,
    rows,
    told,
    value,
)

from nurture import events
from nurture.consolidate import consolidate

# Once.


def test_a_click_is_the_signal_of_its_lead_product_day_and_mail(conn: sa.Connection, person: int, mailed: int):
    told(conn, "click", mailed, NOON + 12 * DAY / 24, url=URL)
    assert take(conn) == {"raw_events": 1, "events": 1}
    assert rows(conn, SIGNALS) == [(person, "backup", "2026-11-17", "clicked", "case", "case_study", 1)]
    assert rows(conn, "select lead_id, product from score_marks") == [(person, "backup")]


def test_n6_taken_twice_nothing_is_left_to_do(conn: sa.Connection, mailed: int):
    told(conn, "click", mailed, NOON + DAY, url=URL)
    take(conn)
    before = everything(conn)
    assert take(conn) == {}
    assert everything(conn) == before


def test_g11_g13_the_same_event_with_its_id_again_counts_once(conn: sa.Connection, mailed: int):
    for _ in range(3):
        told(conn, "click", mailed, NOON + DAY, url=URL, sg_event_id="same")
    assert take(conn) == {"raw_events": 3, "events": 1, "duplicates": 2}
    told(conn, "click", mailed, NOON + DAY, url=URL, sg_event_id="same")
    assert take(conn) == {"raw_events": 1, "duplicates": 1}
    assert [count for *_, count in rows(conn, SIGNALS)] == [1]


def test_g11_g13_the_same_event_under_another_id_counts_once(conn: sa.Connection, mailed: int):
    told(conn, "click", mailed, NOON + DAY, url=URL)
    told(conn, "click", mailed, NOON + DAY, url=URL)
    take(conn)
    told(conn, "click", mailed, NOON + DAY, url=URL)
    assert take(conn) == {"raw_events": 1, "duplicates": 1}
    assert [count for *_, count in rows(conn, SIGNALS)] == [1]


def test_two_links_in_one_second_are_two_clicks(conn: sa.Connection, mailed: int):
    told(conn, "click", mailed, NOON + DAY, url=URL)
    told(conn, "click", mailed, NOON + DAY, url=f"{URL}/2")
    assert take(conn) == {"raw_events": 2, "events": 2}


def test_an_id_of_a_duplicate_is_known_from_then_on(conn: sa.Connection, mailed: int):
    told(conn, "click", mailed, NOON + DAY, url=URL, sg_event_id="a")
    told(conn, "click", mailed, NOON + DAY, url=URL, sg_event_id="b")
    take(conn)
    told(conn, "click", mailed, NOON + 2 * DAY, url=URL, sg_event_id="b")
    assert take(conn) == {"raw_events": 1, "duplicates": 1}


def test_g11_the_order_of_arrival_does_not_matter(conn: sa.Connection, person: int):
    first, second = (message(conn, person, email="case", status="accepted") for _ in range(2))
    happened = [("delivered", NOON + SECOND), ("open", NOON + DAY), ("click", NOON + DAY + SECOND)]
    for kind, at in happened:
        told(conn, kind, first, at)
    take(conn)
    for kind, at in reversed(happened):
        told(conn, kind, second, at)
        take(conn)
    verdicts = "select type, is_machine from verdicts join events using (event_id) where message_id = %(id)s order by 1"
    assert rows(conn, verdicts, id=first) == rows(conn, verdicts, id=second)
    assert [count for *_, count in rows(conn, SIGNALS)] == [2, 2]


# Who it was.


def test_g11_an_unknown_message_id_falls_back_to_the_mailbox(conn: sa.Connection, person: int):
    told(conn, "bounce", 987_654, NOON, email="Yamada@lead.example", reason="550")
    take(conn)
    assert rows(conn, "select message_id, lead_id, address_id from events") == [
        (None, person, address_of(conn, person))
    ]
    assert rows(conn, "select reason from suppressions") == [("bounced",)]


def test_g11_an_event_without_custom_args_is_its_mailboxs(conn: sa.Connection, person: int):
    told(conn, "bounce", None, NOON, email="yamada@lead.example", reason="550")
    take(conn)
    assert rows(conn, "select lead_id, reason from events, suppressions") == [(person, "bounced")]


def test_an_event_of_nobody_we_know_is_kept_and_counts_for_nobody(conn: sa.Connection):
    told(conn, "click", 12, NOON, email="nobody@other.example", url=URL)
    told(conn, "dropped", None, NOON, email="", reason="Invalid")
    assert take(conn) == {"raw_events": 2, "events": 2}
    assert rows(conn, SIGNALS) == []
    assert rows(conn, "table suppressions") == []


def test_a_shared_mailbox_is_no_person_but_can_be_suppressed(conn: sa.Connection, person: int):
    lead(conn, "yamada@lead.example", name="山田 花子")
    told(conn, "bounce", None, NOON, email="yamada@lead.example")
    take(conn)
    assert rows(conn, "select lead_id from events") == [(None,)]
    assert rows(conn, "select address_id from suppressions") == [(address_of(conn, person),)]


@pytest.mark.parametrize("given", ["12; drop table", "9" * 40, "", "12.5", "-3"])
def test_a_message_id_that_is_none_of_ours_names_nothing(conn: sa.Connection, given: str):
    raw(conn, "sendgrid", event="click", timestamp=int(NOON.timestamp()), message_id=given, sg_event_id="a")
    assert take(conn) == {"raw_events": 1, "events": 1}
    assert rows(conn, "select message_id from events") == [(None,)]


# What cannot be read.


@pytest.mark.parametrize(
    ("payload", "problem"),
    [
        ({"event": "cancel_drop"}, "unknown kind of event"),
        ({"event": "click", "timestamp": "yesterday"}, "no readable time"),
        ({"event": "click", "timestamp": None}, "no readable time"),
        ({"event": "click", "timestamp": int((NOON + 40 * DAY).timestamp())}, "a time in the future"),
        ({"event": "click", "timestamp": "9" * 30}, "no readable time"),
        ({"event": ["click"]}, "unknown kind of event"),
        ({}, "unknown kind of event"),
    ],
)
def test_g11_n8_what_cannot_be_read_is_kept_with_its_problem(
    conn: sa.Connection, payload: dict[str, Any], problem: str
):
    raw(conn, "sendgrid", **{"timestamp": int(NOON.timestamp()), **payload})
    assert take(conn) == {"raw_events": 1, "unreadable": 1}
    assert rows(conn, "select problem, taken_at is null from raw_events") == [(problem, False)]
    assert rows(conn, "table event_keys") == []


def test_n8_a_bad_element_does_not_hold_the_good_ones_up(conn: sa.Connection, mailed: int):
    conn.exec_driver_sql("insert into raw_events (channel, payload) values ('sendgrid', '[1]'), ('track', '\"word\"')")
    told(conn, "open", mailed, NOON + DAY)
    assert take(conn) == {"raw_events": 3, "events": 1, "unreadable": 2}


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ("-infinity", "a time long past"),
        ("infinity", "a time in the future"),
        ("4714-11-24 00:00:00+00 BC", "a time long past"),
        ("294276-12-31T00:00:00Z", "a time in the future"),
    ],
)
def test_n8_a_time_at_the_end_of_the_world_holds_nothing_up(conn: sa.Connection, person: int, given: str, problem: str):
    who = {"product": "planner", "email": "yamada@lead.example", "path": "/"}
    raw(conn, "track", type="page", timestamp=given, messageId="a", properties=who)
    assert take(conn) == {"raw_events": 1, "unreadable": 1}
    assert rows(conn, "select problem from raw_events") == [(problem,)]


def test_numbers_and_times_of_strange_types_hold_nothing_up(conn: sa.Connection):
    raw(conn, "track", type="page", timestamp="2026-13-45", messageId="a", properties={"path": "/"})
    raw(conn, "track", type="page", timestamp={"at": 1}, messageId="b", properties=[1, 2])
    raw(conn, "track", type="page", timestamp=NOON.isoformat(), messageId=7, properties={"path": 5, "email": 3})
    raw(conn, "inbound", address=None, occurred_at="never")
    assert take(conn)["raw_events"] == 4


# N11: machines.


def machines(conn: sa.Connection) -> list[tuple[str, int, bool, str]]:
    return rows(
        conn,
        "select type, version, is_machine, rule from verdicts join events using (event_id) order by event_id, version",
    )


def test_g12_n11_apples_prefetch_does_not_score(conn: sa.Connection, mailed: int):
    told(conn, "open", mailed, NOON + DAY, sg_machine_open=True)
    take(conn)
    assert machines(conn) == [("opened", 1, True, "flagged by the provider")]
    assert rows(conn, SIGNALS) == []


def test_g12_n11_a_click_within_two_seconds_of_delivery_does_not_score(conn: sa.Connection, mailed: int):
    told(conn, "click", mailed, NOON + 3 * SECOND, url=URL)
    told(conn, "click", mailed, NOON + 60 * SECOND, url=URL)
    take(conn)
    assert [is_machine for _, _, is_machine, _ in machines(conn)] == [True, False]
    assert [count for *_, count in rows(conn, SIGNALS)] == [1]


def test_g12_n11_three_links_at_once_are_a_scanners(conn: sa.Connection, mailed: int):
    for number in range(3):
        told(conn, "click", mailed, NOON + DAY + number * SECOND, url=f"{URL}/{number}")
        take(conn)
    assert {rule for _, _, is_machine, rule in machines(conn) if is_machine} == {"three links within 5 s"}
    assert rows(conn, SIGNALS) == []


def test_n11_a_scanners_user_agent_does_not_score(conn: sa.Connection, mailed: int):
    told(conn, "click", mailed, NOON + DAY, url=URL, useragent="Barracuda Sentinel (EE)")
    take(conn)
    assert [is_machine for _, _, is_machine, _ in machines(conn)] == [True]


def test_n11_a_late_delivered_changes_the_verdict_in_a_new_version_and_the_signals_follow(
    conn: sa.Connection, person: int
):
    made = message(conn, person, email="case", status="accepted")
    told(conn, "click", made, NOON + 2 * SECOND, url=URL)
    take(conn)
    assert len(rows(conn, SIGNALS)) == 1
    conn.exec_driver_sql("delete from score_marks")
    told(conn, "delivered", made, NOON + SECOND)
    take(conn)
    assert machines(conn) == [("clicked", 1, False, "a person"), ("clicked", 2, True, "within 2 s of delivery")]
    assert rows(conn, SIGNALS) == []
    assert rows(conn, "select lead_id from score_marks") == [(person,)]


# Replies, visits, and what else tells of people.


def test_a_reply_answers_the_newest_mail_before_it(conn: sa.Connection, person: int):
    sent = [message(conn, person, status="accepted", sent_at=NOON + day * DAY, step=f"s{day}") for day in (0, 1, 3)]
    raw(conn, "inbound", address="Yamada@lead.example", occurred_at=(NOON + 2 * DAY).isoformat())
    take(conn)
    assert rows(conn, "select type, message_id, lead_id, product from events") == [
        ("replied", sent[1], person, "backup")
    ]
    assert rows(conn, SIGNALS) == [(person, "backup", "2026-11-18", "replied", "thanks", "know_how", 1)]


def test_a_reply_of_a_stranger_is_kept(conn: sa.Connection):
    raw(conn, "inbound", address="stranger@other.example", occurred_at=NOON.isoformat())
    assert take(conn) == {"raw_events": 1, "events": 1}
    assert rows(conn, SIGNALS) == []


def visit(conn: sa.Connection, kind: str = "page", name: str | None = None, **properties: Any) -> None:
    more = {"event": name} if name else {}
    raw(
        conn, "track", type=kind, timestamp=(NOON + DAY).isoformat(), messageId=f"v{len(properties)}{properties}",
        properties=properties, **more,
    )  # fmt: skip


def test_a_visit_is_its_messages_leads_or_its_mailboxs(conn: sa.Connection, person: int, mailed: int):
    visit(conn, path="/pricing", message_id=str(mailed))
    visit(conn, path="/case", product="backup", email="yamada@lead.example")
    visit(conn, path="/news", product="backup")
    assert take(conn) == {"raw_events": 3, "events": 3}
    assert rows(conn, SIGNALS) == [
        (person, "backup", "2026-11-17", "visited", "/case", "", 1),
        (person, "backup", "2026-11-17", "visited", "/pricing", "case_study", 1),
    ]


def test_a_form_and_an_event_are_told_by_their_own_words(conn: sa.Connection, person: int):
    who = {"product": "planner", "email": "yamada@lead.example"}
    visit(conn, "track", "submitted", form="quote_request", path="/contact", **who)
    visit(conn, "track", "attended", event="seminar", **who)
    visit(conn, "track", "Order Completed", **who)
    assert take(conn) == {"raw_events": 3, "events": 2, "unreadable": 1}
    assert [(kind, subject) for _, _, _, kind, subject, *_ in rows(conn, SIGNALS)] == [
        ("attended", "seminar"), ("submitted", "quote_request"),
    ]  # fmt: skip


def test_days_are_the_products_own(conn: sa.Connection, person: int):
    for each in ("backup", "planner"):
        raw(
            conn, "track", type="page", timestamp="2026-11-16T03:00:00Z", messageId=each,
            properties={"path": "/", "product": each, "email": "yamada@lead.example"},
        )  # fmt: skip
    take(conn)
    assert [(name, day) for _, name, day, *_ in rows(conn, SIGNALS)] == [
        ("planner", "2026-11-15"), ("backup", "2026-11-16"),
    ]  # fmt: skip


def test_the_event_of_a_source_row_counts_once_however_often_the_row_changes(conn: sa.Connection):
    did = {"event": {"type": "submitted", "subject": "quote_request", "product": "backup"}}
    record(conn, "1", email="yamada@lead.example", name="山田 太郎", title="課長", facts=did)
    consolidate(conn, NOON)
    take(conn)
    record(conn, "1", email="yamada@lead.example", name="山田 太郎", title="部長", facts=did)
    consolidate(conn, NOON)
    take(conn)
    assert [count for *_, count in rows(conn, SIGNALS)] == [1]
    record(conn, "2", email="yamada@lead.example", name="山田 太郎", facts=did)
    record(conn, "1", email="yamada@lead.example", name="山田 太郎", facts=did, occurred_at=NOON - 2 * DAY)
    consolidate(conn, NOON)
    take(conn)
    assert [count for *_, count in rows(conn, SIGNALS)] == [1, 2]


def test_signals_of_a_merged_lead_stay_its_own_and_mark_the_survivor(conn: sa.Connection, person: int, mailed: int):
    survivor = lead(conn)
    conn.exec_driver_sql("update leads set merged_into = %(to)s where lead_id = %(of)s", {"to": survivor, "of": person})
    told(conn, "click", mailed, NOON + DAY, url=URL)
    take(conn)
    assert [lead_id for lead_id, *_ in rows(conn, SIGNALS)] == [person]
    assert set(rows(conn, "select lead_id from score_marks")) == {(survivor,), (person,)}  # an undo finds it scored


# Time ahead.


def test_the_months_to_come_have_partitions_and_events_go_there(conn: sa.Connection, mailed: int):
    assert events.ensure_partitions(conn, NOON + 45 * DAY) == {"partitions": 8}
    assert events.ensure_partitions(conn, NOON + 45 * DAY) == {"partitions": 0}
    told(conn, "click", mailed, NOON + 30 * DAY, url=URL)
    take(conn)
    assert value(conn, "select tableoid::regclass::text from events where type = 'clicked'") == "events_202612"
