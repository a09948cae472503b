"""A real PostgreSQL for every test that asks for one: a database of its own, copied from a migrated template."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
import sqlalchemy as sa
from airflow_fixture import airflow, airflow_settings, edges
from arriving import mailed, person
from stack_fixture import always_open, stack

from nurture import db
from nurture.stack.postgres import Postgres

__all__ = ["airflow", "airflow_settings", "always_open", "edges", "mailed", "person", "stack"]
_numbers = count(1)


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """One server for the whole run, with a migrated template database."""
    server = Postgres(tmp_path_factory.mktemp("postgres"), fast=True)
    server.start()
    server.create_database("template_nurture")
    db.migrate(server.dsn("template_nurture"))
    yield server
    server.stop()


@pytest.fixture
def dsn(postgres: Postgres) -> Iterator[str]:
    """The address of a fresh, migrated database."""
    name = f"test_{next(_numbers)}"
    yield postgres.create_database(name, template="template_nurture")
    postgres.drop_database(name)


@pytest.fixture
def engine(dsn: str) -> Iterator[sa.Engine]:
    """An engine on the test's own database."""
    made = db.engine(dsn)
    yield made
    made.dispose()


@pytest.fixture
def conn(engine: sa.Engine) -> Iterator[sa.Connection]:
    """A connection on the test's own database; the test commits what others are to see."""
    with engine.connect() as connection:
        yield connection


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return Path(__file__).parents[1]


@pytest.hookimpl(tryfirst=True)  # the groups are read by xdist itself
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Share the suite out between two processes: what needs the stack first and in one of them, then file by file."""
    group = {
        item: next((each for each in ("stack", "airflow") if each in getattr(item, "fixturenames", ())), item.path.name)
        for item in items
    }
    for item in items:
        item.add_marker(pytest.mark.xdist_group(group[item]))
    items.sort(key=lambda item: group[item] != "stack")
