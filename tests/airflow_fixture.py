"""Airflow in this process: its own database, the Connections of the tasks, and a run as a person starts it."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import loopback
import pytest
import sqlalchemy as sa

from nurture import receiver

AT = "2026-11-20T10:00:00+09:00"


@pytest.fixture(scope="session")
def airflow_settings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Airflow with a database of its own; it is first imported here, because it reads its home at import."""
    assert "airflow" not in sys.modules, "Airflow was imported before its home was known"
    home = tmp_path_factory.mktemp("airflow")
    settings = {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(Path(__file__).parents[1] / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(home / "plugins"),
        "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
        "AIRFLOW__API__BASE_URL": "https://airflow.example",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            patch.setenv(name, value)
        from airflow.dag_processing.bundles.manager import DagBundlesManager
        from airflow.utils.db import initdb

        initdb()
        DagBundlesManager().sync_bundles_to_db()
    return settings


@pytest.fixture(scope="module")
def airflow(airflow_settings: dict[str, str]) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in airflow_settings.items():
            patch.setenv(name, value)
        yield


@pytest.fixture
def edges(airflow: None, dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[loopback.Sandbox]:
    """The Connections of the tasks: a database and a receiver of their own, a sandbox, and an empty inbox."""
    (tmp_path / "inbox").mkdir()
    door = receiver.create_app(dsn, token_key=b"token-key")
    with (
        loopback.serving(door) as receiver_url,
        loopback.sandbox(tmp_path / "sandbox", None, "--at-rest") as sandbox,
    ):
        connections = {
            "nurture_db": database(dsn),
            "sendgrid_default": {"conn_type": "http", "host": sandbox.url, "password": loopback.API_KEY},
            "crm_hubspot": {"conn_type": "http", "host": sandbox.url, "password": loopback.CRM_TOKEN},
        }
        for name, values in connections.items():
            monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps(values))
        monkeypatch.setenv("NURTURE_INBOX", str(tmp_path / "inbox"))
        monkeypatch.setenv("NURTURE_RECEIVER_URL", receiver_url)
        monkeypatch.setenv("NURTURE_TOKEN_KEY", "token-key")
        yield sandbox


def database(dsn: str) -> dict[str, Any]:
    """Return a database as a Connection writes it."""
    url = sa.make_url(dsn)
    return {
        "conn_type": "postgres", "host": url.host, "port": url.port, "login": url.username,
        "password": url.password, "schema": url.database,
    }  # fmt: skip


def parse(folder: Path) -> Any:
    """Read a folder of DAGs."""
    from airflow.dag_processing.dagbag import DagBag

    return DagBag(str(folder), bundle_name="dags-folder")


def run(bag: Any, dag: str, **params: Any) -> dict[str, str]:
    """Run a DAG as a person's manual run; return its tasks' states, and its own under ''."""
    from airflow.models.dagbundle import DagBundleModel  # noqa: F401, the mapper needs it before the first query
    from airflow.serialization.serialized_objects import DagSerialization  # noqa: F401

    found = bag.dags[dag].test(run_conf={"dry_run": False, **params})  # it stays in the DAG's params for the next run
    return {**{task.task_id: str(task.state) for task in found.get_task_instances()}, "": str(found.state)}
