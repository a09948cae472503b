"""Predicates: a typed condition as one set-based predicate over leads, with bound values.

The one place where SQL is built: SQLAlchemy Core from the closed grammar of `definitions.conditions`.
"""

from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB, distinct_on

from nurture import db
from nurture.definitions import conditions as c
from nurture.definitions.meaning import in_full
from nurture.definitions.products import Product

_text, _int = sa.Text, sa.Integer
leads = sa.table(
    "leads",
    *(sa.column(name, _text) for name in ("industry", "region", "department_function", "title_level", "company")),
    *(sa.column(name, _text) for name in ("crm_lifecycle", "first_source", "first_channel")),
    *(sa.column(name, sa.BigInteger) for name in ("lead_id", "account_id", "merged_into")),
    sa.column("employees", _int),
    sa.column("first_touch", JSONB),
)
_lifecycles = sa.table(
    "lead_lifecycle", sa.column("lead_id"), sa.column("product", _text), sa.column("lifecycle", _text)
)
_records = sa.table("source_records", sa.column("lead_id"), sa.column("source", _text), sa.column("occurred_at"))
_consents = sa.table("consents", sa.column("lead_id"), sa.column("basis", _text), sa.column("occurred_at"))
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
_touched = sa.table("touched", sa.column("lead_id"), sa.column("current_lead_id"))
_few = sa.table("few", sa.column("lead_id"), sa.column("current_lead_id"))
_COLUMNS = {
    "industry": "industry", "region": "region", "department": "department_function", "title": "title_level",
    "employees": "employees",
}  # fmt: skip

# Conditions over ids, of which none is ever unknown.
_KNOWN = (c.Source, c.Consents, c.OfLifecycle, c.InSegment, c.Points, c.Behaviour)


def fill_audience(
    conn: sa.Connection, condition: c.Condition | None, product: Product, as_of: datetime, *, touched: bool = False
) -> None:
    """Put who meets a condition (None: nobody) into the temporary table `audience`, in place of who was there.

    With `touched` only the people of the temporary table of that name are looked at (`changes.sql`).
    """
    sql = db.statements("predicates")
    db.run(conn, sql.create_audience)
    db.run(conn, sql.clear_audience)
    if condition is not None:
        db.run(conn, sql.allow_memory)
        if touched:
            _fill_few(conn, in_full(condition, product.target), product, as_of)
        else:
            db.run(conn, sql.read_by_page)
        query = audience(condition, product, as_of, few=touched)
        conn.execute(sa.insert(_audience).from_select(["lead_id"], query))
        db.run(conn, sql.read_as_before)


def _fill_few(conn: sa.Connection, asked: c.Condition, product: Product, as_of: datetime) -> None:
    """Put those of the touched into `few` whose own row does not exclude them: only their facts are looked up."""
    sql = db.statements("predicates")
    db.run(conn, sql.create_few)
    db.run(conn, sql.clear_few)
    wanted = asked.all or [] if isinstance(asked, c.Combination) else [asked]
    own = (c.Attribute, c.FirstTouch)
    told = [part for part in wanted if all(isinstance(leaf, own) for _, leaf in c.leaves(part))]
    query = (
        sa.select(_touched.c.lead_id, _touched.c.current_lead_id)
        .join(leads, leads.c.lead_id == _touched.c.current_lead_id)
        .where(leads.c.merged_into.is_(None), *(_Compiler(product, as_of, few=True).compile(part) for part in told))
    )
    conn.execute(sa.insert(_few).from_select(["lead_id", "current_lead_id"], query))
    db.run(conn, sql.analyze_few)


def audience(condition: c.Condition, product: Product, as_of: datetime, *, few: bool = False) -> sa.Select[Any]:
    """Return the select of the current leads who meet a condition of a product at `as_of` (column lead_id).

    With `few` only the people of the temporary table of that name are looked at.
    """
    found = sa.select(leads.c.lead_id).where(leads.c.merged_into.is_(None))
    if few:
        found = found.where(leads.c.lead_id.in_(sa.select(_few.c.current_lead_id)))
    return found.where(_Compiler(product, as_of, few).compile(in_full(condition, product.target)))


def predicate(condition: c.Condition, product: Product, as_of: datetime) -> sa.ColumnElement[bool]:
    """Return what a condition says of a row of `leads`, never null; what is not known of a lead is not so."""
    return _Compiler(product, as_of, few=False).sure(in_full(condition, product.target))


class _Compiler:
    """Turns each kind of condition into its predicate."""

    def __init__(self, product: Product, as_of: datetime, few: bool) -> None:
        self.product = product
        self.as_of = as_of
        self.today = as_of.astimezone(product.zone).date()
        self.few = few

    def compile(self, condition: Any) -> sa.ColumnElement[bool]:
        """Return a predicate that may be null where something is not known; `sure` is never."""
        match condition:
            case c.Combination():
                parts = [self.compile(part) for part in condition.all or ()]
                if condition.any:
                    parts.append(sa.or_(*(self.compile(part) for part in condition.any)))
                parts += [sa.not_(self.sure(part)) for part in condition.none or ()]
                return sa.and_(sa.true(), *parts)
            case c.Source():
                return self._sources(c.values(condition.source))
            case c.FirstTouch():
                return _first_touch(condition.first_touch)
            case c.Consents():
                return self._consents(condition.consent)
            case c.OfLifecycle():
                return self._lifecycle(leads, c.values(condition.lifecycle))
            case c.OfAccount():
                return self._account(c.values(condition.account.lifecycle))
            case c.InSegment():
                return self._segment(condition.segment)
            case c.Points():
                return self._points(condition.subject, condition.range)
            case c.Attribute():
                return _attribute(condition.subject, condition.value)
            case c.Behaviour():
                return self._behaviour(condition)
        raise TypeError(f"no predicate for {type(condition).__name__}")

    def sure(self, condition: Any) -> sa.ColumnElement[bool]:
        """Return a predicate for use under a negation: what is not known is not so."""
        found = self.compile(condition)
        return found if isinstance(condition, _KNOWN) else sa.func.coalesce(found, sa.false())

    def _people(self, facts: sa.TableClause) -> tuple[sa.FromClause, sa.ColumnElement[int]]:
        """Return facts joined with whom each concerns now, and that lead's id; a merge moves no facts."""
        if self.few:
            return facts.join(_few, _few.c.lead_id == facts.c.lead_id), _few.c.current_lead_id
        # Few leads are merged: joining those alone is quicker than joining `lead_now`.
        merged = leads.alias("merged")
        joined = facts.outerjoin(
            merged, sa.and_(merged.c.lead_id == facts.c.lead_id, merged.c.merged_into.is_not(None))
        )
        return joined, sa.func.coalesce(merged.c.merged_into, facts.c.lead_id)

    def _found(self, facts: sa.TableClause, *asked: sa.ColumnElement[bool]) -> sa.Select[Any]:
        """Return the select of the current leads of facts, one row a fact."""
        joined, lead_id = self._people(facts)
        return sa.select(lead_id.label("lead_id")).select_from(joined).where(*asked)

    def _sources(self, names: list[str]) -> sa.ColumnElement[bool]:
        asked = _records.c.source.in_(names), _records.c.occurred_at <= self.as_of
        return leads.c.lead_id.in_(self._found(_records, *asked))

    def _consents(self, basis: Any) -> sa.ColumnElement[bool]:
        asked = [_consents.c.occurred_at <= self.as_of]
        if basis is not True:
            asked.append(_consents.c.basis.in_(c.values(basis)))
        return leads.c.lead_id.in_(self._found(_consents, *asked))

    def _lifecycle(self, people: sa.FromClause, places: list[str]) -> sa.ColumnElement[bool]:
        known = sa.select(_lifecycles.c.lead_id).where(_lifecycles.c.product == self.product.product)
        return sa.or_(
            people.c.lead_id.in_(known.where(_lifecycles.c.lifecycle.in_(places))),
            sa.and_(sa.func.coalesce(people.c.crm_lifecycle, "lead").in_(places), people.c.lead_id.not_in(known)),
        )

    def _account(self, places: list[str]) -> sa.ColumnElement[bool]:
        others = leads.alias("colleagues")
        found = sa.select(others.c.account_id).where(
            others.c.account_id.is_not(None), others.c.merged_into.is_(None), self._lifecycle(others, places)
        )
        if self.few:
            ours = leads.alias("ours")
            accounts = sa.select(ours.c.account_id).join(_few, _few.c.lead_id == ours.c.lead_id)
            found = found.where(others.c.account_id.in_(accounts))
        return leads.c.account_id.in_(found)

    def _segment(self, name: str) -> sa.ColumnElement[bool]:
        found = self._found(
            _members,
            _members.c.product == self.product.product,
            _members.c.segment == name,
            _members.c.joined_at <= self.as_of,
            sa.or_(_members.c.left_at.is_(None), _members.c.left_at > self.as_of),
        )
        return leads.c.lead_id.in_(found)

    def _points(self, subject: str, bounds: c.Range) -> sa.ColumnElement[bool]:
        scores = _scores.join(_few, _few.c.lead_id == _scores.c.lead_id) if self.few else _scores
        newest = (
            sa.select(_scores.c.lead_id, _scores.c[subject].label("points"))
            .select_from(scores)
            .where(_scores.c.product == self.product.product, _scores.c.scored_at <= self.as_of)
            .ext(distinct_on(_scores.c.lead_id))
            .order_by(_scores.c.lead_id, _scores.c.scored_at.desc())
            .subquery("newest_scores")
        )
        if bounds.holds(0):  # who was never scored has no points
            outside = sa.select(newest.c.lead_id).where(sa.not_(_within(newest.c.points, bounds)))
            return leads.c.lead_id.not_in(outside)
        return leads.c.lead_id.in_(sa.select(newest.c.lead_id).where(_within(newest.c.points, bounds)))

    def _behaviour(self, asked: c.Behaviour) -> sa.ColumnElement[bool]:
        product, kind = _signals.c.product == self.product.product, _signals.c.kind == asked.kind
        wanted = [product, kind, _signals.c.day <= self.today]
        days = asked.days()
        if days is not None:
            wanted.append(_signals.c.day > self.today - timedelta(days=days))
        if asked.subject is not None:
            wanted.append(sa.or_(*(_like(_signals.c.subject, text) for text in c.values(asked.subject))))
        if asked.mail_type is not None:
            wanted.append(_signals.c.mail_type == asked.mail_type)
        least, most = asked.bounds()
        found, lead_id, times = self._acts(wanted, is_counted=(least, most) not in ((1, None), (0, 0)))
        if least == 0:  # who did nothing at all is in: everybody but who did it more often
            if most is None:
                return sa.true()
            more = found if most == 0 else found.group_by(lead_id).having(times > most)
            return leads.c.lead_id.not_in(more)
        if (least, most) != (1, None):
            found = found.group_by(lead_id).having(_within(times, c.Range(min=least, max=most)))
        return leads.c.lead_id.in_(found)

    def _acts(
        self, wanted: list[sa.ColumnElement[bool]], *, is_counted: bool
    ) -> tuple[sa.Select[Any], sa.ColumnElement[int], sa.ColumnElement[int]]:
        """Return the select of the current leads of signals, one row a signal, their ids, and the sum of its counts.

        Of few leads each one's are looked up. Left to choose, the planner reads everybody's: it takes the lookup for
        forty times what it costs, and a day's change takes as long as everybody.
        """
        if not self.few:
            joined, lead_id = self._people(_signals)
            found = sa.select(lead_id.label("lead_id")).select_from(joined).where(*wanted)
            return found, lead_id, sa.func.sum(_signals.c.count)
        told = [_signals.c.lead_id, *([_signals.c.count] if is_counted else [])]  # all else stands in the index
        acts = sa.select(*told).where(_signals.c.lead_id == _few.c.lead_id, *wanted).offset(0).lateral("acts")
        lead_id = _few.c.current_lead_id
        found = sa.select(lead_id.label("lead_id")).select_from(_few.join(acts, sa.true()))
        return found, lead_id, sa.func.sum(acts.c.count) if is_counted else sa.literal(0)


def _attribute(subject: str, wanted: Any) -> sa.ColumnElement[bool]:
    if subject == "company":
        return _any_like(leads.c.company, wanted)
    column = leads.c[_COLUMNS[subject]]
    return _within(column, wanted) if isinstance(wanted, c.Range) else column.in_(c.values(wanted))


def _first_touch(first: c.First) -> sa.ColumnElement[bool]:
    columns: dict[str, sa.ColumnElement[Any]] = {"source": leads.c.first_source, "channel": leads.c.first_channel}
    kept = leads.c.first_touch
    return sa.and_(
        *(
            _any_like(columns[name] if name in columns else kept[name].astext, texts)
            for name, texts in first.asked().items()
        )
    )


def _any_like(column: sa.ColumnElement[Any], texts: Any) -> sa.ColumnElement[bool]:
    return sa.or_(*(column.ilike(pattern(text), escape="\\") for text in c.values(texts)))


def _like(column: sa.ColumnElement[Any], text: str) -> sa.ColumnElement[bool]:
    return column.like(pattern(text), escape="\\") if "*" in text else column == text


def _within(column: sa.ColumnElement[Any], bounds: c.Range) -> sa.ColumnElement[bool]:
    parts = [column >= bounds.min] if bounds.min is not None else []
    parts += [column <= bounds.max] if bounds.max is not None else []
    return sa.and_(*parts)


def pattern(text: str) -> str:
    """Return a text with `*` (`/pricing*`) as the operand of LIKE, escaped by backslashes."""
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return escaped.replace("*", "%")
