"""Played: what a play came to, in numbers, and by how much two differ."""

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from nurture import db
from nurture.definitions.products import Product

_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Played:
    """What a definition does from `first` to `last`, both included, in days of the product's zone."""

    product: str
    first: date
    last: date
    scenarios: list[dict[str, Any]]  # scenario, enrolled, held_out, under_way, ended {reason: number}
    days: list[dict[str, Any]]  # day, enrolled, mails, qualified, handed_off
    mails: list[dict[str, Any]]  # day, scenario ('' of the plan), step, email, mail_type, mails
    domains: dict[str, int]
    held_back: list[dict[str, Any]]  # outcome, reason, mails, sent_later, waiting, never_sent
    segments: dict[str, int]
    notes: list[str] = field(default_factory=list)
    people: frozenset[int] = frozenset()  # the leads who get a mail

    def totals(self) -> dict[str, int]:
        """Return the numbers of all days together."""
        summed = {
            key: sum(day[key] for day in self.days) for key in ("enrolled", "mails", "qualified", "handed_off")
        }  # fmt: skip
        return {**summed, "people": len(self.people)}

    def by(self, key: str) -> dict[str, int]:
        """Return the mails counted by a key of `mails`, the most first."""
        counted: dict[str, int] = {}
        for row in self.mails:
            counted[row[key]] = counted.get(row[key], 0) + row["mails"]
        return dict(sorted(counted.items(), key=lambda pair: (-pair[1], pair[0])))

    def as_dict(self) -> dict[str, Any]:
        """Return what a program can read: no person is in it."""
        told = {key: value for key, value in vars(self).items() if key != "people"}
        return {**told, "mail_types": self.by("mail_type"), "totals": self.totals()}


@dataclass(frozen=True)
class Simulation:
    """What the definition in force does, and what a changed one would do in its place."""

    in_force: Played
    changed: Played | None = None

    def difference(self) -> dict[str, Any]:
        """Return by how much the changed definition differs: numbers that are the same are left out."""
        before, after = self.in_force, self.changed
        if after is None:
            return {}
        parts = {
            "totals": (before.totals(), after.totals()),
            "enrolled": tuple({row["scenario"]: row["enrolled"] for row in each.scenarios} for each in (before, after)),
            "mail_types": (before.by("mail_type"), after.by("mail_type")),
            "steps": (before.by("step"), after.by("step")),
            "held_back": tuple({row["reason"]: row["mails"] for row in each.held_back} for each in (before, after)),
            "segments": (before.segments, after.segments),
        }
        told: dict[str, Any] = {name: _changes(*pair) for name, pair in parts.items()}
        told["people"] = {
            "mailed_only_before": len(before.people - after.people),
            "mailed_only_after": len(after.people - before.people),
        }
        return told

    def as_dict(self) -> dict[str, Any]:
        """Return what a program can read."""
        told: dict[str, Any] = {"in_force": self.in_force.as_dict()}
        if self.changed is not None:
            told |= {"changed": self.changed.as_dict(), "difference": self.difference()}
        return told


def _changes(before: dict[str, int], after: dict[str, int]) -> dict[str, int]:
    found = {key: after.get(key, 0) - before.get(key, 0) for key in (*before, *after)}
    return {key: number for key, number in found.items() if number}


def read_played(
    conn: sa.Connection, product: Product, first: date, last: date, since: datetime, until: datetime, notes: list[str]
) -> Played:
    """Read from the twins what a product did from `since` until before `until`, the bounds of its days."""
    sql = db.statements("simulate")
    span: dict[str, Any] = {"product": product.product, "since": since, "until": until}
    zone = product.timezone

    def read(statement: db.Statement, **more: Any) -> list[dict[str, Any]]:
        return [dict(row) for row in db.run(conn, statement, **span, **more).mappings()]

    enrolled, mails = read(sql.enrolled, zone=zone), read(sql.mails, zone=zone)
    ready, handed = read(sql.ready, zone=zone), read(sql.handed, zone=zone)
    ended = read(sql.ended)
    under_way = {row["scenario"]: row["under_way"] for row in read(sql.under_way)}
    names = sorted({*product.scenarios, *under_way, *(row["scenario"] for row in (*enrolled, *ended))})
    return Played(
        product=product.product, first=first, last=last,
        scenarios=[
            {
                "scenario": name,
                "enrolled": _sum(enrolled, "enrolled", scenario=name),
                "held_out": _sum(enrolled, "held_out", scenario=name),
                "under_way": under_way.get(name, 0),
                "ended": {row["reason"]: row["ended"] for row in ended if row["scenario"] == name},
            }
            for name in names
        ],
        days=[
            {
                "day": day,
                "enrolled": _sum(enrolled, "enrolled", day=day),
                "mails": _sum(mails, "mails", day=day),
                "qualified": _sum(ready, "qualified", day=day),
                "handed_off": _sum(handed, "handed_off", day=day),
            }
            for day in (first + number * _DAY for number in range((last - first).days + 1))
        ],
        mails=_together(mails, ("day", "scenario", "step", "email", "mail_type")),
        domains={row["domain"]: row["mails"] for row in _together(mails, ("domain",))},
        held_back=read(sql.caps),
        segments={row["segment"]: row["members"] for row in read(sql.members)},
        notes=notes,
        people=frozenset(row["current_lead_id"] for row in read(sql.people_mailed)),
    )  # fmt: skip


def _sum(rows: list[dict[str, Any]], what: str, **where: Any) -> int:
    return sum(row[what] for row in rows if all(row[key] == value for key, value in where.items()))


def _together(mails: list[dict[str, Any]], keys: tuple[str, ...]) -> list[dict[str, Any]]:
    counted: dict[tuple[Any, ...], int] = {}
    for row in mails:
        key = tuple(row[name] for name in keys)
        counted[key] = counted.get(key, 0) + row["mails"]
    return [{**dict(zip(keys, key, strict=True)), "mails": number} for key, number in counted.items()]
