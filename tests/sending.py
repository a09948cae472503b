"""What the tests of dispatch share: a run of it, what became of its messages, and providers that say no."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from builders import (
    LINKS,
    NOON,
    Provider,
    Send,
    company,
    product,
    rows,
)

from nurture import dispatch
from nurture.answers import Refused, Unanswered
from nurture.definitions.products import Company, Product

TOKYO = ZoneInfo("Asia/Tokyo")
BACKUP, PLANNER, COMPANY = product(), product("planner"), company()
SPECS = Path(__file__).parents[2] / "shared" / "specs" / "sendgrid"
LOST = Unanswered("the answer was lost")
STATUSES = "select status, ended_reason from messages order by message_id"
DECISIONS = "select outcome, reason, until from decisions order by decision_id"


def send(
    conn: sa.Connection, provider: Send, at: datetime = NOON, *, asked: Product = BACKUP, of: Company = COMPANY
) -> dict[str, int]:
    """Send what is due at a moment; return the counts that are not zero, also of a run that stopped."""
    try:
        found = dispatch.send_due(conn, asked, of, at, at, provider, LINKS)
    except dispatch.Stopped as stopped:
        found = stopped.counts
    return {name: number for name, number in found.items() if number}


def statuses(conn: sa.Connection) -> list[str]:
    return [status for status, _ in rows(conn, STATUSES)]


def refusing(bad: str) -> Provider:
    """Return a provider that refuses every request with a bad mailbox in it, without saying which."""

    class Picky(Provider):
        def __call__(self, body: dict[str, Any]) -> str:
            given = super().__call__(body)
            if bad in json.dumps(body["personalizations"]):
                raise Refused("SendGrid says 400: something is wrong")
            return given

    return Picky()
