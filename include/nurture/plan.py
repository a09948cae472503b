"""Plan: the year's dated mails become messages on their day."""

from datetime import date, datetime
from typing import NamedTuple

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


class Row(NamedTuple):
    """One line of the year: a mail of the plan, a review, or a month for which nothing is planned."""

    date: date
    name: str
    email: str
    to: str
    mail_type: str
    state: str
    people: int = 0
    sent: int = 0
    waiting: int = 0
    not_sent: int = 0


Counted = dict[str, tuple[int, int, int]]


def counts(conn: sa.Connection, product: Product) -> tuple[Counted, dict[str, int]]:
    """Return each entry's numbers (sent, waiting, not sent) and each segment's size now."""
    sql = db.statements("plan")
    entries = {
        row.entry: (row.sent, row.waiting, row.not_sent)
        for row in db.run(conn, sql.count_entries, product=product.product)
    }
    return entries, {row.segment: row.size for row in db.run(conn, sql.segment_sizes, product=product.product)}


def year(
    product: Product, calendar: Calendar, as_of: datetime, counted: Counted | None, sizes: dict[str, int]
) -> list[Row]:
    """Return the year by days; `counted` is None when no database was asked.

    The state of a mail: sent, sending, missed (past: where nobody was asked), due, ready, or to be written by a day.
    """
    rows = [Row(day, "review", "", "", "", "review") for day in product.reviews]
    for entry in product.plan:
        due, expires = sending_time(product, calendar, entry)
        sent, waiting, not_sent = (counted or {}).get(entry.name, (0, 0, 0))
        if waiting:
            state = "sending"
        elif sent or not_sent:
            state = "sent"
        elif expires <= as_of:
            state = "missed" if counted is not None else "past"
        elif entry.email is None:
            state = f"write by {entry.date - product.content_ready.span()}"
        else:
            state = "due" if due <= as_of else "ready"
        people = sizes.get(entry.to, 0) if state not in ("sent", "missed", "past") else 0
        day = due.astimezone(product.zone).date()
        rows.append(
            Row(day, entry.name, entry.email or "", entry.to, entry.mail_type, state, people, sent, waiting, not_sent)
        )
    months = [entry.date.year * 12 + entry.date.month - 1 for entry in product.plan]
    for number in range(min(months, default=0), max(months, default=-1) + 1):
        if number not in months:
            rows.append(Row(date(number // 12, number % 12 + 1, 1), "(nothing)", "", "", "", "no mail this month"))
    return sorted(rows)
