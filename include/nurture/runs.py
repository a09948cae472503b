"""Runs: which run of a DAG is the newest, because only that one may change what is live (N7)."""

from collections.abc import Mapping
from datetime import datetime

import sqlalchemy as sa

from nurture import db


def begin(
    conn: sa.Connection, dag: str, product: str | None, as_of: datetime, kind: str, airflow_run: str | None = None
) -> int:
    """Record that a run has begun and return its id; `kind` is as Airflow calls it, or history."""
    sql = db.statements("runs")
    run_id = db.run(
        conn, sql.begin, dag=dag, product=product, as_of=as_of, kind=kind, airflow_run=airflow_run
    ).scalar_one()  # fmt: skip
    conn.commit()
    return run_id


def finish(conn: sa.Connection, run_id: int, failures: Mapping[str, str] | None = None) -> None:
    """Record that a run has ended, and which of its tasks failed: task to why."""
    db.run(conn, db.statements("runs").finish, run_id=run_id, failures=db.as_json(failures or {}))
    conn.commit()


def fail(conn: sa.Connection, dag: str, airflow_run: str, why: str) -> bool:
    """Record that Airflow calls a run failed, unless what failed in it is known; return whether it had begun."""
    found = db.count(conn, db.statements("runs").fail, dag=dag, airflow_run=airflow_run, why=why)
    conn.commit()
    return found > 0


def is_newest(conn: sa.Connection, dag: str, as_of: datetime) -> bool:
    """Say whether no run of this DAG with a later `as_of` has begun."""
    return not db.run(conn, db.statements("runs").has_newer, dag=dag, as_of=as_of).scalar_one()


def enter(conn: sa.Connection, room: str) -> None:
    """Wait until nobody else is in a room, and stay in it for as long as the connection is open."""
    db.run(conn, db.statements("runs").enter, room=room)
    conn.commit()
