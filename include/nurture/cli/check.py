"""The command `nurture check`: everything that is wrong with what marketing wrote, in one run."""

import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from nurture.cli.check_live import check_live
from nurture.cli.run import HomeOption, stack_environment
from nurture.problem import Problem

if TYPE_CHECKING:
    import sqlalchemy as sa

    from nurture.definitions.check import Checked
    from nurture.definitions.past import Past
    from nurture.definitions.products import Company, Product
    from nurture.effect import Effect

app = typer.Typer()

NO_DATABASE = (
    "no database: what has run (in_flight, renamed steps, plan days that passed) and the effect on leads were not "
    "looked at"
)


class Week(NamedTuple):
    """How many leads a changed product mails from today on for seven days, and how many only it does, or no more."""

    product: str
    mailed: int
    only_now: int | None
    no_more: int | None

    def __str__(self) -> str:
        """Write the week for a person."""
        told = f"{self.product} this week: {_count(self.mailed, 'lead')} get a mail".replace(
            "1 lead get", "1 lead gets"
        )
        if self.only_now is None:
            return told + " (what ran last cannot be played any more, so there is no difference)"
        return told + f", {self.only_now:,} only by the change; {self.no_more:,} no longer"


class Words(NamedTuple):
    """A mail whose words have changed since it was sent last, and how many of it leave in the seven days from today."""

    product: str
    email: str
    mails: int

    def __str__(self) -> str:
        """Write them for a person."""
        return (
            f"{self.product} {self.email}: other words than were sent last, in {_count(self.mails, 'mail')} this week"
        )


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

    With a database at hand it says, too, what a change must say of those under way, whom it lets in and puts out
    beside the definitions that last ran, and, where nothing is wrong, how many leads it mails this week, and how many
    of this week's mails carry changed words; nothing is changed. With --live it says what only the world outside can:
    whether mails may leave, arrive and be refused.
    """
    if live:
        check_live(product, resolver, home, as_json)
        return
    from nurture.definitions.load import include_root

    checked, found, coming = _check(include_root(), product, home)
    if as_json:
        told = {**vars(checked), "effects": None if found is None else [each._asdict() for each in found]}
        told["weeks"] = [each._asdict() for each in coming if isinstance(each, Week)]
        told["words"] = [each._asdict() for each in coming if isinstance(each, Words)]
        typer.echo(json.dumps(told, default=vars, ensure_ascii=False, indent=2))
    else:
        for problem in checked.problems:
            typer.echo(str(problem), err=True)
        for warning in checked.warnings:
            typer.echo(f"warning: {warning}", err=True)
        for note in checked.notes:
            typer.echo(f"note: {note}")
        typer.echo(
            f"{_count(len(checked.problems), 'problem').capitalize()}. "
            + (f"{_count(len(checked.warnings), 'warning').capitalize()}. " if checked.warnings else "")
            + f"In order: {_count(len(checked.products), 'product')}, {_count(checked.scenarios, 'scenario')}, "
            f"{_count(checked.emails, 'email')}, {_count(checked.sources, 'source')}."
        )
        for line in [NO_DATABASE] if found is None else [*found, *coming]:
            typer.echo(str(line))
    if checked.problems:
        sys.exit(1)


def _check(
    root: Path, product: str | None, home: Path | None
) -> "tuple[Checked, list[Effect] | None, list[Week | Words]]":
    """Return what is wrong, what the products in order would do to the leads (None where no database answers), when."""
    from nurture.definitions.check import check as check_all
    from nurture.definitions.load import load_company
    from nurture.proofread import proofread

    now = datetime.now(UTC)
    today = now.astimezone().date()
    try:
        address = stack_environment(home)["NURTURE_DSN"]
    except Problem:  # then nothing that speaks to a database is imported: 0.3 s
        return check_all(root, proofread, product, today=today), None, []

    from sqlalchemy.exc import OperationalError

    from nurture import db, versions
    from nurture.effect import effects

    loaded: list[Product] = []
    try:
        with db.engine(address).connect() as conn:

            def past_of(found: "Product") -> "Past":
                loaded.append(found)
                return versions.past(conn, found)

            checked = check_all(root, proofread, product, today=today, past_of=past_of)
            wrong = "".join(problem.file + "\n" for problem in checked.problems)
            in_order = [found for found in loaded if found.product in checked.products]
            entering = [each for found in in_order for each in effects(conn, found, now)]
            company = load_company(root) if in_order else None
            played = [found for found in in_order if f"/{found.product}/" not in wrong]
            coming = [each for found in played if company for each in _week(conn, company, found, now)]
            return checked, entering, coming
    except (Problem, OperationalError):
        return check_all(root, proofread, product, today=today), None, []


def _week(conn: "sa.Connection", company: "Company", product: "Product", now: datetime) -> "Iterator[Week | Words]":
    """Play a product that has changed since it last ran from today on for seven days, beside what ran."""
    from nurture import versions
    from nurture.definitions.load import Loaded
    from nurture.effect import reworded
    from nurture.simulate import simulate

    old, words = versions.last_walked(conn, product), reworded(conn, product)
    conn.rollback()
    if old == "never" or (old == "the same" and not words):
        return
    first = now.astimezone(product.zone).date()
    last = first + timedelta(days=6)
    known = old if not isinstance(old, str) and old.calendar in company.calendars else None
    loaded = Loaded(company, {product.product: known or product})
    typer.echo(f"Playing a week of {product.product} …", err=True)
    played = simulate(conn, loaded, product.product, first, last, product if known else None, alone=True)
    week = played.changed or played.in_force
    if played.changed is not None:
        people = played.difference()["people"]
        yield Week(product.product, len(week.people), people["mailed_only_after"], people["mailed_only_before"])
    elif old != "the same":
        yield Week(product.product, len(week.people), None, None)
    mails = week.by("email")
    yield from (Words(product.product, email, mails.get(email, 0)) for email in words)


def _count(number: int, what: str) -> str:
    return f"{number or 'no'} {what}{'' if number == 1 else 's'}"
