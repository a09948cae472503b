"""Vocabulary: what people write for a title, a department, an industry, and the word of ours that it means."""

from functools import cache, cached_property
from pathlib import Path
from typing import Literal

from nurture.definitions import yaml12
from nurture.definitions.model import Model, Name
from nurture.normalise.vocabulary import Wording

SHIPPED = Path(__file__).parents[2] / "vocabulary.yaml"

Level = Literal["", "staff", "manager", "director", "executive"]


class Vocabulary(Model):
    """The lists of `include/vocabulary.yaml`, each a list of what people write under our word.

    Titles have the four levels in their order, whatever the order in the file.
    """

    titles: dict[Level, list[str]]
    departments: dict[Literal[""] | Name, list[str]]
    industries: dict[Name, list[str]]
    lifecycles: dict[Literal["lead", "opportunity", "customer", "lost"], list[str]]
    role_mailboxes: frozenset[str]
    freemail: frozenset[str]

    @cached_property
    def title_levels(self) -> Wording:
        """Find staff, manager, director or executive in a title."""
        order: tuple[Level, ...] = ("", "staff", "manager", "director", "executive")
        return Wording({level: self.titles.get(level, []) for level in order}, ranked=True)

    @cached_property
    def department_functions(self) -> Wording:
        """Find the function of a department: it, general_affairs, hr and the like."""
        return Wording(self.departments)

    @cached_property
    def industry_words(self) -> Wording:
        """Find the industry: manufacturing, logistics and the like."""
        return Wording(self.industries)

    @cached_property
    def lifecycle_words(self) -> Wording:
        """Find where the CRM says that a person stands."""
        return Wording({**self.lifecycles})


@cache
def load_vocabulary(path: Path = SHIPPED) -> Vocabulary:
    """Read a vocabulary file; the project's own unless another is named."""
    return Vocabulary.model_validate(yaml12.read(path.read_text(encoding="utf-8")))
