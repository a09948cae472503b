"""Consolidate: make one lead of a person's many records, by exact normalised keys.

A key identifies together with the name under which it came: a mailbox or a mobile number with two names is two
people's. A record without a name joins the one person who has its mailbox, and nobody where several have it.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa

from nurture import db

BATCH = 200_000  # records a transaction; memory grows with it by about 1 kB a record


class Key(NamedTuple):
    """An identifying key, and the name under which it identifies."""

    kind: str
    value: str
    name_key: str


class Record(NamedTuple):
    """A record's keys for matching; None or '' where it has none."""

    record_id: int
    source_key: str
    crm_id: str | None
    name_key: str
    email: str | None
    mobile: str | None

    def identifying(self) -> list[Key]:
        """Return the record's keys; without a name only its own key, its CRM id and its mailbox identify."""
        keys = [Key("record", self.source_key, "")]
        if self.crm_id:
            keys.append(Key("crm_id", self.crm_id, ""))
        if self.email:
            keys.append(Key("email", self.email, self.name_key))
        if self.mobile and self.name_key:
            keys.append(Key("mobile", self.mobile, self.name_key))
        return keys


class Groups:
    """Disjoint sets of keys (union by attaching, with path halving)."""

    def __init__(self) -> None:
        self._parents: dict[Key, Key] = {}

    def keys(self) -> list[Key]:
        """Return every key that was seen."""
        return list(self._parents)

    def find(self, key: Key) -> Key:
        """Return the set's representative, making a set of one for a new key."""
        parents = self._parents
        parents.setdefault(key, key)
        while parents[key] != key:
            parents[key] = parents[parents[key]]
            key = parents[key]
        return key

    def join(self, keys: Iterable[Key]) -> None:
        """Make one set of the sets of all these keys."""
        first, *others = (self.find(key) for key in keys)
        for other in others:
            self._parents[self.find(other)] = self.find(first)


def consolidate(conn: sa.Connection, as_of: datetime) -> dict[str, int]:
    """Give every record that has happened by `as_of` its lead, a batch a transaction; return counts.

    Counts: records, new_leads, merged_leads. Run twice it finds nothing to do.
    """
    totals = {"records": 0, "new_leads": 0, "merged_leads": 0}
    while True:
        counts = _consolidate_batch(conn, as_of)
        conn.commit()
        for name, number in counts.items():
            totals[name] += number
        if counts["records"] < BATCH:
            return totals


def _consolidate_batch(conn: sa.Connection, as_of: datetime) -> dict[str, int]:
    sql = db.statements("consolidate")
    db.run(conn, sql.lock)
    records = [Record(*row) for row in db.run(conn, sql.new_records, as_of=as_of, at_most=BATCH)]
    if not records:
        return {"records": 0, "new_leads": 0, "merged_leads": 0}
    groups = Groups()
    for record in records:
        groups.join(record.identifying())
    known = _known_leads(conn, records)
    _join_nameless(groups, known)
    keys_of: dict[int, list[Key]] = {}
    for key, lead_id in known.items():
        keys_of.setdefault(lead_id, []).append(key)
    for keys in keys_of.values():  # two keys of one lead are one person's, whether or not a record here has both
        groups.join(keys)
    leads_of: dict[Key, set[int]] = {}
    for key, lead_id in known.items():
        leads_of.setdefault(groups.find(key), set()).add(lead_id)
    new = [root for root in dict.fromkeys(groups.find(r.identifying()[0]) for r in records) if root not in leads_of]
    new_ids = db.run(conn, sql.new_lead_ids, how_many=len(new)).scalars().all()
    db.insert_values(conn, sql.insert_leads, ((lead_id,) for lead_id in new_ids))
    lead_of = {root: min(leads) for root, leads in leads_of.items()} | dict(zip(new, new_ids, strict=True))
    merged = 0
    for leads in leads_of.values():
        survivor, *others = sorted(leads)
        for other in others:
            merged += db.count(
                conn, sql.merge_lead, survivor=survivor, merged=other, reason="one record has keys of both", as_of=as_of
            )
    db.run(conn, sql.create_batch)
    members = [(record.record_id, lead_of[groups.find(record.identifying()[0])]) for record in records]
    db.insert_values(conn, sql.insert_batch, members)
    db.run(conn, sql.assign_records)
    identities = {
        key: (*key, lead_id, as_of)
        for record, (_, lead_id) in zip(records, members, strict=True)
        for key in record.identifying()
    }
    db.insert_values(conn, sql.insert_identities, identities.values())
    for statement in (
        sql.insert_addresses, sql.link_addresses, sql.mark_shared_addresses, sql.clear_primary_addresses,
        sql.choose_primary_addresses, sql.insert_consents, sql.insert_opt_outs, sql.insert_events, sql.insert_accounts,
    ):  # fmt: skip
        db.run(conn, statement)
    db.run(conn, sql.survive, as_of=as_of)
    db.run(conn, sql.fill_accounts)
    db.run(conn, sql.inherit)
    db.run(conn, sql.mark_for_rescoring)
    return {"records": len(records), "new_leads": len(new), "merged_leads": merged}


def _known_leads(conn: sa.Connection, records: list[Record]) -> dict[Key, int]:
    """Return the lead of every known key that shares its kind and value with a record's, under any name."""
    wanted = {(key.kind, key.value) for record in records for key in record.identifying()}
    rows = db.json_rows({"kind": kind, "value": value} for kind, value in wanted)
    found = db.run(conn, db.statements("consolidate").known_identities, keys=rows)
    return {Key(kind, value, name_key): lead_id for kind, value, name_key, lead_id in found}


def _join_nameless(groups: Groups, known: dict[Key, int]) -> None:
    """Join a mailbox that came without a name to the one name that it has, if it has exactly one."""
    names: dict[str, set[str]] = {}
    for key in [*groups.keys(), *known]:
        if key.kind == "email":
            names.setdefault(key.value, set()).add(key.name_key)
    for mailbox, found in names.items():
        if "" in found and len(found) == 2:
            groups.join(Key("email", mailbox, name) for name in found)
