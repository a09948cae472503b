"""Holds: a pause, a rate that passed its limit and the provider's no keep mails back and lose none."""

import threading
from datetime import timedelta

import pytest
import sqlalchemy as sa
from builders import DAY, LINKS, NOON, Provider, company, crowd, insert, product, rows, told, value
from sending import BACKUP, COMPANY, DECISIONS, PLANNER, send, statuses

from nurture import dispatch, events, holds
from nurture.answers import Refused

DOMAIN = "mail.aozora.example"
TOUCHY = product(limits={"stop_when": {"of_at_least": 10, "bounced": "10%", "complained": "10%"}})
ALERTS = "select kind, key, product from alerts where ended_at is null order by alert_id"


def bounce(conn: sa.Connection, number: int, kind: str = "bounce") -> None:
    """Tell that the first so many accepted messages bounced."""
    found = rows(conn, "select message_id from messages where status = 'accepted' order by message_id")
    for (message_id,) in found[:number]:
        told(conn, kind, message_id, NOON + timedelta(minutes=1))
    events.take_in(conn, NOON + timedelta(hours=1), {"backup": "Asia/Tokyo"})
    conn.commit()


@pytest.mark.parametrize(("scope", "key"), [("everything", ""), ("product", "backup"), ("domain", DOMAIN)])
def test_a_pause_holds_what_is_due_and_a_resume_lets_it_go(conn: sa.Connection, scope: holds.Scope, key: str):
    crowd(conn, 2)
    holds.hold(conn, scope, key, "paused", "by a person", NOON)
    assert send(conn, provider := Provider()) == {"not_now": 2}
    assert statuses(conn) == ["planned", "planned"]
    assert rows(conn, DECISIONS) == [("not_now", "held: paused", None)] * 2
    assert send(conn, provider) == {"not_now": 2}
    assert len(rows(conn, DECISIONS)) == 2  # said once
    assert holds.resume(conn, scope, key, "a person", NOON) == [(scope, key, "paused")]
    assert send(conn, provider) == {"accepted": 2}
    assert rows(conn, ALERTS) == []


def test_a_pause_of_another_product_or_domain_holds_nothing(conn: sa.Connection):
    crowd(conn, 2)
    holds.hold(conn, "product", "planner", "paused", "by a person", NOON)
    holds.hold(conn, "domain", "other.example", "paused", "by a person", NOON)
    assert send(conn, Provider()) == {"accepted": 2}


def test_a_pause_in_the_middle_lets_what_is_under_way_through_and_no_other(conn: sa.Connection, engine: sa.Engine):
    crowd(conn, 2_000)
    gate = threading.Barrier(2)

    class Pausing(Provider):
        def __call__(self, body: dict[str, object]) -> str:
            gate.wait(60)  # two calls are under way
            with engine.begin() as another:
                holds.hold(another, "everything", "", "paused", "by a person", NOON)
            gate.wait(60)
            return super().__call__(body)

    assert send(conn, Pausing()) == {"accepted": 1_500, "not_now": 500}


def test_what_is_held_too_long_expires_as_anything_else(conn: sa.Connection):
    crowd(conn, 1)
    holds.hold(conn, "product", "backup", "paused", "by a person", NOON)
    assert send(conn, Provider(), NOON + 4 * DAY) == {"expired": 1}


# Breakers.


@pytest.mark.parametrize(("event", "named"), [("bounce", "bounced"), ("spamreport", "complained")])
def test_a_rate_that_passes_its_limit_stops_the_product_and_alerts_once(conn: sa.Connection, event: str, named: str):
    crowd(conn, 20)
    send(conn, Provider(), asked=TOUCHY)
    bounce(conn, 3, event)
    crowd(conn, 5, email="case")
    later = NOON + timedelta(hours=2)
    with pytest.raises(
        dispatch.Stopped, match=rf"product backup is held \(stopped\): 3 of 20 mails {named} \(15.00%\)"
    ):
        dispatch.send_due(conn, TOUCHY, COMPANY, later, later, Provider(), LINKS)
    assert send(conn, Provider(), later, asked=TOUCHY) == {"not_now": 5}  # held quietly from now on
    assert rows(conn, ALERTS) == [("held", "product backup stopped", "backup")]
    holds.resume(conn, "product", "backup", "a person", later)
    assert rows(conn, ALERTS) == []
    assert send(conn, Provider(), later + timedelta(minutes=1), asked=TOUCHY) == {"accepted": 5}  # counted anew


def test_a_rate_on_its_way_to_the_limit_warns_before_the_stop_and_the_warning_ends(conn: sa.Connection):
    crowd(conn, 20)
    send(conn, Provider(), asked=TOUCHY)
    bounce(conn, 1)  # 5 %: half of the limit
    crowd(conn, 5, email="case")
    later = NOON + timedelta(hours=2)
    assert send(conn, Provider(), later, asked=TOUCHY) == {"accepted": 5}
    assert rows(conn, ALERTS) == [("rate", "product backup", "backup")]
    assert "nears a stop: 1 of 20 mails bounced" in value(conn, "select what from alerts")
    send(conn, Provider(), NOON + 2 * DAY, asked=TOUCHY)
    crowd(conn, 1, email="guide")
    send(conn, Provider(), NOON + 2 * DAY, asked=TOUCHY)
    assert rows(conn, ALERTS) == []


def test_few_mails_stop_nothing_however_many_bounce(conn: sa.Connection):
    crowd(conn, 9)
    send(conn, Provider(), asked=TOUCHY)
    bounce(conn, 9)
    crowd(conn, 2, email="case")
    assert send(conn, Provider(), NOON + timedelta(hours=2), asked=TOUCHY) == {"accepted": 2}


def test_the_rates_of_a_sending_domain_stop_every_product_that_sends_from_it(conn: sa.Connection):
    of = company(sending_domains={DOMAIN: {"stop_when": {"of_at_least": 10, "bounced": "10%"}}})
    crowd(conn, 20)
    send(conn, Provider(), of=of)
    bounce(conn, 3)
    crowd(conn, 2, product="planner", email="case")
    later = NOON + timedelta(hours=2)
    with pytest.raises(dispatch.Stopped, match=f"sending from {DOMAIN} is held"):
        dispatch.send_due(conn, PLANNER, of, later, later, Provider(), LINKS)
    assert send(conn, Provider(), later, asked=PLANNER, of=of) == {"not_now": 2}


@pytest.mark.parametrize(
    ("unknown", "refused", "told"),
    [(2_000, 0, None), (2_900, 0, "900 of 3,900 mails errors (23.08%)"), (2_000, 800, "800 of 3,800 mails errors")],
)
def test_an_outage_alone_stops_nothing_and_what_is_lost_beyond_one_or_refused_does(
    conn: sa.Connection, unknown: int, refused: int, told: str | None
):
    crowd(conn, refused)
    for status, members in (("accepted", 1_000), ("unknown", unknown), ("refused", 1_000)):
        request = insert(conn, "send_requests", status=status, member_count=members, answered_at=NOON)
    conn.exec_driver_sql(
        "update messages set status = 'refused', request_id = %s, content_hash = 'content', sent_at = due_at",
        (request.request_id,),
    )
    conn.exec_driver_sql("insert into send_attempts select request_id, message_id from messages")
    stop = holds.stop_at_rates(conn, "product", "backup", BACKUP.limits.stop_when, NOON + timedelta(minutes=1))
    assert told in stop.evidence if told and stop else stop is told


# G8, G9: the provider's own no.


def test_g8_a_429_makes_every_worker_wait_until_its_moment_and_no_longer(conn: sa.Connection):
    crowd(conn, 2)
    crowd(conn, 1, product="planner")
    limited = Provider(Refused("SendGrid says 429: too many requests", stops=True, retry_after=timedelta(seconds=30)))
    assert send(conn, limited) == {"not_now": 2}  # no failure: it goes on by itself
    assert send(conn, limited, NOON + timedelta(seconds=29), asked=PLANNER) == {"not_now": 1}
    assert limited.sizes == [2]
    until = NOON + timedelta(seconds=30)
    assert rows(conn, DECISIONS) == [("not_now", "held: rate limited", until)] * 3
    assert send(conn, limited, until) == {"accepted": 2}
    assert rows(conn, ALERTS) == []


@pytest.mark.parametrize(("what", "key"), [("everything", ""), ("domain", DOMAIN)])
def test_g9_what_a_person_must_mend_is_not_tried_again_until_somebody_resumes(conn: sa.Connection, what: str, key: str):
    crowd(conn, 2)
    no = Provider(Refused("SendGrid says 401: not authorized", stops=True, holds=what))  # pyright: ignore[reportArgumentType]
    with pytest.raises(dispatch.Stopped, match="2 messages stay planned"):
        dispatch.send_due(conn, BACKUP, COMPANY, NOON, NOON, no, LINKS)
    assert send(conn, no, NOON + DAY) == {"not_now": 2}
    assert no.sizes == [2]
    assert rows(conn, ALERTS) == [("held", f"{what} {key} provider refused", None)]
    holds.resume(conn, "everything", "", "a person", NOON + DAY)
    assert send(conn, no, NOON + DAY) == {"accepted": 2}


def test_a_hold_has_one_open_row_and_its_later_end(conn: sa.Connection):
    for seconds in (30, 10):
        holds.hold(conn, "everything", "", "rate limited", "429", NOON, NOON + timedelta(seconds=seconds))
    [found] = holds.every_hold(conn, NOON)
    assert found.until == NOON + timedelta(seconds=30)
    assert holds.every_hold(conn, NOON + timedelta(seconds=30)) == []
