"""Play: how a scene is put among those that are played, and what scenes share."""

from collections.abc import Callable
from typing import Any

from nurture.benchmarks.cast import Cast, Person
from nurture.demo import words

Scene = Callable[[Cast], None]
SCENES: dict[str, Scene] = {}
TWICE = range(2)


def scene(play: Scene) -> Scene:
    """Put a scene among those that are played, under its function's name."""
    SCENES[play.__name__] = play
    return play


def another(cast: Cast, who: Person, **changes: Any) -> Person:
    """Return a colleague of somebody."""
    return cast.person(who.company, **changes)


def beside(who: Person, kanji: str, kana: str) -> dict[str, Any]:
    """Return a name beside somebody's: the same surname and another given name."""
    return {
        "last": who.last, "first": kanji, "reading": (who.reading[0], kana),
        "latin": (who.latin[0], words.romaji(kana).capitalize()),
    }  # fmt: skip


def born(last: tuple[str, str], first: tuple[str, str]) -> dict[str, Any]:
    """Return a name by its parts, each in kanji and kana."""
    return {
        "last": last[0], "first": first[0], "reading": (last[1], first[1]),
        "latin": (words.romaji(last[1]).capitalize(), words.romaji(first[1]).capitalize()),
    }  # fmt: skip
