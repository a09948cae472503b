"""Settlement: what became of a request is found out by evidence, decided by policy or by a person, never guessed."""

from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa
from builders import DAY, LINKS, NOON, Provider, company, crowd, everything, lead, message, product, rows, told, value

from nurture import dispatch, events
from nurture.answers import Unanswered
from nurture.definitions.products import Product
from nurture.settlement import settle, settle_by_hand

HOLD, RESEND = product(), product(unknown="resend_when_absent")
COMPANY = company()
HOUR = NOON + timedelta(hours=1)
ZONES = {"backup": "Asia/Tokyo"}
STATES = "select status, settled_by from send_requests order by request_id"


def nothing_logged(address: str, since: datetime) -> dict[str, str]:
    return {}


def lose(conn: sa.Connection, number: int = 3, asked: Product = HOLD) -> None:
    """Send a request whose answer is lost."""
    crowd(conn, number)
    with pytest.raises(dispatch.Stopped):
        dispatch.send_due(conn, asked, COMPANY, NOON, NOON, Provider(Unanswered("lost")), LINKS)


def send_later(conn: sa.Connection, asked: Product = HOLD) -> int:
    """Send another message ten minutes on, which is accepted and delivered; return it."""
    made = message(conn, lead(conn))
    at = NOON + timedelta(minutes=10)
    dispatch.send_due(conn, asked, COMPANY, at, at, Provider(), LINKS)
    told(conn, "delivered", made, at + timedelta(seconds=30))
    events.take_in(conn, HOUR, ZONES)
    return made


def messages(conn: sa.Connection) -> list[tuple[str, datetime | None]]:
    return rows(conn, "select status, accepted_at from messages where occasion = 'plan/a' order by message_id")


def test_n3_one_event_of_one_member_settles_the_whole_request(conn: sa.Connection):
    lose(conn)
    told(conn, "processed", 2, NOON + timedelta(seconds=5))
    events.take_in(conn, HOUR, ZONES)
    assert messages(conn) == [("accepted", NOON)] * 3
    assert rows(conn, STATES) == [("settled", "event")]
    assert settle(conn, HOLD, HOUR, nothing_logged) == {"given_up": 0, "accepted": 0, "planned": 0, "held": 0}


def test_n3_an_event_that_came_before_the_request_was_given_up_settles_it(conn: sa.Connection):
    crowd(conn, 3)
    with pytest.raises(KeyboardInterrupt):
        dispatch.send_due(conn, HOLD, COMPANY, NOON, NOON, Provider(KeyboardInterrupt()), LINKS)
    told(conn, "delivered", 1, NOON + timedelta(seconds=5))
    events.take_in(conn, NOON + timedelta(seconds=30), ZONES)
    assert [status for status, _ in messages(conn)] == ["accepted", "sending", "sending"]
    assert settle(conn, HOLD, NOON + timedelta(seconds=91), nothing_logged)["accepted"] == 2
    assert messages(conn) == [("accepted", NOON)] * 3


def test_n3_an_event_of_the_very_second_of_the_request_is_evidence(conn: sa.Connection):
    crowd(conn, 1)
    at = NOON + timedelta(milliseconds=700)  # the provider's clock counts whole seconds
    with pytest.raises(KeyboardInterrupt):
        dispatch.send_due(conn, HOLD, COMPANY, at, at, Provider(KeyboardInterrupt()), LINKS)
    settle(conn, HOLD, HOUR, nothing_logged)
    conn.exec_driver_sql(
        "insert into events (type, occurred_at, message_id) values ('accepted', %(at)s, 1)", {"at": NOON}
    )
    assert settle(conn, HOLD, HOUR, nothing_logged)["accepted"] == 1


def test_n3_the_logs_row_of_one_member_settles_the_whole_request(conn: sa.Connection):
    lose(conn)
    asked: list[tuple[str, datetime]] = []

    def logged(address: str, since: datetime) -> dict[str, str]:
        asked.append((address, since))
        return {"2": "sg-2"} if address == value(conn, ADDRESS_OF_2) else {"999": "another's"}

    assert settle(conn, HOLD, HOUR, logged)["accepted"] == 3
    assert len(asked) == 2
    assert asked[0][1] == NOON - timedelta(minutes=1)
    assert rows(conn, STATES) == [("settled", "logs")]


ADDRESS_OF_2 = "select address from messages join addresses using (address_id) where message_id = 2"


def test_n3_what_is_absent_is_held_for_a_person(conn: sa.Connection):
    lose(conn)
    send_later(conn)
    assert settle(conn, HOLD, HOUR, nothing_logged)["held"] == 3
    assert rows(conn, STATES) == [("unknown", None), ("accepted", None)]


def test_n3_what_is_absent_is_sent_again_where_the_product_says_so(conn: sa.Connection):
    lose(conn, asked=RESEND)
    later = send_later(conn, RESEND)
    assert settle(conn, RESEND, HOUR, nothing_logged) == {"given_up": 0, "accepted": 0, "planned": 3, "held": 0}
    assert rows(conn, STATES) == [("settled", "absent from logs"), ("accepted", None)]
    provider = Provider()
    dispatch.send_due(conn, RESEND, COMPANY, HOUR, HOUR, provider, LINKS)
    assert sorted(provider.posted) == [1, 2, 3]
    assert later not in provider.posted


def test_n3_absence_is_no_evidence_before_half_an_hour_or_without_a_later_request(conn: sa.Connection):
    lose(conn, asked=RESEND)
    assert settle(conn, RESEND, HOUR, nothing_logged)["held"] == 3
    send_later(conn, RESEND)
    assert settle(conn, RESEND, NOON + timedelta(minutes=29), nothing_logged)["held"] == 3
    assert settle(conn, RESEND, NOON + timedelta(minutes=30), nothing_logged)["planned"] == 3


def test_n3_a_request_without_an_answer_is_given_up_after_ninety_seconds(conn: sa.Connection):
    crowd(conn, 2)
    with pytest.raises(KeyboardInterrupt):
        dispatch.send_due(conn, HOLD, COMPANY, NOON, NOON, Provider(KeyboardInterrupt()), LINKS)
    assert settle(conn, HOLD, NOON + timedelta(seconds=89), nothing_logged)["given_up"] == 0
    assert settle(conn, HOLD, NOON + timedelta(seconds=90), nothing_logged)["given_up"] == 2
    assert rows(conn, "select status, answer from send_requests") == [("unknown", "no answer was recorded")]


@pytest.mark.parametrize("answer", ["accepted", "planned", "cancelled"])
def test_a_person_decides(conn: sa.Connection, answer: str):
    lose(conn)
    assert settle_by_hand(conn, 1, answer, "tanaka", HOUR) == 3
    assert {status for status, _ in messages(conn)} == {answer}
    assert rows(conn, "select status, settled_by, settled_at from send_requests") == [("settled", "tanaka", HOUR)]
    reasons = rows(conn, "select distinct reason from decisions")
    assert reasons == ([("settled by a person: may have been sent",)] if answer == "cancelled" else [])
    assert settle_by_hand(conn, 1, "planned", "sato", HOUR) == 0


def test_n6_settled_twice_at_one_moment_nothing_changes(conn: sa.Connection):
    lose(conn)
    settle(conn, HOLD, HOUR, nothing_logged)
    before = everything(conn)
    settle(conn, HOLD, HOUR, nothing_logged)
    assert everything(conn) == before


def test_a_settled_outage_lets_the_product_send_again(conn: sa.Connection):
    lose(conn)
    for minutes in (1, 2):
        made = message(conn, lead(conn), occasion=f"plan/{minutes}")
        at = NOON + timedelta(minutes=minutes)
        with pytest.raises(dispatch.Stopped):
            dispatch.send_due(conn, HOLD, COMPANY, at, at, Provider(Unanswered("lost")), LINKS)
    told(conn, "processed", made - 1, NOON + timedelta(minutes=1))
    events.take_in(conn, HOUR, ZONES)
    provider = Provider()
    dispatch.send_due(conn, HOLD, COMPANY, NOON + DAY, NOON + DAY, provider, LINKS)
    assert provider.posted == [made]
