"""Airflow: its settings for the local stack, and its database and first user made in one process."""

import contextlib
import os
import sys

from nurture.stack.home import CHECKOUT, Home, Ports

ADMIN = "admin"
COMPONENTS = ("api-server", "scheduler", "dag-processor", "triggerer")


def settings(home: Home, ports: Ports, database: str) -> dict[str, str]:
    """Return Airflow's configuration as environment variables; `database` is the DSN of its own database."""
    url = f"http://127.0.0.1:{ports.airflow}"
    return {
        "AIRFLOW_HOME": str(home.airflow),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database,
        # No async driver is installed: only the "wait for a run" call of the REST API would use one.
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC": "",
        "AIRFLOW__CORE__AUTH_MANAGER": "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager",
        "AIRFLOW__CORE__DAGS_FOLDER": str(CHECKOUT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(CHECKOUT / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "True",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": "4",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(ports.airflow),
        "AIRFLOW__API__BASE_URL": url,
        "AIRFLOW__API__WORKERS": "1",
        # The next task starts after 0.3 s instead of 1.2 s.
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2",
        # A finished task gives its worker back after 1 s at most instead of 5 s.
        "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
        # A killed task is noticed after 20 s instead of 300 s, also when its scheduler died with it: the next one
        # looks after such a task only once it has declared its predecessor dead and adopted the orphans.
        "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "10",
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "20",
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "2",
        "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "15",
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "10",
    }


def command(component: str) -> list[str]:
    """Return the command line of one of the four components; their log servers, which bind everywhere, stay off."""
    quiet = ["--skip-serve-logs"] if component in ("scheduler", "triggerer") else []
    return [sys.executable, "-m", "airflow", component, *quiet]


def create_database(address: str) -> None:
    """Create the database that an address names unless it is there; the database `nurture` beside it is."""
    import sqlalchemy as sa  # a third of a second, which every command of the stack would wait for

    url = sa.make_url(address)
    engine = sa.create_engine(url.set(database="nurture"), isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with engine.connect() as conn:
        known = conn.exec_driver_sql("select datname from pg_database").scalars()
        if url.database and url.database not in known:
            conn.exec_driver_sql(f"create database {conn.dialect.identifier_preparer.quote(url.database)}")


def prepare(password: str) -> None:
    """Bring Airflow's database to this version and make the user `admin` unless there is one."""
    from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder
    from airflow.utils import db

    db.initdb()
    with get_application_builder() as builder, contextlib.redirect_stdout(sys.stderr):
        access = builder.sm
        if access.find_user(username=ADMIN) is None:
            made = access.add_user(
                username=ADMIN,
                first_name="Local",
                last_name="Admin",
                email="admin@example.com",
                role=access.find_role("Admin"),
                password=password,
            )
            if not made:
                sys.exit("Airflow's user admin could not be made")


if __name__ == "__main__":
    prepare(os.environ["AIRFLOW_ADMIN_PASSWORD"])
