"""Journeys: walk every enrolled lead through its scenario's steps, one statement a step.

A walk that was not made for days is made up day by day, so that one jump ends where daily walks do.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

import sqlalchemy as sa

from nurture import calendars, db, planning, versions
from nurture.definitions.conditions import Condition
from nurture.definitions.products import Calendar, Product
from nurture.definitions.scenarios import Branch, Email, Scenario, Step, Wait, WaitFor, every_step, ways
from nurture.predicates import fill_audience

END = "(end)"  # No step can be called so: a name has letters, digits and underscores.
_DAY = timedelta(days=1)
_MADE_UP_AT_MOST = 366  # days; what was left longer goes on from there


class Node(NamedTuple):
    """A step, and the names of the steps that come after it."""

    name: str
    step: Step
    next_step: str
    else_step: str = END


def nodes(journey: Sequence[Step], after: str = END) -> list[Node]:
    """Return a journey's steps in an order in which nobody walks backwards, each with what follows it."""
    flat: list[Node] = []
    for position, step in enumerate(journey):
        following = journey[position + 1].name if position + 1 < len(journey) else after
        inner = [steps for _, steps in ways(step)]
        flat.append(Node(step.name, step, *([steps[0].name if steps else following for steps in inner] or [following])))
        for steps in inner:
            flat += nodes(steps, following)
    return flat


def walk(
    conn: sa.Connection, product: Product, calendar: Calendar, as_of: datetime, *, live: bool = True
) -> dict[str, int]:
    """End who is done, enroll who joined an audience, and move everybody on as far as `as_of` allows.

    Returns counts: enrolled, ended, planned, same_mailbox, completed. A run that is not `live` does nothing (N7).
    """
    totals = {"enrolled": 0, "ended": 0, "planned": 0, "same_mailbox": 0, "completed": 0}
    if not live:
        return totals
    sql = db.statements("journeys")
    which = {"product": product.product}
    missed = _missed(db.run(conn, sql.last_walk, **which).scalar(), as_of)
    in_flight = db.statements("in_flight")
    removed = db.run(conn, in_flight.withdraw_removed, scenarios=list(product.scenarios), as_of=as_of, **which)
    totals["ended"] += len(removed.all())
    for scenario in product.scenarios.values():
        newest = versions.keep(conn, product.product, "scenario", scenario.scenario, scenario.body())

        def under_way(moment: datetime, scenario: Scenario = scenario, newest: str = newest) -> Iterator[_Walk]:
            for walked in _versions_walked(conn, product, scenario):
                under = scenario if walked == newest else Scenario.model_validate(versions.read(conn, walked))
                yield _Walk(conn, product, calendar, under, walked, moment, totals)

        for moment in missed:
            for each in under_way(moment):
                each.exits()
                each.steps()
        _change_over(conn, product, scenario, newest, as_of)
        for each in under_way(as_of):
            each.exits()
        _Walk(conn, product, calendar, scenario, newest, as_of, totals).enroll()
        for each in under_way(as_of):
            each.steps()
    db.run(conn, sql.keep_walk, as_of=as_of, definition_hash=versions.keep_whole(conn, product), **which)
    conn.commit()
    return totals


def _missed(last: datetime | None, as_of: datetime) -> list[datetime]:
    """Return the moments of the daily walks that were not made since the last one."""
    days = min((as_of - last) // _DAY, _MADE_UP_AT_MOST) if last is not None else 0
    moments = [as_of - back * _DAY for back in range(days, 0, -1)]
    return [moment for moment in moments if last is not None and moment > last]


def _versions_walked(conn: sa.Connection, product: Product, scenario: Scenario) -> list[str]:
    sql = db.statements("in_flight")
    found = db.run(conn, sql.versions_walked, product=product.product, scenario=scenario.scenario)
    return sorted(found.scalars())


def _change_over(conn: sa.Connection, product: Product, scenario: Scenario, newest: str, as_of: datetime) -> None:
    """Do with those under way as the changed definition says (`in_flight`); unsaid, they finish the old.

    Whose walk is the same in both goes on: other words about who begins, or why, are no change to them.
    """
    if scenario.in_flight in (None, "finish_old"):
        return
    sql = db.statements("in_flight")
    every = [step.name for _, step in every_step(scenario.journey)]
    mails = db.json_rows({"step": step.name, **step.body()} for step in scenario.emails())
    for old in _versions_walked(conn, product, scenario):
        if old != newest:
            which = {"product": product.product, "scenario": scenario.scenario, "old_hash": old}
            is_same = Scenario.model_validate(versions.read(conn, old)).walked() == scenario.walked()
            kept = every if is_same or scenario.in_flight == "move_on" else []
            db.run(conn, sql.withdraw, steps_kept=kept, as_of=as_of, **which)
            db.run(conn, sql.move_on, new_hash=newest, mails=mails, as_of=as_of, **which)


class _Walk:
    """One pass through the steps of one version of one scenario."""

    def __init__(
        self, conn: sa.Connection, product: Product, calendar: Calendar, scenario: Scenario, version: str,
        as_of: datetime, counts: dict[str, int],
    ) -> None:  # fmt: skip
        self.conn, self.product, self.calendar, self.scenario = conn, product, calendar, scenario
        self.as_of, self.counts = as_of, counts
        self.where: dict[str, Any] = {
            "product": product.product, "scenario": scenario.scenario, "definition_hash": version, "as_of": as_of
        }  # fmt: skip
        self.sql = db.statements("journeys")

    def exits(self) -> None:
        """End the walks of who reached the goal, was handed off, refused, or left the audience."""
        fill_audience(self.conn, self.scenario.goal, self.product, self.as_of)
        leaves = self.scenario.leave == "exit"
        ended = db.run(self.conn, self.sql.exit_those_who_are_done, leaves=leaves, **self.where)
        self.counts["ended"] += len(ended.all())

    def enroll(self) -> None:
        """Let who joined the audience begin; who has reached the goal already does not."""
        fill_audience(self.conn, self.scenario.goal, self.product, self.as_of)
        reenter = self.scenario.reenter
        enrolled = db.count(
            self.conn, self.sql.enroll,
            holdout=self.scenario.holdout, first_step=self.scenario.journey[0].name,
            reenter_before=self.as_of - reenter.span() if reenter else None, **self.where,
        )  # fmt: skip
        if enrolled >= planning.MANY:
            db.run(self.conn, self.sql.know_enrollments)
        self.counts["enrolled"] += enrolled

    def steps(self) -> None:
        """Move everybody on through every step in order."""
        for node in nodes(self.scenario.journey):
            match node.step:
                case Email():
                    self._email(node, node.step)
                case Wait():
                    self._wait(node, node.step)
                case WaitFor():
                    self._wait_for(node, node.step)
                case Branch():
                    self._branch(node, node.step.branch.if_)
        self.counts["completed"] += db.count(self.conn, self.sql.complete, end_step=END, **self.where)

    def _arrivals(self, node: Node) -> list[datetime]:
        return list(db.run(self.conn, self.sql.arrivals, step=node.name, **self.where).scalars())

    def _moments(self, node: Node, over: Callable[[datetime], datetime]) -> db.Json:
        return db.json_rows({"step_at": at, "over_at": over(at)} for at in self._arrivals(node))

    def _email(self, node: Node, step: Email) -> None:
        planned = planning.of_journey(
            self.conn, self.product, self.calendar, step.email, step.mail_type, self.as_of, self._arrivals(node),
            scenario=self.scenario.scenario, step=node.name, definition_hash=self.where["definition_hash"],
        )  # fmt: skip
        self.counts["planned"] += planned.planned
        self.counts["same_mailbox"] += planned.same_mailbox
        db.run(self.conn, self.sql.pass_emails, step=node.name, next_step=node.next_step, **self.where)

    def _wait(self, node: Node, step: Wait) -> None:
        def over(arrived: datetime) -> datetime:
            zone = self.product.zone
            if step.wait is not None:
                arrived = calendars.after(self.calendar, zone, arrived, step.wait.amount, step.wait.unit)
            return arrived if step.until is None else calendars.until(zone, arrived, *step.moment)

        moments = self._moments(node, over)
        db.run(
            self.conn, self.sql.pass_waits, step=node.name, next_step=node.next_step, moments=moments, **self.where
        )  # fmt: skip

    def _wait_for(self, node: Node, step: WaitFor) -> None:
        def over(arrived: datetime) -> datetime:
            return calendars.after(self.calendar, self.product.zone, arrived, step.at_most.amount, step.at_most.unit)

        # What people do is known by the day: whose time was over on an earlier one is judged as it ended.
        judged_on: dict[date, list[dict[str, datetime]]] = {}
        for arrived in self._arrivals(node):
            over_at = over(arrived)
            day = min(over_at, self.as_of).astimezone(self.product.zone).date()
            judged_on.setdefault(day, []).append({"step_at": arrived, "over_at": over_at})
        for moments in judged_on.values():
            judged_at = min(self.as_of, max(each["over_at"] for each in moments))
            fill_audience(self.conn, step.wait_for, self.product, judged_at)
            db.run(
                self.conn, self.sql.pass_waits_for,
                step=node.name, then_step=node.next_step, else_step=node.else_step,
                moments=db.json_rows(moments), **self.where,
            )  # fmt: skip

    def _branch(self, node: Node, condition: Condition) -> None:
        if self._arrivals(node):
            fill_audience(self.conn, condition, self.product, self.as_of)
            db.run(
                self.conn, self.sql.pass_branches,
                step=node.name, then_step=node.next_step, else_step=node.else_step, **self.where,
            )  # fmt: skip
