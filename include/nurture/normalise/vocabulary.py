"""Vocabulary: the many words of titles, departments and industries, as the few that a condition asks for."""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

from nurture.normalise.texts import REMEMBERED, fold

_LETTERS = re.compile(r"[a-z]")


class Wording:
    """Find which of our words a text means, from lists of what people write.

    Longer entries win over those within them (`部長代理` over `部長`, `general manager` over `manager`). An entry of
    Latin letters is matched as a whole word, any other wherever it stands. An entry under `''` means nothing and hides
    what is within it (`社長室` is no president).
    """

    def __init__(self, entries: Mapping[str, Sequence[str]], *, ranked: bool = False) -> None:
        """Take lists by our word; `ranked`: the later of several words found wins (staff … executive)."""
        self._rank = {word: place for place, word in enumerate(entries)} if ranked else None
        self._meaning = {_folded(entry): word for word, listed in entries.items() for entry in listed}
        by_length = sorted(self._meaning, key=len, reverse=True)
        self._pattern = re.compile("|".join(_as_pattern(entry) for entry in by_length) or r"(?!)")
        self.find = lru_cache(REMEMBERED)(self._find)

    def _find(self, text: str) -> str | None:
        folded = _folded(text)
        found = [word for match in self._pattern.finditer(folded) if (word := self._meaning[match[0]])]
        if not found:
            return None
        if self._rank is not None:
            return max(found, key=self._rank.__getitem__)
        # 製造本部 情報システム部 goes from large to small, IT Department, Sales Division the other way.
        return found[0] if folded.isascii() else found[-1]


def _folded(text: str) -> str:
    return " ".join(fold(text).split())


def _as_pattern(entry: str) -> str:
    escaped = re.escape(entry)
    before = r"(?<![a-z])" if _LETTERS.match(entry[:1]) else ""
    after = r"(?![a-z])" if _LETTERS.match(entry[-1:]) else ""
    return before + escaped + after
