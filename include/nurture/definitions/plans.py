"""Plans: a product's year of dated mails, and what must be there before the first of them, as typed values."""

import datetime as dt
import re
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from nurture.definitions.model import MailType, Model, Name

_MONTH = re.compile(r"^(\d{4})-(0[1-9]|1[0-2])$")
_WEEK = re.compile(r"^(\d{4})-W([0-5]\d)$")


def _read_day(value: Any) -> Any:
    """Read a day, a month (2026-12) or a week (2026-W50) as the first day of it."""
    if isinstance(value, str):
        if month := _MONTH.match(value):
            return dt.date(int(month[1]), int(month[2]), 1)
        if week := _WEEK.match(value):
            try:
                return dt.date.fromisocalendar(int(week[1]), int(week[2]), 1)
            except ValueError as error:
                raise ValueError(f"{value!r} is no week: {week[1]} has no week {week[2]}") from error
    return value


class PlanEntry(Model):
    """One dated mail of the year; its name is for ever (N1).

    A month or a week means its first business day. Without an email it holds a place: the content is still to come.
    """

    name: Name
    date: Annotated[dt.date, BeforeValidator(_read_day)]
    email: Name | None = None
    to: Name
    mail_type: MailType


class CasePermission(Model):
    """A customer's consent to be told of in a mail (R-001-15)."""

    customer: str
    given_on: dt.date
    until: dt.date | None = None
    evidence: str


class Readiness(Model):
    """What must be there before a product's first mail: leads, mails written, and people by what they do (R-000-20)."""

    leads: int = Field(default=0, ge=0)
    emails: int = Field(default=0, ge=0)
    team: dict[str, str] = {}
