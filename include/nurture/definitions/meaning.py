"""Meaning: a condition said in full, without the names that stand for something written elsewhere."""

from collections.abc import Callable, Mapping
from typing import Any

from nurture.definitions.conditions import Attribute, Combination, Condition, InSegment, Target, parts
from nurture.definitions.products import Product, TargetDefinition

TARGETS = {
    "industry": "industries", "employees": "employees", "region": "regions", "department": "departments",
    "title": "titles",
}  # fmt: skip
_EVERYBODY = Combination()


def audiences(product: Product) -> dict[str, Condition]:
    """Return a product's segments and its scenarios' audiences by name: an audience is a segment, too."""
    return {**product.segments, **{name: scenario.audience for name, scenario in product.scenarios.items()}}


def in_full(condition: Condition, target: TargetDefinition) -> Condition:
    """Return the condition with the product's target spelled out: what it asks now, whatever the target says later."""

    def spell(leaf: Condition) -> Condition:
        if isinstance(leaf, Target):
            asked = [subject for subject, key in TARGETS.items() if getattr(target, key)]
            each = [_as_the_target(subject, target) for subject in asked]
            return Combination(all=each) if each else _EVERYBODY
        if isinstance(leaf, Attribute) and leaf.value == "target":
            return _as_the_target(leaf.subject, target)
        return leaf

    return replaced(condition, spell)


def _as_the_target(subject: str, target: TargetDefinition) -> Condition:
    wanted = getattr(target, TARGETS[subject])
    return Attribute.model_validate({"subject": subject, "value": wanted}) if wanted else _EVERYBODY


def without_segments(condition: Condition, named: Mapping[str, Condition]) -> Condition:
    """Return the condition with the definitions of the segments that it asks for in their place.

    A segment that `named` has not stays; one that asks, by way of others, for itself is a ValueError.
    """

    def expand(names: tuple[str, ...]) -> Callable[[Condition], Condition]:
        def put(leaf: Condition) -> Condition:
            if not isinstance(leaf, InSegment) or leaf.segment not in named:
                return leaf
            if leaf.segment in names:
                raise ValueError(f"segments in a circle: {' → '.join((*names, leaf.segment))}")
            return replaced(named[leaf.segment], expand((*names, leaf.segment)))

        return put

    return replaced(condition, expand(()))


def replaced(condition: Condition, change: Callable[[Condition], Condition]) -> Condition:
    """Return the condition with each of its leaves replaced by what `change` makes of it."""
    if not isinstance(condition, Combination):
        return change(condition)
    made: dict[str, list[Any]] = {}
    for (word, _), part in parts(condition):
        made.setdefault(str(word), []).append(replaced(part, change))
    return Combination.model_construct(_fields_set=set(made), **made)
