"""Control: the three things a person does with a stack: bring it up, take it down, ask how it is."""

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from nurture.problem import Problem
from nurture.stack import processes
from nurture.stack.home import Home, ports_of_its_own
from nurture.stack.parts import PARTS, POSTGRES, Stack
from nurture.stack.supervisor import PROBLEM, READY, Supervisor, end_leftovers, last_line

Say = Callable[[str], None]
DOWN_SECONDS = 120


def up(home: Home, say: Say, *, ports: str = "kept", with_airflow: bool = True, foreground: bool = False) -> Stack:
    """Bring the stack up and return when it is healthy; with `foreground`, when it has been stopped.

    A stack that is up already is left as it is. Raises a Problem, with everything stopped, when a part fails.
    """
    if supervisor_of(home) is not None:
        say(f"The stack in {home.path} is up already.")
        return Stack.at(home.path)
    home.make()
    is_new = not home.admin_password.exists()
    say(f"Starting the stack in {home.path}")
    if foreground:
        Supervisor(home, ports=ports, with_airflow=with_airflow).run(
            lambda line: welcome(Stack.at(home.path), say, is_new) if line == READY else say(line)
        )
    else:
        _start_detached(home, say, ports, with_airflow)
        welcome(Stack.at(home.path), say, is_new)
    return Stack.at(home.path)


def down(home: Home) -> bool:
    """Stop the stack and whatever a killed one left; return whether anything was up."""
    supervisor = supervisor_of(home)
    if supervisor is None:
        was_up = bool(processes.kept(home.processes)) or Stack.at(home.path).database().running
        end_leftovers(home)
        Stack.at(home.path).database().stop()
        return was_up
    with suppress(ProcessLookupError):
        os.kill(supervisor, signal.SIGTERM)
    deadline = time.monotonic() + DOWN_SECONDS
    while supervisor_of(home) is not None:
        if time.monotonic() > deadline:
            raise Problem(f"the stack does not stop: see {home.logs}/supervisor.log, then `kill -9 {supervisor}`")
        time.sleep(0.1)
    return True


def status(home: Home) -> dict[str, Any]:
    """Return `{"parts": {name: {"health", "url", "version"}}, "dsn"}`; health is healthy, unhealthy or stopped."""
    stack = Stack.at(home.path)
    server = stack.database()
    records = processes.kept(home.processes)
    parts: dict[str, dict[str, str | None]] = {}
    for part in PARTS:
        if part == POSTGRES:
            alive = server.running
            version = server.version if alive else None
            healthy = version is not None
        else:
            alive = part in records and records[part].is_alive()
            healthy = alive and stack.is_healthy(part)
            version = stack.version(part)
        health = "healthy" if healthy else "unhealthy" if alive else "stopped"
        parts[part] = {"health": health, "url": stack.url(part), "version": version}
    return {"parts": parts, "dsn": stack.dsn if server.running else None}


def supervisor_of(home: Home) -> int | None:
    """Return the process id of the living supervisor: the lock on its file ends with it, however it ends."""
    if not home.lock.exists():
        return None
    with home.lock.open("r+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return int(file.read() or 0) or None
    return None


def welcome(stack: Stack, say: Say, is_new: bool) -> None:
    """Say where to look; Airflow's password is shown at the first start only."""
    password = stack.home.admin_password
    if password.exists():
        secret = password.read_text().strip() if is_new else f"(in {password})"
        say(f"Airflow   {stack.url('scheduler')}   user admin, password {secret}")
    say(f"Sandbox   {stack.url('sandbox')}   the mailbox and the CRM of the demo")
    if password.exists() and is_new:
        say(f"The password is kept in {password} and not shown again.")


@contextmanager
def running(folder: Path, *, with_airflow: bool = True, say: Say = lambda _: None) -> Iterator[Stack]:
    """Bring up a stack on free ports in a folder and take it down in the end: for tests and benchmarks."""
    home = Home(folder.absolute())
    home.make()
    home.keep_ports(ports_of_its_own())
    try:
        yield up(home, say, ports="auto", with_airflow=with_airflow)
    finally:
        down(home)


def _start_detached(home: Home, say: Say, ports: str, with_airflow: bool) -> None:
    file = home.logs / "supervisor.log"
    command = [sys.executable, "-m", "nurture.stack.supervisor", str(home.path), ports, str(with_airflow)]
    with file.open("ab") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        assert process.stdout is not None
        with process.stdout as told:
            for line in told:
                line = line.rstrip("\n")
                if line == READY:
                    process.returncode = 0  # it lives on without us
                    return
                if line.startswith(PROBLEM):
                    process.wait()
                    raise Problem(line.removeprefix(PROBLEM))
                say(line)
    except KeyboardInterrupt:
        process.terminate()
        process.wait()
        raise
    process.wait()
    raise Problem(f"the stack did not start: {last_line(file)} ({file})")
