"""Landing: the rows of a table or a query of another database, as a file's rows are."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from landing_files import AS_OF, reasons, records
from typer.testing import CliRunner

from nurture.cli.main import app
from nurture.connections import address_of, of_environment
from nurture.definitions.sources import SourceDefinition
from nurture.problem import Problem
from nurture.sources import land_query
from nurture.stack.postgres import Postgres

SAID: dict[str, Any] = {
    "source": "crm_people", "name": "CRM", "format": "sql", "connection": "crm_warehouse", "table": "crm.people",
    "channel": "crm", "key": "id", "date": "updated_at",
    "columns": {"full_name": "name", "email": "mail", "employees": "size", "crm_id": "id"},
    "opt_out": {"when": {"column": "refused", "is": True}},
}  # fmt: skip
PEOPLE = """
create schema crm;
create table crm.people (
    id integer, name text, mail text, size numeric, refused boolean, updated_at timestamptz, tags text [], photo bytea
);
insert into crm.people values
    (1, '見本 太郎', 'taro@mihon.example', 300.00, false, '2026-11-01 10:00+09', '{a}', '\\x00'),
    (2, '見本 花子', 'hanako@mihon.example', null, true, '2026-11-02 10:00+09', null, null),
    (3, '連絡先なし', null, 5, null, null, null, null);
"""


def defined(**changed: Any) -> SourceDefinition:
    return SourceDefinition.model_validate({**SAID, **changed})


@pytest.fixture
def warehouse(postgres: Postgres) -> Iterator[str]:
    """The address of another company database, with three people."""
    address = postgres.create_database("warehouse")
    run(address, PEOPLE)
    yield address
    postgres.drop_database("warehouse")


def run(address: str, statement: str) -> None:
    engine = sa.create_engine(address)
    with engine.begin() as conn:
        conn.exec_driver_sql(statement)
    engine.dispose()


def test_a_tables_rows_become_records(conn: sa.Connection, warehouse: str) -> None:
    landed = land_query(conn, defined(), warehouse, AS_OF)
    assert str(landed) == "crm_people: 3 landed, 0 rejected"
    first, second, third = records(conn)
    assert first.fields == {
        "name": "見本 太郎", "last_name": "見本", "first_name": "太郎", "email": "taro@mihon.example",
        "employees": 300, "crm_id": "1",
    }  # fmt: skip
    assert first.occurred_at.isoformat() == "2026-11-01T01:00:00+00:00"
    assert first.payload["tags"] == '["a"]'
    assert second.facts["opt_out"] == {"evidence": "refused: true"}
    assert third.occurred_at == AS_OF


def test_a_query_may_be_any_that_its_database_understands(conn: sa.Connection, warehouse: str) -> None:
    query = """
        with known as (select * from crm.people where mail like '%%@mihon.example')
        select id::text as id, name, mail, 10 as size, '12:30'::text as "at", updated_at, refused from known;
    """
    assert land_query(conn, defined(table=None, query=query.replace("%%", "%")), warehouse, AS_OF).landed == 2


def test_the_same_answer_lands_nothing_and_a_changed_row_is_a_version(conn: sa.Connection, warehouse: str) -> None:
    land_query(conn, defined(), warehouse, AS_OF)
    assert land_query(conn, defined(), warehouse, AS_OF).taken_before
    later = land_query(conn, defined(), warehouse, AS_OF + timedelta(days=1))
    assert (later.landed, later.unchanged) == (0, 3)
    run(warehouse, "update crm.people set mail = 'taro@betsu.example' where id = 1")
    assert land_query(conn, defined(), warehouse, AS_OF + timedelta(days=2)).landed == 1
    assert [record.source_key for record in records(conn)] == ["1", "2", "3", "1"]


def test_only_what_changed_since_the_last_landing_is_asked_for(conn: sa.Connection, warehouse: str) -> None:
    definition = defined(changed_since="updated_at")
    land_query(conn, definition, warehouse, AS_OF)
    run(warehouse, "insert into crm.people values (4, '見本 次郎', 'jiro@mihon.example', 1, false, '2026-11-03')")
    later = land_query(conn, definition, warehouse, AS_OF + timedelta(days=1))
    assert (later.landed, later.unchanged) == (1, 1)  # the newest row before, within the hour that is asked for again
    everything = land_query(
        conn, defined(changed_since="updated_at", precedence=2), warehouse, AS_OF + timedelta(days=2)
    )
    assert everything.landed + everything.unchanged == 4  # read in another way: everything is asked for


def test_a_row_that_stays_broken_is_rejected_once(conn: sa.Connection, warehouse: str) -> None:
    run(warehouse, "insert into crm.people (id, name) values (null, '見本 三郎'), (5, repeat('x', 3))")
    definition = defined(columns={"full_name": "name", "email": "mail"})
    for day in range(3):
        assert land_query(conn, definition, warehouse, AS_OF + timedelta(days=day)).rejected == 3
    assert reasons(conn) == [(line, "no way to reach or identify") for line in (3, 4, 5)]


def test_a_column_that_the_answer_lacks_is_named_with_those_it_has(conn: sa.Connection, warehouse: str) -> None:
    with pytest.raises(Problem, match=r"crm_people lacks the column mall; its columns are id, name, mail, size"):
        land_query(conn, defined(columns={"email": "mall"}), warehouse, AS_OF)
    assert conn.execute(sa.text("select count(*) from landings")).scalar() == 0


def test_what_the_database_refuses_is_one_line(conn: sa.Connection, warehouse: str) -> None:
    with pytest.raises(Problem, match=r"crm_people: the Connection 'crm_warehouse' says: .*nowhere") as problem:
        land_query(conn, defined(table="nowhere"), warehouse, AS_OF)
    assert "\n" not in str(problem.value)
    with pytest.raises(Problem, match="says: "):
        land_query(conn, defined(), "nodialect://host/db", AS_OF)


def test_a_query_cannot_write(conn: sa.Connection, warehouse: str) -> None:
    deleting = "with gone as (delete from crm.people returning *) select * from gone"
    with pytest.raises(Problem, match="says: "):
        land_query(conn, defined(table=None, query=deleting), warehouse, AS_OF)


def test_the_command_lands_a_source_by_its_connection(dsn: str, warehouse: str, tmp_path: Path) -> None:
    sources = tmp_path / "sources"
    sources.mkdir()
    (sources / "crm_people.yaml").write_text(json.dumps(SAID), encoding="utf-8")
    environment = {
        "NURTURE_DSN": dsn, "NURTURE_INCLUDE": str(tmp_path),
        "AIRFLOW_CONN_CRM_WAREHOUSE": warehouse.replace("postgresql+psycopg2", "postgres"),
    }  # fmt: skip
    done = CliRunner().invoke(app, ["land", "--source", "crm_people", "--json"], env=environment)
    assert done.exit_code == 0, done.output
    assert json.loads(done.output)["landed"] == 3
    without = CliRunner().invoke(
        app, ["land", "--source", "crm_people"], env={**environment, "AIRFLOW_CONN_CRM_WAREHOUSE": ""}
    )
    assert "no Connection 'crm_warehouse'" in str(without.exception)


@pytest.mark.parametrize(
    "said",
    [
        "postgres://nurture:p%40ss@db.example:5433/crm?sslmode=require",
        json.dumps(
            {
                "conn_type": "postgres", "host": "db.example", "port": "5433", "login": "nurture", "password": "p@ss",
                "schema": "crm", "extra": '{"sslmode": "require"}',
            }
        ),
    ],
)  # fmt: skip
def test_a_connection_is_read_as_airflow_reads_it(said: str) -> None:
    found = of_environment({"AIRFLOW_CONN_CRM_WAREHOUSE": said}, "crm_warehouse")
    assert found == "postgresql+psycopg2://nurture:p%40ss@db.example:5433/crm?sslmode=require"


def test_a_connection_that_makes_no_sense_is_one_line_without_its_password() -> None:
    for said in ("{no json", "{}", "postgres://user:secret@host:port/db"):
        with pytest.raises(Problem, match="AIRFLOW_CONN_X is neither a URI nor the JSON") as problem:
            of_environment({"AIRFLOW_CONN_X": said}, "x")
        assert "secret" not in str(problem.value)


def test_a_file_database_is_one_too(conn: sa.Connection, tmp_path: Path) -> None:
    address = address_of("sqlite", None, None, None, None, str(tmp_path / "crm.db"), {})
    run(
        address,
        "create table people (id integer, name text, mail text, size integer, refused integer, updated_at text)",
    )
    run(address, "insert into people values (1, '見本 太郎', 'taro@mihon.example', 3, 0, '2026-11-01 10:00:00')")
    definition = defined(table="people", changed_since="updated_at")
    assert land_query(conn, definition, address, AS_OF).landed == 1
    assert land_query(conn, definition, address, AS_OF + timedelta(days=1)).unchanged == 1


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"table": None}, "needs a connection, and a table or a query"),
        ({"query": "select 1"}, "needs a connection, and a table or a query"),
        ({"files": "x.csv"}, "has no files"),
        ({"format": "csv"}, "is for a source of format sql"),
        ({"format": "csv", "connection": None, "table": None}, "needs files"),
    ],
)
def test_a_source_says_where_it_comes_from(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        defined(**changed)
