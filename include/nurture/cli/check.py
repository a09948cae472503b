"""The command `nurture check`: everything that is wrong with what marketing wrote, in one run."""

import json
import sys
from typing import Annotated

import typer

app = typer.Typer()


@app.command()
def check(
    product: Annotated[
        str | None, typer.Argument(help="One product; left out, all of them.", show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print what a program can read.")] = False,
) -> None:
    """Check products, scenarios, emails and sources; exit 1 when something is wrong, 0 when there are warnings only."""
    from nurture.definitions.check import check as check_all
    from nurture.definitions.load import include_root
    from nurture.proofread import proofread

    checked = check_all(include_root(), proofread, product)
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
