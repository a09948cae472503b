"""The whole stack: Airflow beside the edges, healthy together, and whole again after what kills it mid-run."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from nurture import db
from nurture.demo.files import write_files
from nurture.stack import control, processes
from nurture.stack.parts import PARTS, Stack

PRODUCT, DAG = "shift_planner", "nurture_shift_planner"


@pytest.fixture(scope="module")
def api(stack: Stack) -> Iterator[httpx.Client]:
    """Airflow's REST API as the user admin."""
    with httpx.Client(base_url=stack.url("api-server"), trust_env=False, timeout=60) as client:
        login = {"username": "admin", "password": stack.home.admin_password.read_text().strip()}
        token = client.post("/auth/token", json=login).raise_for_status().json()["access_token"]
        client.headers["Authorization"] = f"Bearer {token}"
        yield client


def until(holds: Callable[[], bool], seconds: float = 180) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.2)


def asked(api: httpx.Client, path: str) -> dict[str, Any]:
    """Return what Airflow answers; nothing while it cannot, because its database is being restarted."""
    try:
        answer = api.get(path)
    except httpx.TransportError:
        return {}
    return answer.json() if answer.status_code == 200 else {}


def test_every_part_is_healthy(stack: Stack):
    assert {name: part["health"] for name, part in control.status(stack.home)["parts"].items()} == dict.fromkeys(
        PARTS, "healthy"
    )


def test_the_dags_are_there_without_import_errors_and_paused_until_a_person_starts_them(api: httpx.Client):
    until(lambda: len(asked(api, "/api/v2/dags").get("dags", [])) >= 4)
    assert asked(api, f"/api/v2/dags/{DAG}")["is_paused"]
    assert asked(api, "/api/v2/importErrors")["total_entries"] == 0


def test_a_run_outlives_its_scheduler_and_its_database_and_nobody_is_mailed_twice(stack: Stack, api: httpx.Client):
    write_files(stack.home.inbox, 80, 11, datetime.now(UTC).date())
    api.patch(f"/api/v2/dags/{DAG}", json={"is_paused": False}).raise_for_status()
    run = api.post(f"/api/v2/dags/{DAG}/dagRuns", json={"logical_date": None}).raise_for_status().json()["dag_run_id"]
    there = f"/api/v2/dags/{DAG}/dagRuns/{run}"
    until(lambda: asked(api, f"{there}/taskInstances/dispatch.send").get("state") in ("running", "success"))
    os.kill(processes.kept(stack.home.processes)["scheduler"].pid, signal.SIGKILL)
    postgres = stack.database().pid
    assert postgres is not None
    os.kill(postgres, signal.SIGKILL)
    until(lambda: asked(api, there).get("state") in ("success", "failed"), seconds=300)
    states = {one["task_id"]: one["state"] for one in asked(api, f"{there}/taskInstances?limit=100")["task_instances"]}
    assert asked(api, there)["state"] == "success", states
    until(lambda: all(part["health"] == "healthy" for part in control.status(stack.home)["parts"].values()))

    sent = sent_by_the_sandbox(stack)
    with db.engine(stack.dsn).connect() as conn:
        found = conn.execute(
            sa.text("select message_id, status from messages where product = :product"), {"product": PRODUCT}
        )
        ledger = {str(row.message_id): row.status for row in found}
    assert sent
    assert len(sent) == len(set(sent))
    assert {message for message, status in ledger.items() if status == "accepted"} <= set(sent)
    assert {ledger[message] for message in sent} <= {"accepted", "unknown", "sending"}


def sent_by_the_sandbox(stack: Stack) -> list[str]:
    """Return our ids of the product's mails that the sandbox accepted, each as often as it did."""
    sent: list[str] = []
    after = 0
    with httpx.Client(base_url=stack.url("sandbox"), trust_env=False, timeout=60) as sandbox:
        while after is not None:
            query = {"after": after, "limit": 10_000, "product": PRODUCT}
            page = sandbox.get("/sandbox/messages", params=query).raise_for_status().json()
            sent += [str(mail["message_id"]) for mail in page["messages"]]
            after = page["next"]
    return sent
