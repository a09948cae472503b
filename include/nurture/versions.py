"""Versions: every part of a definition that ever ran is kept under its own hash."""

from typing import Any, Literal

import sqlalchemy as sa

from nurture import db
from nurture.definitions.model import hash_of
from nurture.definitions.past import Past, Walked
from nurture.definitions.products import Product

Part = Literal["segment", "scenario", "plan", "scoring", "qualification", "email"]


def keep(conn: sa.Connection, product: str, part: Part, name: str, body: Any) -> str:
    """Keep what a part says and return its hash; the same words of the same part have one hash for ever."""
    digest = hash_of([product, part, name, body])
    db.run(
        conn, db.statements("versions").keep,
        definition_hash=digest, product=product, part=part, name=name, body=db.as_json(body),
    )  # fmt: skip
    return digest


def read(conn: sa.Connection, definition_hash: str) -> Any:
    """Return the body that was kept under a hash; an unknown hash is a LookupError."""
    body = db.run(conn, db.statements("versions").read, definition_hash=definition_hash).scalar()
    if body is None:
        raise LookupError(f"no definition was kept under {definition_hash}")
    return body


def past(conn: sa.Connection, product: Product) -> Past:
    """Return what has run of a product: what a changed definition must heed."""
    sql = db.statements("versions")
    which = {"product": product.product, "zone": product.timezone}
    begun = db.run(conn, sql.beginnings, **which).one()
    versions: dict[str, list[Walked]] = {}
    for row in db.run(conn, sql.scenarios_walked, product=product.product):
        versions.setdefault(row.scenario, []).append(Walked(row.body, row.under_way))
    return Past(
        leads=begun.leads,
        first_run_on=begun.first_run_on,
        has_sent=begun.has_sent,
        entries={row.name: row.body for row in db.run(conn, sql.entries_run, product=product.product)},
        sent_on=list(db.run(conn, sql.plan_sent_on, **which).scalars()),
        versions=versions,
    )
