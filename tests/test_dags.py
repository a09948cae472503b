"""The DAGs: their shape, what stops them, and one run of each through Airflow itself, in this process."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import loopback
import pytest
import sqlalchemy as sa
from airflow_fixture import AT, parse, run

from nurture import db

# Airflow, FAB and Alembic warn of their own affairs while they are imported and set up.
pytestmark = pytest.mark.filterwarnings("ignore")

GROUPS = (
    "sources",
    "consolidate",
    "events",
    "segments",
    "journeys",
    "dispatch",
    "scoring",
    "handoff",
    "reporting",
)


@pytest.fixture(scope="module")
def bag(airflow: None, root: Path) -> Any:
    return parse(root / "dags")


def test_every_product_has_a_dag_beside_the_pulse_and_the_care(bag: Any, root: Path):
    products = {f"nurture_{folder.name}" for folder in (root / "include/products").iterdir() if folder.is_dir()}
    assert bag.import_errors == {}
    assert set(bag.dags) == products | {"nurture_pulse", "nurture_care"}


def test_a_products_groups_stand_in_the_order_of_the_stages(bag: Any):
    dag = bag.dags["nurture_cloud_backup"]
    groups = [task.task_id.split(".")[0] for task in dag.topological_sort() if "." in task.task_id]
    assert tuple(dict.fromkeys(groups)) == GROUPS


def test_the_order_is_no_condition_and_a_failure_anywhere_fails_the_run(bag: Any):
    for dag in bag.dags.values():
        verdict = dag.get_task("every_stage_succeeded")
        others = {task.task_id for task in dag.tasks} - {"every_stage_succeeded"}
        assert verdict.trigger_rule == "one_failed"
        assert verdict.retries == 0
        assert verdict.upstream_task_ids == others
        assert {dag.get_task(name).trigger_rule for name in others - {"begin"}} == {"all_done"}


def test_a_scheduled_run_has_a_data_interval(bag: Any):
    for dag in bag.dags.values():
        assert type(dag.timetable).__name__ == "CronDataIntervalTimetable"


def test_a_killed_task_is_tried_again_soon(bag: Any):
    for dag in bag.dags.values():
        assert {task.retries for task in dag.tasks if task.task_id != "every_stage_succeeded"} == {2}


def test_a_broken_product_is_an_import_error_and_the_others_keep_their_dags(
    airflow: None, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    shutil.copytree(root / "include", tmp_path / "include", ignore=shutil.ignore_patterns("nurture", "demo"))
    broken = tmp_path / "include/products/shift_planner/product.yaml"
    broken.write_text(broken.read_text(encoding="utf-8").replace("schedule:", "shedule:"), encoding="utf-8")
    monkeypatch.setenv("NURTURE_INCLUDE", str(tmp_path / "include"))
    found = parse(root / "dags")
    assert set(found.dags) == {"nurture_cloud_backup", "nurture_pulse", "nurture_care"}
    (error,) = found.import_errors.values()
    assert "shift_planner/product.yaml" in error
    assert "shedule" in error


def test_every_dag_tells_of_its_failures_also_when_its_last_task_was_killed(bag: Any):
    from nurture import tasks

    for dag in bag.dags.values():
        assert dag.on_failure_callback is tasks.tell_failure
        assert dag.get_task("tell").upstream_task_ids == {"finish"}


def test_parsing_needs_no_database_and_no_network(root: Path, tmp_path: Path):
    """The factory is loaded where neither can be had: every socket is refused."""
    program = (
        "import socket, sys, runpy\n"
        "def refuse(*_): raise AssertionError('a socket at parse time')\n"
        "socket.socket.connect = refuse\n"
        "for name in ('products', 'pulse', 'care'): runpy.run_path(f'dags/nurture_{name}.py')\n"
        "print(sorted({'pandas', 'numpy', 'openpyxl'} & set(sys.modules)))"
    )
    environment = {**os.environ, "AIRFLOW_HOME": str(tmp_path), "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        cwd=root, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_run_of_a_product_is_green_and_the_same_moment_again_finds_nothing_new(
    airflow: None, bag: Any, edges: loopback.Sandbox, dsn: str, tmp_path: Path, root: Path
):
    shutil.copy(root / "include/demo/exhibition_badges.xlsx", tmp_path / "inbox")
    first = run(bag, "nurture_cloud_backup", at=AT)
    assert first[""] == "success", first
    assert first["every_stage_succeeded"] == "skipped"
    sent = len(edges.messages())
    assert sent > 0
    assert run(bag, "nurture_cloud_backup", at=AT)[""] == "success"
    assert len(edges.messages()) == sent
    with db.engine(dsn).connect() as conn:
        kept = conn.execute(sa.text("select dag, kind, ended_at is not null from runs")).all()
    assert [tuple(row) for row in kept] == [("nurture_cloud_backup", "manual", True)] * 2


@pytest.mark.parametrize("dag", ["nurture_pulse", "nurture_care"])
def test_a_run_of_the_shared_dags_is_green(airflow: None, bag: Any, edges: loopback.Sandbox, dag: str):
    assert run(bag, dag, at=AT)[""] == "success"


def test_a_dry_run_mails_nobody_and_leaves_no_trace_of_a_run(
    airflow: None, bag: Any, edges: loopback.Sandbox, dsn: str, tmp_path: Path, root: Path
):
    shutil.copy(root / "include/demo/exhibition_badges.xlsx", tmp_path / "inbox")
    assert run(bag, "nurture_cloud_backup", at=AT, dry_run=True)[""] == "success"
    assert edges.messages() == []
    with db.engine(dsn).connect() as conn:
        assert conn.execute(sa.text("select count(*) from runs")).scalar_one() == 0
        assert conn.execute(sa.text("select count(*) from messages")).scalar_one() == 0


def test_a_stage_that_fails_stops_no_later_one_and_fails_the_run(
    airflow: None, bag: Any, edges: loopback.Sandbox, dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "inbox/exhibition_badges.xlsx").write_bytes(b"this is no workbook")
    monkeypatch.setattr(bag.dags["nurture_cloud_backup"].get_task("sources.land"), "retries", 0)
    states = run(bag, "nurture_cloud_backup", at=AT)
    assert states["sources.land"] == "failed"
    assert states["reporting.report"] == "success"
    assert states["tell"] == "success"
    assert states["every_stage_succeeded"] == "failed"
    assert states[""] == "failed"
    with db.engine(dsn).connect() as conn:
        [[kind, what]] = conn.execute(sa.text("select kind, what from alerts")).all()
    assert kind == "failed"
    assert "nurture_cloud_backup" in what
    assert "task sources.land: " in what
    assert "exhibition_badges.xlsx" in what
