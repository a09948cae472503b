"""Versions: every part of a definition that ever ran is kept under its own hash."""

from typing import Any, Literal

import sqlalchemy as sa

from nurture import db
from nurture.definitions.model import hash_of

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
