"""Database: statements by name, migrations in order, and one way to run both."""

import hashlib
import io
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from functools import cache
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import psycopg2.extensions
import sqlalchemy as sa
from psycopg2.extras import execute_values
from sqlalchemy.pool import NullPool, QueuePool

SQL = Path(os.environ.get("NURTURE_SQL") or Path(__file__).parents[2] / "sql")
_ESCAPED = {ord("\\"): "\\\\", ord("\t"): "\\t", ord("\n"): "\\n", ord("\r"): "\\r"}  # what COPY's text means otherwise
_PARAMETER = re.compile(r"%\((\w+)\)s")
_MIGRATING = 7_310_001  # The key of the advisory lock under which one process migrates at a time.


class Statement(str):
    """A statement that came from a file in `sql/`; only this module makes one."""

    __slots__ = ()


class Json(str):
    """A value that goes to the database as JSON text; the statement casts it (`%(rows)s::jsonb`)."""

    __slots__ = ()


def as_json(value: Any) -> Json:
    """Return `value` as JSON text for a statement's parameter; moments become ISO 8601."""
    return Json(json.dumps(value, ensure_ascii=False, default=_plain))


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value)


def engine(dsn: str | None = None, *, pool_size: int = 0, **options: Any) -> sa.Engine:
    """Return an engine whose connections speak UTC and see `nurture` first.

    `dsn` defaults to the environment's NURTURE_DSN. Without `pool_size` each connection is opened and closed.
    """
    address = dsn or os.environ.get("NURTURE_DSN")
    if not address:
        raise LookupError("no database: set NURTURE_DSN, or start the local stack with `nurture up`")
    pool: dict[str, Any] = (
        {"poolclass": QueuePool, "pool_size": pool_size, "pool_pre_ping": True}
        if pool_size
        else {"poolclass": NullPool}
    )
    # A claim must outlive the server before its call (N2), whatever the server's own setting: `nurture bench crash`
    # finds mails sent twice where a killed PostgreSQL forgets commits.
    settings = "-c search_path=nurture,public -c timezone=UTC -c synchronous_commit=on"
    return sa.create_engine(address, connect_args={"options": settings}, **pool, **options)


@cache
def statements(stage: str) -> SimpleNamespace:
    """Return the named statements of `sql/<stage>.sql`, in their order, as attributes."""
    text = (SQL / f"{stage}.sql").read_text(encoding="utf-8")
    parts = re.split(r"^-- name: *(\w+) *\n", text, flags=re.MULTILINE)
    names, bodies = parts[1::2], parts[2::2]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise ValueError(f"sql/{stage}.sql names {', '.join(sorted(twice))} twice")
    return SimpleNamespace(**{name: Statement(body.strip()) for name, body in zip(names, bodies, strict=True)})


def run(conn: sa.Connection, statement: Statement, **parameters: Any) -> sa.CursorResult[*tuple[Any, ...]]:
    """Run a named statement with its parameters by name."""
    return conn.exec_driver_sql(statement, parameters)


def stream(conn: sa.Connection, statement: Statement, **parameters: Any) -> Iterator[tuple[Any, ...]]:
    """Run a statement and yield its rows, some thousands of them in memory at a time."""
    with cursor(conn, "streamed") as opened:
        opened.itersize = 10_000
        opened.execute(statement, parameters)
        yield from opened


def often_name(statement: Statement) -> str:
    """Return the name under which a session prepares a statement that runs often."""
    return "often_" + hashlib.md5(statement.encode(), usedforsecurity=False).hexdigest()


def run_often(conn: sa.Connection, statement: Statement, **parameters: Any) -> sa.CursorResult[*tuple[Any, ...]]:
    """Run a statement that a session runs over and over: it is planned once a session.

    The judging of a claim takes 11 ms and its planning 60. Every parameter must be cast where it is used.
    """
    prepared: dict[str, list[str]] = conn.connection.info.setdefault("nurture.prepared", {})
    name = often_name(statement)
    if name not in prepared:
        names = list(dict.fromkeys(_PARAMETER.findall(statement)))
        numbered = _PARAMETER.sub(lambda found: f"${names.index(found[1]) + 1}", statement).rstrip().rstrip(";")
        conn.exec_driver_sql(f"prepare {name} as {numbered}")
        prepared[name] = names
    wanted = ", ".join(f"%({parameter})s" for parameter in prepared[name])
    return conn.exec_driver_sql(f"execute {name} ({wanted})" if wanted else f"execute {name}", parameters)


def count(conn: sa.Connection, statement: Statement, **parameters: Any) -> int:
    """Run a statement that changes rows and return how many."""
    return run(conn, statement, **parameters).rowcount


def insert_values(
    conn: sa.Connection, statement: Statement, rows: Iterable[tuple[Any, ...]], page: int = 5_000
) -> None:
    """Run `insert … values %(values)s` for many rows, `page` of them a statement."""
    with cursor(conn) as open_cursor:
        execute_values(open_cursor, statement.replace("%(values)s", "%s"), rows, page_size=page)


def copy_rows(conn: sa.Connection, statement: Statement, rows: Iterable[tuple[Any, ...]]) -> None:
    """Run `copy … from stdin` for many rows: a third of the time of an insert of them."""
    lines = ("\t".join([_copied(value) for value in row]) + "\n" for row in rows)
    with cursor(conn) as open_cursor:
        while chunk := "".join(islice(lines, 50_000)):
            open_cursor.copy_expert(statement, io.StringIO(chunk))


def _copied(value: Any) -> str:
    if value is None:
        return "\\N"
    return value.translate(_ESCAPED) if isinstance(value, str) else str(value)


def cursor(conn: sa.Connection, *name: str) -> psycopg2.extensions.cursor:
    """Return a cursor of the driver, for what SQLAlchemy has no word for: COPY, many rows a statement.

    One with a name stays on the server and sends its rows in portions.
    """
    return cast(psycopg2.extensions.cursor, conn.connection.cursor(*name))


def json_rows(rows: Iterable[Mapping[str, Any]]) -> Json:
    """Return rows as one JSON array for `jsonb_to_recordset(%(rows)s::jsonb)`."""
    return as_json(list(rows))


def migrate(dsn: str | None = None) -> list[str]:
    """Apply the migrations that the database has not had, each in a transaction; return their names.

    A migration that has run and was edited since is refused. Views are laid anew each time.
    """
    files = sorted((SQL / "migrations").glob("*.sql"))
    applied: list[str] = []
    with engine(dsn).connect() as conn:
        raw = conn.connection.driver_connection
        assert isinstance(raw, psycopg2.extensions.connection)
        with raw, raw.cursor() as cursor:
            cursor.execute("select pg_advisory_xact_lock(%s)", (_MIGRATING,))
            cursor.execute("create schema if not exists nurture")
            cursor.execute(
                "create table if not exists nurture.migrations ("
                " name text primary key, content_hash text not null, applied_at timestamptz not null default now())"
            )
            cursor.execute("select name, content_hash from nurture.migrations")
            known = dict(cursor.fetchall())
        for file in files:
            body = file.read_text(encoding="utf-8")
            digest = hashlib.sha256(body.encode()).hexdigest()
            if file.name in known:
                if known[file.name] != digest:
                    raise ValueError(f"{file.name} was changed after it had run: add a new migration instead")
                continue
            with raw, raw.cursor() as cursor:
                cursor.execute("select pg_advisory_xact_lock(%s)", (_MIGRATING,))
                cursor.execute("select 1 from nurture.migrations where name = %s", (file.name,))
                if cursor.fetchone():
                    continue
                cursor.execute(body)
                cursor.execute(
                    "insert into nurture.migrations (name, content_hash) values (%s, %s)", (file.name, digest)
                )
            applied.append(file.name)
        with raw, raw.cursor() as cursor:
            cursor.execute("select pg_advisory_xact_lock(%s)", (_MIGRATING,))
            cursor.execute((SQL / "views.sql").read_text(encoding="utf-8"))
    return applied


def moment(value: str | datetime) -> datetime:
    """Return a moment in UTC from ISO 8601 text or a datetime; one without a zone is refused."""
    found = datetime.fromisoformat(value) if isinstance(value, str) else value
    if found.tzinfo is None:
        raise ValueError(f"{value!r} has no zone: write it as in 2026-11-20T09:00:00+09:00")
    return found.astimezone(UTC)
