"""Reachable: every condition of a product can be met by somebody, and every way of a journey taken."""

from collections.abc import Iterator, Mapping

from nurture.definitions import conditions as c
from nurture.definitions.contradictions import Claim, alternatives, why_nobody
from nurture.definitions.meaning import audiences, in_full, without_segments
from nurture.definitions.problems import DefinitionProblem, Document, YamlPath
from nurture.definitions.products import Product
from nurture.definitions.scenarios import Branch, Email, Scenario, Step, WaitFor, ways

# What does not change between a refresh of an audience and a branch, unless the record itself is corrected.
_LASTING = (c.Attribute, c.Source, c.FirstTouch, c.Consents)
_Found = tuple[YamlPath, str]


def unreachable(product: Product, pages: Mapping[str, Document]) -> Iterator[DefinitionProblem]:
    """Yield every condition of a product that nobody can meet, and every way of a branch that nobody can take.

    `pages` holds its files: each scenario's by name, product.yaml as "".
    """
    reader = Reader(product)
    yield from (pages[""].problem(path, message) for path, message in reader.conditions())
    for name, scenario in product.scenarios.items():
        yield from (pages[name].problem(path, message) for path, message in reader.journey(scenario))


class Reader:
    """Reads a product's conditions with their segments and targets in full."""

    def __init__(self, product: Product) -> None:
        self.product = product
        self.named = audiences(product)
        self.planned = {entry.email for entry in product.plan if entry.email is not None}

    def _in_full(self, condition: c.Condition) -> c.Condition:
        return in_full(without_segments(condition, self.named), self.product.target)

    def conditions(self) -> Iterator[_Found]:
        """Yield the conditions of product.yaml that nobody can meet."""
        product = self.product
        asked: list[tuple[YamlPath, c.Condition]] = [
            (("segments", name), each) for name, each in product.segments.items()
        ]
        asked += [(("scoring", "fit", index, "when"), rule.when) for index, rule in enumerate(product.scoring.fit)]
        asked.append((("qualification", "when"), product.qualification.when))
        for path, condition in asked:
            yield from self._nobody(path, condition)

    def _nobody(self, path: YamlPath, condition: c.Condition) -> Iterator[_Found]:
        why = why_nobody(self._in_full(condition))
        if why is not None:
            yield path, f"nobody can be here: it would need {why}"

    def journey(self, scenario: Scenario) -> Iterator[_Found]:
        """Yield what nobody can meet or take in a scenario."""
        empty = [*self._nobody(("audience",), scenario.audience)]
        yield from empty
        if scenario.goal is not None:
            yield from self._nobody(("goal",), scenario.goal)
        if empty:
            return
        sent = set(self.planned)
        for other in self.product.scenarios.values():
            if other is not scenario or scenario.reenter is not None:
                sent |= {step.email for step in other.emails()}
        lasting = self._lasting(scenario) if scenario.leave == "exit" else []
        yield from self._steps(scenario.journey, ("journey",), sent, lasting, [])

    def _lasting(self, scenario: Scenario) -> list[Claim]:
        """Return what holds of everybody under way for as long as they are."""
        found = alternatives(Claim(self._in_full(scenario.audience)))
        if not found:
            return []
        shared = [claim for claim in found[0] if all(claim in other for other in found[1:])]
        return [claim for claim in shared if isinstance(claim.leaf, _LASTING)]

    def _steps(
        self, steps: list[Step], path: YamlPath, sent: set[str], lasting: list[Claim], known: list[Claim]
    ) -> Iterator[_Found]:
        """Yield the ways that nobody takes; `known` holds of who arrives, until time passes. Adds to `sent`."""
        for index, step in enumerate(steps):
            here = (*path, index)
            if isinstance(step, Email):
                sent.add(step.email)
            if isinstance(step, Branch | WaitFor):
                asked, at = (
                    (step.branch.if_, ("branch", "if")) if isinstance(step, Branch) else (step.wait_for, ("wait_for",))
                )
                if not any(inner for _, inner in ways(step)):
                    yield here, "neither way has a step: take the step out, or write what differs"
                before = set(sent)
                for (below, inner), holds in zip(ways(step), (True, False), strict=True):
                    claims = alternatives(Claim(self._in_full(asked), holds)) or []
                    why = why_nobody(_all_of(self._in_full(asked), holds), [*lasting, *known], before)
                    if why is not None:
                        yield (*here, *at), f"nobody takes the way of {below[-1]!r}: it would need {why}"
                        continue
                    now = claims[0] if isinstance(step, Branch) and len(claims) == 1 else []
                    taken = set(before)
                    yield from self._steps(inner, (*here, *below), taken, lasting, [*known, *now])
                    sent |= taken
            known = []


def _all_of(condition: c.Condition, holds: bool) -> c.Condition:
    return condition if holds else c.Combination(none=[condition])
