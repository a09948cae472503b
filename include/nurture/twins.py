"""Twins: a session in which every stage writes to copies, so that a play touches, locks and leaves nothing.

A temporary table is found before the schema's own of the same name, and no statement names the schema: the stages run
as they are. The twins begin as the tables stood at a moment; what people said later is hidden by the play's clock.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta

import sqlalchemy as sa

from nurture import db

# What no stage of a play writes or locks: it is read where it is. Any other table gets a twin.
ONLY_READ = (
    "account_evidence", "accounts", "consents", "daily_facts", "event_keys", "identities", "landings",
    "lead_addresses", "lead_versions", "match_edges", "match_keys", "match_reviews", "merges", "migrations",
    "name_parts", "name_readings", "rejected_records", "runs", "signals", "source_records", "verdicts",
    # read as they were at the clock
    "opportunities", "opt_outs", "suppressions",
)  # fmt: skip
# Nothing in them matters to what comes: what was spent and asked before the play's first day is over.
# What a person holds is supposed to be let go.
LEFT_EMPTY = ("alerts", "budgets", "crm_links", "holds", "send_attempts")
_KEPT = ("members", "enrollments", "messages", "requests", "decisions", "scores", "qualifications", "handoffs")


@contextmanager
def twins(conn: sa.Connection, begins_at: datetime, products: Sequence[str], remembered: timedelta) -> Iterator[None]:
    """Let everything that is written within go to copies, which begin as the tables stood before `begins_at`.

    `products` are those that are played, `remembered` is how far back a sent mail counts. The connection must hold
    no temporary tables of its own: all are gone afterwards.
    """
    sql = db.statements("twins")
    settings = {
        "nurture.products": ",".join(products), "nurture.remembered": (begins_at - remembered).isoformat()
    }  # fmt: skip
    conn.rollback()
    try:
        db.run(conn, sql.leave)
        db.run(conn, sql.give_room)
        for name, value in settings.items():
            db.run(conn, sql.remember, name=name, value=value)
        set_clock(conn, begins_at)
        db.run(conn, sql.create_view_definitions)
        for kept in _KEPT:
            db.run(conn, getattr(sql, f"{kept}_that_matter"))
        db.run(conn, sql.make_twins, only_read=list(ONLY_READ))
        db.run(conn, sql.hide_what_comes)
        db.run(conn, sql.lay_views)
        db.run(conn, sql.fill_twins, left_empty=list(LEFT_EMPTY))
        db.run(conn, sql.index_twins)
        sum_up(conn)
        _rewind(conn, begins_at)
        db.run(conn, sql.lay_triggers)
        conn.commit()
        yield
    finally:
        conn.rollback()
        db.run(conn, sql.leave)
        conn.commit()


def set_clock(conn: sa.Connection, at: datetime) -> None:
    """Say up to when people have refused, been suppressed and bought."""
    db.run(conn, db.statements("twins").set_clock, at=at)


def sum_up(conn: sa.Connection) -> None:
    """Let the planner know of the twins that have grown; nothing else counts temporary tables."""
    db.run(conn, db.statements("twins").sum_up)


def _rewind(conn: sa.Connection, begins_at: datetime) -> None:
    """Undo on the twins what happened from `begins_at` on."""
    sql = db.statements("simulate")
    db.run(conn, sql.rejoin)
    for statement in (sql.unsend, sql.walk_again, sql.requalify, sql.untell, sql.unwalk):
        db.run(conn, statement, begins_at=begins_at)
