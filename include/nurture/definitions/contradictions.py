"""Contradictions: conditions that nobody can meet, whatever the data; silent wherever that is not certain."""

import fnmatch
from collections.abc import Collection, Iterable, Iterator
from typing import Any, NamedTuple, get_args

from nurture.definitions import conditions as c
from nurture.definitions.model import Basis, Lifecycle

# A condition of more alternatives than this is taken to be possible.
_MOST = 256


class Claim(NamedTuple):
    """A condition without parts, and whether it is to hold or not to."""

    leaf: c.Condition
    holds: bool = True

    def __str__(self) -> str:
        """Write the claim as a marketer does: `not clicked: thanks`."""
        return ("" if self.holds else "not ") + words(self.leaf)


class _Times(NamedTuple):
    """What is claimed of how often something was done."""

    claim: Claim
    did: c.Behaviour
    least: int
    most: int | None


def why_nobody(condition: c.Condition, facts: Iterable[Claim] = (), sent: Collection[str] | None = None) -> str | None:
    """Return why nobody can meet a condition of which `facts` hold besides, or None where somebody may.

    `sent` names the emails that can have been sent by then; None: any.
    """
    found = alternatives(Claim(condition))
    if found is None:
        return None
    reason = None
    for claims in found:
        reason = _conflict([*facts, *claims], sent)
        if reason is None:
            return None
    return reason


def alternatives(claim: Claim) -> list[list[Claim]] | None:
    """Return the ways in which a claim can be so, each a list of claims without parts; None for too many."""
    condition, holds = claim
    if not isinstance(condition, c.Combination):
        return [[claim]]
    every = [Claim(part) for part in condition.all or []]
    some = [Claim(part) for part in condition.any or []]
    every += [Claim(part, False) for part in condition.none or []]
    if holds:
        return _together([*([each] for each in every), *([some] if some else [])])
    options: list[list[Claim]] | None = []
    for each in every:
        options = _either(options, alternatives(Claim(each.leaf, not each.holds)))
    if some:
        options = _either(options, _together([[Claim(each.leaf, False)] for each in some]))
    return options


def _together(choices: list[list[Claim]]) -> list[list[Claim]] | None:
    """Return the alternatives of several choices that are all to be made."""
    made: list[list[Claim]] = [[]]
    for choice in choices:
        options: list[list[Claim]] | None = []
        for each in choice:
            options = _either(options, alternatives(each))
        if options is None or len(made) * len(options) > _MOST:
            return None
        made = [[*before, *option] for before in made for option in options]
    return made


def _either(one: list[list[Claim]] | None, other: list[list[Claim]] | None) -> list[list[Claim]] | None:
    return None if one is None or other is None or len(one) + len(other) > _MOST else [*one, *other]


def _conflict(claims: list[Claim], sent: Collection[str] | None) -> str | None:
    for one in claims:
        if one.holds and any(not other.holds and other.leaf == one.leaf for other in claims):
            return f"{one}, and its opposite"
    return next(
        (
            reason
            for reason in (_of_values(claims), _of_ranges(claims), _of_any(claims), _of_times(claims, sent))
            if reason is not None
        ),
        None,
    )


def _of_values(claims: list[Claim]) -> str | None:
    """Find an attribute or a lifecycle for which no value is left."""
    left: dict[str, set[str]] = {"lifecycle": set(get_args(Lifecycle))}
    told: dict[str, list[Claim]] = {}
    for claim in sorted(claims, key=lambda claim: not claim.holds):
        subject, said = _value(claim.leaf)
        if claim.holds and said:
            left[subject] = left[subject] & said if subject in left else said
        elif subject in left:
            left[subject] = left[subject] - said
        told.setdefault(subject, []).append(claim)
        if subject in left and said and not left[subject]:
            return _and(told[subject])
    return None


def _value(leaf: c.Condition) -> tuple[str, set[str]]:
    match leaf:
        case c.OfLifecycle():
            return "lifecycle", set(c.values(leaf.lifecycle))
        case c.Attribute(value=str() | list()) if leaf.subject != "company" and leaf.value != "target":
            return leaf.subject, set(c.values(leaf.value))
    return "", set()


def _of_ranges(claims: list[Claim]) -> str | None:
    """Find a number that no range leaves a value for."""
    ranges: dict[str, list[tuple[Claim, c.Range]]] = {}
    for claim in claims:
        match claim.leaf:
            case c.Points(subject=subject, range=bounds) | c.Attribute(subject=subject, value=c.Range() as bounds):
                ranges.setdefault(subject, []).append((claim, bounds))
    for told in ranges.values():
        wanted = [(claim, bounds) for claim, bounds in told if claim.holds]
        least = max((bounds.min for _, bounds in wanted if bounds.min is not None), default=None)
        most = min((bounds.max for _, bounds in wanted if bounds.max is not None), default=None)
        if least is not None and most is not None and least > most:
            return _and(claim for claim, _ in wanted)
        for claim, bounds in told:
            covers = (bounds.min is None or (least is not None and bounds.min <= least)) and (
                bounds.max is None or (most is not None and most <= bounds.max)
            )
            if wanted and not claim.holds and covers:
                return _and([*(each for each, _ in wanted), claim])
    return None


def _of_any(claims: list[Claim]) -> str | None:
    """Find what is asked to be one of some, every one of which is excluded."""
    for kind in (c.Source, c.Consents, c.OfAccount):
        told = [claim for claim in claims if isinstance(claim.leaf, kind)]
        excluded = {value for claim in told if not claim.holds for value in _some(claim.leaf)}
        for claim in told:
            if claim.holds and set(_some(claim.leaf)) <= excluded:
                return _and([claim, *(each for each in told if not each.holds)])
    return None


def _some(leaf: Any) -> list[str]:
    match leaf:
        case c.Source():
            return c.values(leaf.source)
        case c.Consents():
            return list(get_args(Basis)) if leaf.consent is True else c.values(leaf.consent)
        case _:
            return c.values(leaf.account.lifecycle)


def _of_times(claims: list[Claim], sent: Collection[str] | None) -> str | None:
    """Find what is asked more often than something wider is allowed, or of mails that cannot have been sent."""
    told = [times for claim in claims if (times := _times(claim)) is not None]
    for one in told:
        emails = c.values(one.did.subject or []) if one.did.kind in c.OF_MAIL else []
        if sent is not None and one.least > 0 and emails and not any(email in sent for email in emails):
            return f"{one.claim}, but nothing sends {' or '.join(emails)} before"
        for other in told:
            if other.most is not None and one.least > other.most and _is_part(one.did, other.did):
                return _and(dict.fromkeys([one.claim, other.claim]))
    return None


def _times(claim: Claim) -> _Times | None:
    if not isinstance(claim.leaf, c.Behaviour):
        return None
    least, most = claim.leaf.bounds()
    if claim.holds:
        return _Times(claim, claim.leaf, least, most)
    if most is None:
        return _Times(claim, claim.leaf, 0, least - 1)
    return _Times(claim, claim.leaf, most + 1, None) if least == 0 else None


def _is_part(part: c.Behaviour, whole: c.Behaviour) -> bool:
    """Say whether everything that one behaviour counts is counted by the other, too."""
    allowed = None if whole.subject is None else c.values(whole.subject)
    counted = None if part.subject is None else c.values(part.subject)
    return (
        part.kind == whole.kind
        and (whole.mail_type is None or part.mail_type == whole.mail_type)
        and (whole.within is None or (part.within is not None and (part.days() or 0) <= (whole.days() or 0)))
        and (
            allowed is None
            or (counted is not None and all(any(_matches(text, each) for each in allowed) for text in counted))
        )
    )


def _matches(text: str, pattern: str) -> bool:
    return text == pattern or fnmatch.fnmatchcase(text, pattern.replace("[", "[[]").replace("?", "[?]"))


def _and(claims: Iterable[Claim]) -> str:
    return ", and ".join(dict.fromkeys(str(claim) for claim in claims))


def words(leaf: c.Condition) -> str:
    """Write a condition without parts as a marketer does: `clicked: thanks, within: 30 days`."""
    return ", ".join(_words(leaf))


def _words(leaf: Any) -> Iterator[str]:
    match leaf:
        case c.Attribute():
            yield f"{leaf.subject}: {_plain(leaf.value)}"
        case c.Points():
            yield f"{leaf.subject}: {_plain(leaf.range)}"
        case c.Behaviour():
            about = "true" if leaf.subject is None else _plain(leaf.subject)
            if leaf.mail_type is not None:
                email = "" if leaf.subject is None else f"email: {about}, "
                about = f"{{{email}mail_type: {leaf.mail_type}}}"
            yield f"{leaf.kind}: {about}"
            if leaf.within is not None:
                yield f"within: {leaf.within}"
            if leaf.times != 1:
                yield f"times: {_plain(leaf.times)}"
        case _:
            for name, value in leaf:
                yield f"{name}: {_plain(value)}"


def _plain(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(map(str, value)) + "]"
    if isinstance(value, c.Model):
        return "{" + ", ".join(f"{key}: {_plain(said)}" for key, said in value if said is not None) + "}"
    return {True: "true"}.get(value, str(value)) if isinstance(value, bool) else str(value)
