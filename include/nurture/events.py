"""Events: take in what arrived, once, and make of it signals, suppressions and opt-outs."""

from collections.abc import Mapping
from datetime import datetime, timedelta

import sqlalchemy as sa

from nurture import db
from nurture.sendgrid import EVENT_TYPES

BATCH = 20_000  # raw events a transaction


def take_in(
    conn: sa.Connection, as_of: datetime, zones: Mapping[str, str], recorded_by: datetime | None = None
) -> dict[str, int]:
    """Take in every raw event that was not taken yet, a batch a transaction; return counts.

    `zones` gives each product's time zone, in whose days signals are counted. An event later than a day after
    `recorded_by` (the door's clock, default `as_of`) is unreadable. Counts: raw_events, events, duplicates, unreadable.
    """
    sql, refusals, verdicts = (db.statements(name) for name in ("events", "refusals", "verdicts"))
    totals = {"raw_events": 0, "events": 0, "duplicates": 0, "unreadable": 0}
    while True:
        db.run(conn, sql.lock)
        db.run(conn, sql.create_incoming)
        db.run(conn, sql.take, types=db.as_json(EVENT_TYPES), at_most=BATCH)
        for statement in (
            sql.forget_unknown_messages, sql.attribute_to_messages, sql.attribute_to_addresses, sql.attribute_replies,
        ):  # fmt: skip
            db.run(conn, statement)
        db.run(conn, sql.find_problems, recorded_by=recorded_by or as_of)
        for statement in (sql.find_new, sql.insert_keys, sql.insert_events, verdicts.judge_machines):
            db.run(conn, statement)
        db.run(conn, sql.accept_messages, as_of=as_of)
        db.run(conn, refusals.suppress)
        db.run(conn, refusals.allow)
        db.run(conn, refusals.opt_out)
        db.run(conn, verdicts.roll_up, zones=db.as_json(dict(zones)))
        counts = dict(db.run(conn, sql.tally).mappings().one())
        db.run(conn, sql.mark_taken)
        conn.commit()
        for name, number in counts.items():
            totals[name] += number
        if counts["raw_events"] < BATCH:
            return totals


def ensure_partitions(conn: sa.Connection, as_of: datetime, months: int = 3) -> dict[str, int]:
    """Make the partitions of the month of `as_of` and of the `months` after it; return how many were made."""
    made, first = 0, as_of.date().replace(day=1)
    for _ in range(months + 1):
        made += db.run(conn, db.statements("events").ensure_partitions, month=first).scalar_one()
        first = (first + timedelta(days=32)).replace(day=1)
    conn.commit()
    return {"partitions": made}
