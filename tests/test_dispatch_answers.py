"""Dispatch: an answer that comes late, and an attempt that takes long, are judged by what is known (N3)."""

import itertools
from collections import Counter
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa
from builders import NOON, Provider, company, crowd, product, rows, told
from sending import BACKUP, LOST, send, statuses

from nurture import dispatch, events, holds, posting
from nurture.answers import Refused
from nurture.settlement import settle

NO_STOP = {"stop_when": {"of_at_least": 100_000}}
RESEND = product(unknown="resend_when_absent", limits=NO_STOP)
UNSTOPPED = company(sending_domains={"mail.aozora.example": NO_STOP})
REQUESTS = "select status, at from send_requests order by request_id"


def nothing_logged(address: str, since: Any) -> dict[str, str]:
    return {}


@pytest.mark.parametrize(
    ("answer", "left"), [(None, "accepted"), (Refused("SendGrid says 400", indexes=[0, 1]), "refused")]
)
def test_n3_an_answer_outranks_a_giving_up_that_came_before_it(
    conn: sa.Connection, engine: sa.Engine, answer: Refused | None, left: str
):
    crowd(conn, 2)

    def slow(body: dict[str, Any]) -> str:
        with engine.connect() as another:
            assert settle(another, BACKUP, NOON + timedelta(minutes=2), nothing_logged)["given_up"] == 2
        if answer:
            raise answer
        return "id"

    assert send(conn, slow) == {left: 2}
    assert statuses(conn) == [left] * 2
    assert rows(conn, REQUESTS) == [(left, NOON)]


def test_n3_a_request_of_a_long_attempt_is_neither_given_up_nor_absent_before_its_time(
    conn: sa.Connection, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
):
    crowd(conn, 1)
    told_times = itertools.chain([0.0], itertools.repeat(3_605.0))
    clock = SimpleNamespace(monotonic=lambda: next(told_times))
    monkeypatch.setattr(dispatch, "time", clock)
    monkeypatch.setattr(posting, "time", clock)
    counts: list[int] = []

    def slow(body: dict[str, Any]) -> str:
        with engine.connect() as another:
            counts.append(settle(another, RESEND, NOON + timedelta(hours=1), nothing_logged)["given_up"])
        return "id"

    assert send(conn, slow, asked=RESEND) == {"accepted": 1}
    assert counts == [0]
    assert rows(conn, REQUESTS) == [("accepted", NOON + timedelta(hours=1))]


def test_n3_where_what_is_absent_goes_again_a_probe_ends_even_a_large_outage(conn: sa.Connection):
    crowd(conn, 2_500)
    send(conn, Provider(LOST, LOST), asked=RESEND, of=UNSTOPPED)
    conn.exec_driver_sql("update send_requests set member_count = %s where request_id = 1", (holds.STRANDED_AT_MOST,))
    later = NOON + timedelta(hours=1)
    provider = Provider()
    send(conn, provider, later, asked=RESEND, of=UNSTOPPED)
    assert provider.sizes[0] == 1
    told(conn, "delivered", provider.posted[0], later)
    events.take_in(conn, later + timedelta(minutes=1), {"backup": "Asia/Tokyo"})
    settle(conn, RESEND, later + timedelta(minutes=1), nothing_logged)
    send(conn, provider, later + timedelta(minutes=1), asked=RESEND, of=UNSTOPPED)
    assert Counter(statuses(conn)) == {"accepted": 2_500}
    assert len(set(provider.posted)) == len(provider.posted) == 2_500
