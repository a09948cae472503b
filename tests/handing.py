"""What the tests of the hand-off share: a lead that is ready."""

from typing import Any

import sqlalchemy as sa
from builders import insert

_numbers = iter(range(10_000, 99_999))


def ready(conn: sa.Connection, score: int = 80, email: str = "", **attributes: Any) -> int:
    """Make a lead with an id of its own in the shared CRM, that is qualified; return it."""
    number = next(_numbers)
    insert(conn, "leads", lead_id=number, name="山田 太郎", last_name="山田", company="株式会社見本", **attributes)
    insert(conn, "addresses", address_id=number, address=email or f"ready{number}@lead.example")
    insert(conn, "lead_addresses", lead_id=number, address_id=number)
    insert(conn, "qualifications", lead_id=number, score=score)
    sequence = "select setval(pg_get_serial_sequence('handoffs', 'handoff_id'), %(number)s)"
    conn.exec_driver_sql(sequence, {"number": 10 * number})  # a note's key is the hand-off's id
    return number
