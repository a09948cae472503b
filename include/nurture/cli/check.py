"""The command `nurture check`: everything that is wrong with what marketing wrote, in one run."""

import json
import sys
from datetime import UTC, datetime
from typing import Annotated

import typer

from nurture.cli.run import HomeOption, stack_environment
from nurture.problem import Problem

app = typer.Typer()


@app.command()
def check(
    product: Annotated[
        str | None, typer.Argument(help="One product; left out, all of them.", show_default=False)
    ] = None,
    home: HomeOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print what a program can read.")] = False,
) -> None:
    """Check products, scenarios, emails, the plan and sources; exit 1 when something is wrong, not for a warning.

    With a database at hand it says, too, what a change must say of those under way, and what has run already.
    """
    from nurture import db, versions
    from nurture.definitions.check import check as check_all
    from nurture.definitions.load import include_root
    from nurture.proofread import proofread

    root, today = include_root(), datetime.now(UTC).astimezone().date()
    try:
        dsn = stack_environment(home)["NURTURE_DSN"]
    except Problem:
        checked = check_all(root, proofread, product, today=today)
        checked.notes.append(
            "the stack is down, so what has run was not looked at (in_flight, renamed steps, the past)"
        )
    else:
        with db.engine(dsn).connect() as conn:
            checked = check_all(
                root, proofread, product, today=today, past_of=lambda loaded: versions.past(conn, loaded)
            )
    if as_json:
        typer.echo(json.dumps(vars(checked), default=vars, ensure_ascii=False, indent=2))
    else:
        for problem in checked.problems:
            typer.echo(str(problem), err=True)
        for warning in checked.warnings:
            typer.echo(f"warning: {warning}", err=True)
        for note in checked.notes:
            typer.echo(f"note: {note}")
        typer.echo(
            f"In order: {_count(len(checked.products), 'product')}, {_count(checked.scenarios, 'scenario')}, "
            f"{_count(checked.emails, 'email')}, {_count(checked.sources, 'source')}. "
            f"{_count(len(checked.problems), 'problem').capitalize()}."
            + (f" {_count(len(checked.warnings), 'warning').capitalize()}." if checked.warnings else "")
        )
    if checked.problems:
        sys.exit(1)


def _count(number: int, what: str) -> str:
    return f"{number or 'no'} {what}{'' if number == 1 else 's'}"
