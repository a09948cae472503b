"""YAML 1.2: what a marketer writes is what is read."""

import pytest

from nurture.definitions.yaml12 import NotReadable, line_of, read


@pytest.mark.parametrize(
    "word", ["on", "off", "yes", "no", "10:00", "1_000", "2026-02-30", "08-13..08-15", "10%", "=", "<<"]
)
def test_a_word_stays_a_word(word: str):
    assert read(f"key: {word}") == {"key": word}
    assert read(f"{word}: key") == {word: "key"}


@pytest.mark.parametrize(
    ("text", "value"),
    [("true", True), ("False", False), ("~", None), ("", None), ("-3", -3), ("0123", 123), ("0o17", 15), ("0x1f", 31),
     (".5", 0.5), ("1e3", 1000.0), ("'true'", "true")],
)  # fmt: skip
def test_the_core_schema_has_its_values(text: str, value: object):
    assert read(f"key: {text}") == {"key": value}


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        ("a: 1\nb: 2\na: 3", 3, "'a' stands twice (first in line 1)"),
        ("a:\n  - {b: 1, b: 2}", 2, "'b' stands twice (first in line 2)"),
        ("a: [1,\nb: }", 2, "not readable as YAML"),
        ("a: 1\nb: \x07", 2, "control characters are not allowed"),
        ("a: !!python/object:os.system 1", 1, "not readable as YAML"),
        ("? [a]\n: 1", 1, "a key must be a word"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_line(text: str, line: int, why: str):
    with pytest.raises(NotReadable, match=r"\w") as caught:
        read(text)
    assert caught.value.line == line
    assert why in str(caught.value)


def test_the_line_of_a_path_is_that_of_the_nearest_thing_that_exists():
    text = "a:\n  - b: 1\n    c:\n      d: 2\n"
    assert line_of(text, ("a", 0, "c", "d")) == 4
    assert line_of(text, ("a", 0, "missing")) == 2
    assert line_of(text, ("a", 7)) == 1
