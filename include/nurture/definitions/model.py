"""The form that every definition shares: closed, frozen, and hashed by what it says."""

import hashlib
import json
import re
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, StringConstraints

from nurture.definitions.nearest import nearest

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=60)]
MailType = Literal["know_how", "event", "case_study", "product_news", "download"]
Basis = Literal["consent", "business_card", "published_address", "existing_customer"]
Lifecycle = Literal["lead", "qualified", "sales_accepted", "sales_qualified", "opportunity", "customer", "lost"]


class Model(BaseModel):
    """A definition's part: unknown keys are refused, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    def body(self) -> dict[str, Any]:
        """Return what the part says as JSON values, without what was left at its default."""
        return self.model_dump(mode="json", by_alias=True, exclude_defaults=True)

    def hash(self) -> str:
        """Return the part's own hash: 32 hexadecimal digits of SHA-256 over its canonical JSON."""
        return hash_of(self.body())


def hash_of(body: Any) -> str:
    """Return 32 hexadecimal digits of SHA-256 over the canonical JSON of `body`."""
    text = json.dumps(body, ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


UNITS = ("hours", "days", "business days", "weeks", "months")
_DURATION = re.compile(r"^(\d+) (hour|day|business day|week|month)s?$")


class Duration(Model):
    """A span in business words: `3 business days`, `30 days`, `6 months`."""

    amount: int
    unit: Literal["hours", "days", "business days", "weeks", "months"]

    def span(self) -> timedelta:
        """Return the span on the clock; a month is 30 days, a business day one day (a calendar stretches it)."""
        hours = {"hours": 1, "days": 24, "business days": 24, "weeks": 168, "months": 720}[self.unit]
        return timedelta(hours=hours * self.amount)

    def __str__(self) -> str:
        """Write the span as a marketer does."""
        return f"{self.amount} {self.unit if self.amount != 1 else self.unit.removesuffix('s')}"


def _read_duration(value: Any) -> Any:
    if isinstance(value, int | float | list):
        raise ValueError(f"{value!r} is not a span: write it with its unit, as in '3 business days'")
    if not isinstance(value, str):
        return value
    match = _DURATION.match(value.strip())
    if match is None:
        amount, _, unit = value.strip().partition(" ")
        unit = nearest(unit, UNITS) or unit
        is_near = amount.isascii() and amount.isdigit() and unit in UNITS
        mend = f"did you mean '{amount} {unit}'?" if is_near else "write it as in '3 business days'"
        raise ValueError(f"{value!r} is not a span (a number and one of {', '.join(UNITS)}): {mend}")
    return {"amount": int(match[1]), "unit": match[2] + "s"}


Span = Annotated[Duration, BeforeValidator(_read_duration)]


def _read_percent(value: Any) -> Any:
    if isinstance(value, str) and re.fullmatch(r"\d+(\.\d+)?%", value.strip()):
        return float(value.strip().removesuffix("%")) / 100
    if isinstance(value, int | float) and value > 1:
        raise ValueError(f"{value} is more than all: write {value}% for {value} of a hundred")
    return value


Percent = Annotated[float, BeforeValidator(_read_percent)]
