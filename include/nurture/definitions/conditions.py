"""Conditions: one closed, typed grammar for audience, segment, branch, fit and qualification.

A condition is a mapping with one subject (`{industry: [logistics]}`, `{clicked: thanks, within: 30 days}`) or a
combination of conditions (`all`, `any`, `none`). There is no expression language.
"""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from nurture.definitions.model import Lifecycle, MailType, Model, Name, Span

ATTRIBUTES = ("industry", "region", "department", "title", "employees")
BEHAVIOURS = ("opened", "clicked", "replied", "visited", "submitted", "attended")
SUBJECTS = (
    "all", "any", "none", "target", "source", "lifecycle", "account", "segment", "fit", "engagement", "score",
    *ATTRIBUTES, *BEHAVIOURS,
)  # fmt: skip


class Range(Model):
    """A closed range of numbers; an end that is left out is open."""

    min: int | None = None
    max: int | None = None

    @model_validator(mode="after")
    def _has_an_end(self) -> "Range":
        if self.min is None and self.max is None:
            raise ValueError("a range needs min, max or both")
        return self


def _as_list(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


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
    """An attribute of the lead or its account is one of these values, in a range, or as the target says."""

    subject: Literal["industry", "region", "department", "title", "employees"]
    value: Literal["target"] | Range | str | list[str]

    @model_validator(mode="before")
    @classmethod
    def _from_words(cls, value: Any) -> Any:
        return _word_and_value(value, ATTRIBUTES, "subject", "value")


class Behaviour(Model):
    """The lead did something, `times` or more, within a window that ends at `as_of`.

    What it concerns: an email's name or its mail type (opened, clicked, replied), a page path with `*` (visited),
    a form (submitted), an event (attended), or true for any.
    """

    kind: Literal["opened", "clicked", "replied", "visited", "submitted", "attended"]
    subject: str | None = None
    mail_type: MailType | None = None
    within: Span | None = None
    times: int = Field(default=1, ge=1)

    @model_validator(mode="before")
    @classmethod
    def _from_words(cls, value: Any) -> Any:
        if not isinstance(value, dict) or "kind" in value:
            return value
        value = dict(value)
        kind = next(word for word in BEHAVIOURS if word in value)
        about = value.pop(kind)
        if isinstance(about, dict):
            value.update({"subject": about.get("email"), "mail_type": about.get("mail_type")})
            unknown = sorted(set(about) - {"email", "mail_type"})
            if unknown:
                raise ValueError(f"{kind} takes email or mail_type, not {unknown[0]!r}")
        elif about is not True:
            value["subject"] = about
        return {"kind": kind, **value}


def _word_and_value(value: Any, words: tuple[str, ...], word_key: str, value_key: str) -> Any:
    if not isinstance(value, dict) or word_key in value:
        return value
    value = dict(value)
    word = next(word for word in words if word in value)
    return {word_key: word, value_key: value.pop(word), **value}


_TAGS = {
    "all": "combination", "any": "combination", "none": "combination", "target": "target", "source": "source",
    "lifecycle": "lifecycle", "account": "account", "segment": "segment", "fit": "points", "engagement": "points",
    "score": "points", "range": "points",
    **dict.fromkeys(ATTRIBUTES, "attribute"), **dict.fromkeys(BEHAVIOURS, "behaviour"), "kind": "behaviour",
}  # fmt: skip


def _tag(value: Any) -> str | None:
    if isinstance(value, Model):
        names: dict[type[Model], str] = {
            Combination: "combination", Target: "target", Source: "source", OfLifecycle: "lifecycle",
            OfAccount: "account", InSegment: "segment", Points: "points", Attribute: "attribute",
            Behaviour: "behaviour",
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


def values(one_or_many: Any) -> list[Any]:
    """Return a value that may be one or many as a list."""
    return _as_list(one_or_many)
