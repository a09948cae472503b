"""Vocabulary: what people write for a title, a department, an industry, and the word of ours that it means."""

from functools import cached_property
from typing import Any, Literal

from nurture.definitions.model import Model, Name
from nurture.normalise.vocabulary import Wording

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

    def body(self) -> dict[str, Any]:
        """Return what the lists say as JSON values; a set in one order, so that its hash is one."""
        return {key: sorted(value) if isinstance(value, list) else value for key, value in super().body().items()}
