"""Every named statement is one that the migrated schema understands."""

import re
from pathlib import Path

import pytest
import sqlalchemy as sa

from nurture import db

STAGES = sorted(file.stem for file in db.SQL.glob("*.sql") if file.stem != "views")
PREPARABLE = re.compile(r"^\s*(--[^\n]*\n\s*)*(select|insert|update|delete|merge|with|values)\b", re.IGNORECASE)
BULK = re.compile(r"\bvalues %\(values\)s")


def temporary_tables(conn: sa.Connection) -> None:
    """Make every temporary table that a statement speaks of."""
    for stage in STAGES:
        for name, statement in vars(db.statements(stage)).items():
            if re.match(r"(--[^\n]*\n)*create temporary table", statement):
                assert name.startswith("create_"), f"{stage}.{name} makes a table: call it create_…"
                with conn.connection.cursor() as cursor:
                    cursor.execute(statement)


@pytest.mark.parametrize("stage", STAGES)
def test_every_statement_can_be_prepared(conn: sa.Connection, stage: str) -> None:
    temporary_tables(conn)
    prepared = 0
    for name, statement in vars(db.statements(stage)).items():
        if not PREPARABLE.match(statement) or BULK.search(statement):
            continue
        parameters = {found: f"${number}" for number, found in enumerate(_names(statement), start=1)}
        body = statement % parameters if parameters else statement.replace("%%", "%")
        with conn.connection.cursor() as cursor:
            cursor.execute(f"prepare s_{name} as {body}")
        prepared += 1
    assert prepared or stage == "predicates"


def test_every_statement_says_what_it_is_for() -> None:
    for stage in STAGES:
        text = Path(db.SQL / f"{stage}.sql").read_text(encoding="utf-8")
        for match in re.finditer(r"^-- name: *(\w+)\n(.*)$", text, flags=re.MULTILINE):
            assert match[2].startswith("-- "), f"sql/{stage}.sql: {match[1]} does not say what it is for"


def _names(statement: str) -> list[str]:
    return list(dict.fromkeys(re.findall(r"%\((\w+)\)s", statement)))
