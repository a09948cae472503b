"""Commands that run stages without Airflow: `nurture run`, `nurture sends settle`."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nurture.problem import Problem

if TYPE_CHECKING:
    import sqlalchemy as sa

    from nurture.pipeline import Work

app = typer.Typer()
sends = typer.Typer(help="Requests to the mail provider that need a person.", no_args_is_help=True)

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


@sends.command("held")
def list_held(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """List the requests of which nobody knows whether they were taken."""
    from nurture import db

    with db.engine(stack_environment(home)["NURTURE_DSN"]).connect() as conn:
        found = db.run(conn, db.statements("settlement").held).mappings().all()
    if as_json:
        typer.echo(json.dumps([dict(row) for row in found], indent=2, default=str))
        return
    for row in found:
        typer.echo(
            f"request {row['request_id']}: {row['member_count']:,} × {row['email']} of {row['product']} "
            f"at {row['at']:%F %R}Z, {row['answer']}"
        )
    if not found:
        typer.echo("Nothing is held.")


@sends.command("settle")
def settle_request(
    request: int,
    accepted: Annotated[bool, typer.Option("--accepted", help="They were sent.")] = False,
    planned: Annotated[bool, typer.Option("--not-sent", help="They were not sent: plan them again.")] = False,
    cancelled: Annotated[bool, typer.Option("--cancel", help="Nobody knows: never send them.")] = False,
    home: HomeOption = None,
) -> None:
    """Decide what became of a request that nobody could settle by evidence."""
    from nurture import db, settlement

    chosen = [name for name, given in (("accepted", accepted), ("planned", planned), ("cancelled", cancelled)) if given]
    if len(chosen) != 1:
        raise Problem("say one of --accepted, --not-sent, --cancel")
    with db.engine(stack_environment(home)["NURTURE_DSN"]).connect() as conn:
        changed = settlement.settle_by_hand(conn, request, chosen[0], "a person", datetime.now(UTC))  # pyright: ignore[reportArgumentType]
    if changed == 0:
        raise Problem(f"request {request} is not held: `nurture sends held` lists those that are")
    typer.echo(f"{changed:,} messages settled: {chosen[0]}")


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
    return Work(conn, load_products(), load_sources(), edges, as_of=moment, at=moment)


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
