"""The command `nurture check`: everything that is wrong with what marketing wrote, in one run."""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nurture.cli.check_live import check_live
from nurture.cli.run import HomeOption, stack_environment
from nurture.problem import Problem

if TYPE_CHECKING:
    from nurture.definitions.check import Checked
    from nurture.effect import Effect

app = typer.Typer()

NO_DATABASE = "no database: what has run (in_flight, renamed steps) and the effect on leads were not looked at"


@app.command()
def check(
    product: Annotated[
        str | None, typer.Argument(help="One product; left out, all of them.", show_default=False)
    ] = None,
    live: Annotated[
        bool, typer.Option("--live", help="Check the key, the senders, their DNS and the receiver instead.")
    ] = False,
    resolver: Annotated[
        str | None, typer.Option("--resolver", help="With --live, the DNS server to ask: 192.0.2.1 or 192.0.2.1:5353.")
    ] = None,
    home: HomeOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print what a program can read.")] = False,
) -> None:
    """Check products, scenarios, emails, the plan and sources; exit 1 when something is wrong, not for a warning.

    With a database at hand it says, too, what a change must say of those under way, and whom it lets in and puts out
    beside the definitions that last ran; nothing is changed. With --live it says what only the world outside can:
    whether mails may leave, arrive and be refused.
    """
    if live:
        check_live(product, resolver, home, as_json)
        return
    from nurture.definitions.load import include_root

    checked, found = _check(include_root(), product, home)
    if as_json:
        told = {**vars(checked), "effects": None if found is None else [each._asdict() for each in found]}
        typer.echo(json.dumps(told, default=vars, ensure_ascii=False, indent=2))
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
        for line in [NO_DATABASE] if found is None else found:
            typer.echo(str(line))
    if checked.problems:
        sys.exit(1)


def _check(root: Path, product: str | None, home: Path | None) -> "tuple[Checked, list[Effect] | None]":
    """Return what is wrong, and what the products in order would do to the leads (None where no database answers)."""
    from sqlalchemy.exc import OperationalError

    from nurture import db, versions
    from nurture.definitions.check import check as check_all
    from nurture.definitions.past import Past
    from nurture.definitions.products import Product
    from nurture.effect import effects
    from nurture.proofread import proofread

    now = datetime.now(UTC)
    today = now.astimezone().date()
    loaded: list[Product] = []
    try:
        with db.engine(stack_environment(home)["NURTURE_DSN"]).connect() as conn:

            def past_of(found: Product) -> Past:
                loaded.append(found)
                return versions.past(conn, found)

            checked = check_all(root, proofread, product, today=today, past_of=past_of)
            in_order = [found for found in loaded if found.product in checked.products]
            return checked, [each for found in in_order for each in effects(conn, found, now)]
    except (Problem, OperationalError):
        return check_all(root, proofread, product, today=today), None


def _count(number: int, what: str) -> str:
    return f"{number or 'no'} {what}{'' if number == 1 else 's'}"
