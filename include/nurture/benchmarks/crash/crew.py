"""Crew: a trial's workers, as processes, and who strikes whom."""

import multiprocessing
import os
import signal
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from nurture.benchmarks.crash import parts, wire, worker
from nurture.benchmarks.crash.parts import Parts
from nurture.problem import Problem

# What makes something to settle, when the strike comes there: an answer lost on its way, or a worker before its call.
FIRST = {"settling": "after acceptance", "settled": "after acceptance", "giving up": "after commit",
         "given up": "after commit"}  # fmt: skip


@dataclass
class Trial:
    """What is struck where, and what came of it."""

    number: int
    point: str
    victim: str
    workers: int
    nth: int
    struck: bool = False
    problems: list[str] = field(default_factory=list)
    duplicates: int = 0
    lost: int = 0
    unsettled: int = 0
    held: int = 0


class Crew:
    """A trial's workers: as many at once as it says, the first of which strikes once."""

    def __init__(self, stack: Parts, trial: Trial, policy: parts.Policy, windows: list[float]) -> None:
        """Prepare processes that are forked from one that has imported everything."""
        self._stack, self._trial, self._windows = stack, trial, windows
        self._product, self._company = parts.product(policy), parts.company()
        self._mark = stack.folder / f"struck-{trial.number}"
        self._first = FIRST.get(trial.point)
        self._first_mark = stack.folder / f"first-{trial.number}"
        self._processes = multiprocessing.get_context("forkserver")
        self._processes.set_forkserver_preload(["__main__", worker.__name__])

    def attempt(self, at: datetime) -> None:
        """Let all workers work at one moment, and wait for them; those that died or failed say so."""
        wires = [wire.Wire(self._stack.sandbox_port) for _ in range(self._trial.workers)]
        pipes: list[Any] = []
        crew: list[Any] = []
        for number, line in enumerate(wires):
            ours, theirs = self._processes.Pipe()
            strike = self._strike(line) if number == 0 else None
            told = worker.Attempt(
                self._stack.dsn, f"http://127.0.0.1:{line.port}", self._product, self._company, self._stack.links, at,
                strike,
            )  # fmt: skip
            process = self._processes.Process(target=worker.work, args=(told, theirs), daemon=True)
            process.start()
            theirs.close()
            if number == 0:
                self._pid = process.pid
            pipes.append(ours)
            crew.append(process)
        for pipe in pipes:
            if pipe.recv() != "ready":
                raise Problem("a worker of the benchmark did not start")
        for pipe in pipes:
            pipe.send("go")
            if pipe is pipes[0] and self._first and not self._trial.struck:
                _told(pipe)  # who is to strike in settling settles first: the others would leave nothing to settle
        for process, pipe, line in zip(crew, pipes, wires, strict=True):
            process.join()
            self._note(process, pipe)
            line.close()
        self._trial.struck = self._mark.exists()

    def _note(self, process: Any, pipe: Any) -> None:
        told = _told(pipe)
        while isinstance(told, str):
            told = _told(pipe)
        problem, windows = told or (f"killed by signal {-process.exitcode}", [])
        self._windows.extend(windows)
        if problem and problem not in self._trial.problems:
            self._trial.problems.append(problem)

    def _strike(self, line: wire.Wire) -> worker.Strike | None:
        """Arm what is to be struck in this attempt: on the wire, or in the worker that is given it."""
        point, victim, mark, nth = self._trial.point, self._trial.victim, self._mark, self._trial.nth
        if self._first and not self._first_mark.exists():
            point, mark, nth = self._first, self._first_mark, 1
            victim = "worker" if point in worker.POINTS else "connection"
        if mark.exists():
            return None
        if point in wire.POINTS:
            line.arm(point, nth, partial(self._on_the_wire, victim, mark))
            return None
        pid = {"worker": 0, "connection": None}.get(victim, 0)
        return worker.Strike(point, nth, self._stack.pid(victim) if victim in ("postgres", "sandbox") else pid, mark)

    def _on_the_wire(self, victim: str, mark: Path) -> bool:
        """Strike from the wire; say whether the connection is cut with it."""
        mark.touch()
        if victim == "worker":
            os.kill(self._pid or 0, signal.SIGKILL)
        elif victim != "connection":
            self._stack.kill(victim)
        return victim in ("connection", "sandbox")


def _told(pipe: Any) -> Any:
    """Return what a worker says next; None when it is dead."""
    try:
        return pipe.recv()
    except (EOFError, ConnectionResetError):
        return None
