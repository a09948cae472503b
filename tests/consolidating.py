"""What the tests of consolidation share: who a record belongs to, and two leads that one record links."""

from datetime import datetime

import sqlalchemy as sa
from builders import DAY, NOON, record, value

from nurture.consolidate import consolidate

MAIL, OTHER = "yamada@lead.example", "t.yamada@lead.example"
CARD = {"consent": {"basis": "business_card", "evidence": "名刺"}}


def owner(conn: sa.Connection, record_id: int) -> int:
    """Return the lead that a record belongs to now."""
    return value(
        conn,
        "select current_lead_id from source_records join lead_now using (lead_id) where record_id = %(record)s",
        record=record_id,
    )


def merged_pair(conn: sa.Connection) -> tuple[int, int]:
    """Make an older and a younger lead, to be linked by a record that has keys of both; return their ids."""
    older = record(conn, "a", email=MAIL, name="山田 太郎", facts=CARD)
    younger = record(conn, "b", email=OTHER, name="山田 太郎", mobile="+819012345678", facts=CARD)
    consolidate(conn, NOON)
    pair = owner(conn, older), owner(conn, younger)
    assert pair[0] < pair[1]
    return pair


def link(conn: sa.Connection, as_of: datetime = NOON + DAY) -> dict[str, int]:
    record(conn, "c", email=MAIL, name="山田 太郎", mobile="+819012345678", occurred_at=NOON)
    return consolidate(conn, as_of)


def others(conn: sa.Connection, how_many: int = 20) -> None:
    """Land people with whom nobody has anything in common: among few records no name is rare."""
    for number in range(how_many):
        record(conn, f"other {number}", name=f"{chr(0x4E10 + number)} {chr(0x5E10 + number)}")


def empty(conn: sa.Connection) -> None:
    """Forget every record, person and company, and what was learned of them."""
    conn.rollback()
    conn.exec_driver_sql(
        "truncate landings, leads, addresses, accounts, match_keys, records_to_judge, account_evidence, name_parts,"
        " name_readings cascade"
    )
