"""History: play the past days of every product by calling its stages with past clocks.

Nothing is invented beside the stages: mails go to the sandbox over HTTP, its recipients answer on its own clock, and
what they do comes back through the receiver.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta

import httpx

from nurture import calendars, handoff, pipeline
from nurture.answers import Unanswered
from nurture.pipeline import Work
from nurture.problem import Problem


class SandboxClock:
    """The sandbox's clock, which is set rather than sped up; setting it releases everything that is due by then."""

    def __init__(self, url: str) -> None:
        self._http = httpx.Client(base_url=url, timeout=300.0)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def set(self, at: datetime | None) -> None:
        """Set the clock; None lets it follow the real one."""
        body = {"at": at.isoformat() if at else None}
        try:
            answer = self._http.put("/sandbox/clock", json=body).raise_for_status().json()
        except httpx.HTTPError as error:
            raise Problem(f"the sandbox did not take the time: {error}; is the stack up? `nurture status`") from error
        if answer.get("undelivered"):
            raise Problem(f"the receiver did not take {answer['undelivered']} of the sandbox's posts: see its log")

    def counts(self) -> dict:
        """Return what the sandbox has counted."""
        return self._http.get("/sandbox/counts").raise_for_status().json()


def end_of_history(work: Work, now: datetime) -> datetime:
    """Return the last moment before `now` at which every product was at work: it may be a weekend now."""
    moment = now
    while True:
        latest = moment
        for product in work.loaded.products.values():
            calendar = work.loaded.company.calendars[product.calendar]
            latest = min(latest, calendars.last_open(calendar, product.zone, moment))
        if latest == moment:
            return latest
        moment = latest


def business_days(work: Work, until: datetime, how_many: int) -> Iterator[datetime]:
    """Return the moments of the runs in the days before `until`, oldest first: its hour, where somebody is at work."""
    calendars_used = [(work.loaded.company.calendars[p.calendar], p.zone) for p in work.loaded.products.values()]
    for back in range(how_many, 0, -1):
        moment = until - timedelta(days=back)
        if any(calendars.next_open(calendar, zone, moment) == moment for calendar, zone in calendars_used):
            yield moment


def play(
    work_at: Callable[[datetime], Work],
    clock: SandboxClock,
    moments: Iterable[datetime],
    told: Callable[[datetime], None],
) -> None:
    """Run every product at each of the moments, oldest first, and leave the sandbox's clock at the last.

    `work_at` gives the work at a moment; `told` hears of each that is over.
    """
    for moment in moments:
        clock.set(moment)
        work = work_at(moment)
        for name in work.loaded.products:
            pipeline.run_product(work.of(name), "history")
        try:
            handoff.pull_outcomes(work.conn, moment, work.edges.crm)
        except Unanswered as error:
            raise Problem(f"the sandbox's CRM did not answer: {error}") from error
        told(moment)
