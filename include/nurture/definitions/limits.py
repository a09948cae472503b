"""Limits: what bounds sending: a day's mails, rates that stop it, a warm-up, one company at a time, and whom never."""

import datetime as dt

from pydantic import Field, field_validator

from nurture.definitions.model import Duration, Model, Percent, Span


class StopWhen(Model):
    """Rates over a window that stop sending, judged once `of_at_least` mails have been accepted in it.

    The defaults: Google and Yahoo ask for complaints below 0.1 % (never 0.3 %); a bounce rate of 5 % is where
    providers begin to suspend accounts.
    """

    bounced: Percent = Field(default=0.05, gt=0, le=1)
    complained: Percent = Field(default=0.001, gt=0, le=1)
    blocked: Percent = Field(default=0.10, gt=0, le=1)
    errors: Percent = Field(default=0.20, gt=0, le=1)
    of_at_least: int = Field(default=2_000, gt=0)
    within: Span = Duration(amount=24, unit="hours")
    warn_at: Percent = Field(default=0.5, gt=0, le=1)  # of a rate: a warning before the stop

    def rates(self) -> dict[str, float]:
        """Return the rates that stop sending, by what they count."""
        return {name: getattr(self, name) for name in ("bounced", "complained", "blocked", "errors")}


class Limits(Model):
    """What bounds a product's sending."""

    mails_per_day: int = Field(default=20_000, gt=0)
    stop_when: StopWhen = StopWhen()


class WarmUp(Model):
    """A new sending domain's first weeks: `first_day` mails, then so many times more each day."""

    begins: dt.date
    first_day: int = Field(default=200, gt=0)
    growth: float = Field(default=1.5, gt=1, le=3)

    def allowed(self, day: dt.date) -> int:
        """Return how many mails the domain may send on a day; none before the first."""
        days = (day - self.begins).days
        return 0 if days < 0 else int(self.first_day * self.growth ** min(days, 60))


class SendingDomain(Model):
    """What bounds all that leaves from one domain, whichever product sends it."""

    mails_per_day: int | None = Field(default=None, gt=0)
    warm_up: WarmUp | None = None
    stop_when: StopWhen = StopWhen()

    def allowed(self, day: dt.date) -> int | None:
        """Return how many mails may leave on a day, None for any number."""
        bounds = [self.mails_per_day, self.warm_up.allowed(day) if self.warm_up else None]
        return min((bound for bound in bounds if bound is not None), default=None)


class Exclusion(Model):
    """One list of whom nothing is sent to; a domain stands for its subdomains, too."""

    domains: list[str] = []
    addresses: list[str] = []

    @field_validator("domains", "addresses")
    @classmethod
    def _lowered(cls, value: list[str]) -> list[str]:
        return [one.strip().lower() for one in value]


class PerAccount(Model):
    """How many people of one company are mailed within a window."""

    people: int = Field(gt=0)
    within: Span = Duration(amount=1, unit="days")


class Lasting(Model):
    """How long evidence of a legal basis permits mail; for ever where it is not said."""

    lasts: Span | None = None
