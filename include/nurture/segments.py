"""Segments: who meets an audience, and since when."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from nurture import changes, db, versions
from nurture.definitions import conditions as c
from nurture.definitions.meaning import audiences, in_full
from nurture.definitions.products import Product
from nurture.predicates import fill_audience


def refresh(
    conn: sa.Connection, product: Product, as_of: datetime, *, live: bool = True, everybody: bool = False
) -> dict[str, int]:
    """Make every segment of a product equal to its condition at `as_of`; return counts.

    A scenario's audience is the segment of the scenario's name. Of a segment that was refreshed before only those are
    looked at who changed since or whose time has come, unless `everybody` is asked for; both end the same. A run that
    is not `live` (N7) changes nothing and counts what would have been. Counts: segments, members, joined, departed.
    """
    defined = in_order(product)
    counted = _refresh(conn, product, as_of, defined, everybody) if live else _compare(conn, product, as_of, defined)
    conn.commit()
    return {"segments": len(defined), **counted}


Defined = list[tuple[str, c.Condition]]


def _refresh(
    conn: sa.Connection, product: Product, as_of: datetime, defined: Defined, everybody: bool
) -> dict[str, int]:
    sql = db.statements("segments")
    totals = {"members": 0, "joined": 0, "departed": 0}
    db.run(conn, sql.enter, product=product.product)
    begun = changes.begin(conn)
    hashes = {
        name: versions.keep(conn, product.product, "segment", name, in_full(condition, product.target).body())
        for name, condition in defined
    }
    asked = changes.Asked.of(condition for _, condition in defined)
    known = set() if everybody else changes.find_touched(conn, product, as_of, hashes, asked, begun)
    db.run(conn, sql.break_later, product=product.product, as_of=as_of)
    for name, condition in defined:
        touched = name in known
        fill_audience(conn, condition, product, as_of, touched=touched)
        segment: dict[str, Any] = {"product": product.product, "segment": name}
        made = {**segment, "as_of": as_of, "definition_hash": hashes[name], "is_full": not touched}
        db.run(conn, db.statements("changes").create_touched)
        joined, departed = db.run(conn, sql.refresh, **made).one()
        size = db.run(conn, sql.count_members, **segment).scalar_one()
        counted = {"size": size, "joined": joined, "departed": departed}
        db.run(conn, sql.record_refresh, **made, **counted, zone=product.timezone, **vars(begun))
        for key, number in (("members", size), ("joined", joined), ("departed", departed)):
            totals[key] += number
    names = [name for name, _ in defined]
    totals["departed"] += db.count(conn, sql.close_removed, product=product.product, segments=names, as_of=as_of)
    changes.forget(conn)
    return totals


def _compare(conn: sa.Connection, product: Product, as_of: datetime, defined: Defined) -> dict[str, int]:
    sql = db.statements("segments")
    totals = {"members": 0, "joined": 0, "departed": 0}
    for name, condition in defined:
        fill_audience(conn, condition, product, as_of)
        found = db.run(conn, sql.compare, product=product.product, segment=name, as_of=as_of).one()
        for key, number in zip(totals, found, strict=True):
            totals[key] += number
    return totals


def in_order(product: Product) -> Defined:
    """Return a product's segments, then its audiences, each after the segments that it builds on.

    A circle of segments is refused by `nurture check`; here it is a ValueError.
    """
    named = audiences(product)
    ordered: dict[str, c.Condition] = {}

    def visit(name: str, above: tuple[str, ...]) -> None:
        if name in above:
            raise ValueError(f"segments in a circle: {' → '.join((*above, name))}")
        if name in ordered or name not in named:
            return
        for other in sorted(c.built_on(named[name])):
            visit(other, (*above, name))
        ordered[name] = named[name]

    for name in named:
        visit(name, ())
    return list(ordered.items())
