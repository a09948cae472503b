"""Products: the folder that a marketer owns, as typed values."""

import datetime as dt
from decimal import Decimal
from itertools import combinations
from typing import Annotated, Any, Literal, get_args
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from nurture.definitions.conditions import Condition, Range
from nurture.definitions.limits import Basis, Exclusion, Lasting, Limits, PerAccount, SendingDomain
from nurture.definitions.model import Duration, MailType, Model, Name, Percent, Span, hash_of


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError) as error:
        raise ValueError(f"{name!r} is not a time zone, such as 'Asia/Tokyo'") from error
    return name


Zone = Annotated[str, AfterValidator(_known_zone)]
Mailbox = Annotated[str, StringConstraints(pattern=r"^[^@\s]+@[^@\s]+$")]
Language = Literal["ja", "en"]  # of a mail's own words: greeting, legal part


class Sender(Model):
    """Who writes: shown in every mail, as 特定電子メール法 asks (sender, address, complaint contact)."""

    name: str
    email: str
    postal_address: str
    complaint_contact: str


class Money(Model):
    """An amount in a currency (ISO 4217)."""

    amount: Decimal
    currency: str = Field(pattern="^[A-Z]{3}$")


class TargetDefinition(Model):
    """Who the product is for: 業種 規模 地域 部署 役職 受注までの期間 受注金額 企業数 人数 (R-002-15)."""

    industries: list[str] = []
    employees: Range | None = None
    regions: list[str] = []
    departments: list[str] = []
    titles: list[str] = []
    time_to_order: Span | None = None
    order_value: Money | None = None
    companies: int | None = None
    people: int | None = None


class FitRule(Model):
    """Points for who a lead is."""

    when: Condition
    points: int


class EngagementRule(Model):
    """Points for what a lead did: the first rule that fits a signal; at most `per_day` a day and `at_most` in all."""

    when: Literal["opened", "clicked", "replied", "visited", "submitted", "attended"]
    mail_type: MailType | None = None
    email: Name | None = None
    page: str | None = None
    form: str | None = None
    event: str | None = None
    points: int = Field(gt=0)
    per_day: int | None = None
    at_most: int | None = None

    @model_validator(mode="after")
    def _habits_are_bounded(self) -> "EngagementRule":
        if self.when in ("opened", "clicked", "visited") and self.at_most is None:
            raise ValueError(f"a rule for {self.when} needs at_most: a habit would add up without end")
        return self

    @property
    def subject(self) -> str | None:
        """The email, page, form or event that the rule asks for, or None for any."""
        return self.email or self.page or self.form or self.event


class Scoring(Model):
    """How warmth is counted."""

    half_life: Span
    fit: list[FitRule] = []
    engagement: list[EngagementRule] = []


class Qualification(Model):
    """When a lead is ready for sales, and how long until it may be said again."""

    when: Condition
    again_after: Span = Duration(amount=90, unit="days")


class Capacity(Model):
    """How many hand-offs sales can take."""

    per_week: int = Field(gt=0)


class Handoff(Model):
    """Where qualified leads go."""

    crm: Literal["hubspot"]
    capacity: Capacity | None = None


class PlanEntry(Model):
    """One dated mail of the year; its name is for ever (N1)."""

    name: Name
    date: dt.date
    email: Name
    to: Name
    mail_type: MailType


class Email(Model):
    """Send one mail. The step's name is the email's unless it says another."""

    email: Name
    mail_type: MailType
    name: Name = ""

    @model_validator(mode="before")
    @classmethod
    def _named(cls, value: Any) -> Any:
        if isinstance(value, dict) and "name" not in value and "email" in value:
            return {**value, "name": value["email"]}
        return value


class Wait(Model):
    """Let time pass, on the product's calendar where the span says business days."""

    wait: Span
    name: Name


class Fork(Model):
    """A question and the two ways on."""

    if_: Condition = Field(alias="if")
    then: list["Step"] = []
    else_: list["Step"] = Field(default=[], alias="else")


class Branch(Model):
    """Ask a condition of the lead and take one of two ways."""

    branch: Fork
    name: Name


def _one_step(value: Any) -> Any:
    """Choose the kind of step by its key, so that an error speaks of that kind alone."""
    if isinstance(value, dict):
        for key, kind in (("email", Email), ("wait", Wait), ("branch", Branch)):
            if key in value:
                return kind.model_validate(value)
        raise PydanticCustomError("unknown_step", "not a step: it needs one of email, wait, branch")
    return value


Step = Annotated[Email | Wait | Branch, BeforeValidator(_one_step)]
Fork.model_rebuild()


def _read_reenter(value: Any) -> Any:
    if value is None or value == "never":
        return None
    if isinstance(value, dict | Duration):
        return value  # as a kept definition has it
    if isinstance(value, str) and value.startswith("after "):
        return value.removeprefix("after ")
    raise ValueError(f"{value!r}: write never, or 'after 180 days'")


class Scenario(Model):
    """One purpose of a product's nurturing: who, and what they are walked through."""

    scenario: Name
    purpose: str
    audience: Condition
    journey: list[Step] = Field(min_length=1)
    reenter: Annotated[Span | None, BeforeValidator(_read_reenter)] = None
    in_flight: Literal["finish_old", "move_on", "stop"] = "finish_old"
    holdout: Percent = Field(default=0.0, ge=0, lt=1)


class Approval(Model):
    """What waits for a person's yes: content that was never sent, an audience above a number."""

    first_send: bool = False
    audience_above: int | None = Field(default=None, gt=0)

    @model_validator(mode="before")
    @classmethod
    def _by_name(cls, value: Any) -> Any:
        return {"first_send": value == "first_send"} if value in ("first_send", "never") else value


class Product(Model):
    """What is sold, and how its leads are nurtured."""

    product: Name
    name: str
    owner: str
    priority: int = 3
    timezone: Zone = "Asia/Tokyo"
    schedule: str
    calendar: Name
    site: str = ""
    language: Language = "ja"
    sender: Sender
    test_recipients: list[Mailbox] = []
    target: TargetDefinition = TargetDefinition()
    segments: dict[Name, Condition] = {}
    scoring: Scoring
    qualification: Qualification
    handoff: Handoff
    plan: list[PlanEntry] = []
    limits: Limits = Limits()
    send_within: Span = Duration(amount=3, unit="business days")
    unknown: Literal["hold", "resend_when_absent"] = "hold"
    approval: Approval = Approval()
    scenarios: dict[Name, Scenario] = Field(default={}, exclude=True)
    emails: dict[Name, "EmailTemplate"] = Field(default={}, exclude=True)
    layout: dict[str, str] = Field(default={}, exclude=True)
    selling_words: tuple[str, ...] = Field(default=(), exclude=True)

    @property
    def zone(self) -> ZoneInfo:
        """The product's time zone."""
        return ZoneInfo(self.timezone)


class ContentBlock(Model):
    """A part of an email that only some leads get: the template asks `shown.<block>`, the condition says who."""

    block: Name
    when: Condition


class EmailTerms(Model):
    """What holds for an email beside its words (`emails/<email>.yaml`): language, last day, content blocks.

    Each combination of blocks is a mail of its own, rendered, proofread and approved: four blocks make sixteen.
    """

    language: Language | None = None
    expires: dt.date | None = None
    blocks: list[ContentBlock] = Field(default=[], max_length=4)

    def is_past(self, day: dt.date) -> bool:
        """Say whether a day of the product's zone is later than the email's last."""
        return self.expires is not None and day > self.expires

    def variants(self) -> list[tuple[str, ...]]:
        """Return every combination of blocks that a mail may show, none of them first."""
        names = [each.block for each in self.blocks]
        return [shown for count in range(len(names) + 1) for shown in combinations(names, count)]


class EmailTemplate(Model):
    """The words of one email: MJML with blanks, its subject, its plain text ('' when derived from the MJML)."""

    email: Name
    subject: str
    mjml: str
    text: str = ""
    terms: EmailTerms = EmailTerms()

    def hash(self) -> str:
        """Return the hash of the email as it stands in the folder."""
        return hash_of([self.subject, self.mjml, self.text, self.terms.body()])


class Calendar(Model):
    """Business days and hours: ISO weekdays (1 is Monday), hours of the day, holidays' country, yearly closures."""

    weekdays: list[int] = [1, 2, 3, 4, 5]
    opens: int = Field(default=9, ge=0, le=23)
    closes: int = Field(default=18, ge=1, le=24)
    holidays: str | None = None
    closures: list[str] = []


class Frequency(Model):
    """How many mails one lead may get from all products together within a window."""

    mails: int = Field(gt=0)
    within: Span


class Company(Model):
    """What holds across products."""

    company: str
    frequency: Frequency
    exclusions: dict[str, Exclusion] = {}  # by the list's name: own staff, partners, competitors
    legal_bases: dict[Basis, Lasting] = dict.fromkeys(get_args(Basis), Lasting())
    per_account: PerAccount | None = None
    sending_domains: dict[str, SendingDomain] = {}
    calendars: dict[Name, Calendar]
    selling_words: list[str] = []


Product.model_rebuild()
