"""Dispatch: several workers at once send nothing twice and exceed nothing."""

import threading
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest
import sqlalchemy as sa
from builders import (
    DAY,
    HASH,
    NOON,
    Provider,
    company,
    crowd,
    product,
    rows,
    value,
)
from sending import BACKUP, LOST, PLANNER, send, statuses

from nurture import db, dispatch

# Several workers at once.


def together(dsn: str, *works: Callable[[sa.Connection], None]) -> None:
    """Run each work in a thread with a connection of its own, all begun at one moment."""
    gate, failures = threading.Barrier(len(works)), []

    def run(work: Callable[[sa.Connection], None]) -> None:
        engine = db.engine(dsn)
        try:
            with engine.connect() as conn:
                gate.wait()
                work(conn)
        except Exception as failure:
            failures.append(failure)
        finally:
            engine.dispose()

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_n1_two_workers_at_the_same_messages_never_double(conn: sa.Connection, dsn: str):
    crowd(conn, 2_400)
    provider = Provider()
    together(dsn, *[lambda each: send(each, provider)] * 3)
    send(conn, provider)
    assert len(provider.posted) == len(set(provider.posted)) == 2_400
    assert Counter(statuses(conn)) == {"accepted": 2_400}
    assert value(conn, "select claimed from budgets where scope = 'product'") == 2_400


def test_n3_an_outage_strands_at_most_two_thousand_however_many_workers(conn: sa.Connection, dsn: str):
    crowd(conn, 2_500)
    crowd(conn, 1_500, product="planner")
    gate = threading.Barrier(4)

    class Down(Provider):
        def __call__(self, body: dict[str, Any]) -> str:
            self.bodies.append(body)
            if len(self.bodies) <= 4:
                gate.wait(60)  # all of them are under way when the first answer is lost
            raise LOST

    down = Down()
    together(dsn, *[lambda each: send(each, down), lambda each: send(each, down, asked=PLANNER)] * 2)
    assert sorted(down.sizes[:4]) == [125, 250, 500, 1_000]
    assert 1_875 <= Counter(statuses(conn))["unknown"] == len(set(down.posted)) == len(down.posted) <= 2_000
    assert rows(conn, "select reason from holds") == []

    provider, later = Provider(), NOON + timedelta(minutes=16)
    together(dsn, lambda each: send(each, provider, later), lambda each: send(each, provider, later, asked=PLANNER))
    lost = dict(rows(conn, "select product, count(*) from send_requests where status <> 'accepted' group by product"))
    first = {body["categories"][0]: len(body["personalizations"]) for body in reversed(provider.bodies)}
    assert {first.get(name, 1) for name, number in lost.items() if number > 1} <= {1}  # a probe, and then the rest
    assert not set(provider.posted) & set(down.posted)
    assert len(set(provider.posted)) == len(provider.posted) == 4_000 - len(down.posted)


def plan_for_everybody(conn: sa.Connection, occasion: str, at: datetime, *products: str) -> None:
    """Plan a mail of each product for everybody, due at a moment and for a day; the planner's in reverse order."""
    conn.exec_driver_sql(
        """
        insert into messages (
            product, occasion, step, lead_id, address_id, email, mail_type, definition_hash, reason, planned_at,
            first_due_at, due_at, expires_at
        )
        select product, %(occasion)s, 'a', lead_id, address_id, 'thanks', 'know_how', %(hash)s, 'in everyone', due_at,
            due_at, due_at, due_at + interval '1 day'
        from lead_addresses cross join unnest(%(products)s) as product
        cross join lateral (
            select %(at)s - interval '1 ms' * (case product when 'planner' then lead_id else 10000 - lead_id end)
        ) as places (due_at)
        """,
        {"occasion": occasion, "products": list(products), "hash": HASH, "at": at},
    )
    conn.commit()


def test_n4_two_workers_together_never_exceed_the_daily_budget(
    conn: sa.Connection, dsn: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(dispatch, "AT_MOST", 25)  # the workers' claims fall between each other's
    crowd(conn, 1_200)
    conn.exec_driver_sql("update messages set expires_at = due_at")
    asked = product(limits={"mails_per_day": 1_000})
    for day in range(1, 3):
        plan_for_everybody(conn, f"plan/{day}", NOON + day * DAY, "backup")
        provider = Provider()
        together(dsn, *[partial(send, provider=provider, at=NOON + day * DAY, asked=asked)] * 3)
        assert len(provider.posted) == len(set(provider.posted)) == 1_000
    assert set(rows(conn, "select claimed from budgets where scope = 'product'")) == {(1_000,)}


def test_n4_two_products_and_four_workers_together_never_exceed_a_sending_domains_day(conn: sa.Connection, dsn: str):
    crowd(conn, 1_500)
    crowd(conn, 1_500, product="planner")
    of = company(sending_domains={"mail.aozora.example": {"mails_per_day": 700}})
    provider = Provider()
    together(
        dsn, *[lambda each: send(each, provider, of=of), lambda each: send(each, provider, asked=PLANNER, of=of)] * 2
    )
    send(conn, provider, of=of)
    assert len(provider.posted) == len(set(provider.posted)) == 700
    assert value(conn, "select claimed from budgets where scope = 'domain'") == 700


def test_n4_two_products_that_claim_one_lead_at_once_never_exceed_the_cap(
    conn: sa.Connection, dsn: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(dispatch, "AT_MOST", 25)
    crowd(conn, 1_000)
    conn.exec_driver_sql("update messages set expires_at = due_at")
    of = company(frequency={"mails": 1, "within": "1 day"})
    for round_ in range(1, 3):  # 2,000 times one lead, two products, four workers
        at, provider = NOON + 2 * round_ * DAY, Provider()
        plan_for_everybody(conn, f"plan/{round_}", at, "backup", "planner")
        together(dsn, *[partial(send, provider=provider, at=at, asked=asked, of=of) for asked in (BACKUP, PLANNER)] * 2)
        assert len(provider.posted) == len(set(provider.posted)) == 1_000
    sent = rows(conn, "select lead_id, occasion, count(*) from messages where status = 'accepted' group by 1, 2")
    assert {number for *_, number in sent} == {1}
    assert len(sent) == 2_000
    assert {name for name, in rows(conn, "select distinct product from messages where status = 'accepted'")} == {
        "backup", "planner",
    }  # fmt: skip
