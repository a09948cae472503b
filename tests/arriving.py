"""What the tests of events share: taking in what waits, a person, and a mail that the person got."""

from datetime import timedelta

import pytest
import sqlalchemy as sa
from builders import (
    DAY,
    NOON,
    lead,
    message,
    told,
)

from nurture import events

ZONES = {"backup": "Asia/Tokyo", "planner": "America/New_York"}
SIGNALS = "select lead_id, product, day::text, kind, subject, mail_type, count from signals order by 1, 3, 4, 5"
SECOND = timedelta(seconds=1)
URL = "https://www.backup.example/case"


def take(conn: sa.Connection) -> dict[str, int]:
    """Take in what waits; return the counts that are not zero."""
    found = events.take_in(conn, NOON + 30 * DAY, ZONES)
    return {name: number for name, number in found.items() if number}


@pytest.fixture
def person(conn: sa.Connection) -> int:
    return lead(conn, "yamada@lead.example")


@pytest.fixture
def mailed(conn: sa.Connection, person: int) -> int:
    """A mail of mail type case_study that the person got at noon."""
    made = message(conn, person, email="case", mail_type="case_study", status="accepted")
    told(conn, "delivered", made, NOON + SECOND)
    take(conn)
    return made
