"""Versions: every part of a definition that ever ran is kept under its own hash."""

import json
from typing import Any, Literal

import sqlalchemy as sa
from pydantic import ValidationError

from nurture import db
from nurture.definitions.model import hash_of
from nurture.definitions.past import Past, Walked
from nurture.definitions.products import Product, Scenario

_AS_NOW = ("emails", "layout", "selling_words")
_IDLE = ("name", "owner", "test_recipients", "readiness", "reviews", "content_ready")  # change nobody's mails

Part = Literal["product", "segment", "scenario", "plan", "scoring", "qualification", "email"]


def keep(conn: sa.Connection, product: str, part: Part, name: str, body: Any) -> str:
    """Keep what a part says and return its hash; the same words of the same part have one hash for ever."""
    digest = hash_of([product, part, name, body])
    db.run(
        conn, db.statements("versions").keep,
        definition_hash=digest, product=product, part=part, name=name, body=db.as_json(body),
    )  # fmt: skip
    return digest


def keep_whole(conn: sa.Connection, product: Product) -> str:
    """Keep all that a product says of who is mailed what and when, but for the mails' words, and return its hash."""
    return keep(conn, product.product, "product", product.product, _whole(product))


def last_walked(conn: sa.Connection, product: Product) -> "Product | Literal['the same', 'never', 'unreadable']":
    """Return a product as it was when its journeys were last walked, with the mails of today, where it was another.

    It is unreadable where a mail or a word of it is gone.
    """
    body = db.run(conn, db.statements("versions").last_walked, product=product.product).scalar()
    if body is None:
        return "never"
    if body == json.loads(db.as_json(_whole(product))):
        return "the same"
    try:
        scenarios = {name: Scenario.model_validate(told) for name, told in body["scenarios"].items()}
        as_now = {key: said for key, said in product.body().items() if key in _IDLE}
        old = Product.model_validate({**as_now, **body["product"]}).model_copy(
            update={"scenarios": scenarios, **{key: getattr(product, key) for key in _AS_NOW}}
        )
    except ValidationError:
        return "unreadable"
    sent = [*old.plan, *(email for scenario in scenarios.values() for email in scenario.emails())]
    return old if all(each.email in {None, *product.emails} for each in sent) else "unreadable"


def _whole(product: Product) -> dict[str, Any]:
    scenarios = {name: scenario.body() for name, scenario in product.scenarios.items()}
    said = {key: told for key, told in product.body().items() if key not in _IDLE}
    return {"product": said, "scenarios": scenarios}


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
