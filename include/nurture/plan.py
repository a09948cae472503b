"""Plan: the year's dated mails become messages on their day."""

from datetime import datetime

import sqlalchemy as sa

from nurture import calendars, db, versions
from nurture.definitions.products import Calendar, Product


def plan_due(
    conn: sa.Connection, product: Product, calendar: Calendar, as_of: datetime, *, live: bool = True
) -> dict[str, int]:
    """Plan the messages of every entry whose day has come and which can still be sent in time.

    Returns counts: entries, planned, same_mailbox. A run that is not `live` does nothing (N7).
    """
    totals = {"entries": 0, "planned": 0, "same_mailbox": 0}
    if not live:
        return totals
    sql = db.statements("plan")
    within = product.send_within
    for entry in product.plan:
        due = calendars.next_open(calendar, product.zone, calendars.opening(calendar, product.zone, entry.date))
        expires = calendars.after(calendar, product.zone, due, within.amount, within.unit)
        if not due <= as_of < expires:
            continue
        kept = versions.keep(conn, product.product, "plan", entry.name, entry.body())
        planned, same_mailbox = db.run(
            conn, sql.plan_entry,
            product=product.product, entry=entry.name, segment=entry.to, email=entry.email, mail_type=entry.mail_type,
            definition_hash=kept, as_of=as_of, due_at=due, expires_at=expires, zone=product.timezone,
        ).one()  # fmt: skip
        for key, number in (("entries", 1), ("planned", planned), ("same_mailbox", same_mailbox)):
            totals[key] += number
    conn.commit()
    return totals
