"""Runs: which run of a DAG is the newest, because only that one may change what is live (N7)."""

from datetime import datetime

import sqlalchemy as sa

from nurture import db


def begin(conn: sa.Connection, dag: str, product: str | None, as_of: datetime, kind: str) -> int:
    """Record that a run has begun and return its id; `kind` is as Airflow calls it, or history."""
    sql = db.statements("runs")
    run_id = db.run(conn, sql.begin, dag=dag, product=product, as_of=as_of, kind=kind).scalar_one()
    conn.commit()
    return run_id


def finish(conn: sa.Connection, run_id: int) -> None:
    """Record that a run has ended."""
    db.run(conn, db.statements("runs").finish, run_id=run_id)
    conn.commit()


def is_newest(conn: sa.Connection, dag: str, as_of: datetime) -> bool:
    """Say whether no run of this DAG with a later `as_of` has begun."""
    return not db.run(conn, db.statements("runs").has_newer, dag=dag, as_of=as_of).scalar_one()


def enter(conn: sa.Connection, room: str) -> None:
    """Wait until nobody else is in a room, and stay in it for as long as the connection is open."""
    db.run(conn, db.statements("runs").enter, room=room)
    conn.commit()
