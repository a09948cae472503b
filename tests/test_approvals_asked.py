"""A person's yes is asked for in Airflow's own form: a leaf of the product's DAG that nothing waits for."""

import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import loopback
import pytest
import sqlalchemy as sa
from airflow_fixture import AT, parse, run
from builders import rows

DAG = "nurture_cloud_backup"
ANSWERS = "select email, answer, answered_by from approvals order by approval_id"

# Airflow warns of its own affairs.
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def bag(airflow: None, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The DAGs where cloud_backup asks before it sends what was never sent, and is open at every hour."""
    copy = tmp_path / "include"
    shutil.copytree(root / "include", copy, ignore=shutil.ignore_patterns("nurture", "demo"))
    file = copy / "products/cloud_backup/product.yaml"
    file.write_text(file.read_text(encoding="utf-8") + "\napproval: first_send\n", encoding="utf-8")
    monkeypatch.setenv("NURTURE_INCLUDE", str(copy))
    return parse(root / "dags")


def test_only_a_product_that_asks_has_the_leaf_and_nothing_waits_for_it(bag: Any):
    dag = bag.dags[DAG]
    leaf = dag.get_task("approval.answer")
    assert leaf.downstream_task_ids == set()
    assert dag.get_task("approval.waiting").upstream_task_ids == {"dispatch.send"}
    for last in ("finish", "tell", "every_stage_succeeded"):
        assert not {"approval.answer", "approval.waiting"} & dag.get_task(last).upstream_task_ids
    assert dag.max_active_runs > 1
    others = [other for other in bag.dags.values() if other is not dag]
    assert others
    assert not any(task.task_id.startswith("approval.") for other in others for task in other.tasks)
    assert {other.max_active_runs for other in others} == {1}


@contextmanager
def meanwhile(act: Callable[[Any, Any], None]) -> Iterator[list[Any]]:
    """Let a person, or time, act on each question as soon as it stands in Airflow; yield the questions."""
    from airflow.models.hitl import HITLDetail
    from airflow.utils.session import create_session

    asked: list[Any] = []
    errors: list[BaseException] = []
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.2):
            with create_session() as session:
                for found in session.scalars(sa.select(HITLDetail).where(HITLDetail.responded_at.is_(None))).unique():
                    if found.task_instance.state == "awaiting_input":
                        asked.append((found.subject, found.body))
                        try:
                            act(found, session)
                        except BaseException as error:  # else the run would wait for ever
                            found.task_instance.state = "failed"
                            errors.append(error)

    thread = threading.Thread(target=watch)
    thread.start()
    yield asked
    over.set()
    thread.join()
    assert errors == []


def answer(chosen: str) -> Callable[[Any, Any], None]:
    """Return what Airflow's API does when a person presses a button."""

    def act(found: Any, session: Any) -> None:
        from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
        from airflow.api_fastapi.core_api.datamodels.hitl import UpdateHITLDetailPayload
        from airflow.api_fastapi.core_api.routes.public.hitl import update_hitl_detail

        task = found.task_instance
        update_hitl_detail(
            task.dag_id, task.run_id, task.task_id, UpdateHITLDetailPayload(chosen_options=[chosen], params_input={}),
            SimpleAuthManagerUser(username="hanako", role="user"), session, task.map_index,
        )  # fmt: skip

    return act


def let_time_pass(found: Any, session: Any) -> None:
    """Do what the scheduler does when 20 hours have passed."""
    from airflow.jobs.scheduler_job_runner import SchedulerJobRunner

    found.task_instance.trigger_timeout = found.task_instance.start_date
    session.flush()
    SchedulerJobRunner.check_awaiting_input_timeouts(SchedulerJobRunner.__new__(SchedulerJobRunner), session=session)


def land(root: Path, tmp_path: Path) -> None:
    shutil.copy(root / "include/demo/exhibition_badges.xlsx", tmp_path / "inbox")


def test_a_yes_in_airflow_lets_the_mail_go_with_the_next_run(
    bag: Any, edges: loopback.Sandbox, conn: sa.Connection, tmp_path: Path, root: Path
):
    land(root, tmp_path)
    with meanwhile(answer("Approve")) as asked:
        states = run(bag, DAG, at=AT)
    assert states[""] == "success", states
    assert edges.messages() == []
    answered = rows(conn, ANSWERS)
    assert len(asked) == len(answered) > 0
    assert {(said, who) for _, said, who in answered} == {("yes", "hanako")}
    audience, text = rows(
        conn, "select audience_size, text from approvals inner join contents using (content_hash) order by approval_id"
    )[0]
    subject, body = asked[0]
    assert subject == f"クラウドバックアップ: {answered[0][0]} → {audience:,}"
    assert f"**{audience:,} 通 / readers**" in body
    assert "ご担当者様" in body
    assert "0content0" in text
    assert "0content0" not in body
    assert "nothing found" in body
    assert run(bag, DAG, at=AT)["approval.answer"] == "skipped"
    assert len(edges.messages()) > 0


@pytest.mark.parametrize(("act", "who"), [(answer("Reject"), "hanako"), (let_time_pass, "nobody in time")])
def test_a_no_and_silence_are_kept_as_a_no_and_the_run_is_green(
    bag: Any, edges: loopback.Sandbox, conn: sa.Connection, tmp_path: Path, root: Path, act: Any, who: str
):
    land(root, tmp_path)
    with meanwhile(act):
        assert run(bag, DAG, at=AT)[""] == "success"
    assert {(said, by) for _, said, by in rows(conn, ANSWERS)} == {("no", who)}
    assert edges.messages() == []
