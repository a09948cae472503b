"""Alerts: a trouble that people should hear of, told once while it lasts."""

from datetime import datetime

import sqlalchemy as sa

from nurture import db


def raise_alert(
    conn: sa.Connection, kind: str, key: str, what: str, mend: str, at: datetime, product: str | None = None
) -> bool:
    """Keep a trouble to be told, unless the same one is open; return whether it is new.

    `what` says what, how many and why, `mend` the command or page that mends it; nothing personal stands in either.
    """
    statement = db.statements("alerts").raise_alert
    return db.count(conn, statement, kind=kind, key=key, product=product, what=what, mend=mend, at=at) > 0


def end_alert(conn: sa.Connection, kind: str, key: str, at: datetime) -> None:
    """Say that a trouble is over."""
    db.run(conn, db.statements("alerts").end_alert, kind=kind, key=key, at=at)
