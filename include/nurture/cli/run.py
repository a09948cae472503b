"""The command `nurture run`: stages without Airflow."""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nurture.problem import Problem

if TYPE_CHECKING:
    import sqlalchemy as sa

    from nurture.pipeline import Work

app = typer.Typer()

HomeOption = Annotated[Path | None, typer.Option("--home", envvar="NURTURE_HOME", help="The stack's folder.")]
AsOfOption = Annotated[str | None, typer.Option("--as-of", help="As if it were then: 2026-11-20T10:00:00+09:00.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print what a program can read.")]


@app.command()
def run(
    stage: Annotated[str, typer.Argument(help="A stage, or `all` of them in order.")],
    product: Annotated[str | None, typer.Argument(help="One product; left out, each of them.")] = None,
    as_of: AsOfOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run a stage as the DAGs do, and say what it counted; run twice it finds nothing to do."""
    from nurture import db, dispatch, pipeline, runs
    from nurture.definitions.nearest import instead

    if stage not in (*pipeline.STAGES, "all"):
        raise Problem(f"no stage {stage!r}: {instead(stage, (*pipeline.STAGES, 'all'))}")
    moment = moment_of(as_of)
    with db.engine(stack_environment(home)["NURTURE_DSN"]).connect() as conn:
        work = work_of(conn, home, moment)
        told = {}
        for name in products_of(work, product):
            newest = runs.is_newest(conn, f"nurture_{name}", moment)
            named = type(work)(**{**vars(work), "name": name, "live": newest})
            try:
                if stage == "all":
                    told[name] = pipeline.run_product(named, "manual")
                else:
                    told[name] = {stage: pipeline.run_stage(named, stage)}
            except dispatch.Stopped as stopped:
                raise Problem(str(stopped)) from stopped
            if not newest:
                typer.echo(f"{name}: a newer run has begun, so nobody was mailed, enrolled or handed off", err=True)
    if as_json:
        typer.echo(json.dumps(told, indent=2))
        return
    for name, counted in told.items():
        for part, counts in counted.items():
            typer.echo(f"{name} {part}: " + (", ".join(f"{number:,} {key}" for key, number in counts.items()) or "-"))


def moment_of(text: str | None) -> datetime:
    """Return the moment that a person named, or now."""
    from nurture import db

    if text is None:
        return datetime.now(UTC)
    try:
        return db.moment(text)
    except ValueError as error:
        raise Problem(str(error)) from error


def stack_environment(home: Path | None) -> dict[str, str]:
    """Return the environment of the stack, or this process' own where it names a database."""
    import os

    from nurture.stack.parts import Stack

    if home is None and os.environ.get("NURTURE_DSN"):
        return dict(os.environ)
    stack = Stack.at(home)
    if not stack.database().running:
        raise Problem("the stack is down: `nurture up`")
    return stack.environment()


def work_of(conn: "sa.Connection", home: Path | None, moment: datetime) -> "Work":
    """Return the work of every product at a moment, with the stack's edges."""
    from nurture.definitions.load import load_products, load_sources
    from nurture.pipeline import Edges, Work

    edges = Edges.of_environment(stack_environment(home))
    return Work(conn, load_products(), load_sources(), edges, as_of=moment, at=moment, progress=_progress)


def _progress(step: str, done: int, total: int) -> None:
    if total >= 20_000 and sys.stderr.isatty():
        typer.echo(f"\r{step}: {done:,} of {total:,}\033[K" + ("\n" if done == total else ""), err=True, nl=False)


def products_of(work: "Work", product: str | None) -> list[str]:
    """Return the products that a command concerns; an unknown or broken one is a Problem."""
    from nurture.definitions.nearest import instead

    if product is None:
        return list(work.loaded.products)
    if product in work.loaded.problems:
        raise Problem(f"product {product!r} is broken: {work.loaded.problems[product][0]}")
    if product not in work.loaded.products:
        raise Problem(f"no product {product!r}: {instead(product, work.loaded.products)}")
    return [product]
