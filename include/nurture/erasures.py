"""Erasures: a person leaves every table but the counts, and what they refused holds when their address comes back."""

import hashlib
import hmac
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from nurture import db
from nurture.unfinished import wait_until_consolidated

_PURPOSE = b"nurture erased address 1\x00"


def erase(conn: sa.Connection, lead_id: int, key: bytes, at: datetime) -> dict[str, Any] | None:
    """Erase a person under all ids, in the caller's transaction; return counts, or None where there is no such lead.

    Messages, events, signals and scores stay as counts of an id that means nobody. A mailbox that somebody else has,
    too, stays theirs. The mailboxes' keyed hashes stay with everything refused. Counts: leads, records, addresses, and
    `crm`, the ids under which the CRM has the person and must be told.
    """
    sql = db.statements("erasures")
    wait_until_consolidated(conn)
    leads = db.run(conn, sql.ids_of_person, lead_id=lead_id).scalars().all()
    if not leads:
        return None
    found = db.run(conn, sql.addresses_of_person, leads=leads).all()
    mailboxes = [row.address for row in found]
    own = [row.address_id for row in found if not row.is_somebody_elses]
    refused = db.run(
        conn, sql.refusals_of_person, leads=leads, addresses=[row.address_id for row in found]
    ).all()  # fmt: skip
    cells = {("*", "*"): at, **{(product, mail_type): since for product, mail_type, since in refused}}
    db.insert_values(
        conn, sql.keep_hashes,
        [
            (hash_of(key, mailbox), product, mail_type, since, at)
            for mailbox in mailboxes for (product, mail_type), since in cells.items()
        ],
    )  # fmt: skip
    db.run(conn, sql.end_everything, leads=leads, at=at)
    records = db.run(conn, sql.erase_records, leads=leads).scalar_one()
    db.run(conn, sql.erase_rejected, mailboxes=mailboxes)
    db.run(conn, sql.erase_raw_events, leads=leads, mailboxes=mailboxes, at=at)
    db.run(conn, sql.erase_lead, leads=leads)
    db.run(conn, sql.erase_addresses, addresses=own, at=at)
    links = [f"{crm}/{crm_id}" for crm, crm_id in db.run(conn, sql.forget_crm_links, leads=leads)]
    return {"leads": len(leads), "records": records, "addresses": len(own), "crm": links}


def refuse_again(conn: sa.Connection, key: bytes) -> None:
    """Give the mailboxes of a batch that were erased before what they had refused (N13)."""
    sql = db.statements("erasures")
    if not db.run(conn, sql.any_erasures).scalar_one():
        return
    returned = db.json_rows(
        {"address_id": address_id, "address_hash": hash_of(key, address)}
        for address_id, address in db.run(conn, sql.addresses_of_batch)
    )
    db.run(conn, sql.refuse_again, returned=returned)


def hash_of(key: bytes, address: str) -> str:
    """Return an address's keyed hash: without the key nobody can try addresses against it."""
    if not key:
        raise ValueError("no token key: set NURTURE_TOKEN_KEY")
    return hmac.new(key, _PURPOSE + address.lower().encode(), hashlib.sha256).hexdigest()
