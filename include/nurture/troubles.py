"""Troubles: what people must hear of, found in the database at a moment, and over when it is found no more.

A breaker that opened, and a rate that nears it, are raised where they happen (`nurture.holds`).
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, time, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from croniter import croniter

from nurture import alerts, db
from nurture.definitions.products import Product

KINDS = ("failed", "missed", "stuck", "unknown", "unsent", "approval")

BEGINS_WITHIN = timedelta(hours=1)  # of its moment; a scheduler that was restarted, or a full pool, takes minutes
ENDS_WITHIN = timedelta(hours=6)
UNKNOWN_GRACE = timedelta(hours=1)  # evidence against takes 30 minutes (N3), and the next pulse must have looked
LOOK_BACK = timedelta(days=14)  # for plan entries whose day has passed: longer than any `send_within` in use


class Trouble(NamedTuple):
    """What, how many, why; and the command or page that mends it."""

    kind: str
    key: str
    product: str | None
    what: str
    mend: str


def look(
    conn: sa.Connection, products: Mapping[str, Product], schedules: Mapping[str, tuple[str, str]], at: datetime
) -> dict[str, int]:
    """Keep every trouble of a moment as an alert, and end those that are over; the caller commits.

    `schedules` are the DAGs that serve all products: name to (cron, time zone). Returns counts: new, over, open.
    """
    found = list(find(conn, products, schedules, at))
    new = sum(alerts.raise_alert(conn, each.kind, each.key, each.what, each.mend, at, each.product) for each in found)
    over = alerts.end_others(conn, KINDS, ((each.kind, each.key) for each in found), at)
    return {"new": new, "over": over, "open": len(alerts.open_alerts(conn))}


def find(
    conn: sa.Connection, products: Mapping[str, Product], schedules: Mapping[str, tuple[str, str]], at: datetime
) -> Iterator[Trouble]:
    """Yield every trouble of a moment."""
    sql = db.statements("troubles")
    for row in db.run(conn, sql.failed_tasks, at=at):
        yield _failed(row)
    for row in db.run(conn, sql.missed_runs, expected=db.json_rows(_expected(products, schedules, at))):
        yield Trouble(
            "missed", row.dag, row.product,
            f"{row.dag} should have run for {_utc(row.as_of)} and has not begun within {_hours(BEGINS_WITHIN)}; its "
            f"newest run is of {_utc(row.newest_as_of)}",
            f"in Airflow see whether {row.dag} is paused, and `nurture status` whether the scheduler runs",
        )  # fmt: skip
    for row in db.run(conn, sql.stuck_runs, at=at, patience=ENDS_WITHIN):
        yield Trouble(
            "stuck", f"{row.dag} {row.as_of.isoformat()}", row.product,
            f"{row.dag} of {_utc(row.as_of)} began {_utc(row.begun_at)} and has not ended within "
            f"{_hours(ENDS_WITHIN)}",
            f"in Airflow open the running task of {row.dag}; cleared, it goes on where it was",
        )  # fmt: skip
    for row in db.run(conn, sql.old_unknowns, at=at, grace=UNKNOWN_GRACE):
        yield Trouble(
            "unknown", row.product, row.product,
            f"{row.mails:,} mails of {row.product} in {row.requests:,} requests have no certain answer since "
            f"{_utc(row.oldest_at)}: {row.answer}; they are not sent again on a guess",
            f"nurture sends held; then nurture sends settle {row.request_id} --accepted, --not-sent or --cancel",
        )  # fmt: skip
    for row in db.run(conn, sql.passed_entries, at=at, entries=db.json_rows(_passed(products, at))):
        yield _unsent(row)
    for row in db.run(conn, sql.waiting_approvals):
        yield Trouble(
            "approval", row.product, row.product,
            f"{row.questions:,} mails' content of {row.product}, to {row.mails:,} readers, waits for a person's yes "
            f"since {_utc(row.oldest_at)}; until then they are not sent",
            f"in Airflow: Required Actions; or nurture sends approvals {row.product}",
        )  # fmt: skip


def _failed(row: Any) -> Trouble:
    whose = f"{row.dag} of {_utc(row.as_of)}"
    unsent = f"; {row.unsent:,} mails are due and unsent" if row.unsent else ""
    task = f": task {row.task}" if row.task else ""
    where = f"task {row.task} of {row.dag}" if row.task else row.dag
    return Trouble(
        "failed", f"{row.dag} {row.task}".strip(), row.product, f"{whose} failed{task}: {row.why}{unsent}",
        f"in Airflow the log of {where} says more; the next run goes on, or clear it to go on now",
    )  # fmt: skip


def _unsent(row: Any) -> Trouble:
    entry = f"the plan's {row.entry} of {row.product} ({row.day:%F})"
    if row.mails == 0:
        what = f"{entry} was never planned: no run of the product came while it could be sent"
        return Trouble("unsent", f"{row.product} {row.entry}", row.product, what, "give the entry a later date")
    parts = [(row.unsent, "are due and unsent"), (row.expired, "became too late and are not sent any more")]
    counted = " and ".join(f"{number:,} {words}" for number, words in parts if number)
    why = f", such as one that was {row.reason}" if row.reason else ""
    return Trouble(
        "unsent", f"{row.product} {row.entry}", row.product, f"of {row.mails:,} mails of {entry}, {counted}{why}",
        "nurture sends held; nurture sends approvals; send_within in product.yaml says how late a mail may be",
    )  # fmt: skip


def _expected(
    products: Mapping[str, Product], schedules: Mapping[str, tuple[str, str]], at: datetime
) -> Iterator[dict[str, Any]]:
    """Yield each DAG's newest moment that should have a run by now."""
    due: list[tuple[str, str | None, str, str]] = [
        (f"nurture_{name}", name, each.schedule, each.timezone) for name, each in products.items()
    ]
    due += [(dag, None, *schedule) for dag, schedule in schedules.items()]
    for dag, product, schedule, zone in due:
        latest = (at - BEGINS_WITHIN).astimezone(ZoneInfo(zone)) + timedelta(seconds=1)
        yield {"dag": dag, "product": product, "as_of": croniter(schedule, latest).get_prev(datetime)}


def _passed(products: Mapping[str, Product], at: datetime) -> Iterable[dict[str, Any]]:
    """Yield the plan entries whose day has passed in their product's zone."""
    for name, product in products.items():
        for entry in product.plan:
            passed_at = datetime.combine(entry.date + timedelta(days=1), time(), product.zone)
            if at - LOOK_BACK < passed_at <= at:
                yield {"product": name, "entry": entry.name, "day": entry.date, "passed_at": passed_at}


def _utc(moment: datetime) -> str:
    return f"{moment:%F %R} UTC"


def _hours(span: timedelta) -> str:
    hours = span // timedelta(hours=1)
    return f"{hours} hour{'s' * (hours > 1)}"
