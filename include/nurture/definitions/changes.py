"""Changes: what a changed definition must say or keep, because people are under way or had a mail by its old name."""

from collections.abc import Iterator
from typing import Any

from nurture.definitions.past import Past
from nurture.definitions.problems import DefinitionProblem, Document, YamlPath
from nurture.definitions.products import Product
from nurture.definitions.scenarios import Email, Scenario, every_step

_SAME_ENTRY = 31  # days: an entry of the same mail to the same segment so near is the old one renamed


def of_scenario(scenario: Scenario, page: Document, past: Past) -> Iterator[DefinitionProblem]:
    """Yield a change of the journey that does not say what happens to those under way, and steps renamed (N1)."""
    versions = past.versions.get(scenario.scenario, [])
    changed = [
        old for old in versions if old.under_way and Scenario.model_validate(old.body).walked() != scenario.walked()
    ]
    if changed and scenario.in_flight is None:
        under_way = sum(old.under_way for old in changed)
        yield page.problem(
            (),
            f"{under_way:,} leads are under way on the journey as it was: say what happens to them, "
            "in_flight: finish_old, move_on (to the step of the same name) or stop",
        )
    here = {step.name: step for _, step in every_step(scenario.journey)}
    known: set[str] = set()
    for old in versions:
        known |= {step.name for _, step in every_step(Scenario.model_validate(old.body).journey)}
    gone = {
        step.name: step
        for old in versions
        for _, step in every_step(Scenario.model_validate(old.body).journey)
        if step.name not in here
    }
    for path, step in every_step(scenario.journey, ("journey",)):
        renamed = next((name for name, was in gone.items() if step.name not in known and _same(was, step)), None)
        if renamed is not None:
            yield page.problem(
                path,
                f"the step {renamed!r} has run and is called {step.name!r} now: keep its name, "
                + (
                    "or who had its mail gets it again"
                    if isinstance(step, Email)
                    else "or it is a step that nobody knew"
                ),
            )


def _same(was: Any, step: Any) -> bool:
    if isinstance(was, Email) and isinstance(step, Email):
        return was.email == step.email
    return type(was) is type(step) and _unnamed(was) == _unnamed(step)


def _unnamed(step: Any) -> dict[str, Any]:
    return {key: value for key, value in step.body().items() if key != "name"}


def of_plan(product: Product, page: Document, past: Past) -> Iterator[DefinitionProblem]:
    """Yield entries of the plan that have run under another name (N1)."""
    from datetime import date

    gone = {name: body for name, body in past.entries.items() if name not in {entry.name for entry in product.plan}}
    for index, entry in enumerate(product.plan):
        if entry.name in past.entries:
            continue
        for name, body in gone.items():
            same = (body.get("email"), body.get("to")) == (entry.email, entry.to)
            if same and abs((date.fromisoformat(body["date"]) - entry.date).days) <= _SAME_ENTRY:
                path: YamlPath = ("plan", index, "name")
                message = (
                    f"the entry {name!r} has run and is called {entry.name!r} now: keep its name (its date may move)"
                )
                yield page.problem(path, message)
