"""Commands about sending that need a person: `nurture sends held`, `pause`, `resume`, `approve`, after a restore."""

import getpass
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from nurture.cli.run import HomeOption, JsonOption, moment_of, stack_environment
from nurture.problem import Problem

if TYPE_CHECKING:
    from pathlib import Path

    import sqlalchemy as sa

sends = typer.Typer(help="Sending, where it needs a person.", no_args_is_help=True)

Decision = Literal["accepted", "planned", "cancelled"]
DomainOption = Annotated[str | None, typer.Option("--domain", help="All that leaves from a sending domain.")]


@sends.command("pause")
def pause(
    product: Annotated[str | None, typer.Argument(help="One product; left out, all sending.")] = None,
    domain: DomainOption = None,
    why: Annotated[str, typer.Option("--why", help="Shown to whoever wonders.")] = "",
    home: HomeOption = None,
) -> None:
    """Hold all sending, or a product's, or a sending domain's: within a second, and nothing is lost."""
    from nurture import holds

    scope, key = _whose(product, domain)
    evidence = f"by {getpass.getuser()}" + (f": {why}" if why else "")
    with _database(home) as conn:
        holds.hold(conn, scope, key, "paused", evidence, datetime.now(UTC))
        conn.commit()
    typer.echo(f"Paused: {_words(scope, key)}. What is due stays planned; `nurture sends resume` lets it go.")


@sends.command("resume")
def resume(
    product: Annotated[str | None, typer.Argument(help="One product; left out, everything that is held.")] = None,
    domain: DomainOption = None,
    home: HomeOption = None,
) -> None:
    """End what holds a product, a sending domain, or everything; a breaker counts anew from now."""
    from nurture import holds

    scope, key = _whose(product, domain)
    with _database(home) as conn:
        ended = holds.resume(conn, scope, key, getpass.getuser(), datetime.now(UTC))
        left = holds.every_hold(conn, datetime.now(UTC))
        conn.commit()
    for ended_scope, ended_key, reason in ended:
        typer.echo(f"Ended: {_words(ended_scope, ended_key)} ({reason})")
    if not ended:
        typer.echo(f"Nothing held {_words(scope, key)}.")
    for still in left:
        typer.echo(f"Still: {still.words}; {still.mend}")


@sends.command("held")
def list_held(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """List what holds sending, and the requests of which nobody knows whether they were taken."""
    from nurture import db, holds

    with _database(home) as conn:
        open_holds = holds.every_hold(conn, datetime.now(UTC))
        requests = db.run(conn, db.statements("settlement").held).mappings().all()
    if as_json:
        told = {"holds": [hold._asdict() for hold in open_holds], "requests": [dict(row) for row in requests]}
        typer.echo(json.dumps(told, indent=2, default=str))
        return
    for hold in open_holds:
        until = f" until {hold.until:%F %R}Z" if hold.until else f"; {hold.mend}"
        typer.echo(f"{hold.words}{until}")
    for row in requests:
        typer.echo(
            f"request {row['request_id']}: {row['member_count']:,} × {row['email']} of {row['product']} "
            f"at {row['at']:%F %R}Z, {row['answer']}; nurture sends settle {row['request_id']}"
        )
    if not open_holds and not requests:
        typer.echo("Nothing is held.")


@sends.command("alerts")
def list_alerts(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """List the troubles of now, as the newest look found them, and whether anybody was told."""
    from nurture import alerts

    with _database(home) as conn:
        found = alerts.open_alerts(conn)
    if as_json:
        typer.echo(json.dumps([alert._asdict() for alert in found], indent=2, default=str))
        return
    for alert in found:
        told = f"told {alert.told_at:%F %R}Z" if alert.told_at else "nobody was told"
        typer.echo(f"{alert.what}; since {alert.raised_at:%F %R}Z, {told}; {alert.mend}")
    if not found:
        typer.echo("No trouble is known.")


@sends.command("settle")
def settle_request(
    request: int,
    accepted: Annotated[bool, typer.Option("--accepted", help="They were sent.")] = False,
    planned: Annotated[bool, typer.Option("--not-sent", help="They were not sent: plan them again.")] = False,
    cancelled: Annotated[bool, typer.Option("--cancel", help="Nobody knows: never send them.")] = False,
    home: HomeOption = None,
) -> None:
    """Decide what became of a request that nobody could settle by evidence."""
    from nurture import settlement

    answers: dict[Decision, bool] = {
        "accepted": accepted, "planned": planned, "cancelled": cancelled,
    }  # fmt: skip
    chosen: list[Decision] = [answer for answer, given in answers.items() if given]
    if len(chosen) != 1:
        raise Problem("say one of --accepted, --not-sent, --cancel")
    with _database(home) as conn:
        changed = settlement.settle_by_hand(conn, request, chosen[0], getpass.getuser(), datetime.now(UTC))
    if changed == 0:
        raise Problem(f"request {request} is not held: `nurture sends held` lists those that are")
    typer.echo(f"{changed:,} messages settled: {chosen[0]}")


@sends.command("approvals")
def list_approvals(
    product: Annotated[str | None, typer.Argument(help="One product; left out, all.")] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the content that waits for a person's yes."""
    from nurture import approvals

    with _database(home) as conn:
        waiting = approvals.waiting(conn, product)
    if as_json:
        typer.echo(json.dumps([asked._asdict() for asked in waiting], indent=2, default=str, ensure_ascii=False))
        return
    for asked in waiting:
        typer.echo(
            f"{asked.approval_id}: {asked.email} of {asked.product} to {asked.audience_size:,} ({asked.reason}), "
            f"asked {asked.asked_at:%F %R}Z; nurture preview {asked.product} {asked.email}"
        )
    if not waiting:
        typer.echo("Nothing waits for approval.")


@sends.command("approve")
def approve(approval: int, home: HomeOption = None) -> None:
    """Say yes to content that waits: it leaves with the next run."""
    _answer(approval, "yes", home)


@sends.command("deny")
def deny(approval: int, home: HomeOption = None) -> None:
    """Say no to content that waits: it is not sent until it is corrected, and expires."""
    _answer(approval, "no", home)


@sends.command("hold-after-restore")
def hold_after_restore(
    backup: Annotated[str, typer.Option("--backup", help="When the backup was made: 2026-11-20T03:00:00+09:00.")],
    home: HomeOption = None,
) -> None:
    """Hold all sending after an older database came back, and take in what the provider sent since its backup.

    May be run again and goes on. When it says that all is known, and the webhooks of the last 72 hours have come in,
    `nurture sends resume` lets sending go on.
    """
    from nurture import restore
    from nurture.answers import Refused, Unanswered
    from nurture.pipeline import Edges

    at, since = datetime.now(UTC), moment_of(backup)
    account = Edges.of_environment(stack_environment(home)).sendgrid
    with _database(home) as conn:
        restore.hold_after_restore(conn, since, at)
        typer.echo("All sending is held. Asking SendGrid's Logs what was sent since the backup ...")
        try:
            taken = restore.take_in_sent(conn, since, at, account.logged_between, account.logged_arguments)
        except (Refused, Unanswered) as error:
            raise Problem(f"{error}; sending stays held: run this again to go on") from error
    typer.echo(f"{taken.mails:,} mails of {taken.requests:,} requests are known now and are not sent again.")
    for second in taken.incomplete:
        typer.echo(f"The Logs do not list all of {second:%F %T}Z: hold what was due then until its webhooks are in.")
    typer.echo("When the webhooks since the backup have come in: nurture sends resume")


def _answer(approval: int, said: Literal["yes", "no"], home: "Path | None") -> None:
    from nurture import approvals

    with _database(home) as conn:
        if not approvals.answer(conn, approval, said, getpass.getuser(), datetime.now(UTC)):
            raise Problem(f"{approval} waits for no answer: `nurture sends approvals` lists what does")
        conn.commit()
    typer.echo("Approved: it leaves with the next run." if said == "yes" else "Denied: it is not sent as it is.")


def _whose(product: str | None, domain: str | None) -> tuple[Literal["everything", "product", "domain"], str]:
    from nurture.definitions.load import load_products
    from nurture.definitions.nearest import instead

    if product and domain:
        raise Problem("say a product or --domain, not both")
    if domain:
        return "domain", domain.lower()
    if product is None:
        return "everything", ""
    loaded = load_products()
    known = {*loaded.products, *loaded.problems}
    if product not in known:
        raise Problem(f"no product {product!r}: {instead(product, known)}")
    return "product", product


def _words(scope: str, key: str) -> str:
    return {"everything": "all sending", "product": f"product {key}", "domain": f"sending from {key}"}[scope]


@contextmanager
def _database(home: "Path | None") -> Iterator["sa.Connection"]:
    from nurture import db

    with db.engine(stack_environment(home)["NURTURE_DSN"]).connect() as conn:
        yield conn
