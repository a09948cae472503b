"""Scoring: warmth as fit plus decayed engagement, from all of a lead's signals each time."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from nurture import db, versions
from nurture.definitions.products import EngagementRule, Product
from nurture.predicates import fill_audience, pattern


def rescore(
    conn: sa.Connection, product: Product, as_of: datetime, products: Sequence[str], *,
    everybody: bool = True, live: bool = True,
) -> dict[str, int]:  # fmt: skip
    """Rescore a product's leads at `as_of`: everybody, or those with something new; return counts.

    The same statement serves both, so that incremental equals full. `products` names every product that is
    nurtured: a lead whose attributes changed is marked for each. A run that is not `live` (N7) writes the scores of
    its own moment where none stand, rewrites none, and leaves the marks. Counts: leads, changed.
    """
    sql = db.statements("scoring")
    if product.product in products:
        db.run(conn, sql.spread_marks, products=list(products))
    db.run(conn, sql.create_to_score)
    if everybody:
        db.run(conn, sql.everybody)
    else:
        db.run(conn, sql.the_marked, product=product.product, as_of=as_of)
    leads = db.run(conn, sql.size).scalar_one()
    changed = 0
    if leads:
        db.run(conn, sql.create_fits)
        for rule in product.scoring.fit:
            fill_audience(conn, rule.when, product, as_of)
            db.run(conn, sql.add_fit, points=rule.points)
        if everybody:
            db.run(conn, db.statements("predicates").read_by_page)
        kept = versions.keep(conn, product.product, "scoring", "scoring", product.scoring.body())
        changed = db.count(
            conn, sql.score_leads,
            product=product.product, as_of=as_of, zone=product.timezone, definition_hash=kept,
            rules=db.as_json([rule_row(rule) for rule in product.scoring.engagement]),
            half_life_days=product.scoring.half_life.span() / timedelta(days=1), rewrite=live,
        )  # fmt: skip
        db.run(conn, db.statements("predicates").read_as_before)
    if live:
        db.run(conn, sql.clear_marks, product=product.product)
    conn.commit()
    return {"leads": leads, "changed": changed}


def rule_row(rule: EngagementRule) -> dict[str, Any]:
    """Return a rule as the statement reads it: `subject` is the operand of LIKE, or null for any."""
    return {
        "kind": rule.when, "mail_type": rule.mail_type, "points": rule.points,
        "subject": pattern(rule.subject) if rule.subject else None,
        "per_day": rule.per_day, "at_most": rule.at_most,
    }  # fmt: skip
