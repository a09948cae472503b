"""Scenarios: one purpose of a product's nurturing, and the journey on which a lead is walked, as typed values."""

import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from nurture.definitions.conditions import Condition
from nurture.definitions.model import Duration, MailType, Model, Name, Percent, Span
from nurture.definitions.nearest import nearest

STEPS = ("email", "wait", "until", "wait_for", "branch")
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_UNTIL = re.compile(rf"^(?:({'|'.join(WEEKDAYS)})(?: ([01]\d|2[0-3]):([0-5]\d))?|([01]\d|2[0-3]):([0-5]\d))$")

InFlight: TypeAlias = Literal["finish_old", "move_on", "stop"]
StepPath: TypeAlias = tuple[str | int, ...]


def _read_until(value: Any) -> Any:
    text = " ".join(value.lower().split()) if isinstance(value, str) else str(value)
    if _UNTIL.match(text):
        return text
    day = nearest(text.split(" ")[0], WEEKDAYS)
    mend = f": did you mean {day!r}?" if day else ""
    raise ValueError(f"{value!r} is no weekday and no time of day (monday, 10:00, monday 10:00){mend}")


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
    """Let time pass: a span, then until a weekday or a time of day where one is said; either may stand alone."""

    wait: Span | None = None
    until: Annotated[str | None, BeforeValidator(_read_until)] = None
    name: Name

    @property
    def moment(self) -> tuple[int | None, tuple[int, int] | None]:
        """Return until when: the weekday (0 is Monday) and the time of day (hour, minute), each None for any."""
        found = _UNTIL.match(self.until or "")
        if found is None:
            return None, None
        day, hour, minute = found[1], found[2] or found[4], found[3] or found[5]
        return WEEKDAYS.index(day) if day else None, (int(hour), int(minute)) if hour else None


class WaitFor(Model):
    """Wait until the lead meets a condition, at most so long; then one way, or, when the time is over, the other."""

    wait_for: Condition
    at_most: Span
    name: Name
    then: list["Step"] = []
    else_: list["Step"] = Field(default=[], alias="else")


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
        kinds = {"email": Email, "wait_for": WaitFor, "wait": Wait, "until": Wait, "branch": Branch}
        for key, kind in kinds.items():
            if key in value:
                return kind.model_validate(value)
        raise PydanticCustomError("unknown_step", f"not a step: it needs one of {', '.join(STEPS)}")
    return value


Step = Annotated[Email | Wait | WaitFor | Branch, BeforeValidator(_one_step)]
Fork.model_rebuild()
WaitFor.model_rebuild()


def ways(step: Step) -> list[tuple[StepPath, list[Step]]]:
    """Return the two ways on from a branch or a wait-for, each with its place below the step; others have none."""
    if isinstance(step, Branch):
        return [(("branch", "then"), step.branch.then), (("branch", "else"), step.branch.else_)]
    if isinstance(step, WaitFor):
        return [(("then",), step.then), (("else",), step.else_)]
    return []


def every_step(steps: list[Step], path: StepPath = ()) -> Iterator[tuple[StepPath, Step]]:
    """Yield every step of a journey, those within branches too, each with its place."""
    for index, step in enumerate(steps):
        here = (*path, index)
        yield here, step
        for below, inner in ways(step):
            yield from every_step(inner, (*here, *below))


def _read_reenter(value: Any) -> Any:
    if value is None or value == "never":
        return None
    if isinstance(value, dict | Duration):
        return value  # as a kept definition has it
    if isinstance(value, str) and value.startswith("after "):
        return value.removeprefix("after ")
    raise ValueError(f"{value!r}: write never, or 'after 180 days'")


class Scenario(Model):
    """One purpose of a product's nurturing: who, and what they are walked through.

    `goal` ends the walk of who meets it as converted; `leave` says whether who leaves the audience exits or finishes;
    `in_flight` what a change of the journey does with those under way (unsaid: `nurture check` asks).
    """

    scenario: Name
    purpose: str
    audience: Condition
    journey: list[Step] = Field(min_length=1)
    goal: Condition | None = None
    leave: Literal["exit", "finish"] = "exit"
    reenter: Annotated[Span | None, BeforeValidator(_read_reenter)] = None
    in_flight: InFlight | None = None
    holdout: Percent = Field(default=0.0, ge=0, lt=1)

    def walked(self) -> dict[str, Any]:
        """Return what those under way walk: a change of anything else does not touch them."""
        return {key: value for key, value in self.body().items() if key in ("journey", "goal", "leave")}

    def emails(self) -> list[Email]:
        """Return the steps that send a mail."""
        return [step for _, step in every_step(self.journey) if isinstance(step, Email)]
