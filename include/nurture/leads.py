"""Leads: what is known of a person, from which record each value came, and why that one won."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from nurture import db

_EMPLOYER = frozenset({"company", "department", "department_function", "title", "title_level"})
_NAME = frozenset({"name", "last_name", "first_name"})


def show(conn: sa.Connection, lead_id: int, as_of: datetime | None = None) -> dict[str, Any] | None:
    """Return a lead as it is, or as it was known at `as_of`, with where each value came from; None where there is none.

    An id that was merged shows the person whom it means now. Attributes are lists of rows: field, value, source,
    source_key, record_id, occurred_at, recorded_at and why. The rest stands under addresses, consents, refusals,
    merges and versions.
    """
    sql = db.statements("leads")
    lead = db.run(conn, sql.find, lead_id=lead_id).mappings().one_or_none()
    if lead is None:
        return None
    found = lead["lead_id"]
    versions = [dict(row) for row in db.run(conn, sql.versions, lead_id=found, as_of=as_of).mappings()]
    records = [dict(row) for row in db.run(conn, sql.records, lead_id=found).mappings()]
    shown = _attributes(versions[-1], records) if versions else []
    told = {row["field"] for row in shown}
    shown += [
        {"field": field, "value": str(lead[field]), "source": "account", "why": "no record says; its company's do"}
        for field in ("industry", "employees", "region")
        if as_of is None and lead[field] is not None and field not in told
    ]

    def rows(statement: db.Statement) -> list[dict[str, Any]]:
        return [dict(row) for row in db.run(conn, statement, lead_id=found).mappings()]

    return {
        "lead_id": found,
        "account_id": lead["account_id"],
        "first_touch": {
            "source": lead["first_source"], "channel": lead["first_channel"], "at": lead["first_seen_at"],
            **lead["first_touch"],
        },
        "attributes": shown,
        "addresses": rows(sql.addresses),
        "consents": rows(sql.consents),
        "refusals": rows(sql.refusals),
        "merges": rows(sql.merges_of),
        "versions": _changes(versions),
    }  # fmt: skip


def export(conn: sa.Connection, lead_id: int) -> dict[str, Any] | None:
    """Return all that is kept about a person, for the person: what `show` tells, each row as it came, mails, events."""
    shown = show(conn, lead_id)
    if shown is None:
        return None
    sql = db.statements("leads")
    told = {"records": sql.rows_as_they_came, "messages": sql.messages, "events": sql.events, "scores": sql.scores}
    rows = {name: db.run(conn, statement, lead_id=shown["lead_id"]).mappings() for name, statement in told.items()}
    return {**shown, **{name: [dict(row) for row in found] for name, found in rows.items()}}


def _attributes(version: Mapping[str, Any], records: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return each value of a version with the record that it came from, and why."""
    of_id = {record["record_id"]: record for record in records}
    newest: dict[tuple[str, str], dict[str, Any]] = {}
    for record in records:
        newest.setdefault((record["source"], record["source_key"]), record)
    shown: list[dict[str, Any]] = []
    for field, value in sorted(version["attributes"].items()):
        record = of_id.get(version["provenance"].get(field))
        if record is None:
            shown.append({"field": field, "value": value, "source": None, "why": "of a record that another lead has"})
            continue
        others = [
            other for other in newest.values()
            if other is not record and other["fields"].get(field) not in (None, value)
        ]  # fmt: skip
        kept = ("source", "source_key", "record_id", "occurred_at", "recorded_at")
        why = _why(field, value, record, others)
        shown.append({"field": field, "value": value, **{name: record[name] for name in kept}, "why": why})
    return shown


def _why(field: str, value: str, record: Mapping[str, Any], others: Sequence[Mapping[str, Any]]) -> str:
    """Return the rule of survivorship that chose a record's value, as `survive` in survivorship.sql applies it."""
    if not others:
        return "nobody says otherwise"
    if field in _EMPLOYER and "company" in record["fields"]:
        return "the newest record that names a company, whole"
    if field in _NAME and _has_kanji(value) and not any(_has_kanji(other["fields"][field]) for other in others):
        return "written in kanji"
    if record["precedence"] < min(other["precedence"] for other in others):
        return f"the source believed first (precedence {record['precedence']})"
    return "the newest of the sources believed first"


def _has_kanji(text: str) -> bool:
    return any("一" <= letter <= "龠" for letter in text)


def _changes(versions: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return when each version was known and what it changed: field -> (before, after)."""
    found: list[dict[str, Any]] = []
    before: Mapping[str, Any] = {}
    for version in versions:
        after = version["attributes"]
        changed = {
            field: [before.get(field), after.get(field)]
            for field in sorted({*before, *after}) if before.get(field) != after.get(field)
        }  # fmt: skip
        found.append({**{name: version[name] for name in ("version", "as_of", "recorded_at")}, "changed": changed})
        before = after
    return found
