"""Journeys: walk every enrolled lead through its scenario's steps, one statement a step."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa

from nurture import calendars, db, versions
from nurture.definitions.conditions import Condition
from nurture.definitions.products import Branch, Calendar, Email, Product, Scenario, Step, Wait
from nurture.predicates import fill_audience

END = "(end)"  # No step can be called so: a name has letters, digits and underscores.


class Node(NamedTuple):
    """A step, and the names of the steps that come after it."""

    name: str
    step: Email | Wait | Branch
    next_step: str
    else_step: str = END


def nodes(journey: Sequence[Step], after: str = END) -> list[Node]:
    """Return a journey's steps in an order in which nobody walks backwards, each with what follows it."""
    flat: list[Node] = []
    for position, step in enumerate(journey):
        following = journey[position + 1].name if position + 1 < len(journey) else after
        if isinstance(step, Branch):
            ways = (step.branch.then, step.branch.else_)
            firsts = [way[0].name if way else following for way in ways]
            flat.append(Node(step.name, step, firsts[0], firsts[1]))
            for way in ways:
                flat += nodes(way, following)
        else:
            flat.append(Node(step.name, step, following))
    return flat


def walk(
    conn: sa.Connection, product: Product, calendar: Calendar, as_of: datetime, *, live: bool = True
) -> dict[str, int]:
    """Enroll who joined an audience, end who is done, and move everybody on as far as `as_of` allows.

    Returns counts: enrolled, ended, planned, same_mailbox, completed. A run that is not `live` does nothing (N7).
    """
    totals = {"enrolled": 0, "ended": 0, "planned": 0, "same_mailbox": 0, "completed": 0}
    if not live:
        return totals
    sql = db.statements("journeys")
    ended = db.run(conn, sql.exit_those_who_are_done, product=product.product, as_of=as_of)
    totals["ended"] = len(ended.all())
    for scenario in product.scenarios.values():
        newest = versions.keep(conn, product.product, "scenario", scenario.scenario, scenario.body())
        _change_over(conn, product, scenario, newest, as_of)
        totals["enrolled"] += db.count(
            conn, sql.enroll,
            product=product.product, scenario=scenario.scenario, definition_hash=newest, as_of=as_of,
            holdout=scenario.holdout, first_step=scenario.journey[0].name,
            reenter_before=as_of - scenario.reenter.span() if scenario.reenter else None,
        )  # fmt: skip
        for walked in _versions_walked(conn, product, scenario):
            under = scenario if walked == newest else Scenario.model_validate(versions.read(conn, walked))
            for key, number in _Walk(conn, product, calendar, under, walked, as_of).all_steps().items():
                totals[key] += number
    conn.commit()
    return totals


def _versions_walked(conn: sa.Connection, product: Product, scenario: Scenario) -> list[str]:
    sql = db.statements("journeys")
    found = db.run(conn, sql.versions_walked, product=product.product, scenario=scenario.scenario)
    return sorted(found.scalars())


def _change_over(conn: sa.Connection, product: Product, scenario: Scenario, newest: str, as_of: datetime) -> None:
    """Do with those under way as the changed definition says (`in_flight`)."""
    if scenario.in_flight == "finish_old":
        return
    sql = db.statements("journeys")
    kept = [node.name for node in nodes(scenario.journey)] if scenario.in_flight == "move_on" else []
    for old in _versions_walked(conn, product, scenario):
        if old != newest:
            which = {"product": product.product, "scenario": scenario.scenario, "old_hash": old}
            db.run(conn, sql.withdraw, steps_kept=kept, as_of=as_of, **which)
            db.run(conn, sql.move_on, new_hash=newest, **which)


class _Walk:
    """One pass through the steps of one version of one scenario."""

    def __init__(
        self,
        conn: sa.Connection,
        product: Product,
        calendar: Calendar,
        scenario: Scenario,
        version: str,
        as_of: datetime,
    ) -> None:
        self.conn, self.product, self.calendar, self.as_of = conn, product, calendar, as_of
        self.nodes = nodes(scenario.journey)
        self.where: dict[str, Any] = {
            "product": product.product, "scenario": scenario.scenario, "definition_hash": version, "as_of": as_of
        }  # fmt: skip
        self.sql = db.statements("journeys")

    def all_steps(self) -> dict[str, int]:
        """Move everybody on through every step in order; return counts."""
        counts = {"planned": 0, "same_mailbox": 0, "completed": 0}
        for node in self.nodes:
            match node.step:
                case Email():
                    planned, same_mailbox = self._email(node, node.step)
                    counts["planned"] += planned
                    counts["same_mailbox"] += same_mailbox
                case Wait():
                    self._wait(node, node.step)
                case Branch():
                    self._branch(node, node.step.branch.if_)
        counts["completed"] = db.count(self.conn, self.sql.complete, end_step=END, **self.where)
        return counts

    def _arrivals(self, node: Node) -> list[datetime]:
        return list(db.run(self.conn, self.sql.arrivals, step=node.name, **self.where).scalars())

    def _email(self, node: Node, step: Email) -> tuple[int, int]:
        zone, within = self.product.zone, self.product.send_within
        moments = []
        for arrived in self._arrivals(node):
            due = calendars.next_open(self.calendar, zone, arrived)
            expires = calendars.after(self.calendar, zone, due, within.amount, within.unit)
            moments.append({"step_at": arrived, "due_at": due, "expires_at": expires})
        planned, same_mailbox = db.run(
            self.conn, self.sql.plan_emails,
            step=node.name, email=step.email, mail_type=step.mail_type, moments=db.json_rows(moments),
            zone=self.product.timezone, **self.where,
        ).one()  # fmt: skip
        db.run(self.conn, self.sql.pass_emails, step=node.name, next_step=node.next_step, **self.where)
        return planned, same_mailbox

    def _wait(self, node: Node, step: Wait) -> None:
        amount, unit = step.wait.amount, step.wait.unit
        moments = [
            {"step_at": arrived, "over_at": calendars.after(self.calendar, self.product.zone, arrived, amount, unit)}
            for arrived in self._arrivals(node)
        ]
        db.run(
            self.conn, self.sql.pass_waits,
            step=node.name, next_step=node.next_step, moments=db.json_rows(moments), **self.where,
        )  # fmt: skip

    def _branch(self, node: Node, condition: Condition) -> None:
        if self._arrivals(node):
            fill_audience(self.conn, condition, self.product, self.as_of)
            db.run(
                self.conn, self.sql.pass_branches,
                step=node.name, then_step=node.next_step, else_step=node.else_step, **self.where,
            )  # fmt: skip
