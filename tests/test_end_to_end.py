"""The whole job on a real stack: files in, mails out, answers back, hot leads in the CRM, and never twice."""

import json
import os
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from nurture import db
from nurture.demo.airflow_api import AirflowApi
from nurture.demo.files import write_files
from nurture.demo.history import SandboxClock
from nurture.stack.parts import Stack

PRODUCT, DAG = "cloud_backup", "nurture_cloud_backup"
MORNING = datetime.fromisoformat("2026-11-20T10:00:00+09:00")
DAY = timedelta(days=1)


class World:
    """The stack, asked from outside: Airflow over REST, the sandbox over HTTP, the ledger over SQL."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.airflow = AirflowApi(stack.url("api-server"), "admin", stack.home.admin_password.read_text().strip())
        self.clock = SandboxClock(stack.url("sandbox"))
        self.sandbox = httpx.Client(base_url=stack.url("sandbox"), timeout=60)

    def run(self, at: datetime) -> str:
        told: list[str] = []
        state = self.airflow.wait(DAG, self.airflow.trigger(DAG, at), told.append)
        assert state == "success", told
        return state

    def backfilled(self) -> list[str]:
        """Wait until every backfill run has ended, and return their states."""
        deadline = time.monotonic() + 300
        while True:
            query = {"dag_id": DAG, "run_type": "backfill", "limit": 50}
            runs = self.airflow.read("/api/v2/dags/~/dagRuns", query)["dag_runs"]
            states = [run["state"] for run in runs if run["dag_id"] == DAG]
            if states and set(states) <= {"success", "failed"}:
                return states
            assert time.monotonic() < deadline, states
            time.sleep(1)

    def ask(self, question: str) -> list[Any]:
        with db.engine(self.stack.dsn).connect() as conn:
            return list(conn.execute(sa.text(question)))

    def mails(self) -> Counter[str]:
        """Count the mails that the sandbox accepted, by our message id."""
        found: Counter[str] = Counter()
        after = 0
        while after is not None:
            page = self.sandbox.get("/sandbox/messages", params={"after": after, "limit": 10_000}).json()
            found.update(str(message["message_id"]) for message in page["messages"])
            after = page["next"]
        return found

    def handed_off(self) -> tuple[int, int, int]:
        """Count the hand-offs of the ledger, and the contacts and notes of the CRM."""
        [(pushed,)] = self.ask("select count(*) from handoffs where pushed_at is not null")
        crm = self.sandbox.get("/sandbox/counts").json()["crm"]
        return pushed, crm.get("contacts", 0), crm.get("notes", 0)


@pytest.fixture(scope="module")
def world(stack: Stack) -> Iterator[World]:
    found = World(stack)
    write_files(stack.home.inbox, 80, 7, MORNING.date())
    found.airflow.wait_for(DAG)
    forms = (stack.home.inbox / "web_forms.jsonl").read_text(encoding="utf-8").splitlines()
    addresses = re.findall(r'"email": "([a-z.0-9]+@[a-z.0-9-]+)"', "\n".join(forms))
    signing = {address: {"persona": "signing"} for address in addresses[:40]}
    found.sandbox.put("/sandbox/people", json=signing).raise_for_status()
    found.clock.set(MORNING)
    found.airflow.set_paused(DAG, False)
    found.run(MORNING)
    yield found
    for client in (found.airflow, found.clock, found.sandbox):
        client.close()


def test_a_run_mails_everybody_who_is_due_and_the_ledger_agrees_with_the_mailbox(world: World):
    mails = world.mails()
    accepted = {str(row.message_id) for row in world.ask("select message_id from messages where status = 'accepted'")}
    assert len(accepted) > 10
    assert set(mails) == accepted
    assert max(mails.values()) == 1
    assert world.ask("select 1 from messages where status in ('sending', 'unknown')") == []
    assert world.ask("select 1 from source_records where lead_id is null and occurred_at <= now()") == []


def test_what_the_recipients_do_comes_back_and_the_ready_reach_the_crm_once(world: World):
    world.clock.set(MORNING + DAY)
    world.run(MORNING + DAY)
    world.run(MORNING + DAY + timedelta(minutes=1))
    pushed, contacts, notes = world.handed_off()
    assert world.ask("select 1 from events where type = 'delivered' and message_id is not null limit 1")
    assert world.ask("select 1 from scores where engagement > 0 limit 1")
    assert pushed == notes > 0
    assert pushed == contacts


def test_the_same_run_again_finds_nothing_new(world: World):
    at = MORNING + DAY + timedelta(minutes=1)
    world.run(at)
    before = (world.mails(), world.handed_off(), world.ask("select count(*) from messages"))
    world.run(at)
    assert (world.mails(), world.handed_off(), world.ask("select count(*) from messages")) == before


def test_no_persons_data_reaches_xcom(world: World):
    addresses = {row.address for row in world.ask("select address from addresses")}
    names = {row.name for row in world.ask("select name from leads where length(name) > 3")}
    with db.engine(world.stack.database().dsn("airflow")).connect() as conn:
        told = [
            json.dumps(row.value, ensure_ascii=False) for row in conn.execute(sa.text("select value from public.xcom"))
        ]
    assert told
    assert not [text for text in told for word in addresses | names if word in text]


def test_a_backfill_mails_nobody(world: World):
    before = (world.mails(), world.handed_off())
    days = [(MORNING - count * DAY).date().isoformat() for count in (4, 2)]
    command = ["backfill", "create", "--dag-id", DAG, "--from-date", days[0], "--to-date", days[1]]
    env = {**os.environ, "NURTURE_HOME": str(world.stack.home.path)}
    done = subprocess.run(
        [sys.executable, "-m", "nurture.cli", "airflow", *command], env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert world.backfilled() == ["success"] * 3
    assert (world.mails(), world.handed_off()) == before
