"""Changes: whom an incremental refresh has to look at, so that it ends where a full one would."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from nurture import db
from nurture.definitions import conditions as c
from nurture.definitions.products import Product

# More than one lead in so many: looking at everybody is quicker.
_A_PART = 5


@dataclass(frozen=True)
class Begun:
    """What was known when a refresh began, and by which database cluster."""

    snapshot: str
    cluster: int


@dataclass(frozen=True)
class Asked:
    """What a product's conditions depend on: kinds of changes, windows of days, sources, colleagues."""

    kinds: frozenset[str]
    windows: frozenset[tuple[str, int]]
    sources: bool
    accounts: bool

    @classmethod
    def of(cls, conditions: Iterable[c.Condition]) -> "Asked":
        """Return what these conditions depend on together."""
        leaves = [leaf for condition in conditions for _, leaf in c.leaves(condition)]
        behaviours = [leaf for leaf in leaves if isinstance(leaf, c.Behaviour)]
        accounts = any(isinstance(leaf, c.OfAccount) for leaf in leaves)
        kinds = {"lead"}  # a new lead, a merge and an undo concern every condition
        for kind, types in (
            ("consent", c.Consents), ("lifecycle", (c.OfLifecycle, c.OfAccount)), ("score", c.Points),
            ("signal", c.Behaviour),
        ):  # fmt: skip
            kinds |= {kind} if any(isinstance(leaf, types) for leaf in leaves) else set()
        ahead = {(leaf.kind, 0) for leaf in behaviours}  # days that had not begun
        fallen = {(leaf.kind, days) for leaf in behaviours if (days := leaf.days()) is not None}
        sources = any(isinstance(leaf, c.Source) for leaf in leaves)
        return cls(frozenset(kinds), frozenset(ahead | fallen), sources, accounts)


def begin(conn: sa.Connection) -> Begun:
    """Note what is known now, before anybody is looked at."""
    snapshot, cluster = db.run(conn, db.statements("changes").begin).one()
    return Begun(snapshot, cluster)


def find_touched(
    conn: sa.Connection, product: Product, as_of: datetime, hashes: Mapping[str, str], asked: Asked, begun: Begun
) -> set[str]:
    """Fill the temporary table `touched` and return the segments for which looking at those few is enough.

    `hashes` are the definitions by segment. Every other segment is to be refreshed in full: it is new or was changed,
    its last refresh is too old or of a later moment, or too many leads changed.
    """
    sql = db.statements("changes")
    db.run(conn, sql.create_touched)
    db.run(conn, sql.clear_touched)
    found = db.run(
        conn, sql.bases, product=product.product, as_of=as_of, zone=product.timezone, cluster=begun.cluster
    ).all()  # fmt: skip
    known = {base.segment: base for base in found if hashes.get(base.segment) == base.definition_hash}
    if not known:
        return set()
    oldest = min(known.values(), key=lambda base: _xmax(base.snapshot))
    windows: list[dict[str, Any]] = [{"kind": kind, "days": days} for kind, days in sorted(asked.windows)]
    number = db.count(
        conn, sql.find_touched,
        product=product.product, as_of=as_of, since=oldest.as_of, snapshot=oldest.snapshot, zone=product.timezone,
        kinds=sorted(asked.kinds), windows=db.json_rows(windows), asks_sources=asked.sources,
        asks_accounts=asked.accounts,
    )  # fmt: skip
    if number * _A_PART > db.run(conn, sql.count_leads).scalar_one():
        return set()
    db.run(conn, sql.analyze_touched)
    return set(known)


def forget(conn: sa.Connection) -> int:
    """Delete the changes that no refresh asks for any more; return how many."""
    return db.count(conn, db.statements("changes").forget_changes)


def _xmax(snapshot: str) -> int:
    return int(snapshot.split(":")[1])
