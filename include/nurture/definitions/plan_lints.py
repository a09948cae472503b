"""Plan lints: what a year of mails lacks, each told with the requirement that asks for it.

An error stops (`is_warning` is false): a customer told of without consent, a day that is past, a start before its time.
All else is for a person to weigh.
"""

import datetime as dt
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple, get_args

from nurture.definitions.model import MailType
from nurture.definitions.past import Past
from nurture.definitions.plans import PlanEntry
from nurture.definitions.problems import YamlPath
from nurture.definitions.products import Product
from nurture.definitions.scenarios import Email, Step, ways

_A_MONTH, _STALLED, _ENDS_SOON = 31, 45, 62  # days
_NAMED = 3  # of several, the rest are counted
_AT_MOST_OF_ONE_TYPE = 0.6
_ISSUES_BEFORE_A_STALL = 3


class Lint(NamedTuple):
    """One thing about the plan: where in the product's product.yaml, what, and whether it only warns."""

    path: YamlPath
    message: str
    is_warning: bool = True


def lint(product: Product, today: dt.date, past: Past | None) -> Iterator[Lint]:
    """Yield what is to be said of a product's plan on a day; `past` is None when no database was asked."""
    yield from _permissions(product, today)
    yield from _readiness(product, past)
    if not product.plan:
        return
    yield from _dates(product.plan, today, past)
    yield from _months(product.plan, today)
    yield from _types(product.plan)
    yield from _reviews(product)
    yield from _content(product, today)
    yield from _twice(product)
    yield from _cadence(product.plan, today, past)


def _permissions(product: Product, today: dt.date) -> Iterator[Lint]:
    """Ask for the consent of every customer who is told of (R-001-15)."""
    told: list[tuple[YamlPath, str, dt.date]] = [
        (("plan", index, "email"), entry.email, entry.date)
        for index, entry in enumerate(product.plan)
        if entry.mail_type == "case_study" and entry.email is not None and entry.date >= today
    ]
    told += [
        (("scenarios", scenario.scenario), step.email, today)
        for scenario in product.scenarios.values()
        for step in scenario.emails()
        if step.mail_type == "case_study"
    ]
    said: set[tuple[str, str]] = set()
    for path, email, day in told:
        permission = product.case_permissions.get(email)
        if permission is None:
            message = f"{email} tells of a customer: write the customer's consent into case_permissions (R-001-15)"
        elif day < permission.given_on:
            message = (
                f"{email} is sent on {day}, and {permission.customer} consents from {permission.given_on} (R-001-15)"
            )
        elif permission.until is not None and day > permission.until:
            message = (
                f"{email} is sent on {day}, and the consent of {permission.customer} ended on {permission.until}"
                " (R-001-15)"
            )
        else:
            continue
        if (email, message) not in said:
            said.add((email, message))
            where: YamlPath = path if path[0] == "plan" else ("case_permissions",)
            yield Lint(where, message, is_warning=False)


def _readiness(product: Product, past: Past | None) -> Iterator[Lint]:
    """Ask for leads, content and people before the first mail (R-000-20)."""
    asked = product.readiness
    if past is not None and past.has_sent:
        return
    if asked is None:
        if past is not None:
            message = "nothing was sent yet: say what must be there first, readiness: {leads, emails, team} (R-000-20)"
            yield Lint(("readiness",), message)
        return
    if past is not None and past.leads < asked.leads:
        message = f"{past.leads:,} leads of {asked.leads:,}: too few for the first mail (R-000-20)"
        yield Lint(("readiness", "leads"), message, is_warning=False)
    if len(product.emails) < asked.emails:
        message = f"{len(product.emails)} emails of {asked.emails} are written: too few for the first mail (R-000-20)"
        yield Lint(("readiness", "emails"), message, is_warning=False)
    if not asked.team:
        message = "nobody is named: who plans, who writes, who answers for sales? (R-000-20)"
        yield Lint(("readiness", "team"), message, is_warning=False)


def _dates(plan: list[PlanEntry], today: dt.date, past: Past | None) -> Iterator[Lint]:
    newest = dt.date.min
    unsent: list[tuple[int, PlanEntry]] = []
    for index, entry in enumerate(plan):
        path: YamlPath = ("plan", index, "date")
        if entry.date < newest:
            yield Lint(path, f"{entry.date} stands below {newest}: the plan reads in the order of its days")
        newest = max(newest, entry.date)
        has_run = past is not None and entry.name in past.entries
        begun = past.first_run_on if past is not None else None
        if past is None or has_run or entry.email is None or entry.date >= today:
            continue
        if begun is not None and begun <= entry.date:
            yield Lint(path, f"{entry.date} is past and {entry.name!r} was never sent: move its date", is_warning=False)
        else:
            unsent.append((index, entry))
    if unsent:
        named = ", ".join(f"{entry.name!r} of {entry.date}" for _, entry in unsent[:_NAMED])
        more = f" and {len(unsent) - _NAMED} more" if len(unsent) > _NAMED else ""
        message = f"{named}{more}: past before the product's first run, and never sent: move what is still to be sent"
        yield Lint(("plan", unsent[0][0], "date"), message)


def _months(plan: list[PlanEntry], today: dt.date) -> Iterator[Lint]:
    """Ask for a mail in every month to come (R-001-20), and for an event to invite to (R-001-14)."""
    first, last = max(today, min(entry.date for entry in plan)), max(entry.date for entry in plan)
    months = [
        f"{number // 12}-{number % 12 + 1:02}"
        for number in range(first.year * 12 + first.month - 1, last.year * 12 + last.month)
    ]
    for what, requirement, kinds in (("mail", "R-001-20", None), ("event mail", "R-001-14", "event")):
        has = {f"{entry.date:%Y-%m}" for entry in plan if kinds is None or entry.mail_type == kinds}
        without = [month for month in months if month not in has]
        if without:
            yield Lint(("plan",), f"no {what} in {', '.join(without)} ({requirement})")


def _types(plan: list[PlanEntry]) -> Iterator[Lint]:
    """Ask for a mix of types (R-001-17)."""
    counts = Counter(entry.mail_type for entry in plan)
    missing = [kind for kind in get_args(MailType) if not counts[kind]]
    if missing:
        yield Lint(("plan",), f"no {', '.join(missing)} mail in the whole plan: mix the types (R-001-17)")
    kind, most = counts.most_common(1)[0]
    if most > _AT_MOST_OF_ONE_TYPE * len(plan):
        yield Lint(("plan",), f"{most} of {len(plan)} mails are {kind}: mix the types (R-001-17)")


def _reviews(product: Product) -> Iterator[Lint]:
    """Ask for reviews, neither too often nor too seldom (R-001-21)."""
    last = max(entry.date for entry in product.plan)
    if not product.reviews:
        yield Lint(("plan",), "no review is dated: write reviews, one in about three months (R-001-21)")
        return
    days = sorted(product.reviews)
    for before, after in zip(days, [*days[1:], last], strict=True):
        apart = (after - before).days
        if apart > 4 * _A_MONTH:
            yield Lint(("reviews",), f"no review between {before} and {after}: too slow to learn (R-001-21)")
        elif apart < 28 and after in days:
            yield Lint(("reviews",), f"reviews on {before} and {after}: too soon for anything to show (R-001-21)")


def _content(product: Product, today: dt.date) -> Iterator[Lint]:
    """Ask for content some days before its day (R-000-16)."""
    for index, entry in enumerate(product.plan):
        due = entry.date - product.content_ready.span()
        if entry.email is None and today >= due:
            message = f"nothing to send on {entry.date}: the content was to be ready by {due} (R-000-16)"
            yield Lint(("plan", index), message)


def _twice(product: Product) -> Iterator[Lint]:
    """Point out the same words sent twice to one lead; an event's next date is news (R-000-16)."""
    first: dict[tuple[str, str], PlanEntry] = {}
    for index, entry in enumerate(product.plan):
        if entry.email is None or entry.mail_type == "event":
            continue
        earlier = first.setdefault((entry.email, entry.to), entry)
        if earlier is not entry:
            message = (
                f"{entry.email} goes to {entry.to} on {earlier.date} already: who had it is left out, "
                "so write something new (R-000-16)"
            )
            yield Lint(("plan", index, "email"), message)
    for scenario in product.scenarios.values():
        for email in sorted(set(_again(scenario.journey, set()))):
            yield Lint(("scenarios", scenario.scenario), f"the journey sends {email} twice to one lead (R-000-16)")


def _again(steps: list[Step], sent: set[str]) -> Iterator[str]:
    """Yield the emails that some way through the steps sends a second time; `sent` takes what any way sends."""
    for step in steps:
        if isinstance(step, Email):
            if step.email in sent:
                yield step.email
            sent.add(step.email)
        inner = [(set(sent), way) for _, way in ways(step)]
        for on_the_way, way in inner:
            yield from _again(way, on_the_way)
        sent.update(*(on_the_way for on_the_way, _ in inner))


def _cadence(plan: list[PlanEntry], today: dt.date, past: Past | None) -> Iterator[Lint]:
    """Point out mails that come ever more seldom, and a start that stops after three (R-000-21)."""
    planned = sorted({entry.date for entry in plan})
    for days, what in ((planned, "the plan's mails"), (sorted(set(past.sent_on)) if past else [], "the mails sent")):
        drifting = _drifts(days)
        if drifting:
            yield Lint(("plan",), f"{what} come ever more seldom, {drifting} days apart (R-000-21)")
    if (planned[-1] - today).days < _ENDS_SOON:
        yield Lint(("plan",), f"the plan ends on {planned[-1]}: write what comes then (R-001-11, R-000-21)")
    if past is not None and past.sent_on:
        issues, last = len(set(past.sent_on)), max(past.sent_on)
        if issues <= _ISSUES_BEFORE_A_STALL and (today - last).days > _STALLED:
            yield Lint(("plan",), f"nothing was sent since {last}, after {issues} mails: it has stalled (R-000-21)")


def _drifts(days: list[dt.date]) -> str:
    """Return three gaps in a row of which each is a quarter longer than the one before, or nothing."""
    gaps = [(after - before).days for before, after in pairwise(days)]
    for one, two, three in zip(gaps, gaps[1:], gaps[2:], strict=False):
        if one >= 7 and two >= 1.25 * one and three >= 1.25 * two and three > _A_MONTH:
            return f"{one}, {two}, {three}"
    return ""
