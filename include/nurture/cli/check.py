"""The command `nurture check`: everything that is wrong with what marketing wrote, in one run."""

import json
import sys
from pathlib import Path
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
    live: Annotated[
        bool, typer.Option("--live", help="Check the key, the senders, their DNS and the receiver instead.")
    ] = False,
    resolver: Annotated[
        str | None, typer.Option("--resolver", help="With --live, the DNS server to ask: 192.0.2.1 or 192.0.2.1:5353.")
    ] = None,
    home: HomeOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print what a program can read.")] = False,
) -> None:
    """Check products, scenarios, emails and sources; exit 1 when something is wrong, 0 when there are warnings only.

    With --live, check what only the world outside can say: whether mails may leave, arrive and be refused.
    """
    if live:
        _check_live(product, resolver, home, as_json)
        return
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


def _check_live(product: str | None, place: str | None, home: Path | None, as_json: bool) -> None:
    from nurture import live
    from nurture.definitions.load import load_products
    from nurture.definitions.nearest import instead
    from nurture.pipeline import Edges

    edges = Edges.of_environment(stack_environment(home))
    products = load_products().products
    if product is not None and product not in products:
        raise Problem(f"no product {product!r}: {instead(product, products)}")
    senders = [each.sender.email for name, each in products.items() if product in (None, name)]
    findings = []
    for finding in live.check(edges.sendgrid, senders, edges.links, live.resolver_at(place)):
        findings.append(finding)
        if not as_json:
            typer.echo(str(finding), err=not finding.is_well)
    failed = sum(not finding.is_well for finding in findings)
    if as_json:
        typer.echo(json.dumps([finding._asdict() for finding in findings], ensure_ascii=False, indent=2))
    else:
        typer.echo(f"{len(findings) - failed} in order, {failed} not.")
    if failed:
        sys.exit(1)


def _count(number: int, what: str) -> str:
    return f"{number or 'no'} {what}{'' if number == 1 else 's'}"
