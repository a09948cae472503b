"""Settlement: find out what became of a request whose answer nobody knows, and post nothing on a guess (N3)."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Literal

import sqlalchemy as sa

from nurture import db
from nurture.definitions.products import Product
from nurture.sendgrid import TIMEOUT

Logged = Callable[[str, datetime], dict[str, str]]  # (address, since) -> our message id: the provider's

PATIENCE = timedelta(seconds=TIMEOUT + 60)
ABSENT_AFTER = timedelta(minutes=30)


def settle(conn: sa.Connection, product: Product, at: datetime, logged: Logged) -> dict[str, int]:
    """Settle a product's unknown requests by evidence, then by its policy; return counts.

    Evidence for: an event or a Logs row with a member's id. Evidence against: 30 minutes on, Logs knows none of three
    members while events of a later request have come. Then `resend_when_absent` plans the members again; `hold` waits
    for a person. Counts: given_up, accepted, planned, held (messages). Raises what `logged` raises.
    """
    sql = db.statements("settlement")
    counts = {"given_up": 0, "accepted": 0, "planned": 0, "held": 0}
    counts["given_up"] = db.count(conn, sql.give_up, product=product.product, at=at, patience=PATIENCE)
    waiting = db.run(conn, sql.unknown_requests, product=product.product).all()
    conn.commit()
    for request in waiting:
        which = {"request_id": request.request_id, "at": at}
        if request.has_event:
            counts["accepted"] += db.count(conn, sql.settle_accepted, settled_by="event", **which)
        elif _is_logged(request, logged):
            counts["accepted"] += db.count(conn, sql.settle_accepted, settled_by="logs", **which)
        elif product.unknown == "resend_when_absent" and at - request.at >= ABSENT_AFTER and request.later_has_event:
            counts["planned"] += db.count(conn, sql.settle_planned, settled_by="absent from logs", **which)
        else:
            counts["held"] += request.member_count
        conn.commit()
    return counts


def _is_logged(request: sa.Row, logged: Logged) -> bool:
    return any(
        str(message_id) in logged(address, request.at - timedelta(minutes=1))
        for message_id, address in zip(request.message_ids, request.addresses, strict=True)
    )


def settle_by_hand(
    conn: sa.Connection, request_id: int, answer: Literal["accepted", "planned", "cancelled"], who: str, at: datetime
) -> int:
    """Settle one request as a person decides; return how many messages it concerned."""
    sql = db.statements("settlement")
    statement = {
        "accepted": sql.settle_accepted, "planned": sql.settle_planned, "cancelled": sql.settle_cancelled
    }[answer]  # fmt: skip
    changed = db.count(conn, statement, request_id=request_id, at=at, settled_by=who)
    conn.commit()
    return changed
