"""Segments: who meets an audience, and since when."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from nurture import db, versions
from nurture.definitions import conditions as c
from nurture.definitions.products import Product
from nurture.predicates import fill_audience


def refresh(conn: sa.Connection, product: Product, as_of: datetime, *, live: bool = True) -> dict[str, int]:
    """Make every segment of a product equal to its condition at `as_of`; return counts.

    A scenario's audience is the segment of the scenario's name. A run that is not `live` (N7) changes nothing and
    counts what would have been. Counts: segments, members, joined, departed.
    """
    sql = db.statements("segments")
    totals = {"segments": 0, "members": 0, "joined": 0, "departed": 0}
    defined = in_order(product)
    for name, condition in defined:
        fill_audience(conn, condition, product, as_of)
        wanted: dict[str, Any] = {"product": product.product, "segment": name, "as_of": as_of}
        if live:
            kept = versions.keep(conn, product.product, "segment", name, condition.body())
            size, joined, departed = db.run(conn, sql.refresh, definition_hash=kept, **wanted).one()
        else:
            size, joined, departed = db.run(conn, sql.compare, **wanted).one()
        for key, number in (("segments", 1), ("members", size), ("joined", joined), ("departed", departed)):
            totals[key] += number
    if live:
        names = [name for name, _ in defined]
        totals["departed"] += db.count(conn, sql.close_removed, product=product.product, segments=names, as_of=as_of)
    conn.commit()
    return totals


def in_order(product: Product) -> list[tuple[str, c.Condition]]:
    """Return a product's segments, then its audiences, each after the segments that it builds on.

    A circle of segments is refused by `nurture check`; here it is a ValueError.
    """
    named: dict[str, c.Condition] = {
        **product.segments, **{name: scenario.audience for name, scenario in product.scenarios.items()}
    }  # fmt: skip
    ordered: dict[str, c.Condition] = {}

    def visit(name: str, above: tuple[str, ...]) -> None:
        if name in above:
            raise ValueError(f"segments in a circle: {' → '.join((*above, name))}")
        if name in ordered or name not in named:
            return
        for other in sorted(built_on(named[name])):
            visit(other, (*above, name))
        ordered[name] = named[name]

    for name in named:
        visit(name, ())
    return list(ordered.items())


def built_on(condition: Any) -> set[str]:
    """Return the names of the segments that a condition asks for, at any depth."""
    if isinstance(condition, c.InSegment):
        return {condition.segment}
    if isinstance(condition, c.Combination):
        parts = [*(condition.all or ()), *(condition.any or ()), *(condition.none or ())]
        return set().union(*(built_on(part) for part in parts))
    return set()
