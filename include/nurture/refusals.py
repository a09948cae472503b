"""Refusals: what the provider's own lists say is taken over, and who refused everything is told to it."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from nurture import db

# The account's own lists, and what being on one means.
LISTS = {
    "bounces": "bounced", "invalid_emails": "invalid", "spam_reports": "complained",
    "unsubscribes": "global_unsubscribe",
}  # fmt: skip


def reconcile(
    conn: sa.Connection, as_of: datetime, listed: Callable[[str, datetime], list[dict[str, Any]]]
) -> dict[str, int]:
    """Take over what the provider's own lists hold since a week before `as_of`; return counts by list.

    `listed(kind, since)` returns rows of {email, created}; it raises `Refused` or `Unanswered`.
    """
    counts = {}
    for kind, reason in LISTS.items():
        rows = listed(kind, as_of - timedelta(days=7))
        counts[kind] = db.count(
            conn, db.statements("refusals").upsert_suppressions,
            reason=reason, rows=db.json_rows({"email": row["email"], "created": row["created"]} for row in rows),
        )  # fmt: skip
        conn.commit()
    return counts


def tell(
    conn: sa.Connection, at: datetime, suppress: Callable[[list[str]], None], release: Callable[[str], None]
) -> dict[str, int]:
    """Write who refused everything to the provider's global unsubscribes, and take off who took it back; return counts.

    Opt-outs of a cell live here alone. `suppress(addresses)` and `release(address)` raise `Refused` or `Unanswered`;
    twice is harmless.
    """
    sql = db.statements("refusals")
    counts = {"refusals": 0, "taken_back": 0}
    while rows := db.run(conn, sql.refusals_of_everything).all():
        suppress([row.address for row in rows])
        counts["refusals"] += db.count(conn, sql.mark_told, at=at, opt_out_ids=[row.opt_out_id for row in rows])
        conn.commit()
    while rows := db.run(conn, sql.ended_refusals_of_everything).all():
        for row in rows:
            release(row.address)
            counts["taken_back"] += 1
            db.run(conn, sql.mark_untold, opt_out_ids=row.opt_out_ids)
            conn.commit()
    conn.commit()
    return counts
