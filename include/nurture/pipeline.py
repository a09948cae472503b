"""Pipeline: the stages of a product's run in their order, each by its name and with all that it needs.

What calls stages (Airflow's tasks, the command line, the demo's history) calls them here. A stage is imported when it
runs: every start of an Airflow task reads this module, and pays for what it imports.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from nurture.definitions.load import Loaded
from nurture.definitions.products import Product
from nurture.definitions.sources import SourceDefinition
from nurture.problem import Problem
from nurture.progress import Progress, untold

if TYPE_CHECKING:
    import sqlalchemy as sa

    from nurture import sources
    from nurture.crm import Crm
    from nurture.dispatch import Links
    from nurture.sendgrid import SendGrid
    from nurture.sources.inbox import Path

Counts = dict[str, int]


@dataclass(frozen=True)
class Edges:
    """What lies outside: the mail provider, the CRM, the receiver's public URL, the inbox of source files, databases.

    `connection` returns the address of a database by the name of its Connection; it raises Problem for one unknown.
    `no_way_out` says why nobody could refuse a mail by one click, or None: then nothing is sent.
    """

    sendgrid: "SendGrid"
    crm: "Crm"
    links: "Links"
    inbox: "Path"
    connection: Callable[[str], str]
    no_way_out: "Callable[[Links], str | None]"

    @classmethod
    def of(cls, env: Mapping[str, str], sendgrid: tuple[str, str], crm: tuple[str, str]) -> "Edges":
        """Return the edges of an environment; `sendgrid` and `crm` are (host, key)."""
        from nurture import connections, one_click
        from nurture.crm.hubspot import HubSpot
        from nurture.dispatch import Links
        from nurture.sendgrid import SendGrid

        return cls(
            sendgrid=SendGrid(sendgrid[1], sendgrid[0] or "https://api.sendgrid.com"),
            crm=HubSpot(crm[1], crm[0] or "https://api.hubapi.com"),
            links=Links(env["NURTURE_RECEIVER_URL"], env["NURTURE_TOKEN_KEY"].encode()),
            inbox=env.get("NURTURE_INBOX", "inbox"),
            connection=partial(connections.of_environment, env),
            no_way_out=one_click.trouble,
        )

    @classmethod
    def of_environment(cls, env: Mapping[str, str] | None = None) -> "Edges":
        """Return the edges that the environment names (SENDGRID_HOST, SENDGRID_API_KEY, NURTURE_CRM_HOST, …)."""
        env = os.environ if env is None else env
        sendgrid = (env.get("SENDGRID_HOST", ""), env["SENDGRID_API_KEY"])
        return cls.of(env, sendgrid, (env.get("NURTURE_CRM_HOST", ""), env.get("NURTURE_CRM_TOKEN", "")))


@dataclass(frozen=True)
class Work:
    """One run's work: what is defined, with whom, and at which clocks.

    `as_of` bounds what is due and has happened, `at` is the clock of this attempt (N6); a run that is not `live`
    mails, enrolls, plans and pushes nothing (N7). `progress` is told by long stages which step has how many of how
    many.
    """

    conn: "sa.Connection"
    loaded: Loaded
    sources: dict[str, SourceDefinition]
    edges: Edges
    as_of: datetime
    at: datetime
    live: bool = True
    name: str = ""
    progress: Progress = untold

    @property
    def product(self) -> Product:
        """The product that the run is of."""
        return self.loaded.products[self.name]

    @property
    def zones(self) -> dict[str, str]:
        """Every product's time zone."""
        return {name: product.timezone for name, product in self.loaded.products.items()}

    def of(self, product: str) -> "Work":
        """Return the same work for a product."""
        return replace(self, name=product)


def land(work: Work) -> Counts:
    """Take in the inbox's new files, and what queries show; raise Problem, after the others, for one that fails."""
    from nurture import sources

    unreadable: list[str] = []

    def note(outcome: "sources.Landed | Problem") -> None:
        if isinstance(outcome, Problem):
            unreadable.append(str(outcome))

    counts = sources.land_inbox(work.conn, work.sources, work.edges.inbox, work.as_of, report=note)
    for definition in work.sources.values():
        if definition.connection is not None:
            try:
                address = work.edges.connection(definition.connection)
                landed = sources.land_query(work.conn, definition, address, work.as_of)
            except Problem as problem:
                unreadable.append(str(problem))
            else:
                counts["landed"] += landed.landed
                counts["unchanged"] += landed.unchanged
                counts["rejected"] += landed.rejected
    if unreadable:
        raise Problem("; ".join(unreadable))
    return counts


def consolidate(work: Work) -> Counts:
    """Give every new record its lead."""
    from nurture import consolidate as stage

    return stage.consolidate(work.conn, work.as_of, work.edges.links.token_key, work.progress)


def pull(work: Work) -> Counts:
    """Take in what the receiver kept."""
    from nurture import events

    return events.take_in(work.conn, work.as_of, work.zones, recorded_by=work.at)


def select(work: Work) -> Counts:
    """Refresh the product's segments."""
    from nurture import segments

    return segments.refresh(work.conn, work.product, work.as_of, live=work.live)


def walk(work: Work) -> Counts:
    """Enroll, move everybody on, and give the mails of the journeys their places in the frequency budget."""
    from nurture import journeys

    calendar = work.loaded.company.calendars[work.product.calendar]
    counts = journeys.walk(work.conn, work.product, calendar, work.as_of, live=work.live)
    return {**counts, "moved": _forecast(work)}


def plan_due(work: Work) -> Counts:
    """Plan the dated mails whose day has come, and give them their places in the frequency budget."""
    from nurture import plan

    calendar = work.loaded.company.calendars[work.product.calendar]
    counts = plan.plan_due(work.conn, work.product, calendar, work.as_of, live=work.live)
    return {**counts, "moved": _forecast(work)}


def _forecast(work: Work) -> int:
    from nurture import budget

    if not work.live:
        return 0
    return budget.forecast(work.conn, work.product, work.loaded.company, work.loaded.products, work.as_of)


def settle(work: Work) -> Counts:
    """Find out what became of requests whose answer nobody knows."""
    from nurture import settlement

    return settlement.settle(work.conn, work.product, work.at, work.edges.sendgrid.logged_message_ids)


def send(work: Work) -> Counts:
    """Send what is due and permitted, once the way out of every mail was found open; raises `Stopped`."""
    from nurture import dispatch, one_click

    if not work.live:
        return {"accepted": 0}
    send, links = work.edges.sendgrid.send, work.edges.links
    one_click.guard(work.conn, work.edges.no_way_out(links), work.at)
    return dispatch.send_due(work.conn, work.product, work.loaded.company, work.as_of, work.at, send, links)


def rescore(work: Work) -> Counts:
    """Score everybody of the product. A run that is not live leaves the scores as they were decided."""
    return _rescore(work, everybody=True)


def rescore_marked(work: Work) -> Counts:
    """Score those with something new."""
    return _rescore(work, everybody=False)


def _rescore(work: Work, *, everybody: bool) -> Counts:
    from nurture import scoring

    return scoring.rescore(
        work.conn, work.product, work.as_of, list(work.loaded.products), everybody=everybody, live=work.live
    )


def qualify(work: Work) -> Counts:
    """Record who is ready for sales."""
    from nurture import handoff

    return handoff.qualify(work.conn, work.product, work.as_of, live=work.live)


def push(work: Work) -> Counts:
    """Hand the ready over to the CRM."""
    from nurture import handoff

    if not work.live:
        return {"pushed": 0}
    return handoff.hand_off(work.conn, work.product, work.at, work.edges.crm)


def report(work: Work) -> Counts:
    """Recount the days' facts."""
    from nurture import reporting

    return reporting.recount(work.conn, work.as_of, {work.name: work.product.timezone})


# The task groups of a product's DAG and their tasks, in order; the order is no condition. What arrived comes first
# among what decides: a click of last night steers today's branch, also where no pulse ran.
STAGES: dict[str, dict[str, Callable[[Work], Counts]]] = {
    "sources": {"land": land},
    "consolidate": {"consolidate": consolidate},
    "events": {"pull": pull},
    "segments": {"select": select},
    "journeys": {"walk": walk, "plan": plan_due},
    "dispatch": {"settle": settle, "send": send},
    "scoring": {"rescore": rescore},
    "handoff": {"qualify": qualify, "push": push},
    "reporting": {"report": report},
}
# Shared by all products: one run of it serves every product.
SHARED = ("sources", "consolidate", "events")


def run_stage(work: Work, stage: str) -> Counts:
    """Run one stage of a product, all of its tasks, and return their counts together."""
    counts: Counts = {}
    for task in STAGES[stage].values():
        for name, number in task(work).items():
            counts[name] = counts.get(name, 0) + number
    return counts


def run_product(work: Work, kind: str) -> dict[str, Counts]:
    """Run all of a product's stages in order, as its DAG does, and record the run (N7); return counts by stage."""
    from nurture import runs

    run_id = runs.begin(work.conn, f"nurture_{work.name}", work.name, work.as_of, kind)
    counts = {stage: run_stage(work, stage) for stage in STAGES}
    runs.finish(work.conn, run_id)
    return counts
