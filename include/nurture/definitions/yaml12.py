"""YAML 1.2: `on`, `no`, `10:00` and `2026-12-08` are words, and a key stands once.

PyYAML reads YAML 1.1, in which a schedule of `on` is true and `10:00` is 600. Its quick C parser is kept, with the
core schema of YAML 1.2.2 (section 10.3.2) in the place of its resolvers.
"""

import re
from typing import Any

import yaml

_UNEVEN = "the indentation differs from the lines above, or a quote above is not closed"
# What libyaml says, as what was most likely done; the rest it says well enough.
_PLAIN = {
    "found character that cannot start any token": "a tab, @, ` or % begins here: indent with spaces, quote a value",
    "mapping values are not allowed in this context": (
        "no colon can stand here: the indentation differs from the lines above, or words with ': ' need quotes"
    ),
    "did not find expected key": _UNEVEN,
    "did not find expected '-' indicator": _UNEVEN,
    "found unexpected end of stream": "a quote is not closed",
}


class NotReadable(Exception):
    """The text is not YAML 1.2, or a key stands twice; `line` counts from 1."""

    def __init__(self, message: str, line: int) -> None:
        """Take what is wrong, and where."""
        super().__init__(message)
        self.line = line


class _Loader(yaml.CSafeLoader):
    """PyYAML's C loader with the scalars of YAML 1.2's core schema."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Build a mapping; a key that stands twice is refused, where PyYAML lets the last one win."""
        mapping: dict[Any, Any] = {}
        first: dict[Any, int] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                raise NotReadable("a key must be a word", line)
            key = self.construct_object(key_node)
            if key in first:
                raise NotReadable(f"{key!r} stands twice (first in line {first[key]})", line)
            first[key] = line
            mapping[key] = self.construct_object(value_node, deep=deep)
        return mapping


def _of(tag: str, pattern: str, first: str) -> None:
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(pattern), list(first))


_Loader.yaml_implicit_resolvers = {}
_of("null", r"^(?:~|null|Null|NULL|)$", "~nN")
_Loader.yaml_implicit_resolvers[""] = [("tag:yaml.org,2002:null", re.compile("^$"))]
_of("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF")
_of("int", r"^(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)$", "-+0123456789")
_of("float", r"^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$", "-+.0123456789")


def _construct_int(loader: Any, node: yaml.ScalarNode) -> int:
    text = str(loader.construct_scalar(node))
    if text.startswith(("0o", "0x")):
        return int(text, 0)
    return int(text)


def _construct_float(loader: Any, node: yaml.ScalarNode) -> float:
    return float(str(loader.construct_scalar(node)))


_Loader.add_constructor("tag:yaml.org,2002:int", _construct_int)
_Loader.add_constructor("tag:yaml.org,2002:float", _construct_float)


def read(text: str) -> Any:
    """Return what a YAML 1.2 text says; raise `NotReadable` with the line."""
    try:
        return yaml.load(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        why = _PLAIN.get(str(error.problem), error.problem)
        raise NotReadable(f"not readable as YAML: {why}", mark.line + 1 if mark else 1) from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, int(error.position)) + 1
        raise NotReadable(f"not readable as YAML: {error.reason}", line) from error


def line_of(text: str, path: tuple[str | int, ...]) -> int:
    """Return the line, from 1, of the value at `path`, or of the nearest thing above it that exists."""
    node = yaml.compose(text, Loader=_Loader)
    line = 1
    for part in path:
        if isinstance(node, yaml.MappingNode):
            found = next(((key, value) for key, value in node.value if key.value == str(part)), None)
            if found is None:
                return line
            line, node = found[0].start_mark.line + 1, found[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
        else:
            return line
    return line
