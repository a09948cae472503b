"""Effect: whom a change lets in and puts out, and which mails it words anew, before it runs; nothing is touched."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa

from nurture import blocks, db, emails
from nurture.definitions import conditions as c
from nurture.definitions.meaning import audiences, in_full, without_segments
from nurture.definitions.products import Product
from nurture.predicates import audience
from nurture.problem import Problem


class Effect(NamedTuple):
    """What becomes of one segment or scenario: who is in by the definition that last ran, and by the one at hand."""

    product: str
    segment: str
    before: int
    after: int
    enter: int
    leave: int

    def __str__(self) -> str:
        """Write the effect for a person."""
        return (
            f"{self.product} {self.segment}: {self.enter:,} leads enter, {self.leave:,} leave"
            f" ({self.before:,} → {self.after:,})"
        )


def effects(conn: sa.Connection, product: Product, as_of: datetime) -> Iterator[Effect]:
    """Yield what each changed, new or removed segment and audience of a product would do at `as_of`, read only.

    Both definitions are counted at the same moment, so that only the change of words counts. A segment that builds on
    a changed one is changed. Of a product that never ran there is nothing to compare with.
    """
    sql = db.statements("segments")
    db.run(conn, sql.read_only)
    db.run(conn, db.statements("predicates").allow_memory)
    rows = db.run(conn, sql.last_definitions, product=product.product).all()
    old = {name: c.READ.validate_python(body) for name, body in rows}
    new = {name: in_full(condition, product.target) for name, condition in audiences(product).items()}
    for name in dict.fromkeys([*new, *old]) if old else ():
        before, after = _whole(name, old), _whole(name, new)
        if before is not None and after is not None and before.body() == after.body():
            continue
        size_before, size_after, enter, leave = conn.execute(_counted(before, after, product, as_of)).one()
        yield Effect(product.product, name, size_before, size_after, enter, leave)
    conn.rollback()


def reworded(conn: sa.Connection, product: Product) -> list[str]:
    """Return the mails that would now go out in other words than they last did, in any of their variants.

    What is in all mails counts as well: the layout, the sender. A mail that was never sent has nothing to differ from,
    and one that cannot be rendered is told elsewhere.
    """
    differs: dict[str, list[bool]] = {}
    for email, variant, content_hash in db.run(conn, db.statements("versions").sent_last, product=product.product):
        if email not in product.emails:
            continue
        shown = blocks.shown_by(product, email, variant)
        differs.setdefault(email, [])
        if shown is not None:
            differs[email].append(_hash(product, email, shown) not in (content_hash, None))
    return [email for email, found in differs.items() if any(found) or not found]  # or all its variants are gone


def _hash(product: Product, email: str, shown: frozenset[str]) -> str | None:
    try:
        return emails.render(product, email, shown=shown).hash()
    except Problem:
        return None


def _whole(name: str, named: Mapping[str, c.Condition]) -> c.Condition | None:
    return without_segments(named[name], named) if name in named else None


def _counted(
    before: c.Condition | None, after: c.Condition | None, product: Product, as_of: datetime
) -> sa.Select[int, int, int, int]:
    was, will_be = (
        (
            audience(condition, product, as_of)
            if condition is not None
            else sa.select(sa.cast(sa.null(), sa.BigInteger).label("lead_id")).where(sa.false())
        ).subquery(name)
        for condition, name in ((before, "was"), (after, "will_be"))
    )
    every = sa.func.count()
    return sa.select(
        sa.func.count(was.c.lead_id),
        sa.func.count(will_be.c.lead_id),
        every.filter(was.c.lead_id.is_(None)),
        every.filter(will_be.c.lead_id.is_(None)),
    ).select_from(was.outerjoin(will_be, was.c.lead_id == will_be.c.lead_id, full=True))
