"""History: play the past days of every product by calling its stages with past clocks.

Nothing is invented beside the stages: mails go to the sandbox over HTTP, its recipients answer on its own clock, and
what they do comes back through the receiver.
"""

from collections.abc import Callable, Iterator
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


def days(until: datetime, how_many: int) -> Iterator[datetime]:
    """Return the moment of each day's run: the hour of `until`, over the days before it, oldest first."""
    for back in range(how_many, 0, -1):
        yield until - timedelta(days=back)


def play(
    work_at: Callable[[datetime], Work],
    clock: SandboxClock,
    until: datetime,
    how_many: int,
    told: Callable[[datetime], None],
) -> dict[str, int]:
    """Play the days before `until`, one run of every product a day; return counts over all of them.

    `work_at` gives the work at a moment; `told` hears of each day that is over. The clock stands at the last day's
    evening when it returns.
    """
    totals: dict[str, int] = {}
    for moment in days(until, how_many):
        clock.set(moment)
        work = work_at(moment)
        for name in work.loaded.products:
            for counts in pipeline.run_product(work.of(name), "history").values():
                for key, number in counts.items():
                    totals[key] = totals.get(key, 0) + number
        try:
            handoff.pull_outcomes(work.conn, moment, work.edges.crm)
        except Unanswered as error:
            raise Problem(f"the sandbox's CRM did not answer: {error}") from error
        told(moment)
    return totals
