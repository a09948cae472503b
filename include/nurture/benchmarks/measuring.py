"""Measuring: a benchmark's throw-away PostgreSQL, its phases with what each cost, and the report.

Ctrl-C (or a SIGTERM) ends the server and removes its data.
"""

import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from nurture import db
from nurture.benchmarks.machine import Meter, described
from nurture.stack.postgres import Postgres

FULL = 1_000_000  # rows for which the budgets are meant
_TEMPLATE = "template_nurture"

Advance = Callable[[int], None]  # so many more are done


@dataclass
class Phase:
    """One step of a benchmark, and what it cost."""

    name: str
    rows: int | None
    wall_seconds: float
    cpu_seconds: float  # of this program
    postgres_cpu_seconds: float
    peak_mb: int
    postgres_peak_mb: int
    budget_seconds: float | None = None

    @property
    def rows_per_second(self) -> int | None:
        """How many rows went through in a second of wall time."""
        return round(self.rows / self.wall_seconds) if self.rows and self.wall_seconds else None


@dataclass
class Bench:
    """What a benchmark is given: a server, rows and a seed; it is told the phases and the figures."""

    name: str
    rows: int
    seed: int
    server: Postgres
    meter: Meter
    folder: Path  # for files; removed at the end
    machine: dict[str, object]
    phases: list[Phase] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)

    def database(self, name: str | None = None) -> str:
        """Return the DSN of a fresh, migrated database."""
        return self.server.create_database(name or f"bench_{self.name}", template=_TEMPLATE)

    def engine(self, name: str | None = None) -> sa.Engine:
        """Return an engine on a fresh, migrated database."""
        return db.engine(self.database(name))

    @contextmanager
    def phase(self, name: str, rows: int | None = None, *, budget: float | None = None) -> Iterator[Advance]:
        """Measure what is done within; what is yielded is told how many rows more are done.

        `budget` (seconds) is shown when the benchmark runs at its full size. What fails is not counted as measured.
        """
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=_errors(), transient=True, disable=not sys.stderr.isatty()) as progress:
            task = progress.add_task(name, total=rows)
            self.meter.forget_peaks()
            before = time.perf_counter(), self.meter.cpu(), self.meter.postgres_cpu()
            yield lambda done: progress.advance(task, done)
            after = time.perf_counter(), self.meter.cpu(), self.meter.postgres_cpu()
        wall, cpu, postgres_cpu = (round(late - early, 3) for early, late in zip(before, after, strict=True))
        self.phases.append(
            Phase(
                name, rows, wall, cpu, postgres_cpu, self.meter.peak >> 20, self.meter.postgres_peak >> 20,
                budget if self.rows == FULL else None,
            )
        )  # fmt: skip
        rate = self.phases[-1].rows_per_second
        self.say(f"{name}: {wall:,.2f} s, {cpu:,.2f} + {postgres_cpu:,.2f} CPU s" + (f", {rate:,}/s" if rate else ""))

    def say(self, text: str) -> None:
        """Tell whoever waits; what is printed for programs goes elsewhere."""
        _errors().print(text, highlight=False)

    def report(self) -> dict[str, Any]:
        """Return everything as one object for a program: the figures stand at its top."""
        phases = [{**asdict(phase), "rows_per_second": phase.rows_per_second} for phase in self.phases]
        return {
            "benchmark": self.name, "rows": self.rows, "seed": self.seed, **self.figures, "phases": phases,
            "peak_mb": max((phase.peak_mb for phase in self.phases), default=0),
            "postgres_peak_mb": max((phase.postgres_peak_mb for phase in self.phases), default=0),
            "machine": self.machine,
        }  # fmt: skip

    def tables(self) -> Iterator[Table | str]:
        """Yield what a person reads: the machine, the phases, the figures."""
        told = self.machine
        yield (
            f"nurture bench {self.name}: {self.rows:,} rows, seed {self.seed}, on {told['cores']} cores, "
            f"{told['memory_gb']} GB, {told['processor']}, PostgreSQL {told['postgresql']}, "
            f"Python {told['python']}, load {told['load_before']} before"
        )
        table = Table("phase", *("rows", "seconds", "budget", "rows/s", "CPU s", "PG CPU s", "MB", "PG MB"))
        for column in table.columns:
            column.no_wrap = True
            column.justify = "left" if column is table.columns[0] else "right"
        for phase in self.phases:
            table.add_row(
                phase.name, _number(phase.rows), _number(phase.wall_seconds), _number(phase.budget_seconds),
                _number(phase.rows_per_second), _number(phase.cpu_seconds), _number(phase.postgres_cpu_seconds),
                _number(phase.peak_mb), _number(phase.postgres_peak_mb),
            )  # fmt: skip
        yield table
        if self.figures:
            figures = Table("figure", "value")
            figures.columns[1].justify = "right"
            for name, value in _flat(self.figures):
                figures.add_row(name, _number(value))
            yield figures


@contextmanager
def benchmark(name: str, rows: int, seed: int) -> Iterator[Bench]:
    """Start a PostgreSQL of its own, with the settings of the stack's, and remove it at the end, however it ends."""
    folder = Path(tempfile.mkdtemp(prefix="nurture-bench-"))
    server = Postgres(folder / "postgres")
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        server.start()
        server.create_database(_TEMPLATE)
        db.migrate(server.dsn(_TEMPLATE))
        meter = Meter(server)
        meter.start()
        yield Bench(name, rows, seed, server, meter, folder, described(server))
        meter.stop()
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
        signal.signal(signal.SIGTERM, before)


def _errors() -> Console:
    return Console(stderr=True, soft_wrap=True)


def _number(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:,.4f}".rstrip("0").rstrip(".") if abs(value) < 10 else f"{value:,.1f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _flat(figures: dict[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in figures.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{above}{name}.")
        else:
            yield above + name, value
