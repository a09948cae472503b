"""Holds: what keeps mails back: a person's pause, a rate that passed its limit, the provider's no, a restore.

Every claim looks at them in its own transaction, so a hold works within one request, and what it holds stays planned.
"""

from datetime import datetime
from typing import Any, Literal, NamedTuple

import sqlalchemy as sa

from nurture import alerts, db
from nurture.definitions.limits import StopWhen

Scope = Literal["everything", "product", "domain"]
Reason = Literal["paused", "stopped", "rate limited", "provider refused", "restored", "no one-click"]


STRANDED_AT_MOST = 2_000  # messages of the account that one outage may leave without an answer (N3)


class Hold(NamedTuple):
    """One reason why nothing is sent; `until` None: until a person resumes."""

    hold_id: int
    scope: Scope
    key: str
    reason: Reason
    evidence: str
    began_at: datetime
    until: datetime | None

    @property
    def words(self) -> str:
        """Say what is held and why, in one line."""
        whose = {"everything": "all sending", "product": f"product {self.key}", "domain": f"sending from {self.key}"}
        return f"{whose[self.scope]} is held ({self.reason}): {self.evidence}"

    @property
    def mend(self) -> str:
        """Say the command that ends it."""
        whose = {"everything": "", "product": f" {self.key}", "domain": f" --domain {self.key}"}[self.scope]
        return f"nurture sends resume{whose}"


def hold(
    conn: sa.Connection, scope: Scope, key: str, reason: Reason, evidence: str, at: datetime,
    until: datetime | None = None,
) -> None:  # fmt: skip
    """Hold sending; the caller commits. A hold that only a person can end raises an alert, a pause does not."""
    found = db.run(
        conn, db.statements("holds").hold,
        scope=scope, key=key, reason=reason, evidence=evidence, at=at, until=until,
    ).scalar_one()  # fmt: skip
    if until is None and reason != "paused":
        made = Hold(found, scope, key, reason, evidence, at, until)
        product = key if scope == "product" else None
        alerts.raise_alert(conn, "held", f"{scope} {key} {reason}", made.words, made.mend, at, product)


def open_holds(conn: sa.Connection, product: str, domain: str, at: datetime) -> list[Hold]:
    """Return what holds a product's sending from a domain at a moment, what only a person ends first."""
    found = db.run(conn, db.statements("holds").open_holds, product=product, domain=domain, at=at)
    return [Hold(*row) for row in found]


def every_hold(conn: sa.Connection, at: datetime) -> list[Hold]:
    """Return all that holds sending at a moment."""
    return [Hold(*row) for row in db.run(conn, db.statements("holds").every_hold, at=at)]


def resume(
    conn: sa.Connection, scope: Scope, key: str, who: str, at: datetime, reason: Reason | None = None
) -> list[tuple[str, str, str]]:
    """End the holds of a product, of a domain, or of everything; return (scope, key, reason) of each.

    A breaker that was resumed counts anew from this moment.
    """
    found = db.run(conn, db.statements("holds").resume, scope=scope, key=key, who=who, at=at, reason=reason).all()
    ended = [(row.scope, row.key, row.reason) for row in found]
    for scope_, key_, reason_ in ended:
        alerts.end_alert(conn, "held", f"{scope_} {key_} {reason_}", at)
    return ended


def stop_at_rates(conn: sa.Connection, scope: Scope, key: str, stop: StopWhen, at: datetime) -> Hold | None:
    """Hold a product or a sending domain whose rates passed their limits, or warn before; return the hold.

    Rates are counted over `stop.within`, from the last resume on, once `stop.of_at_least` mails were sent in it. They
    are what the receivers say: an outage alone stops nothing here, however many answers it lost.
    """
    counted: Any = db.run(
        conn, db.statements("holds").rates,
        scope=scope, key=key, at=at, within=stop.within.span(), outage=STRANDED_AT_MOST,
    ).one()  # fmt: skip
    worst: tuple[float, str] = (0.0, "")
    for name, limit in stop.rates().items():
        of = counted.tried if name == "errors" else counted.accepted
        number = getattr(counted, name)
        if of >= stop.of_at_least and number:
            words = (
                f"{number:,} of {of:,} mails {name} ({number / of:.2%}) within {stop.within}, the limit is {limit:.2%}"
            )
            worst = max(worst, (number / of / limit, words))
    share, words = worst
    alert = f"{scope} {key}"
    if share > 1:
        hold(conn, scope, key, "stopped", words, at)
        alerts.end_alert(conn, "rate", alert, at)
        return Hold(0, scope, key, "stopped", words, at, None)
    if share >= stop.warn_at:
        whose = f"product {key}" if scope == "product" else f"sending from {key}"
        alerts.raise_alert(
            conn, "rate", alert, f"{whose} nears a stop: {words}", f"nurture sends pause {key}", at,
            key if scope == "product" else None,
        )  # fmt: skip
    else:
        alerts.end_alert(conn, "rate", alert, at)
    return None
