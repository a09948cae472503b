"""The command `nurture plan show`: a product's year of mails as a table, with what is ready, due and sent."""

import json
from datetime import UTC, datetime
from typing import Annotated

import typer

from nurture.cli.run import AsOfOption, HomeOption, JsonOption, moment_of, stack_environment
from nurture.problem import Problem

_ENOUGH = 500  # columns: a narrower window wraps the lines rather than the words

plan = typer.Typer(help="The year's dated mails.", no_args_is_help=True)


@plan.command("show")
def show_plan(
    product: Annotated[str, typer.Argument(help="The product's folder.")],
    as_of: AsOfOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the year month by month: each mail, its segment and type, and how far it is. Reviews stand between."""
    from rich.console import Console
    from rich.measure import Measurement
    from rich.table import Table

    from nurture import db
    from nurture import plan as stage
    from nurture.definitions.load import load_products
    from nurture.definitions.nearest import instead

    loaded = load_products()
    if product not in loaded.products:
        broken = loaded.problems.get(product)
        raise Problem(str(broken[0]) if broken else f"no product {product!r}: {instead(product, loaded.products)}")
    asked = loaded.products[product]
    calendar = loaded.company.calendars[asked.calendar]
    now = moment_of(as_of) if as_of else datetime.now(UTC)
    try:
        dsn = stack_environment(home)["NURTURE_DSN"]
    except Problem:
        counts, sizes = None, {}
    else:
        with db.engine(dsn).connect() as conn:
            counts, sizes = stage.counts(conn, asked)
    rows = stage.year(asked, calendar, now, counts, sizes)
    if as_json:
        typer.echo(json.dumps([row._asdict() for row in rows], default=str, ensure_ascii=False, indent=2))
        return
    table = Table(title=f"{asked.name} ({product})", box=None, pad_edge=False)
    for name in ("day", "what", "mail", "to", "type", "state"):
        table.add_column(name, no_wrap=True)
    for name in ("people", "sent", "waiting", "not sent"):
        table.add_column(name, justify="right", no_wrap=True)
    month = ""
    for row in rows:
        if f"{row.date:%Y-%m}" != month:
            month = f"{row.date:%Y-%m}"
            table.add_section()
        numbers = (f"{number:,}" if number else "" for number in (row.people, row.sent, row.waiting, row.not_sent))
        table.add_row(f"{row.date}", row.name, row.email, row.to, row.mail_type, row.state, *numbers)
    console = Console()
    console.width = max(console.width, Measurement.get(console, console.options.update(width=_ENOUGH), table).maximum)
    console.print(table)
    if counts is None:
        typer.echo("The stack is down, so what was sent is not known: `nurture up`")
