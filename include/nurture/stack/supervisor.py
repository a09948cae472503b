"""Supervisor: bring the parts up in order, keep them up, take them down in order.

PostgreSQL is restarted first, because Airflow's components exit without it; then whatever else has exited.
"""

import fcntl
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from nurture.problem import Problem
from nurture.stack import airflow, processes
from nurture.stack.home import Home, choose_ports
from nurture.stack.parts import EDGES, POSTGRES, STOPPING, Stack, ask

log = logging.getLogger("nurture.stack")
POLL_SECONDS = 0.2
WATCH_SECONDS = 1.0
READY_SECONDS = 180
STOP_SECONDS = 20
# A part that exits again and again is tried ever more slowly.
FIRST_DELAY_SECONDS, LONGEST_DELAY_SECONDS, CALM_SECONDS = 1.0, 30.0, 120.0
READY = "ready"
PROBLEM = "problem: "
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopAsked(Exception):
    """Somebody asked the stack to stop."""


@dataclass
class Child:
    """A part that was started, and when it is to be started again after its end."""

    process: subprocess.Popen
    record: processes.Record
    started: float
    delay: float
    due: float | None = None


class Supervisor:
    """The one process that started a stack's parts and answers for them."""

    def __init__(self, home: Home, *, ports: str = "kept", with_airflow: bool = True) -> None:
        self.home = home
        self.how_ports = ports
        self.with_airflow = with_airflow
        self.stop_asked = False
        self.children: dict[str, Child] = {}

    def run(self, say: Callable[[str], None]) -> None:
        """Start, say `ready`, watch until a signal asks to stop, stop; a Problem also stops everything."""
        with self._the_only_one():
            for number in SIGNALS:
                signal.signal(number, self._ask_to_stop)
            try:
                self._start(say)
                say(READY)
                while True:
                    self._pause(WATCH_SECONDS)
                    self._mend()
            except StopAsked:
                log.info("stopping")
            finally:
                self._stop()

    def _ask_to_stop(self, *_signal: object) -> None:
        self.stop_asked = True

    def _pause(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not self.stop_asked:
            left = deadline - time.monotonic()
            if left <= 0:
                return
            time.sleep(min(left, POLL_SECONDS))
        raise StopAsked

    def _the_only_one(self) -> IO[str]:
        """Hold the home's lock for as long as this process lives; nobody else may run this stack meanwhile."""
        self.home.make()
        lock = self.home.lock.open("a+")
        for _ in range(10):  # who asks whether a supervisor lives holds the lock for a moment
            with suppress(OSError):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            time.sleep(0.05)
        else:
            lock.close()
            raise Problem(f"a stack is up in {self.home.path} already: `nurture status`")
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        return lock

    def _start(self, say: Callable[[str], None]) -> None:
        begun = time.monotonic()

        def tell(part: str, what: str) -> None:
            say(f"  {time.monotonic() - begun:5.1f} s  {part:<14} {what}")

        end_leftovers(self.home)
        Stack(self.home, self.home.ports()).database().stop()
        ports = choose_ports(self.home.ports(), self.how_ports)
        self.home.keep_ports(ports)
        self.stack = Stack(self.home, ports)
        self.postgres = self.stack.database()
        self.postgres.start(ports.postgres)
        tell(POSTGRES, self.stack.url(POSTGRES))
        self.environment = self.stack.environment()
        self._migrate()
        tell("nurture", "database migrated")
        for part in EDGES:
            self._launch(part)
        if self.with_airflow:
            self.home.make_admin_password()
            self.postgres.create_database("airflow")
            self._prepare_airflow()
            tell("airflow", "database migrated")
            for part in airflow.COMPONENTS:
                self._launch(part)
        self._await(list(self.children), tell)
        if self.with_airflow:
            self._warm_up()

    def _migrate(self) -> None:
        from nurture import db

        db.migrate(self.postgres.create_database("nurture"))

    def _prepare_airflow(self) -> None:
        """Run Airflow's migrations; the import of Airflow is the larger part of its 9 seconds."""
        file = self.home.logs / "airflow-database.log"
        told = {"AIRFLOW_ADMIN_PASSWORD": self.home.admin_password.read_text().strip()}
        process = self._spawn([sys.executable, "-m", "nurture.stack.airflow"], file, told)
        while process.poll() is None:
            try:
                self._pause(POLL_SECONDS)
            except StopAsked:
                process.kill()
                process.wait()
                raise
        if process.returncode != 0:
            raise Problem(f"Airflow's database could not be made: {last_line(file)} ({file})")

    def _launch(self, part: str, delay: float = FIRST_DELAY_SECONDS) -> None:
        process = self._spawn(self.stack.command(part), self.home.logs / f"{part}.log")
        self.children[part] = Child(process, processes.Record.of(process.pid), time.monotonic(), delay)
        processes.keep(self.home.processes, {name: child.record for name, child in self.children.items()})

    def _spawn(self, command: list[str], file: Path, told: Mapping[str, str] | None = None) -> subprocess.Popen:
        with file.open("ab") as output:
            return subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
                env={**self.environment, **(told or {})}, cwd=self.home.airflow,
            )  # fmt: skip

    def _await(self, parts: list[str], tell: Callable[[str, str], None]) -> None:
        """Wait until every part is healthy; one that exits meanwhile ends the start."""
        deadline = time.monotonic() + READY_SECONDS
        waiting = list(parts)
        while waiting:
            for part in list(waiting):
                file = self.home.logs / f"{part}.log"
                if self.children[part].process.poll() is not None:
                    raise Problem(f"{part} ended while it started: {last_line(file)} ({file})")
                if self.stack.is_healthy(part, self.children[part].record.born):
                    waiting.remove(part)
                    tell(part, self.stack.url(part))
            if waiting and time.monotonic() > deadline:
                raise Problem(f"{waiting[0]} was not healthy after {READY_SECONDS} s: see {self.home.logs}")
            self._pause(POLL_SECONDS)

    def _warm_up(self) -> None:
        """Let the API server build its routes for tasks now (3 s) rather than in the first task."""
        ask(self.stack.ports.airflow, "/execution/health", patience=30)

    def _mend(self) -> None:
        """Restart what has died, PostgreSQL first; what cannot be restarted now is tried again."""
        if not self.postgres.running:
            log.warning("postgres ended: restarting it")
            self.postgres = self.stack.database()
            try:
                self.postgres.start(self.stack.ports.postgres)
            except Problem as problem:
                log.error("%s", problem)
                return
        now = time.monotonic()
        for part, child in self.children.items():
            if child.due is not None and child.due <= now:
                self._launch(part, min(child.delay * 2, LONGEST_DELAY_SECONDS))
            elif child.due is None and child.process.poll() is not None:
                processes.end([child.record], patience=0)  # idle workers of a dead scheduler would wait for good
                delay = FIRST_DELAY_SECONDS if now - child.started > CALM_SECONDS else child.delay
                child.delay, child.due = delay, now + delay
                log.warning("%s ended with %s: restarting it in %.0f s", part, child.process.returncode, delay)

    def _stop(self) -> None:
        """Stop every part in order, PostgreSQL last; further signals are not heard."""
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        for together in STOPPING:
            processes.end([self.children[part].record for part in together if part in self.children], STOP_SECONDS)
        for child in self.children.values():
            child.process.wait()
        if hasattr(self, "postgres"):
            self.postgres.stop()
        self.home.processes.unlink(missing_ok=True)
        log.info("stopped")


def end_leftovers(home: Home) -> None:
    """End what a killed supervisor left running, in the order of an orderly stop."""
    left = processes.kept(home.processes)
    for together in STOPPING:
        processes.end([left[part] for part in together if part in left], patience=5)
    home.processes.unlink(missing_ok=True)


def last_line(file: Path) -> str:
    """Return the last line that a log holds."""
    lines: Iterable[str] = file.read_text(errors="replace").splitlines() if file.exists() else []
    return next((line.strip() for line in reversed(list(lines)) if line.strip()), "it said nothing")


def main(folder: str, ports: str, with_airflow: str) -> int:
    """Run detached: progress goes to the pipe that the door reads, everything else to the log."""
    os.setsid()
    logging.basicConfig(format="%(asctime)s %(message)s", level=logging.INFO)

    def say(line: str) -> None:
        print(line, flush=True)  # noqa: T201, the pipe to the door
        if line == READY:
            os.dup2(2, 1)

    try:
        Supervisor(Home(Path(folder)), ports=ports, with_airflow=with_airflow == "True").run(say)
    except Problem as problem:
        log.error("%s", problem)
        say(f"{PROBLEM}{problem}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
