"""References: every name that a definition mentions exists, once, and leads back to nothing that asks for itself."""

from collections.abc import Iterator
from dataclasses import dataclass

from nurture.definitions.conditions import (
    OF_MAIL,
    Attribute,
    Behaviour,
    Condition,
    FirstTouch,
    InSegment,
    Range,
    Source,
    Target,
    built_on,
    leaves,
    values,
)
from nurture.definitions.meaning import TARGETS, audiences
from nurture.definitions.nearest import instead
from nurture.definitions.problems import DefinitionProblem, Document, YamlPath
from nurture.definitions.products import EmailTerms, Product, TargetDefinition
from nurture.definitions.scenarios import Branch, Email, Scenario, WaitFor, every_step

# The regions that addresses are read into.
REGIONS = ("hokkaido", "tohoku", "kanto", "chubu", "kansai", "chugoku", "shikoku", "kyushu")
_TARGET_LISTS = {subject: key for subject, key in TARGETS.items() if subject != "employees"}


@dataclass(frozen=True)
class Names:
    """The names that exist, from file names and keys, also of things that are broken themselves."""

    emails: set[str]
    scenarios: set[str]
    segments: set[str] | None  # None: product.yaml cannot be read, so nobody knows
    sources: set[str]
    calendars: set[str]
    words: dict[str, frozenset[str]]


def of_product(product: Product, page: Document, names: Names) -> Iterator[DefinitionProblem]:
    """Yield what is wrong with the names in product.yaml."""
    if product.calendar not in names.calendars:
        mend = instead(product.calendar, sorted(names.calendars))
        yield page.problem(("calendar",), f"company.yaml has no calendar {product.calendar!r}: {mend}")
    for attribute, key in _TARGET_LISTS.items():
        yield from _words(attribute, getattr(product.target, key), page, ("target", key), names)
    entries: dict[str, int] = {}
    for index, entry in enumerate(product.plan):
        if entry.email is not None:
            yield from _email(entry.email, page, ("plan", index, "email"), names)
        yield from _segment(entry.to, page, ("plan", index, "to"), names)
        if entry.name in entries:
            message = (
                f"{entry.name!r} is the name of plan[{entries[entry.name]}] already: an entry has its own for ever"
            )
            yield page.problem(("plan", index, "name"), message)
        entries.setdefault(entry.name, index)
    for index, rule in enumerate(product.scoring.engagement):
        if rule.email is not None:
            yield from _email(rule.email, page, ("scoring", "engagement", index, "email"), names)
    for email in product.case_permissions:
        yield from _email(email, page, ("case_permissions", email), names)
    conditions: list[tuple[YamlPath, Condition]] = [
        (("segments", name), condition) for name, condition in product.segments.items()
    ]
    conditions += [(("scoring", "fit", index, "when"), rule.when) for index, rule in enumerate(product.scoring.fit)]
    conditions.append((("qualification", "when"), product.qualification.when))
    for path, condition in conditions:
        yield from _condition(condition, page, path, names, product.target)
    for name in sorted(names.scenarios & (names.segments or set())):
        yield page.problem(("segments", name), f"{name!r} is a scenario already: a segment needs a name of its own")


def of_scenario(
    scenario: Scenario, page: Document, names: Names, target: TargetDefinition | None
) -> Iterator[DefinitionProblem]:
    """Yield what is wrong with the names in a scenario; `target` is None when product.yaml cannot be read."""
    yield from _condition(scenario.audience, page, ("audience",), names, target)
    first: dict[str, YamlPath] = {}
    if scenario.goal is not None:
        yield from _condition(scenario.goal, page, ("goal",), names, target)
    for path, step in every_step(scenario.journey, ("journey",)):
        if step.name in first:
            message = (
                f"two steps are called {step.name!r} (the other in line {page.line(first[step.name])}):"
                " give this one a name of its own, a lead gets one message a name"
            )
            yield page.problem(path, message)
        first.setdefault(step.name, path)
        if isinstance(step, Email):
            yield from _email(step.email, page, (*path, "email"), names)
        elif isinstance(step, Branch):
            yield from _condition(step.branch.if_, page, (*path, "branch", "if"), names, target)
        elif isinstance(step, WaitFor):
            yield from _condition(step.wait_for, page, (*path, "wait_for"), names, target)


def of_email(
    terms: EmailTerms, page: Document, names: Names, target: TargetDefinition | None
) -> Iterator[DefinitionProblem]:
    """Yield what is wrong with the content blocks of an email; `target` is None when product.yaml cannot be read."""
    for index, block in enumerate(terms.blocks):
        yield from _condition(block.when, page, ("blocks", index, "when"), names, target)
        if block.block in [earlier.block for earlier in terms.blocks[:index]]:
            yield page.problem(("blocks", index, "block"), f"two blocks are called {block.block!r}: rename one")


def expired(product: Product, page: Document) -> Iterator[DefinitionProblem]:
    """Yield each plan entry whose date is later than its email may be sent."""
    for index, entry in enumerate(product.plan):
        email = product.emails.get(entry.email or "")
        if email is not None and email.terms.expires is not None and entry.date > email.terms.expires:
            message = (
                f"{entry.date} is after {email.terms.expires}, the last day of {entry.email!r}: "
                f"move the entry, or `expires` in emails/{entry.email}.yaml"
            )
            yield page.problem(("plan", index, "date"), message)


def _condition(
    condition: Condition, page: Document, path: YamlPath, names: Names, target: TargetDefinition | None
) -> Iterator[DefinitionProblem]:
    for at, leaf in leaves(condition, path):
        match leaf:
            case Source():
                yield from _sources(values(leaf.source), page, (*at, "source"), names)
            case FirstTouch():
                yield from _sources(values(leaf.first_touch.source or []), page, (*at, "first_touch", "source"), names)
            case InSegment():
                yield from _segment(leaf.segment, page, (*at, "segment"), names)
            case Behaviour() if leaf.kind in OF_MAIL:
                for email in values(leaf.subject or []):
                    yield from _email(email, page, (*at, leaf.kind), names)
            case Attribute():
                yield from _attribute(leaf, page, (*at, leaf.subject), target, names)
            case Target() if target is not None and target == TargetDefinition():
                yield page.problem((*at, "target"), "the product has no target: write one in product.yaml")
            case _:
                pass


def _sources(said: list[str], page: Document, path: YamlPath, names: Names) -> Iterator[DefinitionProblem]:
    for source in said:
        if source not in names.sources:
            yield page.problem(path, f"there is no source {source!r}: {instead(source, sorted(names.sources))}")


def _attribute(
    leaf: Attribute, page: Document, path: YamlPath, target: TargetDefinition | None, names: Names
) -> Iterator[DefinitionProblem]:
    if leaf.subject == "company":
        if leaf.value == "target" or isinstance(leaf.value, Range):
            yield page.problem(path, "company takes a text or a list of texts, as in '*銀行'")
    elif leaf.value == "target":
        key = _TARGET_LISTS.get(leaf.subject, "employees")
        if target is not None and not getattr(target, key):
            yield page.problem(path, f"the product's target says nothing of {key}: write target.{key} in product.yaml")
    elif isinstance(leaf.value, Range) != (leaf.subject == "employees"):
        is_number = leaf.subject == "employees"
        takes = "a range, as in {min: 50, max: 3000}" if is_number else "a word or a list of words"
        yield page.problem(path, f"{leaf.subject} takes {takes}, or target")
    elif not isinstance(leaf.value, Range):
        yield from _words(leaf.subject, values(leaf.value), page, path, names)


def _words(
    attribute: str, said: list[str], page: Document, path: YamlPath, names: Names
) -> Iterator[DefinitionProblem]:
    known = names.words.get(attribute)
    for word in said:
        if known and word not in known:
            yield page.problem(path, f"no lead has the {attribute} {word!r}: {instead(word, sorted(known))}")


def _email(email: str, page: Document, path: YamlPath, names: Names) -> Iterator[DefinitionProblem]:
    if email not in names.emails:
        yield page.problem(path, f"there is no emails/{email}.mjml: {instead(email, sorted(names.emails))}")


def _segment(segment: str, page: Document, path: YamlPath, names: Names) -> Iterator[DefinitionProblem]:
    known = names.scenarios | (names.segments or set())
    if names.segments is not None and segment not in known:
        yield page.problem(path, f"there is no segment {segment!r}: {instead(segment, sorted(known))}")


def circles(product: Product, pages: dict[str, Document]) -> Iterator[DefinitionProblem]:
    """Yield each segment or audience that asks for itself, with the way; `pages`: the scenarios', '' the product's."""
    asks = {name: sorted(built_on(condition)) for name, condition in audiences(product).items()}
    for name in asks:
        way = _way_back(name, asks)
        if way is not None:
            page, path = (pages[name], ("audience",)) if name in pages else (pages[""], ("segments", name))
            yield page.problem(path, f"{name!r} asks for itself: {' → '.join(way)}")


def _way_back(name: str, asks: dict[str, list[str]]) -> list[str] | None:
    """Return the shortest way from a segment to itself, or None."""
    ways, seen = [[name]], set[str]()
    while ways:
        way = ways.pop(0)
        for other in asks.get(way[-1], ()):
            if other == name:
                return [*way, name]
            if other not in seen:
                seen.add(other)
                ways.append([*way, other])
    return None
