"""Commands about people: `nurture leads show`, `export`, `erase`, `review`, `unmerge`; names stay on the terminal."""

import getpass
import json
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

import typer

from nurture.cli.run import AsOfOption, HomeOption, JsonOption, moment_of, stack_environment
from nurture.problem import Problem

leads = typer.Typer(help="Who is who, and all that is known of one.", no_args_is_help=True)
_SHOWN = (
    ("name", "kana", "company", "department", "title", "email", "mobile", "phone", "postal_code")
)  # fmt: skip


class Said(StrEnum):
    """What a person answers."""

    yes = "yes"
    no = "no"
    not_sure = "not-sure"


@leads.command("review")
def review_pairs(
    review: Annotated[int | None, typer.Argument(help="A pair's number; left out, the pairs are listed.")] = None,
    said: Annotated[Said | None, typer.Argument(help="Are they one person?")] = None,
    at_most: Annotated[int, typer.Option("--at-most", help="List so many pairs.")] = 20,
    labels: Annotated[bool, typer.Option("--labels", help="How people answered, by kind of evidence.")] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """List pairs of records that may be one person's, side by side, or answer one: yes merges, no parts for ever."""
    from nurture import db, reviews

    with db.engine(stack_environment(home)["NURTURE_DSN"]).connect() as conn:
        if review is not None:
            if said is None:
                raise Problem(f"say yes, no or not-sure: `nurture leads review {review} yes`")
            try:
                now = reviews.answer(
                    conn, review, "not_sure" if said is Said.not_sure else said.value, _who(), datetime.now(UTC)
                )
            except LookupError as error:
                raise Problem(f"no pair {review} waits: `nurture leads review` lists those that do") from error
            except ValueError as error:
                raise Problem(str(error)) from error
            conn.commit()
            typer.echo(f"pair {review}: {said.value}" + (f", both are lead {now}" if now else ""))
            return
        found = reviews.labels(conn) if labels else reviews.waiting(conn, at_most)
    if as_json:
        typer.echo(json.dumps(found, ensure_ascii=False, indent=2, default=str))
        return
    if labels:
        typer.echo("\n".join(_label(row) for row in found) or "Nobody was asked anything yet.")
        return
    for pair in found:
        typer.echo(_side_by_side(pair))
    typer.echo("`nurture leads review NUMBER yes|no|not-sure` answers one." if found else "No pair waits.")


@leads.command("show")
def show_lead(
    lead: int,
    as_of: AsOfOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show a person: every value with the record that it came from and why it won, mailboxes, consents, refusals."""
    from nurture import db
    from nurture import leads as people

    with db.engine(stack_environment(home)["NURTURE_DSN"]).connect() as conn:
        found = people.show(conn, lead, None if as_of is None else moment_of(as_of))
    if found is None:
        raise Problem(f"there is no lead {lead}")
    if as_json:
        typer.echo(json.dumps(found, ensure_ascii=False, indent=2, default=str))
        return
    typer.echo(_shown(found, lead))


@leads.command("export")
def export_lead(lead: int, home: HomeOption = None) -> None:
    """Print all that is kept about a person as JSON, to be given to the person."""
    from nurture import db
    from nurture import leads as people

    with db.engine(stack_environment(home)["NURTURE_DSN"]).connect() as conn:
        found = people.export(conn, lead)
    if found is None:
        raise Problem(f"there is no lead {lead}")
    typer.echo(json.dumps(found, ensure_ascii=False, indent=2, default=str))


@leads.command("erase")
def erase_lead(
    lead: int,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask whether it is meant.")] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Erase a person from every table but the counts; what they refused holds when their address comes back."""
    from nurture import db, erasures

    environment = stack_environment(home)
    if not (key := environment.get("NURTURE_TOKEN_KEY", "").encode()):
        raise Problem("no token key: set NURTURE_TOKEN_KEY, under which refusals outlive an erasure")
    if not yes:
        typer.confirm(f"Erase lead {lead}? Nothing brings it back", abort=True)
    with db.engine(environment["NURTURE_DSN"]).connect() as conn:
        erased = erasures.erase(conn, lead, key, datetime.now(UTC))
        conn.commit()
    if erased is None:
        raise Problem(f"there is no lead {lead}")
    if as_json:
        typer.echo(json.dumps(erased))
        return
    typer.echo(f"erased: {erased['records']} records, {erased['addresses']} mailboxes")
    for link in erased["crm"]:
        typer.echo(f"the CRM still has the person as {link}: erase it there, too")


@leads.command("unmerge")
def unmerge_lead(lead: int, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Undo the newest merge of a lead; the two are never joined or proposed again."""
    from nurture import db, merges

    with db.engine(stack_environment(home)["NURTURE_DSN"]).connect() as conn:
        undone = merges.undo(conn, lead, _who(), datetime.now(UTC))
        conn.commit()
    if undone is None:
        raise Problem(f"lead {lead} has no merge to undo")
    if as_json:
        typer.echo(json.dumps(undone._asdict()))
        return
    typer.echo(f"leads {undone.survivor} and {undone.merged} are two again; both will be scored anew")


def _side_by_side(pair: dict[str, Any]) -> str:
    a, b = pair["a"], pair["b"]
    for_it = [name for name, value in pair["evidence"].items() if value is True]
    lines = [f"pair {pair['review_id']}: " + (", ".join(for_it) or str(pair["evidence"].get("rule", "")))]
    lines.append(f"  {'':<12} {'lead ' + str(a['lead_id']):<36} lead {b['lead_id']}")
    lines.append(f"  {'source':<12} {a['source'] + '/' + a['source_key']:<36} {b['source']}/{b['source_key']}")
    lines += [
        f"  {field:<12} {_clean(a['fields'].get(field)):<36} {_clean(b['fields'].get(field))}"
        for field in _SHOWN
        if a["fields"].get(field) or b["fields"].get(field)
    ]
    return "\n".join([*lines, ""])


def _label(row: dict[str, Any]) -> str:
    counts = ", ".join(
        f"{row[name + '_count']} {name.replace('_', ' ')}" for name in ("yes", "no", "not_sure", "waiting")
    )
    return f"{row['kind']}: {counts}; at least {row['least_share']:.0%} yes"


def _shown(lead: dict[str, Any], asked: int) -> str:
    """Return a lead for a terminal."""
    lines = [f"lead {lead['lead_id']}" + (f" (lead {asked} was merged into it)" if asked != lead["lead_id"] else "")]
    for row in lead["attributes"]:
        whence = f"{row['source']}/{row['source_key']}" if "source_key" in row else row["source"] or "-"
        on = f" of {row['occurred_at']:%Y-%m-%d}" if "occurred_at" in row else ""
        lines.append(f"  {row['field']:<20} {_clean(row['value']):<30} {_clean(whence)}{on}: {row['why']}")
    for row in lead["addresses"]:
        marks = [name for name in ("primary", "role", "shared") if row[f"is_{name}"]]
        marks += [_clean(row[name]) for name in ("unmailable_reason", "suppressed") if row[name]]
        lines.append(f"  mailbox   {_clean(row['address'])}" + (f" ({', '.join(marks)})" if marks else ""))
    for row in lead["consents"]:
        lines.append(
            f"  consent   {row['basis']} for {_clean(row['address'])}, {row['occurred_at']:%Y-%m-%d},"
            f" {_clean(row['source'])}: {_clean(row['evidence'])}"
        )
    for row in lead["refusals"]:
        ended = f", ended {row['ended_at']:%Y-%m-%d}" if row["ended_at"] else ""
        lines.append(
            f"  refusal   {row['product']} × {row['mail_type']}, {row['occurred_at']:%Y-%m-%d}{ended}, {row['how']}:"
            f" {_clean(row['evidence'])}"
        )
    for row in lead["merges"]:
        undone = f", undone {row['undone_at']:%Y-%m-%d}" if row["undone_at"] else ""
        lines.append(
            f"  merge     lead {row['merged_id']} into {row['survivor_id']}, {row['merged_at']:%Y-%m-%d}{undone}:"
            f" {_clean(row['reason'])}"
        )
    for row in lead["versions"]:
        lines.append(f"  version {row['version']} known {row['as_of']:%Y-%m-%d %H:%M}: {', '.join(row['changed'])}")
    return "\n".join(lines)


def _clean(value: Any) -> str:
    """Return a value without what a terminal would obey."""
    return "".join(letter for letter in str(value or "-") if letter.isprintable())


def _who() -> str:
    return getpass.getuser()
