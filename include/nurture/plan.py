"""Plan: the year's dated mails become messages on their day."""

from datetime import datetime

import sqlalchemy as sa

from nurture import calendars, db, planning, versions
from nurture.definitions.plans import PlanEntry
from nurture.definitions.products import Calendar, Product


def plan_due(
    conn: sa.Connection, product: Product, calendar: Calendar, as_of: datetime, *, live: bool = True
) -> dict[str, int]:
    """Plan the messages of every entry whose day has come and which can still be sent in time.

    What was planned and not sent follows its entry: to its new date or mail, or away with it. Returns counts: entries,
    planned, same_mailbox, had_it, withdrawn. A run that is not `live` does nothing (N7).
    """
    totals = {"entries": 0, "planned": 0, "same_mailbox": 0, "had_it": 0, "withdrawn": 0}
    if not live:
        return totals
    sql = db.statements("plan")
    which = {"product": product.product, "as_of": as_of}
    written = {entry.name: entry for entry in product.plan if entry.email is not None}
    totals["withdrawn"] = db.run(conn, sql.withdraw_removed, entries=list(written), **which).scalar_one()
    waiting = set(db.run(conn, sql.entries_waiting, product=product.product).scalars())
    for entry in written.values():
        due, expires = sending_time(product, calendar, entry)
        is_due = due <= as_of < expires
        if not is_due and entry.name not in waiting:
            continue
        kept = versions.keep(conn, product.product, "plan", entry.name, entry.body())
        if entry.name in waiting:
            db.run(
                conn, sql.follow_entry,
                entry=entry.name, email=entry.email, mail_type=entry.mail_type, definition_hash=kept,
                due_at=due, expires_at=expires, product=product.product,
            )  # fmt: skip
        if is_due:
            counted = planning.of_entry(conn, product, entry, kept, as_of, due, expires)
            for key, number in {"entries": 1, **counted._asdict()}.items():
                totals[key] += number
    conn.commit()
    return totals


def sending_time(product: Product, calendar: Calendar, entry: PlanEntry) -> tuple[datetime, datetime]:
    """Return when an entry's mail is due, and when it is too late for it."""
    return planning.sending_time(product, calendar, calendars.opening(calendar, product.zone, entry.date))
