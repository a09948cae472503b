"""Simulation: play a product's definition over some days, as it stands or changed, and touch nothing.

The product's own stages run, one moment after another, on twins of the tables that they write. Every product is played
beside the one in question, because a lead has one frequency budget for all. Nobody reacts to a simulated mail: what
people did is known up to the moment at hand, and what they will do is not. Mails are taken at once, and so are
hand-offs.
"""

import heapq
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock_time
from functools import partial
from typing import Any, cast

import sqlalchemy as sa
from croniter import croniter

from nurture import calendars, db, dispatch, pipeline
from nurture.connections import of_environment
from nurture.definitions.conditions import Combination, Points
from nurture.definitions.load import Loaded
from nurture.definitions.products import Product, Scenario
from nurture.played import Played, Simulation, read_played
from nurture.twins import set_clock, sum_up, twins

Report = Callable[[date], None]
PULSE = timedelta(minutes=5)
PULSES_A_DAY = 48  # of one product; what is due after them waits for the next day
_DAY = timedelta(days=1)


def simulate(
    conn: sa.Connection, loaded: Loaded, product: str, first: date, last: date,
    changed: Product | None = None, report: Report = lambda _: None, *,
    today: date | None = None, alone: bool = False,
) -> Simulation:  # fmt: skip
    """Play a product from `first` to `last`, and once more as `changed` where that is given.

    `today` is the product's present day: where `first` is later, the days between are played before it, unreported.
    `alone` plays no other product: quicker, and their mails do not count against the leads' budget. `report` hears
    of each day that is over. `conn` must be outside of a transaction and hold no temporary table.
    """
    in_force = _play(conn, loaded, product, first, last, report, today or first, alone)
    if changed is None:
        return Simulation(in_force)
    other = replace(loaded, products={**loaded.products, product: changed})
    return Simulation(in_force, _play(conn, other, product, first, last, report, today or first, alone))


def _play(
    conn: sa.Connection, loaded: Loaded, product: str, first: date, last: date, report: Report, today: date, alone: bool
) -> Played:
    asked = loaded.products[product]
    played = replace(loaded, products={product: asked}) if alone else loaded
    begins_at = datetime.combine(min(first, today), clock_time(0), asked.zone).astimezone(UTC)
    remembered = max(loaded.company.frequency.within.span(), 7 * _DAY)
    with twins(conn, begins_at, list(played.products), remembered):
        play = _Play(conn, played)
        day = min(first, today)
        while day <= last:
            play.day(day)
            if day >= first:
                report(day)
            day += _DAY
        since = datetime.combine(first, clock_time(0), asked.zone)
        until = datetime.combine(last + _DAY, clock_time(0), asked.zone)
        return read_played(conn, asked, first, last, since, until, play.notes)


class _Accepting:
    """An edge that takes everything: the mail provider of a play, and its CRM."""

    name = "hubspot"

    def send(self, body: dict[str, Any]) -> str:  # noqa: ARG002
        return uuid.uuid4().hex

    def push_contact(self, contact: dict[str, Any], known_crm_id: str | None) -> str:  # noqa: ARG002
        return uuid.uuid4().hex

    def push_note(self, crm_id: str, note: str, key: str, at: datetime) -> None:
        pass


class _Play:
    """The days of every product, one moment after another."""

    def __init__(self, conn: sa.Connection, loaded: Loaded) -> None:
        taking = cast(Any, _Accepting())
        links = dispatch.Links("https://receiver.example", uuid.uuid4().bytes)
        nowhere = partial(of_environment, {})
        edges = pipeline.Edges(
            sendgrid=taking, crm=taking, links=links, inbox="", connection=nowhere, no_way_out=lambda _: None
        )  # fmt: skip
        begins = datetime.min.replace(tzinfo=UTC)
        self.work = pipeline.Work(conn, loaded, {}, edges, begins, begins)
        self.notes: list[str] = []
        self.marked_until: dict[str, date] = {}

    def day(self, day: date) -> None:
        """Play a day: each product's runs at their moments, and the pulse where something is due between them."""
        waiting: list[tuple[datetime, int, str, bool]] = []
        for name, product in self.work.loaded.products.items():
            runs = set(_scheduled(product, day))
            pulses = set(_hourly(product, self._calendar(product), day)) - runs
            waiting += [(at, product.priority, name, at in runs) for at in runs | pulses]
        heapq.heapify(waiting)
        pulses_left = dict.fromkeys(self.work.loaded.products, PULSES_A_DAY)
        while waiting:
            at, priority, name, is_run = heapq.heappop(waiting)
            again = self._moment(name, at, is_run)
            product = self.work.loaded.products[name]
            if again and again.astimezone(product.zone).date() == day and pulses_left[name]:
                pulses_left[name] -= 1
                if not any(each[0] == again and each[2] == name for each in waiting):
                    heapq.heappush(waiting, (again, priority, name, False))

    def _moment(self, name: str, at: datetime, is_run: bool) -> datetime | None:
        """Play a product's run, or its pulse, at a moment; return when there is something to do next."""
        work = replace(self.work.of(name), as_of=at, at=at)
        conn, product = work.conn, work.product
        set_clock(conn, at)
        if is_run:
            pipeline.select(work)
            sum_up(conn)
        enrolled = pipeline.walk(work)
        if is_run:
            pipeline.plan_due(work)
        sent = self._send(work)
        if is_run:
            self._rescore(work)
            pipeline.qualify(work)
            pipeline.push(work)
        db.run(conn, db.statements("simulate").say_yes, at=at)
        due = db.run(conn, db.statements("dispatch").next_moment, product=product.product).scalar()
        sum_up(conn)
        conn.commit()
        moved = any(enrolled.values()) or sent
        soonest = at + PULSE if moved else at + timedelta(minutes=1)
        return soonest if moved else due and max(due, soonest)

    def _send(self, work: pipeline.Work) -> int:
        try:
            return pipeline.send(work)["accepted"]
        except dispatch.Stopped as stopped:
            if str(stopped) not in self.notes:
                self.notes.append(str(stopped))
            return stopped.counts["accepted"]

    def _rescore(self, work: pipeline.Work) -> None:
        """Score everybody on the first day, then those with new signals or a warmth that some condition asks for."""
        product, today = work.product, work.as_of.astimezone(work.product.zone).date()
        known = self.marked_until.get(work.name)
        sql = db.statements("simulate")
        if known is None:
            pipeline.rescore(work)
        else:
            db.run(work.conn, sql.mark_signals, product=product.product, after=known, day=today)
            pipeline.rescore_marked(work)
        self.marked_until[work.name] = today
        db.run(work.conn, sql.leave_the_cold, product=product.product, **_least(product))
        work.conn.commit()

    def _calendar(self, product: Product) -> Any:
        return self.work.loaded.company.calendars[product.calendar]


def _scheduled(product: Product, day: date) -> Iterator[datetime]:
    """Yield the moments of a product's own runs on a day."""
    midnight = datetime.combine(day, clock_time(0), product.zone)
    moments = croniter(product.schedule, midnight - timedelta(seconds=1))
    while (moment := moments.get_next(datetime)).astimezone(product.zone).date() == day:
        yield moment.astimezone(UTC)


def _hourly(product: Product, calendar: Any, day: date) -> Iterator[datetime]:
    """Yield the hours of work of a day, where a journey of the product waits by the hour."""
    if not calendars.is_business_day(calendar, day) or not any(map(_by_the_hour, product.scenarios.values())):
        return
    moment = calendars.opening(calendar, product.zone, day)
    while moment < calendars.closing(calendar, product.zone, day):
        yield moment
        moment += timedelta(hours=1)


def _by_the_hour(scenario: Scenario) -> bool:
    return "hour" in str(scenario.body()["journey"])


def _least(product: Product) -> dict[str, int | None]:
    """Return the least engagement and the least score that any condition of the product speaks of."""
    found: dict[str, list[int]] = {"engagement": [], "score": [], "fit": []}

    def read(part: Any) -> None:
        if isinstance(part, Points):
            found[part.subject] += [end for end in (part.range.min, part.range.max) if end is not None]
        elif isinstance(part, Combination):
            for each in (*(part.all or ()), *(part.any or ()), *(part.none or ())):
                read(each)
        elif isinstance(part, list | tuple):
            for each in part:
                read(each)
        elif hasattr(part, "branch"):
            read([part.branch.if_, part.branch.then, part.branch.else_])

    read([*product.segments.values(), product.qualification.when, *(rule.when for rule in product.scoring.fit)])
    for scenario in product.scenarios.values():
        read([scenario.audience, scenario.journey])
    return {name: min(found[name], default=None) for name in ("engagement", "score")}
