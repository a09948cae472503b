"""Blocks: which of an email's content blocks each lead gets, asked of all due messages at once, never by a template.

A variant is one combination of an email's blocks: a content, a hash and a batch of its own.
"""

from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa

from nurture import db, predicates
from nurture.definitions.products import ContentBlock, Product

_due_people = sa.table("due_people", sa.column("lead_id"))
_block_audience = sa.table("block_audience", sa.column("block"), sa.column("lead_id"))


class Variant(NamedTuple):
    """A combination of an email's blocks: as `messages.variant` keeps it (None: it has no blocks), and as names."""

    key: str | None
    shown: frozenset[str] = frozenset()


class Reader(NamedTuple):
    """One lead as an email addresses it: name, company, and the blocks that it shows."""

    name: str | None
    company: str | None
    shown: tuple[str, ...]


def choose(conn: sa.Connection, product: Product, email: str, as_of: datetime) -> list[Variant]:
    """Choose the blocks of every due message of an email and return the variants that are due.

    Conditions are asked as of `as_of`, so that what a mail shows is as fresh as its sending; the answer is this
    session's (table `chosen`) until it asks for the next email. Commits.
    """
    sql, due = db.statements("blocks"), {"product": product.product, "email": email, "as_of": as_of}
    db.run(conn, sql.create_blocks)
    db.run(conn, sql.forget_chosen)
    if not _blocks(product, email):
        conn.commit()
        return [Variant(None)]
    db.run(conn, sql.find_due_people, **due)
    db.run(conn, sql.know_due_people)
    db.run(conn, db.statements("predicates").allow_memory)
    people = sa.select(_due_people.c.lead_id)
    for block in _blocks(product, email):
        asked = predicates.audience(block.when, product, as_of).where(predicates.leads.c.lead_id.in_(people))
        found = asked.add_columns(sa.literal(block.block, sa.Text))
        conn.execute(sa.insert(_block_audience).from_select(["lead_id", "block"], found))
    db.run(conn, sql.choose, **due)
    keys = db.run(conn, sql.due_variants, **due).scalars().all()
    conn.commit()
    return [Variant(key, frozenset(key.split("+")) - {"-"}) for key in keys]


def _blocks(product: Product, email: str) -> list[ContentBlock]:
    template = product.emails.get(email)
    return template.terms.blocks if template else []


def shown_by(product: Product, email: str, key: str | None) -> frozenset[str] | None:
    """Return the blocks that a variant of an email shows; None when the email has no such variant any more."""
    names = {block.block for block in _blocks(product, email)}
    shown = frozenset(key.split("+")) - {"-"} if key else frozenset[str]()
    return shown if email in product.emails and shown <= names and bool(key) == bool(names) else None


def reader(conn: sa.Connection, product: Product, email: str, lead_id: int, as_of: datetime) -> Reader | None:
    """Return how one lead would read an email at a moment, or None when there is no such lead."""
    person = db.run(conn, db.statements("blocks").person, lead_id=lead_id).one_or_none()
    if person is None:
        return None
    is_theirs = predicates.leads.c.lead_id == person.lead_id
    shown = tuple(
        block.block
        for block in product.emails[email].terms.blocks
        if conn.execute(predicates.audience(block.when, product, as_of).where(is_theirs)).first()
    )
    return Reader(person.name, person.company, shown)
