"""Products: the folder that a marketer owns, as typed values."""

import datetime as dt
import re
from decimal import Decimal
from itertools import combinations
from typing import Annotated, Any, Literal, get_args
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from nurture.definitions.conditions import Condition, Range
from nurture.definitions.limits import Exclusion, Lasting, Limits, PerAccount, SendingDomain
from nurture.definitions.model import Basis, Duration, MailType, Model, Name, Span, hash_of
from nurture.definitions.plans import CasePermission, PlanEntry, Readiness
from nurture.definitions.scenarios import Scenario


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


def _in_days(span: Duration) -> Duration:
    if span.unit not in ("days", "weeks"):
        raise ValueError(f"'{span}': say how many days or weeks before its day a mail is written")
    return span


class Approval(Model):
    """What waits for a person's yes: content that was never sent, an audience above a number."""

    first_send: bool = False
    audience_above: int | None = Field(default=None, gt=0)

    @property
    def asks(self) -> bool:
        """Whether anything may have to wait."""
        return self.first_send or self.audience_above is not None

    @model_validator(mode="before")
    @classmethod
    def _by_name(cls, value: Any) -> Any:
        return {"first_send": value == "first_send"} if value in ("first_send", "never") else value


def _color(text: str) -> str:
    if not re.fullmatch("#[0-9a-fA-F]{6}", text):
        raise ValueError(f'{text!r} is not a colour as in "#1d5fa7", in quotation marks')
    return text


class Colors(Model):
    """A product's colour in its mails: of the head, the buttons and the links, and of links on a dark page."""

    accent: Annotated[str, AfterValidator(_color)] = "#334e68"
    accent_on_dark: Annotated[str, AfterValidator(_color)] = "#a9c1d9"


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
    colors: Colors = Colors()
    sender: Sender
    test_recipients: list[Mailbox] = []
    target: TargetDefinition = TargetDefinition()
    segments: dict[Name, Condition] = {}
    scoring: Scoring
    qualification: Qualification
    handoff: Handoff
    readiness: Readiness | None = None
    plan: list[PlanEntry] = []
    reviews: list[dt.date] = []
    content_ready: Annotated[Span, AfterValidator(_in_days)] = Duration(amount=7, unit="days")
    case_permissions: dict[Name, CasePermission] = {}
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


def _a_closure(text: str) -> str:
    """Refuse what is neither a day nor a span of days, of every year or of one."""
    first, _, last = text.partition("..")
    ends = [first, last or first]
    try:
        days = [dt.date.fromisoformat(end if len(end) == 10 else f"2000-{end}") for end in ends]
    except ValueError:
        days = []
    if not days or len(first) not in (5, 10) or len(ends[1]) != len(first) or (len(first) == 10 and days[0] > days[1]):
        raise ValueError(f"{text!r} is no closure: write 08-13..08-15 for every year, or 2026-12-28..2027-01-05")
    return text


class Calendar(Model):
    """Business days and hours: ISO weekdays (1 is Monday), hours of the day, holidays' country, closures."""

    weekdays: list[Annotated[int, Field(ge=1, le=7)]] = Field(default=[1, 2, 3, 4, 5], min_length=1)
    opens: int = Field(default=9, ge=0, le=23)
    closes: int = Field(default=18, ge=1, le=24)
    holidays: str | None = None
    closures: list[Annotated[str, AfterValidator(_a_closure)]] = []

    @model_validator(mode="after")
    def _opens_before_it_closes(self) -> "Calendar":
        if self.opens >= self.closes:
            raise ValueError(f"it opens at {self.opens} and closes at {self.closes}: no hour is left to send in")
        return self


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
