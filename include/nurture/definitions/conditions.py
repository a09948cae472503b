"""Conditions: one closed, typed grammar for audience, segment, branch, goal, fit and qualification.

A condition is a mapping with one subject (`{industry: [logistics]}`, `{clicked: thanks, within: 30 days}`) or a
combination of conditions (`all`, `any`, `none`). There is no expression language.
"""

from collections.abc import Iterator
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, Discriminator, Field, Tag, TypeAdapter, model_validator

from nurture.definitions.model import Basis, Duration, Lifecycle, MailType, Model, Name, Span

Kind = Literal["opened", "clicked", "replied", "visited", "submitted", "attended"]
ATTRIBUTES = ("industry", "region", "department", "title", "employees", "company")
BEHAVIOURS = get_args(Kind)
OF_MAIL = ("opened", "clicked", "replied")
SUBJECTS = (
    "all", "any", "none", "target", "source", "first_touch", "consent", "lifecycle", "account", "segment",
    "fit", "engagement", "score", *ATTRIBUTES, *BEHAVIOURS,
)  # fmt: skip


class Range(Model):
    """A closed range of numbers; an end that is left out is open."""

    min: int | None = None
    max: int | None = None

    @model_validator(mode="after")
    def _has_an_end(self) -> "Range":
        if self.min is None and self.max is None:
            raise ValueError("a range needs min, max or both")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"nothing lies between {self.min} and {self.max}: min is the smaller one")
        return self

    def holds(self, number: int) -> bool:
        """Say whether a number lies in the range."""
        return (self.min is None or self.min <= number) and (self.max is None or number <= self.max)


class Combination(Model):
    """Conditions combined: every one of `all`, one at least of `any`, not one of `none`."""

    all: list["Condition"] | None = Field(default=None, min_length=1)
    any: list["Condition"] | None = Field(default=None, min_length=1)
    none: list["Condition"] | None = Field(default=None, min_length=1)


class Target(Model):
    """The lead fits the product's own target (`target` in product.yaml)."""

    target: Literal[True]


class Source(Model):
    """The lead came from one of these sources."""

    source: Name | list[Name]


class First(Model):
    """What was kept of a first touch; a text may have `*`, letters are compared without their case."""

    source: Name | list[Name] | None = None
    channel: str | list[str] | None = None
    keyword: str | list[str] | None = None
    page: str | list[str] | None = None
    form: str | list[str] | None = None
    referrer: str | list[str] | None = None
    utm_source: str | list[str] | None = None
    utm_medium: str | list[str] | None = None
    utm_campaign: str | list[str] | None = None

    @model_validator(mode="after")
    def _asks_something(self) -> "First":
        if not self.asked():
            raise ValueError(f"say what of it: {', '.join(type(self).model_fields)}")
        return self

    def asked(self) -> dict[str, list[str]]:
        """Return what is asked of each part, as lists of alternatives."""
        return {name: values(found) for name in type(self).model_fields if (found := getattr(self, name)) is not None}


class FirstTouch(Model):
    """How the lead was first met: each part that is named must fit."""

    first_touch: First


class Consents(Model):
    """There is evidence of one of these legal bases for mailing the lead, or, with true, of any."""

    consent: Literal[True] | Basis | list[Basis]


class OfLifecycle(Model):
    """The lead stands at one of these points with the product."""

    lifecycle: Lifecycle | list[Lifecycle]


class OfAccount(Model):
    """Some lead of the same account stands at one of these points with the product."""

    account: OfLifecycle


class InSegment(Model):
    """The lead is a member of one of the product's segments."""

    segment: Name


class Points(Model):
    """The previous rescoring's fit, engagement or their sum lies in a range."""

    subject: Literal["fit", "engagement", "score"]
    range: Range

    @model_validator(mode="before")
    @classmethod
    def _from_words(cls, value: Any) -> Any:
        return _word_and_value(value, ("fit", "engagement", "score"), "subject", "range")


class Attribute(Model):
    """An attribute of the lead or its account is one of these values, in a range, or as the target says.

    A company is a text that may have `*`.
    """

    subject: Literal["industry", "region", "department", "title", "employees", "company"]
    value: Literal["target"] | Range | str | list[str]

    @model_validator(mode="before")
    @classmethod
    def _from_words(cls, value: Any) -> Any:
        return _word_and_value(value, ATTRIBUTES, "subject", "value")


def _whole_days(within: Duration) -> Duration:
    if within.unit in ("hours", "business days"):
        days = -(-within.amount // 24) if within.unit == "hours" else within.amount
        mend = Duration(amount=max(days, 1), unit="days")
        raise ValueError(f"{str(within)!r}: what people do is counted by whole days: did you mean {str(mend)!r}?")
    if within.amount == 0:
        raise ValueError("a window has a day at least: '1 days' is today")
    return within


class Behaviour(Model):
    """The lead did something so many times, within a window of whole days that ends at `as_of`, today included.

    What it concerns: emails' names or their mail type (opened, clicked, replied), page paths with `*` (visited),
    forms (submitted), events (attended), or true for any. `times` is the least number, a range, or `never`.
    """

    kind: Kind
    subject: str | list[str] | None = None
    mail_type: MailType | None = None
    within: Annotated[Span, AfterValidator(_whole_days)] | None = None
    times: Annotated[int, Field(ge=1)] | Range | Literal["never"] = 1

    @model_validator(mode="before")
    @classmethod
    def _from_words(cls, value: Any) -> Any:
        if not isinstance(value, dict) or "kind" in value:
            return value
        value = dict(value)
        kind = next(word for word in BEHAVIOURS if word in value)
        about = value.pop(kind)
        if isinstance(about, dict):
            if kind not in OF_MAIL:
                raise ValueError(f"{kind} takes a word, as in `{kind}: {_EXAMPLES[kind]}`, or true for any")
            value.update({"subject": about.get("email"), "mail_type": about.get("mail_type")})
            unknown = sorted(set(about) - {"email", "mail_type"})
            if unknown:
                raise ValueError(f"{kind} takes email or mail_type, not {unknown[0]!r}")
        elif about is not True:
            value["subject"] = about
        return {"kind": kind, **value}

    @model_validator(mode="after")
    def _of_mail(self) -> "Behaviour":
        if self.mail_type is not None and self.kind not in OF_MAIL:
            raise ValueError(f"mail_type goes with {', '.join(OF_MAIL)}, not with {self.kind}")
        return self

    def bounds(self) -> tuple[int, int | None]:
        """Return the least and the greatest number of times; None is no upper bound."""
        if isinstance(self.times, Range):
            return self.times.min or 0, self.times.max
        return (0, 0) if self.times == "never" else (self.times, None)

    def days(self) -> int | None:
        """Return the window's whole days, today included, or None for ever."""
        return self.within.span().days if self.within is not None else None


_EXAMPLES = {"visited": "/pricing*", "submitted": "quote_request", "attended": "seminar"}


def _word_and_value(value: Any, words: tuple[str, ...], word_key: str, value_key: str) -> Any:
    if not isinstance(value, dict) or word_key in value:
        return value
    value = dict(value)
    word = next(word for word in words if word in value)
    return {word_key: word, value_key: value.pop(word), **value}


_TAGS = {
    "all": "combination", "any": "combination", "none": "combination", "target": "target", "source": "source",
    "first_touch": "first_touch", "consent": "consent",
    "lifecycle": "lifecycle", "account": "account", "segment": "segment", "fit": "points", "engagement": "points",
    "score": "points", "range": "points",
    **dict.fromkeys(ATTRIBUTES, "attribute"), **dict.fromkeys(BEHAVIOURS, "behaviour"), "kind": "behaviour",
}  # fmt: skip


def _tag(value: Any) -> str | None:
    if isinstance(value, Model):
        names: dict[type[Model], str] = {
            Combination: "combination", Target: "target", Source: "source", FirstTouch: "first_touch",
            Consents: "consent", OfLifecycle: "lifecycle", OfAccount: "account", InSegment: "segment",
            Points: "points", Attribute: "attribute", Behaviour: "behaviour",
        }  # fmt: skip
        return names.get(type(value))
    if isinstance(value, dict):
        if "value" in value:
            return "attribute"
        return next((_TAGS[key] for key in value if key in _TAGS), None)
    return None


Condition = Annotated[
    Annotated[Combination, Tag("combination")]
    | Annotated[Target, Tag("target")]
    | Annotated[Source, Tag("source")]
    | Annotated[FirstTouch, Tag("first_touch")]
    | Annotated[Consents, Tag("consent")]
    | Annotated[OfLifecycle, Tag("lifecycle")]
    | Annotated[OfAccount, Tag("account")]
    | Annotated[InSegment, Tag("segment")]
    | Annotated[Points, Tag("points")]
    | Annotated[Attribute, Tag("attribute")]
    | Annotated[Behaviour, Tag("behaviour")],
    Discriminator(
        _tag,
        custom_error_type="unknown_condition",
        custom_error_message="not a condition: it needs one of " + ", ".join(SUBJECTS),
    ),
]
Combination.model_rebuild()
READ: TypeAdapter[Condition] = TypeAdapter(Condition)


def values(one_or_many: Any) -> list[Any]:
    """Return a value that may be one or many as a list."""
    return one_or_many if isinstance(one_or_many, list) else [one_or_many]


def parts(condition: Condition) -> list[tuple[tuple[str | int, ...], Condition]]:
    """Return the conditions that a combination is made of, each with its path; of anything else none."""
    if not isinstance(condition, Combination):
        return []
    return [
        ((word, index), part)
        for word in ("all", "any", "none")
        for index, part in enumerate(getattr(condition, word) or [])
    ]


def leaves(condition: Condition, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Condition]]:
    """Yield every condition at any depth that is no combination, with its path."""
    if not isinstance(condition, Combination):
        yield path, condition
    for step, part in parts(condition):
        yield from leaves(part, (*path, *step))


def built_on(condition: Condition) -> set[str]:
    """Return the names of the segments that a condition asks for, at any depth."""
    return {leaf.segment for _, leaf in leaves(condition) if isinstance(leaf, InSegment)}
