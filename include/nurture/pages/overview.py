"""Overview: what the first page shows, read in a few statements and named in the business's words."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from nurture import db, reporting
from nurture.definitions.load import Loaded

DAYS = 30
RUNS = 12
OUTCOMES = ("delivered", "bounced", "opened", "clicked", "replied", "unsubscribed", "complained")
NOTHING: Mapping[str, int] = dict.fromkeys(
    (
        "enrolled", "walking", "accepted", "planned", "unknown", "refused", "not_sent", "qualified", "handed_off",
        "sales_accepted", "won",
    ),
    0,
)  # fmt: skip


@dataclass(frozen=True)
class Mails:
    """A product's mails over the last days: totals, and how many were sent on each day."""

    totals: dict[str, int]
    days: list[tuple[date, int]]


@dataclass(frozen=True)
class Row:
    """A product on the page."""

    slug: str
    name: str
    is_broken: bool
    numbers: Mapping[str, Any]
    not_sent: list[Mapping[str, Any]]
    planned: list[Mapping[str, Any]]
    revenue: list[Mapping[str, Any]]
    mails: Mails


@dataclass(frozen=True)
class Overview:
    """Everything on the page; every moment is to be shown in `zone`, or in the zone of the run's product."""

    at: datetime
    zone: ZoneInfo
    rows: list[Row]
    runs: list[dict[str, Any]]
    zones: Mapping[str, ZoneInfo]


def read(conn: sa.Connection, loaded: Loaded, at: datetime, may_read: Callable[[str], bool]) -> Overview:
    """Read what the page shows at a moment, of the products that may be read."""
    zones = {slug: product.zone for slug, product in loaded.products.items()}
    first = next(iter(zones.values()), ZoneInfo("UTC"))
    numbers = {row["product"]: row for row in reporting.overview(conn)}
    slugs = [slug for slug in sorted({*zones, *loaded.problems, *numbers}) if may_read(slug)]
    sql = db.statements("pages")
    reasons = db.run(conn, sql.reasons).mappings().all()
    revenue = db.run(conn, sql.revenue).mappings().all()
    wanted = db.as_json({slug: str(zones.get(slug, first)) for slug in slugs})
    mails = db.run(conn, sql.daily_mails, zones=wanted, at=at, days=DAYS).mappings().all()

    def of(rows: Any, slug: str, **others: str) -> list[Mapping[str, Any]]:
        return [r for r in rows if r["product"] == slug and all(r[name] == value for name, value in others.items())]

    return Overview(
        at=at,
        zone=first,
        zones=zones,
        rows=[
            Row(
                slug=slug,
                name=loaded.products[slug].name if slug in loaded.products else slug,
                is_broken=slug in loaded.problems,
                numbers=numbers.get(slug, NOTHING),
                not_sent=of(reasons, slug, kind="not_sent"),
                planned=of(reasons, slug, kind="planned"),
                revenue=of(revenue, slug),
                mails=_mails(of(mails, slug), at.astimezone(zones.get(slug, first)).date()),
            )
            for slug in slugs
        ],
        runs=[
            dict(run)
            for run in db.run(conn, sql.latest_runs, how_many=RUNS).mappings()
            if run["product"] is None or run["product"] in slugs
        ],
    )


def _mails(rows: list[Mapping[str, Any]], today: date) -> Mails:
    sent = {row["day"]: row["accepted"] for row in rows}
    days = [today - timedelta(days=ago) for ago in reversed(range(DAYS))]
    totals = {name: sum(row[name] for row in rows) for name in ("accepted", *OUTCOMES)}
    return Mails(totals, [(day, sent.get(day, 0)) for day in days])
