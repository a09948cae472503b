"""Approvals: content that was never sent, or an audience above a number, waits for a person's yes."""

from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple

import sqlalchemy as sa

from nurture import db
from nurture.definitions.products import Approval

HOLDS_FOR = timedelta(days=7)  # a yes to an audience is a yes to that send, not to every later one
AWAITED, DENIED = "awaiting approval", "not approved"


class Asked(NamedTuple):
    """One question that waits."""

    approval_id: int
    product: str
    email: str
    content_hash: str
    reason: str
    audience_size: int
    asked_at: datetime
    subject: str
    text: str


def stands_in_the_way(
    conn: sa.Connection, policy: Approval, product: str, email: str, content_hash: str, audience: int, at: datetime
) -> str:
    """Return why content may not be sent yet, '' where it may; a question that it raises is kept.

    A no, also that of a question nobody answered in time, stands until the content changes.
    """
    if not (policy.first_send or policy.audience_above):
        return ""
    sql = db.statements("approvals")
    found: list[Any] = list(db.run(conn, sql.standing, product=product, content_hash=content_hash).all())
    answers = {row.reason: row for row in found if row.reason}
    wanted: list[str] = []
    if policy.first_send and not found[0].was_sent:
        wanted.append("first send")
    if policy.audience_above is not None and audience > policy.audience_above:
        wanted.append("audience")
    way = ""
    for reason in wanted:
        known = answers.get(reason)
        if known is not None and known.answer == "no":
            return DENIED
        if known is not None and known.answer == "yes" and (
            reason == "first send" or (audience <= known.audience_size and known.answered_at > at - HOLDS_FOR)
        ):  # fmt: skip
            continue
        db.run(
            conn, sql.ask, product=product, email=email, content_hash=content_hash, reason=reason,
            audience_size=audience, at=at,
        )  # fmt: skip
        way = AWAITED
    return way


def waiting(conn: sa.Connection, product: str | None = None) -> list[Asked]:
    """Return the questions of a product, or of all, that wait for a person."""
    return [Asked(*row) for row in db.run(conn, db.statements("approvals").open_approvals, product=product)]


def answer(conn: sa.Connection, approval_id: int, said: Literal["yes", "no"], who: str, at: datetime) -> bool:
    """Keep a person's answer; return whether the question was open."""
    statement = db.statements("approvals").answer
    return db.count(conn, statement, approval_id=approval_id, answer=said, who=who, at=at) == 1
