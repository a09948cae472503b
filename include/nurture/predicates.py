"""Predicates: a typed condition as one set-based predicate over leads, with bound values.

The one place where SQL is built: SQLAlchemy Core from the closed grammar of `definitions.conditions`.
"""

from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import distinct_on

from nurture import db
from nurture.definitions import conditions as c
from nurture.definitions.products import Product

_text, _int = sa.Text, sa.Integer
leads = sa.table(
    "leads",
    *(sa.column(name, _text) for name in ("industry", "region", "department_function", "title_level", "crm_lifecycle")),
    *(sa.column(name, sa.BigInteger) for name in ("lead_id", "account_id", "merged_into")),
    sa.column("employees", _int),
)
_lead_now = sa.table("lead_now", sa.column("lead_id"), sa.column("current_lead_id"))
_lifecycles = sa.table(
    "lead_lifecycle", sa.column("lead_id"), sa.column("product", _text), sa.column("lifecycle", _text)
)
_records = sa.table("source_records", sa.column("lead_id"), sa.column("source", _text), sa.column("occurred_at"))
_members = sa.table(
    "segment_members",
    *(sa.column(name) for name in ("product", "segment", "lead_id", "joined_at", "left_at")),
)
_scores = sa.table(
    "scores", *(sa.column(name) for name in ("product", "lead_id", "scored_at", "fit", "engagement", "score"))
)
_signals = sa.table(
    "signals",
    *(sa.column(name) for name in ("lead_id", "product", "day", "kind", "subject", "mail_type", "count")),
)
_audience = sa.table("audience", sa.column("lead_id"))
_COLUMNS = {
    "industry": "industry", "region": "region", "department": "department_function", "title": "title_level",
    "employees": "employees",
}  # fmt: skip
_TARGETS = {
    "industry": "industries", "region": "regions", "department": "departments", "title": "titles",
    "employees": "employees",
}  # fmt: skip


def fill_audience(conn: sa.Connection, condition: c.Condition | None, product: Product, as_of: datetime) -> None:
    """Put who meets a condition (None: nobody) into the temporary table `audience`, in place of who was there."""
    sql = db.statements("predicates")
    db.run(conn, sql.create_audience)
    db.run(conn, sql.clear_audience)
    if condition is not None:
        conn.execute(sa.insert(_audience).from_select(["lead_id"], audience(condition, product, as_of)))


def audience(condition: c.Condition, product: Product, as_of: datetime) -> sa.Select[Any]:
    """Return the select of the current leads who meet a condition of a product at `as_of` (column lead_id)."""
    return sa.select(leads.c.lead_id).where(leads.c.merged_into.is_(None), predicate(condition, product, as_of))


def predicate(condition: c.Condition, product: Product, as_of: datetime) -> sa.ColumnElement[bool]:
    """Return what a condition says of a row of `leads`; what is not known of a lead is not so."""
    return _Compiler(product, as_of).compile(condition)


class _Compiler:
    """Turns each kind of condition into its predicate."""

    def __init__(self, product: Product, as_of: datetime) -> None:
        self.product = product
        self.as_of = as_of
        self.today = as_of.astimezone(product.zone).date()

    def compile(self, condition: Any) -> sa.ColumnElement[bool]:
        match condition:
            case c.Combination():
                parts = [self.compile(part) for part in condition.all or ()]
                if condition.any:
                    parts.append(sa.or_(*(self.compile(part) for part in condition.any)))
                parts += [sa.not_(self.compile(part)) for part in condition.none or ()]
                return sa.and_(sa.true(), *parts)
            case c.Target():
                return self._target()
            case c.Source():
                return self._sources(c.values(condition.source))
            case c.OfLifecycle():
                return self._lifecycle(leads, c.values(condition.lifecycle))
            case c.OfAccount():
                others = leads.alias("colleagues")
                places = self._lifecycle(others, c.values(condition.account.lifecycle))
                found = sa.select(others.c.account_id).where(
                    others.c.account_id.is_not(None), others.c.merged_into.is_(None), places
                )
                return sa.func.coalesce(leads.c.account_id.in_(found), sa.false())
            case c.InSegment():
                return self._segment(condition.segment)
            case c.Points():
                return self._points(condition.subject, condition.range)
            case c.Attribute():
                return self._attribute(condition.subject, condition.value)
            case c.Behaviour():
                return self._behaviour(condition)
        raise TypeError(f"no predicate for {type(condition).__name__}")

    def _target(self) -> sa.ColumnElement[bool]:
        target = self.product.target
        asked = [subject for subject, field in _TARGETS.items() if getattr(target, field)]
        return sa.and_(sa.true(), *(self._attribute(subject, "target") for subject in asked))

    def _attribute(self, subject: str, value: Any) -> sa.ColumnElement[bool]:
        wanted = getattr(self.product.target, _TARGETS[subject]) if value == "target" else value
        column = leads.c[_COLUMNS[subject]]
        if wanted is None or wanted == []:
            return sa.true()
        if isinstance(wanted, c.Range):
            return sa.func.coalesce(_within(column, wanted), sa.false())
        return sa.func.coalesce(column.in_(c.values(wanted)), sa.false())

    def _sources(self, names: list[str]) -> sa.ColumnElement[bool]:
        found = (
            sa.select(_lead_now.c.current_lead_id)
            .join(_records, _records.c.lead_id == _lead_now.c.lead_id)
            .where(_records.c.source.in_(names), _records.c.occurred_at <= self.as_of)
        )
        return leads.c.lead_id.in_(found)

    def _lifecycle(self, people: sa.FromClause, places: list[str]) -> sa.ColumnElement[bool]:
        known = sa.select(_lifecycles.c.lead_id).where(_lifecycles.c.product == self.product.product)
        return sa.or_(
            people.c.lead_id.in_(known.where(_lifecycles.c.lifecycle.in_(places))),
            sa.and_(sa.func.coalesce(people.c.crm_lifecycle, "lead").in_(places), people.c.lead_id.not_in(known)),
        )

    def _segment(self, name: str) -> sa.ColumnElement[bool]:
        found = (
            sa.select(_lead_now.c.current_lead_id)
            .join(_members, _members.c.lead_id == _lead_now.c.lead_id)
            .where(
                _members.c.product == self.product.product,
                _members.c.segment == name,
                _members.c.joined_at <= self.as_of,
                sa.or_(_members.c.left_at.is_(None), _members.c.left_at > self.as_of),
            )
        )
        return leads.c.lead_id.in_(found)

    def _points(self, subject: str, bounds: c.Range) -> sa.ColumnElement[bool]:
        newest = (
            sa.select(_scores.c.lead_id, _scores.c[subject].label("points"))
            .where(_scores.c.product == self.product.product, _scores.c.scored_at <= self.as_of)
            .ext(distinct_on(_scores.c.lead_id))
            .order_by(_scores.c.lead_id, _scores.c.scored_at.desc())
            .subquery("newest_scores")
        )
        inside = leads.c.lead_id.in_(sa.select(newest.c.lead_id).where(_within(newest.c.points, bounds)))
        includes_zero = (bounds.min is None or bounds.min <= 0) and (bounds.max is None or bounds.max >= 0)
        if includes_zero:  # who was never scored has no points
            return sa.or_(inside, leads.c.lead_id.not_in(sa.select(newest.c.lead_id)))
        return inside

    def _behaviour(self, asked: c.Behaviour) -> sa.ColumnElement[bool]:
        found = (
            sa.select(_lead_now.c.current_lead_id)
            .join(_signals, _signals.c.lead_id == _lead_now.c.lead_id)
            .where(
                _signals.c.product == self.product.product,
                _signals.c.kind == asked.kind,
                _signals.c.day <= self.today,
            )
        )
        if asked.within is not None:
            days = -(-asked.within.span() // timedelta(days=1))  # signals are counted by day: rounded up
            found = found.where(_signals.c.day > self.today - timedelta(days=days))
        if asked.subject is not None:
            found = found.where(_signals.c.subject.like(pattern(asked.subject), escape="\\"))
        if asked.mail_type is not None:
            found = found.where(_signals.c.mail_type == asked.mail_type)
        if asked.times > 1:
            found = found.group_by(_lead_now.c.current_lead_id).having(sa.func.sum(_signals.c.count) >= asked.times)
        return leads.c.lead_id.in_(found)


def _within(column: sa.ColumnElement[Any], bounds: c.Range) -> sa.ColumnElement[bool]:
    parts = [column >= bounds.min] if bounds.min is not None else []
    parts += [column <= bounds.max] if bounds.max is not None else []
    return sa.and_(*parts)


def pattern(text: str) -> str:
    """Return a page pattern (`/pricing*`) as the operand of LIKE, escaped by backslashes."""
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return escaped.replace("*", "%")
