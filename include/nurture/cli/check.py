"""The command `nurture check`: everything that is wrong with what marketing wrote, in one run."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from nurture.effect import Effect

app = typer.Typer()

NO_DATABASE = "no database: the effect on leads was not computed"


@app.command()
def check(
    product: Annotated[
        str | None, typer.Argument(help="One product; left out, all of them.", show_default=False)
    ] = None,
    home: Annotated[Path | None, typer.Option("--home", envvar="NURTURE_HOME", help="The stack's folder.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print what a program can read.")] = False,
) -> None:
    """Check products, scenarios, emails and sources, and count whom a change lets in and puts out.

    Exit 1 when something is wrong. The effect is counted beside the definitions that last ran, where there is a
    database; nothing is changed.
    """
    from nurture.definitions.check import check as check_all
    from nurture.definitions.load import include_root
    from nurture.proofread import proofread

    checked = check_all(include_root(), proofread, product)
    found = _effects(checked.products, home)
    if as_json:
        told = {**vars(checked), "effects": None if found is None else [each._asdict() for each in found]}
        typer.echo(json.dumps(told, default=vars, ensure_ascii=False, indent=2))
    else:
        for problem in checked.problems:
            typer.echo(str(problem), err=True)
        for note in checked.notes:
            typer.echo(f"note: {note}")
        typer.echo(
            f"In order: {_count(len(checked.products), 'product')}, {_count(checked.scenarios, 'scenario')}, "
            f"{_count(checked.emails, 'email')}, {_count(checked.sources, 'source')}. "
            f"{_count(len(checked.problems), 'problem').capitalize()}."
        )
        for line in [NO_DATABASE] if found is None else found:
            typer.echo(str(line))
    if checked.problems:
        sys.exit(1)


def _effects(products: list[str], home: Path | None) -> "list[Effect] | None":
    """Return what the products in order would do to the leads, or None where no database answers."""
    from datetime import UTC, datetime

    from sqlalchemy.exc import OperationalError

    from nurture import db
    from nurture.cli.run import stack_environment
    from nurture.definitions.load import include_root, load_product, load_shared
    from nurture.effect import effects
    from nurture.problem import Problem

    try:
        dsn = stack_environment(home)["NURTURE_DSN"]
    except Problem:
        return None
    root, now = include_root(), datetime.now(UTC)
    try:
        with db.engine(dsn).connect() as conn:
            if not products:
                return []
            shared = load_shared(root)
            loaded = [load_product(root / "products" / name, shared) for name in products]
            return [each for product in loaded for each in effects(conn, product, now)]
    except OperationalError:
        return None


def _count(number: int, what: str) -> str:
    return f"{number or 'no'} {what}{'' if number == 1 else 's'}"
