"""Cases of statements as data: rows given, one named statement run, rows expected.

A case is `cases/<stage>/<statement>__<what_it_shows>.yaml`, begins with a comment that says why it is there, and shows
only the columns that matter: the rest is filled in (`builders.REQUIRED`), parents of foreign keys included.

    given: {table: [row, …]}       temporary tables can be given rows, too
    when: {run: stage.statement, with: {parameter: value}}
    then: {table: [row, …]}        all of the table's rows, compared by the columns that the first one names
          returned: [row, …]       what the statement returns
          changed: 0               how many rows it changed
"""

import re
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import builders
import pytest
import sqlalchemy as sa

from nurture import db
from nurture.definitions.yaml12 import read

CASES = Path(__file__).parent / "cases"
FILES = sorted(CASES.glob("*/*.yaml"))


@pytest.mark.parametrize("file", FILES, ids=[f"{file.parent.name}/{file.stem}" for file in FILES])
def test_case(file: Path, conn: sa.Connection) -> None:
    text = file.read_text("utf-8")
    assert text.startswith("# "), "a case begins with why it is there"
    case = read(text)
    stage, name = case["when"]["run"].split(".")
    assert (file.parent.name, file.stem.split("__")[0]) == (stage, name), "a case lies where its statement's name says"
    sql = db.statements(stage)
    for file in db.SQL.glob("*.sql"):
        for made, statement in vars(db.statements(file.stem)).items() if file.stem != "views" else ():
            if made.startswith("create_") and "create temporary table" in statement:
                db.run(conn, statement)
    for table, given in (case.get("given") or {}).items():
        for row in given:
            builders.insert(conn, table, **row)
    parameters = {key: _parameter(value) for key, value in (case["when"].get("with") or {}).items()}
    done = db.run(conn, getattr(sql, name), **parameters)
    returned = [dict(row) for row in done.mappings()] if done.returns_rows else []
    for what, expected in case["then"].items():
        if what == "changed":
            assert done.rowcount == expected
        elif what == "returned":
            _compare(what, returned, expected)
        else:
            found = conn.exec_driver_sql(f'select * from "{what}"').mappings().all()
            _compare(what, found, expected)


def test_there_are_cases_of_every_stage_and_the_statement_of_each_exists() -> None:
    stages = {file.parent.name for file in FILES}
    assert stages >= {
        "consolidate", "segments", "journeys", "planning", "dispatch", "settlement", "events", "scoring", "handoff",
        "reporting",
    }  # fmt: skip


def _parameter(value: Any) -> Any:
    """Return a parameter as the stage gives it: mappings and lists of mappings as JSON, other lists as arrays."""
    if isinstance(value, dict) or (isinstance(value, list) and any(isinstance(each, dict) for each in value)):
        return db.as_json(value)
    return value


def _compare(what: str, found: Any, expected: list[dict[str, Any]]) -> None:
    columns = list(expected[0]) if expected else []
    actual = [{column: _comparable(row[column]) for column in columns} for row in found]
    wanted = [{column: _comparable(value) for column, value in row.items()} for row in expected]
    assert sorted(actual, key=repr) == sorted(wanted, key=repr), f"the rows of {what}"


def _comparable(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.timestamp()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, Mapping):
        return {key: _comparable(each) for key, each in value.items()}
    if isinstance(value, str) and re.match(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d", value):
        return datetime.fromisoformat(value).timestamp()
    return value
