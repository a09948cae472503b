"""The command `nurture simulate`: what a definition would do, before it does it."""

import json
import sys
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nurture.cli.run import AsOfOption, HomeOption, JsonOption, moment_of, stack_environment
from nurture.problem import Problem

if TYPE_CHECKING:
    from nurture.definitions.products import Product
    from nurture.played import Simulation

app = typer.Typer()
MOST = 10  # rows of a table; `--json` has all


@app.command()
def simulate(
    product: Annotated[str, typer.Argument(help="The product's folder.")],
    first: Annotated[str, typer.Option("--from", help="The first day: 2026-12-01.")],
    last: Annotated[str, typer.Option("--to", help="The last day.")],
    other: Annotated[
        Path | None,
        typer.Option("--with", exists=True, help="A changed scenario or product.yaml, or another folder."),
    ] = None,
    alone: Annotated[bool, typer.Option("--alone", help="Play no other product: quicker.")] = False,
    chart: Annotated[Path | None, typer.Option("--chart", help="Write the mails of each day there, as SVG.")] = None,
    as_of: AsOfOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Play a product over some days, as it stands or changed: who is enrolled, mailed, held back, handed off.

    Nothing is sent or written. Nobody reacts to a simulated mail; what people did already counts.
    """
    from nurture import db
    from nurture.definitions.changed import changed_product
    from nurture.definitions.load import include_root, load_products
    from nurture.definitions.nearest import instead
    from nurture.simulate import simulate as play

    begins, ends = _day(first), _day(last)
    if ends < begins:
        raise Problem(f"--to {ends} is before --from {begins}")
    loaded = load_products()
    if product in loaded.problems:
        raise Problem(f"product {product!r} is broken: {loaded.problems[product][0]}")
    if product not in loaded.products:
        raise Problem(f"no product {product!r}: {instead(product, loaded.products)}")
    asked = loaded.products[product]
    changed = changed_product(include_root(), product, other) if other else None
    days = (ends - begins).days + 1
    with (
        db.engine(stack_environment(home)["NURTURE_DSN"]).connect() as conn,
        typer.progressbar(length=days * (2 if changed else 1), label=f"Playing {product}", file=sys.stderr) as bar,
    ):
        found = play(
            conn, loaded, product, begins, ends, changed, lambda _: bar.update(1),
            today=moment_of(as_of).astimezone(asked.zone).date(), alone=alone,
        )  # fmt: skip
    if chart:
        from nurture.simulate_chart import draw

        chart.write_text(draw(found, asked.name), "utf-8")
    if as_json:
        typer.echo(json.dumps(found.as_dict(), ensure_ascii=False, indent=2, default=str))
        return
    _tell(found, asked, str(chart) if chart else "")


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise Problem(f"{text!r} is not a day: write it as 2026-12-01") from error


def _tell(found: "Simulation", product: "Product", chart: str) -> None:
    """Print the tables, each number with its difference where a definition was changed."""
    before, after = found.in_force, found.changed or found.in_force
    now, then = after.totals(), before.totals()
    is_changed = found.changed is not None
    typer.echo(
        f"{product.name}, {before.first} to {before.last}" + (", changed (± as it stands)" if is_changed else "")
    )

    def number(new: int, old: int) -> str:
        return f"{new:,}" + (f" ({new - old:+,})" if is_changed and new != old else "")

    words = {"enrolled": "enrolled", "mails": "mails", "people": "people mailed", "qualified": "ready for sales",
             "handed_off": "handed off"}  # fmt: skip
    typer.echo(" · ".join(f"{number(now[key], then[key])} {said}" for key, said in words.items()))
    old = {row["scenario"]: row for row in before.scenarios}
    _table(
        ("Scenario", "enrolled", "held out", "under way", "ended"),
        (
            (
                row["scenario"],
                *(
                    number(row[key], old.get(row["scenario"], {}).get(key, 0))
                    for key in ("enrolled", "held_out", "under_way")
                ),
                ", ".join(f"{many:,} {why}" for why, many in row["ended"].items()) or "-",
            )
            for row in after.scenarios
        ),
    )
    olds = {row["day"]: row for row in before.days}
    keys = ("enrolled", "mails", "qualified", "handed_off")
    _table(
        ("Day", "enrolled", "mails", "ready", "handed off"),
        (
            (f"{row['day']:%m-%d %a}", *(number(row[key], olds[row["day"]][key]) for key in keys))
            for row in after.days
            if any(row[key] or olds[row["day"]][key] for key in keys)
        ),
    )
    for title, key in (("Mail type", "mail_type"), ("Email", "email")):
        _table((title, "mails"), _pairs(before.by(key), after.by(key), number))
    _table(("Domain", "mails"), _pairs(before.domains, after.domains, number))
    _table(
        ("Held back", "mails", "sent later", "waiting", "never sent"),
        (
            (row["reason"], *(f"{row[key]:,}" for key in ("mails", "sent_later", "waiting", "never_sent")))
            for row in after.held_back
        ),
    )
    for note in after.notes:
        typer.echo(f"note: {note}")
    if chart:
        typer.echo(f"\nChart: {chart}")


def _pairs(before: dict[str, int], after: dict[str, int], number: Any) -> list[tuple[str, str]]:
    names = sorted({*before, *after}, key=lambda name: (-after.get(name, 0), name))
    return [(name, number(after.get(name, 0), before.get(name, 0))) for name in names]


def _table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> None:
    """Print a table whose first column is words and whose others are numbers; nothing when it has no rows."""
    listed = list(rows)
    if not listed:
        return
    shown, hidden = listed[:MOST], len(listed) - MOST
    if heads[0] == "Day":
        shown, hidden = listed, 0
    widths = [max(len(row[column]) for row in [heads, *shown]) for column in range(len(heads))]
    for row in [heads, *shown]:
        cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        typer.echo(("\n" if row is heads else "") + "  ".join(cells).rstrip())
    if hidden > 0:
        typer.echo(f"and {hidden:,} more: --json lists them")
