"""The frequency budget: one lead, several products, a place for every mail."""

from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from builders import DAY, LINKS, NOON, Provider, address_of, company, everything, insert, lead, product, rows

from nurture import budget, dispatch
from nurture.definitions.products import Product

COMPANY = company(frequency={"mails": 1, "within": "7 days"})
FIRST, SECOND = product("backup", priority=1), product("planner", priority=2)
PRODUCTS = {"backup": FIRST, "planner": SECOND}


def planned(conn: sa.Connection, lead_id: int, of: Product, **said: Any) -> int:
    return insert(
        conn, "messages", lead_id=lead_id, address_id=address_of(conn, lead_id),
        product=of.product, occasion=f"plan/{of.product}", **said,
    ).message_id  # fmt: skip


def forecast(conn: sa.Connection, of: Product, at: datetime = NOON, allowed: Any = COMPANY) -> int:
    return budget.forecast(conn, of, allowed, PRODUCTS, at)


def due(conn: sa.Connection) -> dict[str, datetime]:
    return dict(rows(conn, "select product, due_at from messages order by 1"))


def test_the_product_with_the_smaller_priority_keeps_its_day_whoever_was_planned_first(conn: sa.Connection):
    one = lead(conn)
    planned(conn, one, SECOND)
    assert forecast(conn, SECOND) == 0
    planned(conn, one, FIRST, due_at=NOON + DAY)
    assert forecast(conn, FIRST) == 1
    assert due(conn) == {"backup": NOON + DAY, "planner": NOON + 8 * DAY}
    assert rows(conn, "select outcome, reason, until from decisions") == [("not_now", "lower priority", NOON + 8 * DAY)]


def test_the_loser_is_not_dropped_it_becomes_too_late_by_as_much_later(conn: sa.Connection):
    one = lead(conn)
    planned(conn, one, FIRST)
    planned(conn, one, SECOND)
    forecast(conn, SECOND)
    found = "select due_at, first_due_at, expires_at from messages where product = 'planner'"
    assert rows(conn, found) == [(NOON + 7 * DAY, NOON + 7 * DAY, NOON + 10 * DAY)]
    provider = Provider()
    for of in PRODUCTS.values():
        for days in (0, 7):
            at = NOON + days * DAY
            dispatch.send_due(conn, of, COMPANY, at, at, provider, LINKS)
    assert len(provider.posted) == 2


def test_what_was_sent_lately_takes_its_place_too(conn: sa.Connection):
    one = lead(conn)
    planned(conn, one, FIRST)
    dispatch.send_due(conn, FIRST, COMPANY, NOON, NOON, Provider(), LINKS)
    planned(conn, one, SECOND, planned_at=NOON + DAY, due_at=NOON + DAY)
    assert forecast(conn, SECOND, NOON + DAY) == 1
    assert due(conn)["planner"] == NOON + 7 * DAY
    assert rows(conn, "select reason from decisions") == [("frequency cap",)]


def test_a_later_mail_of_the_better_product_leaves_no_room_before_it(conn: sa.Connection):
    one = lead(conn)
    planned(conn, one, FIRST, due_at=NOON + 3 * DAY)
    planned(conn, one, SECOND, due_at=NOON)
    forecast(conn, SECOND)
    assert due(conn) == {"backup": NOON + 3 * DAY, "planner": NOON + 10 * DAY}


def test_a_mail_that_will_be_refused_takes_no_place(conn: sa.Connection):
    one = lead(conn)
    insert(conn, "opt_outs", lead_id=one, product="backup", mail_type="know_how")
    planned(conn, one, FIRST)
    planned(conn, one, SECOND)
    assert forecast(conn, SECOND) == 0


def test_two_ids_of_one_person_share_their_budget(conn: sa.Connection):
    younger, one = lead(conn), lead(conn)
    planned(conn, younger, FIRST)
    planned(conn, one, SECOND)
    conn.exec_driver_sql(
        "update leads set merged_into = %(one)s where lead_id = %(younger)s", {"one": one, "younger": younger}
    )
    assert forecast(conn, SECOND) == 1


def test_n6_a_forecast_twice_changes_nothing(conn: sa.Connection):
    for _ in range(3):
        one = lead(conn)
        planned(conn, one, FIRST)
        planned(conn, one, SECOND)
    assert forecast(conn, SECOND) == 3
    before = everything(conn)
    assert forecast(conn, SECOND) == 0
    assert everything(conn) == before


def test_a_place_is_where_every_window_stays_within_the_cap(conn: sa.Connection):
    def place(taken: list[float], mails: int) -> float:
        moments = [NOON + timedelta(days=day) for day in taken]
        found = conn.exec_driver_sql(
            "select free_at(%(due)s, %(taken)s::timestamptz[], %(mails)s, interval '7 days')",
            {"due": NOON, "taken": moments, "mails": mails},
        ).scalar_one()
        return (found - NOON) / DAY

    assert place([], 1) == 0
    assert place([-7], 1) == 0
    assert place([-6], 1) == 1
    assert place([-6, -5], 2) == 1
    assert place([-1, 2], 2) == 6
    assert place([-1, 2], 3) == 0
    assert place([3], 1) == 10
    assert place([3, 11], 1) == 18
