"""A real PostgreSQL for every test that asks for one: a database of its own, copied from a migrated template."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from airflow_fixture import airflow, airflow_settings, edges
from arriving import mailed, person
from stack_fixture import always_open, stack
from xdist.scheduler import LoadScopeScheduling

from nurture import db
from nurture.stack.postgres import Postgres

__all__ = ["airflow", "airflow_settings", "always_open", "edges", "mailed", "person", "stack"]
ON_THE_STACK = ("test_end_to_end.py", "test_pages.py", "test_stack_airflow.py")
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


class ByFile(LoadScopeScheduling):
    """A file's tests go to one process, and those of the one stack together."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0].rpartition("/")[2]
        return "the stack" if file in ON_THE_STACK else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFile:
    """Share the suite out between processes; the marks of groups are not read by this xdist on this pytest."""
    return ByFile(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest."""
    items.sort(key=lambda item: item.path.name not in ON_THE_STACK)
