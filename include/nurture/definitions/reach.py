"""Reach: a way of a journey that nobody can ever take, as far as the definition alone shows it."""

from collections.abc import Iterator

from nurture.definitions.conditions import Behaviour, Combination, Condition
from nurture.definitions.problems import DefinitionProblem, Document, YamlPath
from nurture.definitions.products import Product
from nurture.definitions.scenarios import Branch, Scenario, Step, WaitFor, ways


def of_scenario(scenario: Scenario, product: Product, page: Document) -> Iterator[DefinitionProblem]:
    """Yield every branch and wait-for with a way that can never be taken, and those without any step on either way."""
    sent = {step.email for other in product.scenarios.values() for step in other.emails()}
    sent |= {entry.email for entry in product.plan if entry.email is not None}
    holds, fails = _certain(scenario.audience) if scenario.leave == "exit" else ([], [])
    yield from _ways(scenario.journey, ("journey",), page, sent, holds, fails)


def _certain(audience: Condition) -> tuple[list[Condition], list[Condition]]:
    """Return what is so, and what is not so, of everybody who is in the audience."""
    if not isinstance(audience, Combination):
        return [audience], []
    return list(audience.all or []), list(audience.none or [])


def _ways(
    steps: list[Step], path: YamlPath, page: Document, sent: set[str], holds: list[Condition], fails: list[Condition]
) -> Iterator[DefinitionProblem]:
    for index, step in enumerate(steps):
        here = (*path, index)
        if not isinstance(step, Branch | WaitFor):
            continue
        condition, key = (
            (step.branch.if_, ("branch", "if")) if isinstance(step, Branch) else (step.wait_for, ("wait_for",))
        )
        (then_key, then), (else_key, else_) = ways(step)
        if not then and not else_:
            yield page.problem(here, "neither way has a step: take the step out, or write what differs")
        elif condition in fails or _asks_for_what_is_not_sent(condition, sent):
            why = "nobody of the audience meets it" if condition in fails else "nothing sends that mail"
            yield page.problem((*here, *key), f"the way `then` can never be taken: {why}")
        elif condition in holds:
            yield page.problem((*here, *key), "the way `else` can never be taken: everybody who comes here meets it")
        yield from _ways(then, (*here, *then_key), page, sent, holds, fails)
        yield from _ways(else_, (*here, *else_key), page, sent, holds, fails)


def _asks_for_what_is_not_sent(condition: Condition, sent: set[str]) -> bool:
    return (
        isinstance(condition, Behaviour)
        and condition.kind in ("opened", "clicked", "replied")
        and condition.subject is not None
        and "*" not in condition.subject
        and condition.subject not in sent
    )
