"""Questions: what each line of a condition says, whether it is so of one lead, and what is known of it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from nurture.definitions import conditions as c
from nurture.definitions.model import Model
from nurture.definitions.products import Product
from nurture.predicates import leads, predicate

COLUMNS = {"department": "department_function", "title": "title_level"}


@dataclass(frozen=True)
class Asked:
    """One line of a condition: how deep it lies, what it says, whether it is so of the lead, and what is known.

    `says` of a combination is `all`, `any` or `none`, and `is_true` whether that part is met.
    """

    depth: int
    says: str
    is_true: bool
    known: str = ""


@dataclass(frozen=True)
class Known:
    """What is known of one lead and a product: the rows of explain.sql."""

    lead: dict[str, Any]
    lifecycle: str
    sources: list[dict[str, Any]]
    did: list[dict[str, Any]]
    score: dict[str, Any]
    memberships: list[dict[str, Any]]

    def of(self, condition: Any, zone: Any) -> str:
        """Return what is known of what a condition asks for, '' where that is a matter of several things."""
        match condition:
            case c.Attribute():
                return str(self.lead.get(COLUMNS.get(condition.subject, condition.subject)) or "-")
            case c.Points():
                return str(self.score.get(condition.subject, 0))
            case c.OfLifecycle():
                return self.lifecycle
            case c.Source():
                return ", ".join(dict.fromkeys(row["source"] for row in self.sources)) or "-"
            case c.InSegment():
                since = [
                    row["joined_at"]
                    for row in self.memberships
                    if row["segment"] == condition.segment and row["left_at"] is None
                ]
                return f"{since[0].astimezone(zone):%Y-%m-%d} –" if since else "-"
            case c.Behaviour():
                return self._last(condition)
        return ""

    def _last(self, asked: c.Behaviour) -> str:
        """Return when the lead last did what is asked for, at any time, and how often in all."""
        wanted = "|".join(re.escape(subject).replace(r"\*", ".*") for subject in c.values(asked.subject or "*"))
        done = [
            row
            for row in self.did
            if row["kind"] == asked.kind
            and re.fullmatch(wanted, row["subject"], re.DOTALL)
            and (asked.mail_type is None or row["mail_type"] == asked.mail_type)
        ]
        return f"{max(row['day'] for row in done)} ×{sum(row['times'] for row in done)}" if done else "-"


class Question:
    """Asks conditions of one lead, every line by itself."""

    def __init__(self, conn: sa.Connection, product: Product, lead_id: int, at: datetime, known: Known) -> None:
        self.conn, self.product, self.lead_id, self.at, self.known = conn, product, lead_id, at, known

    def ask(self, condition: Any) -> list[Asked]:
        """Return the lines of a condition, the whole first where it is a single one."""
        lines = list(_lines(condition, 0))
        asked = [
            predicate(part, self.product, self.at).label(f"line_{place}") for place, (_, part, _) in enumerate(lines)
        ]
        answers = self.conn.execute(sa.select(*asked).where(leads.c.lead_id == self.lead_id)).one()
        zone = self.product.zone
        return [
            Asked(depth, says, bool(answer), self.known.of(part, zone))
            for (depth, part, says), answer in zip(lines, answers, strict=True)
        ]


def _lines(condition: Any, depth: int) -> Iterator[tuple[int, Any, str]]:
    """Yield the lines of a condition as (depth, what is asked, what it says)."""
    if not isinstance(condition, c.Combination):
        yield depth, condition, said(condition)
        return
    for word in ("all", "any", "none"):
        parts = getattr(condition, word)
        if parts:
            yield depth, c.Combination.model_validate({word: parts}), word
            for part in parts:
                yield from _lines(part, depth + 1)


def said(condition: Any) -> str:
    """Return a condition as a marketer writes it."""
    match condition:
        case c.Combination():
            return "; ".join(
                f"{word}: " + ", ".join(f"({said(part)})" for part in getattr(condition, word))
                for word in ("all", "any", "none")
                if getattr(condition, word)
            )
        case c.Points():
            return f"{condition.subject}: {_plain(condition.range)}"
        case c.Attribute():
            return f"{condition.subject}: {_plain(condition.value)}"
        case c.OfAccount():
            return f"account: {said(condition.account)}"
        case c.Behaviour():
            about = {"mail_type": condition.mail_type} if condition.mail_type else condition.subject or True
            more = [f"within: {condition.within}"] if condition.within else []
            more += [f"times: {_plain(condition.times)}"] if condition.times != 1 else []
            return ", ".join([f"{condition.kind}: {_plain(about)}", *more])
    return _plain(condition)


def _plain(value: Any) -> str:
    if isinstance(value, Model):
        value = value.body()
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_plain(each)}" for key, each in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_plain(each) for each in value)
    return "yes" if value is True else str(value)
