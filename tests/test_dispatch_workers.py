"""Dispatch: several workers at once send nothing twice and exceed nothing."""

import threading
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from builders import (
    NOON,
    Provider,
    company,
    crowd,
    lead,
    message,
    product,
    rows,
    value,
)
from sending import LOST, PLANNER, send, statuses

from nurture import db

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
    assert sorted(provider.sizes)[:2] == [1, 1]  # a probe each, and then everything
    assert not set(provider.posted) & set(down.posted)
    assert len(set(provider.posted)) == len(provider.posted) == 4_000 - len(down.posted)


def test_n4_two_workers_together_never_exceed_the_daily_budget(conn: sa.Connection, dsn: str):
    crowd(conn, 300)
    asked = product(limits={"mails_per_day": 100})
    provider = Provider()
    together(dsn, *[lambda each: send(each, provider, asked=asked)] * 3)
    send(conn, provider, asked=asked)
    assert len(provider.posted) == 100


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


def test_n4_two_products_that_claim_one_lead_at_once_never_exceed_the_cap(conn: sa.Connection, dsn: str):
    of = company(frequency={"mails": 1, "within": "7 days"})
    provider = Provider()
    for round_ in range(12):
        people = [lead(conn) for _ in range(5)]
        for made in people:
            message(conn, made, occasion=f"plan/{round_}")
            message(conn, made, occasion=f"plan/{round_}", product="planner")
        conn.commit()
        together(
            dsn,
            lambda each: send(each, provider, of=of),
            lambda each: send(each, provider, asked=PLANNER, of=of),
        )
    send(conn, provider, of=of)
    send(conn, provider, asked=PLANNER, of=of)
    sent = rows(conn, "select lead_id, count(*) from messages where status = 'accepted' group by lead_id")
    assert {number for _, number in sent} == {1}
    assert len(sent) == 60
