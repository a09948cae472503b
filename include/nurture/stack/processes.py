"""Processes: what the supervisor started, recorded so that a killed stack leaves nothing running.

A process id alone may be somebody else's by now: a record holds only when the moment of birth agrees. Each part
opens a session of its own, so that its workers are found also when it has died without them.
"""

import json
import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

# psutil reckons the moment of birth from the machine's boot, which a clock that is set moves a little.
BIRTH_TOLERANCE_SECONDS = 2


@dataclass(frozen=True)
class Record:
    """One part's process, the leader of a session of its own."""

    pid: int
    born: float

    @classmethod
    def of(cls, pid: int) -> "Record":
        """Return the record of a process that was started just now."""
        try:
            return cls(pid, psutil.Process(pid).create_time())
        except psutil.NoSuchProcess:
            return cls(pid, time.time())

    def is_alive(self) -> bool:
        """Whether that very process lives."""
        found = self._leader()
        return found is not None and found.status() != psutil.STATUS_ZOMBIE

    def session(self) -> list[psutil.Process]:
        """Return the living processes of its session: it, its workers and their tasks, also when it has died."""
        if self._leader() is None and psutil.pid_exists(self.pid):
            return []  # the number has gone to somebody else
        return [process for process in psutil.process_iter() if self._is_member(process)]

    def _leader(self) -> psutil.Process | None:
        try:
            process = psutil.Process(self.pid)
            return process if abs(process.create_time() - self.born) < BIRTH_TOLERANCE_SECONDS else None
        except psutil.NoSuchProcess:
            return None

    def _is_member(self, process: psutil.Process) -> bool:
        try:
            return os.getsid(process.pid) == self.pid and process.status() != psutil.STATUS_ZOMBIE
        except (ProcessLookupError, PermissionError, psutil.NoSuchProcess):
            return False


def end(records: list[Record], patience: float) -> None:
    """Ask each leader to stop, wait `patience` seconds for them, and kill what is left of their sessions."""
    for record in records:
        if record.is_alive():
            with suppress(ProcessLookupError):
                os.kill(record.pid, signal.SIGTERM)
    deadline = time.monotonic() + patience
    while any(record.is_alive() for record in records) and time.monotonic() < deadline:
        time.sleep(0.05)
    for record in records:
        for process in record.session():
            with suppress(psutil.NoSuchProcess):
                process.kill()


def keep(file: Path, records: dict[str, Record]) -> None:
    """Write the records, whole or not at all."""
    new = file.with_suffix(".new")
    new.write_text(json.dumps({name: vars(record) for name, record in records.items()}, indent=2) + "\n")
    new.replace(file)


def kept(file: Path) -> dict[str, Record]:
    """Read the records; none when there is no file."""
    if not file.exists():
        return {}
    return {name: Record(**values) for name, values in json.loads(file.read_text()).items()}
