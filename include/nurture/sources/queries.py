"""Queries: the rows of a table or a query of another database, streamed, as a file's rows are.

With `changed_since` only what changed since the landing before is asked for; a row that was read already lands nothing.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from nurture import db
from nurture.definitions.load import load_vocabulary
from nurture.definitions.model import hash_of
from nurture.definitions.sources import SourceDefinition
from nurture.definitions.vocabulary import Vocabulary
from nurture.problem import Problem
from nurture.sources import files
from nurture.sources.landing import Arrival, Landed, Progress, reading_of, take_in

FETCHED = 5_000  # rows that the driver brings at a time
LATE = timedelta(hours=1)  # a change is seen when its transaction commits, which may be so much later than it says


def land_query(
    conn: sa.Connection,
    definition: SourceDefinition,
    address: str,
    as_of: datetime,
    progress: Progress | None = None,
    vocabulary: Vocabulary | None = None,
) -> Landed:
    """Take in what a source of format sql shows at `address`, in one transaction, and commit it.

    The line of a row is its place in the answer. Raise Problem, with nothing landed, when the database cannot be asked
    or its answer lacks a column that the definition names.
    """
    vocabulary = vocabulary or load_vocabulary()
    name = definition.source
    arrival = Arrival(definition, name, hash_of(["asked", as_of]), vocabulary, as_of)
    sql = db.statements("sources")
    reading = reading_of(definition, vocabulary)
    since = db.run(conn, sql.read_until, source=name, reading_hash=reading).scalar()
    try:
        with _asked(definition, address, since) as result:
            reached = _Reached(definition.changed_since, since)
            landed = take_in(conn, arrival, lambda: _table(definition, result, reached), progress)
            db.run(conn, sql.forget_repeated_rejections, source=name)
            if not landed.taken_before:
                known = {"source": name, "content_hash": arrival.content_hash}
                db.run(conn, sql.keep_read_until, read_until=reached.text(), **known)
    except BaseException:
        conn.rollback()
        raise
    conn.commit()
    return landed


class _Reached:
    """The greatest value so far of the column that says when a row changed."""

    def __init__(self, column: str | None, since: str | None) -> None:
        self.column, self._since = column, since
        self.greatest: Any = None

    def text(self) -> str | None:
        if self.greatest is None:
            return self._since
        moment = self.greatest
        return (moment - LATE).isoformat(sep=" ") if isinstance(moment, datetime) else str(moment)


@contextmanager
def _asked(definition: SourceDefinition, address: str, since: str | None) -> Iterator[sa.CursorResult[Any]]:
    """Ask the database, in a transaction that only reads and with a cursor that the server keeps."""
    with ExitStack() as opened:
        with _in_one_line(definition):
            conn = opened.enter_context(sa.create_engine(address, poolclass=sa.NullPool).connect())
            conn = conn.execution_options(stream_results=True, postgresql_readonly=True)
            result = conn.execute(_question(definition, since))
        yield result


@contextmanager
def _in_one_line(definition: SourceDefinition) -> Iterator[None]:
    """Say in one line what the other database refuses."""
    try:
        yield
    except (SQLAlchemyError, ImportError) as error:
        reason = str(getattr(error, "orig", None) or error).strip().partition("\n")[0]
        raise Problem(f"{definition.source}: the Connection {definition.connection!r} says: {reason}") from error


def _question(definition: SourceDefinition, since: str | None) -> sa.Select[Any]:
    """Return the table, or the query as it is written, bound to what changed since."""
    asked: Any
    if definition.query is not None:
        written = definition.query.strip().rstrip(";").replace(":", r"\:")  # a colon begins no parameter here
        asked = sa.text(written).columns().subquery("asked")
    else:
        schema, _, table = (definition.table or "").rpartition(".")
        asked = sa.table(table, schema=schema or None)
    question = sa.select(sa.literal_column("*")).select_from(asked)
    if definition.changed_since is not None and since is not None:
        question = question.where(sa.column(definition.changed_since) >= (int(since) if since.isdigit() else since))
    return question


def _table(definition: SourceDefinition, result: sa.CursorResult[Any], reached: _Reached) -> files.Table:
    answered = list(result.keys())
    header = files.find_header([answered], files.Columns.of(definition), definition.source)
    if reached.column is not None and reached.column not in answered:
        raise files.lacks(definition.source, [reached.column], answered)
    changed = answered.index(reached.column) if reached.column is not None else None
    return files.Table(header, _rows(definition, result, header, changed, reached))


def _rows(
    definition: SourceDefinition, result: sa.CursorResult[Any], header: list[str], changed: int | None,
    reached: _Reached,
) -> Iterator[files.Row | files.Broken]:  # fmt: skip
    line = 0
    while True:
        with _in_one_line(definition):
            fetched = result.fetchmany(FETCHED)
        if not fetched:
            return
        for cells in fetched:
            line += 1
            if changed is not None and (moment := cells[changed]) is not None:
                reached.greatest = moment if reached.greatest is None else max(reached.greatest, moment)
            yield files.row_of(line, header, [files.text_of(cell) for cell in cells])
