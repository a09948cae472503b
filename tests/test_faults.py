"""Faults: what a provider under strain does to sending, over real HTTP; by the numbers of the list of failures."""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from builders import NOON, Provider, crowd, insert, lead, message, product, rows, told, value
from loopback import API_KEY, Sandbox, sandbox
from sending import BACKUP, send, statuses

from nurture import events
from nurture.answers import Refused
from nurture.sendgrid import SendGrid
from nurture.settlement import settle

ZONES = {"backup": "Asia/Tokyo"}


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with sandbox(tmp_path_factory.mktemp("sandbox")) as running:
        running.move_clock(NOON.isoformat())
        yield running


@pytest.fixture
def edge(account: Sandbox, conn: sa.Connection) -> Iterator[SendGrid]:
    """The account without faults; this test's messages have ids that no other test's have."""
    account.http.put("/sandbox/faults", json=[]).raise_for_status()
    account.move_clock(NOON.isoformat())
    known = [int(each["message_id"]) for each in account.messages(limit=10_000) if each["message_id"]]
    conn.exec_driver_sql(f"alter table messages alter column message_id restart with {max(known, default=0) + 1}")
    conn.exec_driver_sql(f"alter table leads alter column lead_id restart with {max(known, default=0) + 1}")
    conn.commit()
    yield SendGrid(API_KEY, account.url, timeout=2)
    account.http.put("/sandbox/faults", json=[]).raise_for_status()


def inject(account: Sandbox, **fault: Any) -> None:
    account.http.put("/sandbox/faults", json=[{"on": "mail/send", **fault}]).raise_for_status()


def taken(account: Sandbox, conn: sa.Connection) -> Counter[int]:
    """Return how often the account took each message of this test."""
    ours = {made for (made,) in rows(conn, "select message_id from messages")}
    found = (int(each["message_id"]) for each in account.messages(limit=10_000) if each["message_id"])
    return Counter(made for made in found if made in ours)


def listing(index: int, field: str = "personalizations.{}.to") -> dict[str, Any]:
    return {"errors": [{"field": field.format(index), "message": "Does not contain a valid address."}]}


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "accept_then_reset"},
        {"kind": "hang", "seconds": 30},
        {"kind": "hang_body", "seconds": 30},
        {"kind": "truncate"},
        {"kind": "accept_then_status", "status": 502},
    ],
    ids=lambda fault: fault["kind"],
)
# python_http_client leaves a connection open when a reply breaks off while it is read
@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_g1_taken_without_an_answer_is_posted_once_and_settled_by_the_logs(
    conn: sa.Connection, account: Sandbox, edge: SendGrid, fault: dict[str, Any]
):
    crowd(conn, 3)
    inject(account, **fault)
    assert send(conn, edge.send) == {"unknown": 3}
    assert send(conn, edge.send, NOON + timedelta(minutes=1)) == {}
    assert settle(conn, BACKUP, NOON + timedelta(minutes=2), edge.logged_message_ids)["accepted"] == 3
    assert statuses(conn) == ["accepted"] * 3
    assert set(taken(account, conn).values()) == {1}


def test_g2_two_runs_that_overlap_and_one_that_is_repeated_send_once(
    conn: sa.Connection, engine: sa.Engine, account: Sandbox, edge: SendGrid
):
    crowd(conn, 20)

    def overlapped(body: dict[str, Any]) -> str:
        with engine.connect() as another:
            assert send(another, edge.send) == {}
        return edge.send(body)

    assert send(conn, overlapped) == {"accepted": 20}
    assert send(conn, edge.send) == {}
    assert Counter(taken(account, conn).values()) == {1: 20}


def test_g3_taken_and_then_dropped_is_told_and_suppressed(conn: sa.Connection, person_dropped: int):
    told(conn, "dropped", person_dropped, NOON + timedelta(seconds=5), reason="Bounced Address")
    events.take_in(conn, NOON + timedelta(hours=1), ZONES)
    assert rows(conn, "select type from events") == [("rejected",)]
    assert rows(conn, "select reason from suppressions") != []


@pytest.fixture
def person_dropped(conn: sa.Connection) -> int:
    made = message(conn, lead(conn))
    assert send(conn, Provider()) == {"accepted": 1}
    return made


@pytest.mark.parametrize(("policy", "left"), [("hold", "unknown"), ("resend_when_absent", "planned")])
def test_g3_taken_without_any_event_or_log_ever_is_left_to_the_products_policy(
    conn: sa.Connection, account: Sandbox, edge: SendGrid, policy: str, left: str
):
    asked = product(unknown=policy)
    crowd(conn, 2)
    inject(account, kind="reset_before")
    assert send(conn, edge.send, asked=asked) == {"unknown": 2}
    later = message(conn, lead(conn), occasion="plan/later", due_at=NOON + timedelta(minutes=20))
    assert send(conn, edge.send, NOON + timedelta(minutes=20), asked=asked) == {"accepted": 1}
    told(conn, "delivered", later, NOON + timedelta(minutes=20))
    events.take_in(conn, NOON + timedelta(minutes=31), ZONES)
    settle(conn, asked, NOON + timedelta(minutes=31), edge.logged_message_ids)
    assert statuses(conn) == [left, left, "accepted"]


@pytest.mark.parametrize(("index", "sizes"), [(7, [1]), (None, [5, 2, 1])])
def test_g4_one_bad_recipient_is_isolated_and_the_others_go_once(
    conn: sa.Connection, account: Sandbox, edge: SendGrid, index: int | None, sizes: list[int]
):
    crowd(conn, 10)
    conn.exec_driver_sql(
        "update addresses set address = 'no address' where address_id = (select min(address_id) + 7 from addresses)"
    )
    conn.commit()
    strip = edge.send

    def unnamed(body: dict[str, Any]) -> str:
        """Say no as SendGrid does when it names no field."""
        try:
            return strip(body)
        except Refused as refusal:
            refusal.indexes = []
            raise

    assert send(conn, strip if index is not None else unnamed) == {"refused": 1, "accepted": 9}
    assert Counter(taken(account, conn).values()) == {1: 9}
    assert statuses(conn).index("refused") == 7
    refused = value(conn, "select count(*) from send_requests where status in ('refused', 'returned')")
    assert refused >= len(sizes)


def test_g6_an_old_docomo_address_is_quoted_and_taken(conn: sa.Connection, account: Sandbox, edge: SendGrid):
    message(conn, lead(conn, "a..b@docomo.example"))
    assert send(conn, edge.send) == {"accepted": 1}
    [address] = [each["to"] for each in account.messages(to='"a..b"@docomo.example')]
    assert address == '"a..b"@docomo.example'


def test_g7_a_request_that_is_too_large_is_halved_and_goes_once(conn: sa.Connection, account: Sandbox, edge: SendGrid):
    crowd(conn, 8)
    inject(account, kind="html_413", times=2)
    assert send(conn, edge.send) == {"accepted": 8}
    assert Counter(taken(account, conn).values()) == {1: 8}
    assert rows(conn, "select member_count from send_requests order by request_id")[:3] == [(8,), (4,), (2,)]


def test_g8_too_many_requests_makes_everybody_wait_and_loses_nothing(
    conn: sa.Connection, account: Sandbox, edge: SendGrid
):
    crowd(conn, 4)
    inject(account, kind="429", headers={"Retry-After": "30"})
    assert send(conn, edge.send) == {"not_now": 4}
    assert send(conn, edge.send, NOON + timedelta(seconds=29)) == {"not_now": 4}
    assert send(conn, edge.send, NOON + timedelta(seconds=30)) == {"accepted": 4}
    assert Counter(taken(account, conn).values()) == {1: 4}


def test_g9_a_partial_outage_posts_nothing_twice(conn: sa.Connection, account: Sandbox, edge: SendGrid):
    for number in range(6):
        message(conn, lead(conn), occasion=f"plan/{number}")
    inject(account, kind="status", status=503, every=3, times=None)
    assert send(conn, edge.send) == {"accepted": 4, "unknown": 2}
    assert set(taken(account, conn).values()) == {1}
    assert len(taken(account, conn)) == 4


def test_g9_a_slow_answer_is_an_answer(conn: sa.Connection, account: Sandbox, edge: SendGrid):
    crowd(conn, 2)
    inject(account, kind="slow", seconds=0.5)
    assert send(conn, edge.send) == {"accepted": 2}


def test_g10_an_opt_out_between_selection_and_claim_wins(conn: sa.Connection, engine: sa.Engine):
    first, second = message(conn, lead(conn), occasion="plan/0"), message(conn, lead(conn), occasion="plan/1")
    conn.commit()
    refused = value(conn, "select lead_id from messages where message_id = %(made)s", made=second)

    def meanwhile(body: dict[str, Any]) -> str:
        """Let the second refuse while the first is under way."""
        with engine.begin() as another:
            insert(another, "opt_outs", lead_id=refused, product="backup", mail_type="know_how")
        return "id"

    assert send(conn, meanwhile) == {"accepted": 1, "never": 1}
    assert statuses(conn) == ["accepted", "cancelled"]
    assert first < second


def test_g10_an_opt_out_during_the_call_is_too_late_for_this_mail_and_holds_for_the_next(
    conn: sa.Connection, engine: sa.Engine
):
    made = lead(conn)
    message(conn, made, occasion="plan/0")
    message(conn, made, occasion="plan/1", due_at=NOON + timedelta(hours=1))
    conn.commit()

    def meanwhile(body: dict[str, Any]) -> str:
        with engine.begin() as another:
            insert(another, "opt_outs", lead_id=made, product="backup", mail_type="know_how")
        return "id"

    assert send(conn, meanwhile) == {"accepted": 1}
    assert send(conn, meanwhile, NOON + timedelta(hours=1)) == {"never": 1}


def test_g16_nothing_is_left_with_the_provider_to_send_later(conn: sa.Connection):
    crowd(conn, 1)
    provider = Provider()
    send(conn, provider)
    [body] = provider.bodies
    assert not {"send_at", "batch_id"} & {*body, *body["personalizations"][0]}


def test_g17_a_sandbox_modes_200_is_never_recorded_as_sent(conn: sa.Connection, account: Sandbox, edge: SendGrid):
    crowd(conn, 2)

    def in_sandbox_mode(body: dict[str, Any]) -> str:
        return edge.send({**body, "mail_settings": {"sandbox_mode": {"enable": True}}})

    assert send(conn, in_sandbox_mode) == {}
    assert statuses(conn) == ["planned"] * 2
    assert taken(account, conn) == {}
    assert rows(conn, "select status, answer like '%%sandbox mode%%' from send_requests") == [("returned", True)]
