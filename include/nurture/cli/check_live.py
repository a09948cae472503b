"""`nurture check --live`: a line a finding, as each is found."""

import json
import sys
from pathlib import Path

import typer

from nurture.cli.run import stack_environment
from nurture.problem import Problem


def check_live(product: str | None, place: str | None, home: Path | None, as_json: bool) -> None:
    """Say what only the world outside can say of every product, or of one; exit 1 when something fails."""
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
