"""The command `nurture demo`: ninety played days, one live run of each product in Airflow, and where to look."""

import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nurture.problem import Problem

if TYPE_CHECKING:
    from nurture.demo.history import SandboxClock
    from nurture.pipeline import Work
    from nurture.stack.parts import Stack

app = typer.Typer()

HomeOption = Annotated[Path | None, typer.Option("--home", envvar="NURTURE_HOME", help="The stack's folder.")]
PEOPLE, SEED = 1_300, 7
TOLD = {
    "enrolled": "enrolled", "accepted": "mails sent", "planned": "planned", "not_sent": "not sent (each says why)",
    "qualified": "qualified", "handed_off": "handed off", "sales_accepted": "taken on by sales", "won": "won",
}  # fmt: skip


class Steps:
    """Says each step as it ends, and remembers how long each took."""

    def __init__(self) -> None:
        self.begun = self._last = time.monotonic()
        self.took: list[tuple[float, str]] = []

    def done(self, what: str) -> None:
        """Say that a step is over."""
        now = time.monotonic()
        self.took.append((now - self._last, what))
        typer.echo(f"{now - self.begun:6.1f} s  {what}")
        self._last = now

    def slowest(self, how_many: int = 3) -> str:
        """Return the slowest steps in words."""
        return ", ".join(f"{what} ({seconds:.0f} s)" for seconds, what in sorted(self.took, reverse=True)[:how_many])


@app.command()
def demo(
    home: HomeOption = None,
    days: Annotated[int, typer.Option(min=1, max=365, help="How many past days are played first.")] = 90,
    ports: Annotated[str, typer.Option(help="`auto` takes free ports where the usual ones are taken.")] = "kept",
) -> None:
    """Start the stack, play the past days of both products, run each once in Airflow, and say where to look."""
    from nurture.demo.history import SandboxClock
    from nurture.stack import control
    from nurture.stack.home import DEFAULT_HOME, Home

    steps = Steps()
    place = Home((home or DEFAULT_HOME).absolute())
    if not place.admin_password.exists():
        place.let_airflow_wait()  # the demo's clock is not the schedules'
    stack = control.up(place, typer.echo, ports=ports)
    steps.done("the stack is up")
    clock = SandboxClock(stack.url("sandbox"))
    until = _play(stack, clock, days, steps)
    clock.set(until)
    _take_in(stack, until)
    steps.done("what the recipients did until then is taken in")
    _run_live(stack, until, steps)
    _tell(stack, clock, until)
    typer.echo(f"\nDone in {time.monotonic() - steps.begun:.0f} s; the slowest: {steps.slowest()}.")


@app.command()
def clock(
    moment: Annotated[str, typer.Argument(help="2026-11-20T10:00:00+09:00, or `real` to follow the real clock.")],
    home: HomeOption = None,
) -> None:
    """Set the sandbox's clock: its recipients do everything that they would have done by then."""
    from nurture.cli.run import moment_of
    from nurture.demo.history import SandboxClock
    from nurture.stack.parts import Stack

    SandboxClock(Stack.at(home).url("sandbox")).set(None if moment == "real" else moment_of(moment))
    typer.echo(
        "The sandbox follows the real clock." if moment == "real" else f"The sandbox's clock stands at {moment}."
    )


def _play(stack: "Stack", clock: "SandboxClock", days: int, steps: Steps) -> datetime:
    """Play the history, or what a demo that was stopped left of it; return the moment at which it ends."""
    from nurture import db
    from nurture.cli.run import work_of
    from nurture.demo import history
    from nurture.demo.files import write_files

    with db.engine(stack.dsn).connect() as conn:
        played, ran_live = db.run(conn, db.statements("runs").demo_runs).one()
        conn.commit()
        if ran_live is not None:
            steps.done("the history was played before")
            return ran_live
        work = work_of(conn, stack.home.path, datetime.now(UTC))
        if work.loaded.problems:
            raise Problem("a product is broken: `nurture check` says where")
        until = history.end_of_history(work, datetime.now(UTC))
        if not any(stack.home.inbox.iterdir()):
            zone = next(iter(work.loaded.products.values())).zone
            write_files(stack.home.inbox, PEOPLE, SEED, until.astimezone(zone).date())
            steps.done("the demo's source files are in the inbox")

        def work_at(moment: datetime) -> "Work":
            return replace(work, as_of=moment, at=moment)

        moments = [m for m in history.business_days(work, until, days) if played is None or m >= played]
        with typer.progressbar(length=len(moments), label="Playing") as bar:
            history.play(work_at, clock, moments, lambda _: bar.update(1))
    steps.done(f"{days} days of history are played")
    return until


def _take_in(stack: "Stack", moment: datetime) -> None:
    """Do once what the pulse does every few minutes: take in what arrived, and rescore whom it concerns."""
    from nurture import db, pipeline
    from nurture.cli.run import work_of

    with db.engine(stack.dsn).connect() as conn:
        work = work_of(conn, stack.home.path, moment)
        pipeline.consolidate(work)
        pipeline.pull(work)
        for name in work.loaded.products:
            pipeline.rescore_marked(work.of(name))


def _run_live(stack: "Stack", until: datetime, steps: Steps) -> None:
    """Run each product's DAG once in Airflow at the end of the history."""
    from nurture.definitions.load import load_products
    from nurture.demo.airflow_api import AirflowApi

    airflow = AirflowApi(stack.url("api-server"), "admin", stack.home.admin_password.read_text().strip())
    for product in load_products().products:
        dag = f"nurture_{product}"
        airflow.wait_for(dag)
        airflow.set_paused(dag, False)
        run = airflow.trigger(dag, until)
        state = airflow.wait(dag, run, lambda line: typer.echo(f"          {line}"))
        steps.done(f"{dag} ran in Airflow: {state}")
        if state != "success":
            raise Problem(f"{dag} failed: look at {stack.url('api-server')}/dags/{dag}/runs/{run}")


def _tell(stack: "Stack", clock: "SandboxClock", until: datetime) -> None:
    """Say what happened, in numbers, and where to look."""
    from nurture import db, reporting
    from nurture.definitions.load import load_products

    with db.engine(stack.dsn).connect() as conn:
        rows = reporting.overview(conn)
    products = load_products().products
    zone = next(iter(products.values())).zone
    typer.echo(f"\nUntil {until.astimezone(zone):%Y-%m-%d %H:%M} ({zone.key}):")
    for row in rows:
        told = ", ".join(f"{row[key]:,} {words}" for key, words in TOLD.items())
        typer.echo(f"  {products[row['product']].name}: {told}")
    counts = clock.counts()
    typer.echo(f"  The sandbox accepted {counts['messages']:,} mails in {counts['requests']:,} requests.")
    typer.echo("\nWhere to look:")
    typer.echo(f"  Airflow   {stack.url('api-server')}   user admin, password in {stack.home.admin_password}")
    typer.echo(f"  Mailbox   {stack.url('sandbox')}/mailbox")
    typer.echo(f"  CRM       {stack.url('sandbox')}/crm")
    typer.echo("The sandbox's clock stands still; `nurture clock real` lets its recipients live on.")
    typer.echo("`nurture down` stops everything and keeps it.")
