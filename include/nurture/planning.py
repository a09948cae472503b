"""Planning: who is due a mail gets a message, once an occasion; one statement for journeys and for the plan (N1)."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa

from nurture import calendars, db
from nurture.definitions.plans import PlanEntry
from nurture.definitions.products import Calendar, Product

MANY = 1_000  # new rows after which a table's statistics are taken anew


class Planned(NamedTuple):
    """How many messages were planned, and how many were written down as never to be sent, by why."""

    planned: int
    same_mailbox: int
    had_it: int


def of_journey(
    conn: sa.Connection, product: Product, calendar: Calendar, email: str, mail_type: str, as_of: datetime,
    arrivals: Iterable[datetime], *, scenario: str, step: str, definition_hash: str,
) -> Planned:  # fmt: skip
    """Plan the mail of a step for everybody who stands there since one of the moments `arrivals`."""
    moments = []
    for arrived in arrivals:
        due, expires = sending_time(product, calendar, arrived)
        moments.append({"step_at": arrived, "due_at": due, "expires_at": expires})
    if not moments:
        return Planned(0, 0, 0)
    return _plan(
        conn, product, as_of, scenario=scenario, step=step, segment=scenario, email=email, mail_type=mail_type,
        definition_hash=definition_hash, moments=moments, never_twice=False,
    )  # fmt: skip


def of_entry(
    conn: sa.Connection, product: Product, entry: PlanEntry, definition_hash: str, as_of: datetime, due: datetime,
    expires: datetime,
) -> Planned:  # fmt: skip
    """Plan an entry of the plan for the members of its segment; a mail that somebody has had is not sent again.

    An event is announced again by the same mail: its date is another.
    """
    return _plan(
        conn, product, as_of, scenario=None, step=entry.name, segment=entry.to, email=entry.email,
        mail_type=entry.mail_type, definition_hash=definition_hash,
        moments=[{"step_at": None, "due_at": due, "expires_at": expires}], never_twice=entry.mail_type != "event",
    )  # fmt: skip


def sending_time(product: Product, calendar: Calendar, moment: datetime) -> tuple[datetime, datetime]:
    """Return when a mail of that moment is due, and when it is too late for it."""
    due = calendars.next_open(calendar, product.zone, moment)
    within = product.send_within
    return due, calendars.after(calendar, product.zone, due, within.amount, within.unit)


def _plan(
    conn: sa.Connection, product: Product, as_of: datetime, *, moments: list[dict[str, Any]], **asked: Any
) -> Planned:
    found = db.run(
        conn, db.statements("planning").plan,
        product=product.product, zone=product.timezone, as_of=as_of, moments=db.json_rows(moments), **asked,
    ).one()  # fmt: skip
    if found.planned >= MANY:
        db.run(conn, db.statements("planning").know_messages)
    return Planned(*found)
