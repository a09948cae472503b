"""Rarity: how many people of one name a company can be expected to have, by how often the data bear its parts."""

from collections import Counter
from collections.abc import Iterable

from nurture.matching.names import Name
from nurture.matching.readings import Readings, canonical

_AN_INITIAL = 0.08  # of given names that begin with the same letter
UNTOLD = 0.04  # nobody can tell how rare a name is whose parts are not told apart: few, but not none
_EVERYBODY = ("all", "")


class Rarity:
    """Counts of the parts of names, and of the records of companies."""

    def __init__(self) -> None:
        """Begin with nothing known."""
        self._counts: Counter[tuple[str, str]] = Counter()
        self._sizes: Counter[str] = Counter()
        self._learned: Counter[tuple[str, str]] = Counter()

    def know(self, counts: Iterable[tuple[str, str, int]]) -> None:
        """Add how often earlier records bear other parts."""
        for part, written, count in counts:
            self._counts[part, written] += count

    def know_sizes(self, sizes: Iterable[tuple[str, int]]) -> None:
        """Take in how many records companies have, all of them."""
        self._sizes.update(dict(sizes))

    def learn(self, name: Name, times: int) -> None:
        """Count so many records of one name."""
        for key in (_EVERYBODY, *_parts(name)):
            self._counts[key] += times
            self._learned[key] += times

    @property
    def records(self) -> int:
        """Return how many records with a name there are."""
        return self._counts[_EVERYBODY]

    def learned(self) -> list[tuple[str, str, int]]:
        """Return what was counted since the beginning, for keeping."""
        return [(*key, count) for key, count in self._learned.items()]

    def size(self, account: str) -> int:
        """Return how many records a company has, 0 for one that no record at hand is of."""
        return self._sizes[account]

    def namesakes(self, name: Name, accounts: Iterable[str], readings: Readings, own: int = 0) -> float:
        """Return how many records of other people with this name the companies can be expected to have.

        So many as are `own` of the records that bear it do not tell of others: they are those that are compared.
        """
        total = self._counts[_EVERYBODY] or 1
        parts = _parts(name)
        if not parts and name.script == "han":
            last, first = readings.split(name.key)
            parts = [("last", last), ("first", first)] if first else []
        if len(parts) < 2:
            return UNTOLD
        share = 1.0
        for part, written in parts:
            share *= (
                _AN_INITIAL
                if len(written) == 1 and part == "word"
                else max(1, self._counts[part, written] - own) / total
            )
        return max((self._sizes[account] for account in accounts), default=1) * share


def _parts(name: Name) -> list[tuple[str, str]]:
    if name.script == "han":
        return [("last", name.last), ("first", name.first)] if name.last and name.first else []
    words = name.words or name.parts
    return [("word", canonical(word) if len(word) > 1 else word) for word in words] if len(words) > 1 else []
