"""Problems of definitions, in a marketer's words: file, line, path, what is wrong and the nearest valid name."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import ValidationError

from nurture.definitions import conditions
from nurture.definitions.model import Model
from nurture.definitions.nearest import instead, nearest
from nurture.definitions.scenarios import STEPS
from nurture.definitions.yaml12 import line_of
from nurture.problem import Problem

YamlPath = tuple[str | int, ...]

_CONDITIONS: dict[str, type[Model]] = {
    "combination": conditions.Combination, "target": conditions.Target, "source": conditions.Source,
    "first_touch": conditions.FirstTouch, "consent": conditions.Consents,
    "lifecycle": conditions.OfLifecycle, "account": conditions.OfAccount, "segment": conditions.InSegment,
    "points": conditions.Points, "attribute": conditions.Attribute, "behaviour": conditions.Behaviour,
}  # fmt: skip
# Fields that hold what a person wrote under a word of the grammar: `{fit: {min: 15}}` has its range under `fit`.
_UNSPOKEN = ("kind", "subject", "range", "value")


@dataclass(frozen=True, order=True)
class DefinitionProblem:
    """One thing that is wrong in one file; `line` is 0 when it concerns the whole file."""

    file: str
    line: int
    path: str
    message: str

    def __str__(self) -> str:
        """Write `include/products/x/product.yaml:14: plan[2].to: ...`."""
        place = f"{self.file}:{self.line}" if self.line else self.file
        return ": ".join(part for part in (place, self.path, self.message) if part)


class BrokenDefinition(Problem):
    """A definition that cannot be used, with everything that is wrong with it."""

    def __init__(self, problems: Iterable[DefinitionProblem]) -> None:
        """Take the problems; they are told by file and line."""
        self.problems = sorted(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


@dataclass(frozen=True)
class Document:
    """One YAML file as it was read: what it says, and its text for the lines of its problems."""

    shown: str
    text: str
    data: Any

    def line(self, path: YamlPath) -> int:
        """Return the line of a path of this file."""
        return line_of(self.text, path)

    def problem(self, path: YamlPath, message: str) -> DefinitionProblem:
        """Return a problem at a path of this file, with its line."""
        return DefinitionProblem(self.shown, self.line(path), written(path), message)


def written(path: YamlPath) -> str:
    """Write a path as people do: `journey[2].wait`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def problems_of(document: Document, model: type[Model], error: ValidationError) -> Iterator[DefinitionProblem]:
    """Translate pydantic's errors; of a value's alternatives only the one that came nearest speaks."""
    found = [_Finding.of(document.data, model, detail) for detail in error.errors(include_url=False)]
    best: dict[YamlPath, tuple[int, int]] = {}
    for finding in found:
        if finding.choice is not None:
            best[finding.choice] = max(best.get(finding.choice, (-1, -1)), finding.nearness)
    mistyped = {(*finding.path[:-1], finding.meant) for finding in found if finding.meant}
    chosen: set[YamlPath] = set()
    for finding in found:
        if finding.choice is not None and finding.nearness < best[finding.choice]:
            continue
        if finding.missing is not None and (*finding.path, finding.missing) in mistyped:
            continue
        if finding.choice is not None:
            if finding.path in chosen:
                continue
            chosen.add(finding.path)
        yield document.problem(finding.path, finding.message)


@dataclass(frozen=True)
class _Finding:
    """One of pydantic's errors, placed in what the person wrote."""

    path: YamlPath
    message: str
    choice: YamlPath | None = None
    nearness: tuple[int, int] = (0, 0)
    missing: str | None = None
    meant: str | None = None

    @classmethod
    def of(cls, data: Any, model: type[Model], detail: Any) -> "_Finding":
        path, models, choice = _place(data, model, detail["loc"])
        kind, value = detail["type"], detail["input"]
        if kind == "missing":
            name = str(detail["loc"][-1])
            return cls(path, f"missing key {name!r}", missing=name)
        if kind == "extra_forbidden":
            key = str(detail["loc"][-1])
            known = sorted({word for model in models for word in _keys(model)})
            if key in conditions.SUBJECTS and set(_CONDITIONS.values()) >= models:
                message = f"one condition says one thing: put {key!r} beside it, under all"
            else:
                message = f"unknown key {key!r}: {instead(key, known)}"
            return cls(path, message, choice, (len(path), 1), meant=nearest(key, known))
        specific = not kind.endswith("_type") and not (kind == "literal_error" and isinstance(value, dict | list))
        known = [key for model in models for key in _keys(model)] if kind.startswith("model_") else []
        message = _message(kind, value, detail) + (f" ({', '.join(known)})" if known else "")
        return cls(path, message, choice, (len(path), int(specific)))


def _place(data: Any, model: type[Model], loc: tuple[Any, ...]) -> tuple[YamlPath, set[type[Model]], YamlPath | None]:
    """Walk from the file's model to where an error is: the path as written, the models there, the choice it is of."""
    path: list[str | int] = []
    models: set[type[Model]] = {model}
    choice: YamlPath | None = None
    here = data
    for part in loc:
        if len(models) > 1 and _CONDITIONS.get(part) in models:
            models = {_CONDITIONS[part]}
            continue
        if len(models) > 1 and isinstance(here, dict):
            keys = set(here)
            models = {max(models, key=lambda model: (len(keys & set(_keys(model))), model.__name__))}
        inner = {found for model in models for found in _models(_annotation(model, part))}
        in_list = isinstance(here, list) and isinstance(part, int) and part < len(here)
        if in_list or (isinstance(here, dict) and part in here):
            path.append(part)
            here = here[part]
        elif part in _UNSPOKEN and isinstance(here, dict):
            word = next((key for key in here if key in conditions.SUBJECTS), None)
            if word is not None:
                path.append(word)
                here = here[word]
        elif isinstance(part, str) and choice is None and _annotation(next(iter(models)), part) is None:
            choice = tuple(path)
        if inner:
            models = inner
    return tuple(path), models, choice


def _annotation(model: type[Model], part: Any) -> Any:
    for name, field in model.model_fields.items():
        if part in (name, field.alias):
            return field.annotation
    return None


def _models(annotation: Any) -> set[type[Model]]:
    if isinstance(annotation, type) and issubclass(annotation, Model):
        return {annotation}
    return {found for argument in get_args(annotation) for found in _models(argument)}


def _keys(model: type[Model]) -> list[str]:
    spoken = [field.alias or name for name, field in model.model_fields.items() if not field.exclude]
    return [key for key in spoken if model not in _CONDITIONS.values() or key not in _UNSPOKEN]


_KINDS = {
    "string_type": "a word or a text", "int_type": "a whole number", "int_parsing": "a whole number",
    "int_from_float": "a whole number", "float_type": "a number", "float_parsing": "a number",
    "bool_type": "true or false", "bool_parsing": "true or false", "list_type": "a list", "dict_type": "a mapping",
    "model_type": "a mapping of keys", "model_attributes_type": "a mapping of keys", "decimal_parsing": "a number",
    "decimal_type": "a number", "date_type": "a date, as in 2026-12-08",
    "date_from_datetime_parsing": "a date, as in 2026-12-08", "date_parsing": "a date, as in 2026-12-08",
}  # fmt: skip


_BOUNDS = {
    "less_than": "below", "less_than_equal": "at most", "greater_than": "above", "greater_than_equal": "at least",
}  # fmt: skip
_BOUND_OF = {"less_than": "lt", "less_than_equal": "le", "greater_than": "gt", "greater_than_equal": "ge"}


def _message(kind: str, value: Any, detail: Any) -> str:
    shown = repr(value) if isinstance(value, str | int | float | bool) else "what stands here"
    if value is None:
        shown = "nothing"
    if kind in _KINDS:
        return f"{shown} is not {_KINDS[kind]}"
    if kind == "literal_error":
        words = [word.strip("'") for word in detail["ctx"]["expected"].replace(" or ", ", ").split(", ")]
        words = [word.lower() if word in ("True", "False") else word for word in words]
        return f"{shown} is not one of {', '.join(words)}" + _did_you_mean(value, words)
    if kind == "string_pattern_mismatch" and detail["ctx"]["pattern"] == "^[a-z][a-z0-9_]*$":
        return f"{shown} is not a name: small letters, digits and _, beginning with a letter"
    if kind == "string_pattern_mismatch" and "@" in detail["ctx"]["pattern"]:
        return f"{shown} is not a mail address"
    if kind in ("unknown_condition", "unknown_step"):
        words = conditions.SUBJECTS if kind == "unknown_condition" else STEPS
        hints = {key: nearest(key, words) for key in value} if isinstance(value, dict) else {}
        said, meant = next(((key, word) for key, word in hints.items() if word), (None, None))
        what = "a condition" if kind == "unknown_condition" else "a step"
        return f"{said!r} is not {what}: did you mean {meant!r}?" if meant else detail["msg"]
    if kind in _BOUNDS:
        return f"{shown} is not {_BOUNDS[kind]} {detail['ctx'][_BOUND_OF[kind]]}"
    return detail["msg"].removeprefix("Value error, ")


def _did_you_mean(value: Any, words: list[str]) -> str:
    found = nearest(value, words)
    return f": did you mean {found!r}?" if found else ""
