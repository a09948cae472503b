"""The commands `nurture segments`: who is in a product's segments, and who was."""

import datetime as dt
import json
from typing import Annotated, Any

import typer

from nurture.cli.run import HomeOption, JsonOption, moment_of, products_of, stack_environment, work_of
from nurture.problem import Problem

segments = typer.Typer(help="Who is in a product's segments.", no_args_is_help=True)

_AsOf = Annotated[
    str | None, typer.Option("--as-of", help="That day's members, as in 2026-11-20, or those of a moment.")
]


@segments.command("show")
def show_segments(
    product: str,
    segment: Annotated[str | None, typer.Argument(help="One segment, with some of its members.")] = None,
    as_of: _AsOf = None,
    sample: Annotated[int, typer.Option("--sample", min=0, help="How many members of the one segment.")] = 10,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say how many are in each segment and what the last run changed; of one segment also who some of them are."""
    from nurture import db
    from nurture.definitions.meaning import audiences
    from nurture.definitions.nearest import instead

    with db.engine(stack_environment(home)["NURTURE_DSN"]).connect() as conn:
        work = work_of(conn, home, dt.datetime.now(dt.UTC))
        products_of(work, product)
        defined = work.loaded.products[product]
        moment = _end_of_day(as_of, defined.zone)
        sql = db.statements("segments")
        asked: dict[str, Any] = {"product": product, "segment": segment, "as_of": moment}
        found = [dict(row) for row in db.run(conn, sql.newest_refreshes, **asked).mappings()]
        if segment is not None and not found and segment not in audiences(defined):
            raise Problem(f"no segment {segment!r} of {product}: {instead(segment, audiences(defined))}")
        for row in found:
            row["size"] = db.run(conn, sql.count_at, **{**asked, "segment": row["segment"]}).scalar_one()
        members: list[dict[str, Any]] = []
        if segment is not None:
            members = [dict(row) for row in db.run(conn, sql.sample, **asked, number=sample).mappings()]
    if as_json:
        told: Any = found if segment is None else {**(found[0] if found else {}), "sample": members}
        typer.echo(json.dumps(told, ensure_ascii=False, indent=2, default=str))
        return
    for row in found:
        typer.echo(
            f"{row['segment']:<28} {row['size']:>9,}  +{row['joined']:,} -{row['departed']:,}"
            f" in the run of {row['as_of'].astimezone(defined.zone):%F %R}"
        )
    for row in members:
        who = " · ".join(row[part] for part in ("company", "name", "department_function", "title_level") if row[part])
        typer.echo(f"  lead {row['lead_id']:<9} since {row['joined_at'].astimezone(defined.zone):%F}  {who}")
    if not found:
        when = "yet" if as_of is None else f"by {as_of}"
        typer.echo(f"No segment of {product} was refreshed {when}: `nurture run segments {product}`")


def _end_of_day(text: str | None, zone: dt.tzinfo) -> dt.datetime:
    """Return the moment that a person named; of a day its end, in the product's zone."""
    try:
        day = dt.date.fromisoformat(text or "")
    except ValueError:
        return moment_of(text)
    return dt.datetime.combine(day + dt.timedelta(days=1), dt.time.min, zone) - dt.timedelta(microseconds=1)
