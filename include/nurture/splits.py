"""Splits: a lead that a key made is parted when the key turns out to be several people's; no fact moves."""

from collections.abc import Iterable, Sequence
from datetime import datetime

import sqlalchemy as sa

from nurture import db
from nurture.matching.candidates import Row


def part(
    conn: sa.Connection, moved: Sequence[Row], lead_of: dict[int, int], shared: set[tuple[str, str]], as_of: datetime
) -> None:
    """Give the records that were parted from a lead to their own, with their keys, and keep why."""
    sql = db.statements("splits")
    records = [row.record_id for row in moved]
    keys = [
        {"kind": kind, "value": value, "name_key": name_key, "lead_id": lead_id}
        for kind, value, name_key, lead_id, _ in identities(moved, lead_of, shared)
    ]
    db.run(conn, sql.move_records, records=records, leads=[lead_of[record] for record in records])
    db.run(
        conn, sql.move_identities, keys=db.json_rows(keys), leads=sorted({row.lead_id for row in moved if row.lead_id})
    )
    db.run(conn, sql.deactivate_parted_edges, records=records)
    why: dict[tuple[int | None, int], str] = {}
    for row in moved:
        told = [
            f"{kind} {value}"
            for kind, value in (("mailbox", row.mailbox), ("mobile", row.mobile))
            if (kind, value) in shared
        ]
        reason = f"{', '.join(told)} is several people's" if told else "a key is another name's than likeness had found"
        why.setdefault((row.lead_id, lead_of[row.record_id]), reason)
    db.insert_values(
        conn,
        sql.insert_splits,
        ((old, new, reason, as_of) for (old, new), reason in why.items()),
    )


def identities(
    new: Sequence[Row], lead_of: dict[int, int], shared: set[tuple[str, str]]
) -> Iterable[tuple[str, str, str, int, bool]]:
    """Return the keys that identify the new rows' leads, each once, under the name with which it came."""
    found: dict[tuple[str, str, str], tuple[str, str, str, int, bool]] = {}
    for row in new:
        lead_id, name = lead_of[row.record_id], row.name.key if row.name else ""
        if row.crm_id:
            found["crm_id", row.crm_id, name] = ("crm_id", row.crm_id, name, lead_id, False)
        if row.mailbox:
            is_shared = ("mailbox", row.mailbox) in shared
            found["email", row.mailbox, name] = ("email", row.mailbox, name, lead_id, is_shared)
        if row.mobile and row.name:
            found["mobile", row.mobile, name] = ("mobile", row.mobile, name, lead_id, ("mobile", row.mobile) in shared)
    return found.values()
