"""Outages: how many messages the next request may have, so that an outage strands few, however many workers (N3)."""

from datetime import datetime, timedelta

import sqlalchemy as sa

from nurture import db
from nurture.definitions.products import Product
from nurture.holds import STRANDED_AT_MOST
from nurture.sendgrid import AT_MOST

KEPT_FOR_PROBES = 100
PROBE_EVERY = timedelta(minutes=15)


class Unanswering(Exception):
    """The provider's answers stay away: nothing more is claimed until one is settled or a probe is accepted."""


def lock_claims(conn: sa.Connection) -> None:
    """Wait for every other claim to end; until this transaction ends nobody else claims or gives back."""
    db.run_often(conn, db.statements("outages").lock_claims)


def allowed(conn: sa.Connection, product: Product, at: datetime) -> int:
    """Return how many messages the next request of a product may have, one when it is a probe; ask under the lock.

    A claim takes half of what is left at most, so that an outage strands `STRANDED_AT_MOST` whatever is under way:
    1,000 for a worker alone, a share each for several. Zero: others have so much in flight that this one waits.
    Raises `Unanswering` after two ambiguous answers in a row, or when no more than probes are left.
    """
    sql = db.statements("outages")
    recent = db.run_often(conn, sql.recent_answers, product=product.product).scalars().all()
    in_flight, unanswered, newest_at = db.run_often(conn, sql.open_requests, product=product.product).one()
    left = STRANDED_AT_MOST - in_flight - unanswered
    if list(recent) == ["unknown"] * 2 or STRANDED_AT_MOST - unanswered <= KEPT_FOR_PROBES:
        may_probe = left > 0 or product.unknown == "resend_when_absent"  # else a person decides
        if may_probe and (newest_at is None or at - newest_at >= PROBE_EVERY):
            return 1
        raise Unanswering(
            f"{unanswered} messages have no answer from SendGrid; nothing more of {product.product} is sent until one "
            f"is settled (nurture sends settle) or a probe is accepted"
        )
    return min(AT_MOST, left // 2) if left > KEPT_FOR_PROBES else 0
