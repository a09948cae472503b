"""Forms: a form that only one line asks for, and whose name is a slip away from one that is known, is misspelt."""

from collections.abc import Iterator, Mapping

from rapidfuzz.distance import OSA

from nurture.definitions import conditions as c
from nurture.definitions.problems import DefinitionProblem, Document, YamlPath
from nurture.definitions.products import Product
from nurture.definitions.scenarios import Branch, WaitFor, every_step
from nurture.definitions.sources import SourceDefinition

_SHORT = 4  # letters of a word in which one more or less is no slip: plan_a, plan_b


def of_source(source: SourceDefinition) -> set[str]:
    """Return the forms that a source names: what its rows submit, and the values of its column of forms."""
    named = {source.first_touch["form"]} if "form" in source.first_touch else set[str]()
    found: set[str] = set()
    event = source.event
    if event is not None and event.type == "submitted":
        found |= {event.subject} if event.subject is not None else set()
        named |= {event.subject_column} if event.subject_column is not None else set()
        found |= {value for sign in event.products if sign.when.column in named for value in sign.when.values}
    return found


def misspelt(product: Product, pages: Mapping[str, Document], known: frozenset[str]) -> Iterator[DefinitionProblem]:
    """Yield each form that a product asks for once, where another that it asks for, or a source names, is a slip away.

    A form of a name of its own may be new. `pages` are the scenarios' by name, product.yaml's as "".
    """
    uses = [
        (page, path, form) for page, path, condition in _conditions(product) for path, form in _asked(path, condition)
    ]
    uses += [
        ("", ("scoring", "engagement", index, "form"), rule.form)
        for index, rule in enumerate(product.scoring.engagement) if rule.form is not None
    ]  # fmt: skip
    times: dict[str, int] = {}
    for _, _, form in uses:
        times[form] = times.get(form, 0) + 1
    for page, path, form in uses:
        if times[form] > 1 or form in known or "*" in form:
            continue
        meant = [
            other for other in sorted({*times, *known}) if _is_slip(form, other) and _outweighs(other, times, known)
        ]
        if meant and page in pages:
            yield pages[page].problem(path, f"nothing else speaks of a form {form!r}: did you mean {meant[0]!r}?")


def _outweighs(other: str, times: Mapping[str, int], known: frozenset[str]) -> bool:
    return other in known or times[other] > 1


def _is_slip(form: str, other: str) -> bool:
    """Say whether two names differ by underscores alone, or in one word by a slip: one letter, no digit, or a swap."""
    if form != other and form.replace("_", "") == other.replace("_", ""):
        return True
    pairs = list(zip(form.split("_"), other.split("_"), strict=False))
    differing = [pair for pair in pairs if pair[0] != pair[1]]
    if form.count("_") != other.count("_") or len(differing) != 1:
        return False
    one, two = differing[0]
    if min(len(one), len(two)) < _SHORT or any(letter.isdigit() for letter in one + two):
        return False
    return OSA.distance(one, two) == 1


def _conditions(product: Product) -> Iterator[tuple[str, YamlPath, c.Condition]]:
    """Yield every condition of a product and its scenarios, with its page and its place there."""
    for name, condition in product.segments.items():
        yield "", ("segments", name), condition
    yield "", ("qualification", "when"), product.qualification.when
    for name, scenario in product.scenarios.items():
        yield name, ("audience",), scenario.audience
        if scenario.goal is not None:
            yield name, ("goal",), scenario.goal
        for path, step in every_step(scenario.journey, ("journey",)):
            if isinstance(step, Branch):
                yield name, (*path, "branch", "if"), step.branch.if_
            elif isinstance(step, WaitFor):
                yield name, (*path, "wait_for"), step.wait_for


def _asked(path: YamlPath, condition: c.Condition) -> Iterator[tuple[YamlPath, str]]:
    for at, leaf in c.leaves(condition, path):
        if isinstance(leaf, c.Behaviour) and leaf.kind == "submitted":
            yield from (((*at, "submitted"), form) for form in c.values(leaf.subject or []))
        elif isinstance(leaf, c.FirstTouch):
            yield from (((*at, "first_touch", "form"), form) for form in c.values(leaf.first_touch.form or []))
