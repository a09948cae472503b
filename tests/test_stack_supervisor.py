"""The supervisor: parts come up in order, stay up, and go down without a trace."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import sqlalchemy as sa

from nurture import db
from nurture.problem import Problem
from nurture.stack import control, processes
from nurture.stack.home import Home, Ports, choose_ports, free_port
from nurture.stack.parts import PARTS, Stack

WELL = ("postgres", "receiver", "sandbox")


@pytest.fixture(scope="module")
def edges(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack without Airflow: up in two seconds, with the same supervisor."""
    with control.running(tmp_path_factory.mktemp("edges"), with_airflow=False) as running:
        yield running


def health(stack: Stack) -> dict[str, str]:
    return {name: part["health"] for name, part in control.status(stack.home)["parts"].items()}


def wait_until(true: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.1)


def pids(stack: Stack) -> dict[str, int]:
    found = {name: record.pid for name, record in processes.kept(stack.home.processes).items()}
    postgres = stack.database().pid
    return {**found, **({"postgres": postgres} if postgres else {})}


def is_well(stack: Stack) -> bool:
    return all(health(stack)[part] == "healthy" for part in WELL)


def test_status_names_health_place_and_version_of_every_part(edges: Stack):
    found = control.status(edges.home)
    assert tuple(found["parts"]) == PARTS
    assert found["parts"]["receiver"]["health"] == "healthy"
    assert found["parts"]["receiver"]["url"] == f"http://127.0.0.1:{edges.ports.receiver}"
    assert found["parts"]["postgres"]["version"].startswith("18.")
    assert found["parts"]["scheduler"]["health"] == "stopped"
    assert found["dsn"] == edges.dsn


def test_the_database_has_its_tables_when_the_stack_is_up(edges: Stack):
    with db.engine(edges.dsn).connect() as conn:
        assert "leads" in sa.inspect(conn).get_table_names(schema="nurture")


def test_secrets_are_made_once_and_only_their_owner_reads_them(edges: Stack):
    first = edges.home.secrets()
    assert first == edges.home.secrets()
    for file in ("secrets.env", "webhook-key.pem", "postgres/password"):
        assert stat.S_IMODE((edges.home.path / file).stat().st_mode) == 0o600
    assert {"AIRFLOW__API_AUTH__JWT_SECRET", "AIRFLOW__API__SECRET_KEY", "AIRFLOW__CORE__FERNET_KEY"} <= set(first)


def test_what_the_owner_adds_to_the_secrets_reaches_every_part(tmp_path: Path):
    home = Home(tmp_path)
    home.make()
    home.secrets()
    with (tmp_path / "secrets.env").open("a") as file:
        file.write("# the real one\nSENDGRID_HOST=https://sendgrid.example\n")
    told = Stack.at(tmp_path).environment()
    assert told["SENDGRID_HOST"] == "https://sendgrid.example"
    assert json.loads(told["AIRFLOW_CONN_SENDGRID_DEFAULT"])["host"] == "https://sendgrid.example"


def test_every_part_listens_on_loopback_only(edges: Stack):
    numbers = set(pids(edges).values())
    addresses = {
        connection.laddr.ip
        for process in psutil.process_iter()
        if process.pid in numbers
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert addresses == {"127.0.0.1"}


def test_a_second_up_leaves_a_running_stack_as_it_is(edges: Stack):
    before = pids(edges)
    said: list[str] = []
    control.up(edges.home, said.append, with_airflow=False)
    assert said == [f"The stack in {edges.home.path} is up already."]
    assert pids(edges) == before


def test_a_part_that_dies_is_started_again(edges: Stack):
    before = pids(edges)["receiver"]
    os.kill(before, signal.SIGKILL)
    wait_until(lambda: pids(edges)["receiver"] != before and is_well(edges))


def test_postgres_is_started_again_with_what_was_committed(edges: Stack):
    with db.engine(edges.dsn).begin() as conn:
        conn.execute(sa.text("create table kept_by_postgres as select 7 as number"))
    before = pids(edges)["postgres"]
    os.kill(before, signal.SIGKILL)
    wait_until(lambda: pids(edges).get("postgres") not in (None, before) and is_well(edges))
    with db.engine(edges.dsn).connect() as conn:
        assert conn.execute(sa.text("select number from kept_by_postgres")).scalar_one() == 7


def test_after_a_kill_of_everything_the_next_up_recovers(edges: Stack):
    with db.engine(edges.dsn).begin() as conn:
        conn.execute(sa.text("create table kept_by_all as select 7 as number"))
    supervisor = control.supervisor_of(edges.home)
    assert supervisor is not None
    for pid in (supervisor, *pids(edges).values()):
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: control.supervisor_of(edges.home) is None)
    again = control.up(edges.home, lambda _: None, with_airflow=False)
    assert again.ports == edges.ports
    assert is_well(again)
    with db.engine(again.dsn).connect() as conn:
        assert conn.execute(sa.text("select number from kept_by_all")).scalar_one() == 7


def test_what_a_killed_supervisor_left_running_is_ended_by_the_next_up(edges: Stack):
    left = pids(edges)
    supervisor = control.supervisor_of(edges.home)
    assert supervisor is not None
    os.kill(supervisor, signal.SIGKILL)
    wait_until(lambda: control.supervisor_of(edges.home) is None)
    again = control.up(edges.home, lambda _: None, with_airflow=False)
    assert is_well(again)
    assert not {pid for pid in left.values() if psutil.pid_exists(pid) and is_running(pid)}


def test_ctrl_c_stops_a_stack_in_the_foreground_without_a_trace(tmp_path: Path):
    command = [sys.executable, "-m", "nurture.cli", "up", "--foreground", "--without-airflow", "--ports", "auto"]
    process = subprocess.Popen([*command, "--home", str(tmp_path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    stack = Stack.at(tmp_path)
    wait_until(lambda: stack.home.processes.exists() and is_well(Stack.at(tmp_path)))
    started = pids(Stack.at(tmp_path))
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0
    assert b"Traceback" not in errors
    assert not [pid for pid in started.values() if is_running(pid)]
    assert set(health(Stack.at(tmp_path)).values()) == {"stopped"}


def test_a_stack_that_is_not_up_is_down_already(tmp_path: Path):
    assert control.down(Home(tmp_path)) is False


def test_a_taken_port_is_one_line_that_names_it():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        taken = Ports(free_port(), listener.getsockname()[1], free_port(), free_port())
        with pytest.raises(Problem, match=rf"^port {taken.airflow} \(airflow\) is taken: .*--ports auto"):
            choose_ports(taken, "kept")
        assert choose_ports(taken, "auto").airflow != taken.airflow


def test_a_process_id_that_went_to_somebody_else_is_not_ended():
    ours = processes.Record(os.getpid(), psutil.Process().create_time() - 3600)
    assert not ours.is_alive()
    assert ours.session() == []


def is_running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
