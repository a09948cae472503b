"""Readings: kana and Latin spellings of a Japanese name in one form, and what kanji are read as, by the data."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from functools import lru_cache

_LETTERS = (
    "アイウエオカキクケコサシスセソタチツテトナニヌネノハヒフヘホマミムメモヤユヨラリルレロワヰヱヲン"
    "ガギグゲゴザジズゼゾダヂヅデドバビブベボパピプペポヴァィゥェォャュョー"
)
_SOUNDS = (
    "a i u e o ka ki ku ke ko sa si su se so ta ti tu te to na ni nu ne no ha hi hu he ho ma mi mu me mo ya yu yo "
    "ra ri ru re ro wa i e o n ga gi gu ge go za zi zu ze zo da zi zu de do ba bi bu be bo pa pi pu pe po bu "
    "xa xi xu xe xo xya xyu xyo -"
)
_KANA = dict(zip(_LETTERS, _SOUNDS.split(), strict=True))
# Hepburn to the spelling that is one letter a sound, long before short.
_SPELLINGS = (
    ("tchi", "tti"), ("tch", "tty"), ("sch", "sk"), ("shi", "si"), ("sh", "sy"), ("chi", "ti"), ("ch", "ty"),
    ("tsu", "tu"), ("fu", "hu"), ("ji", "zi"), ("j", "zy"), ("dzu", "zu"), ("du", "zu"), ("l", "r"), ("v", "b"),
    ("yi", "i"),
)  # fmt: skip
_SOUND = re.compile("|".join(spelling for spelling, _ in _SPELLINGS))
_WRITTEN_AS = dict(_SPELLINGS)
_LONG = re.compile(r"o[uo]+|uu+|oh(?![aiueoy])|-")
MOST_READINGS = 3
ENOUGH = 3  # a reading that was heard so often is known


@lru_cache(100_000)
def romaji(kana: str) -> str:
    """Return katakana in Latin letters, one spelling a sound; what is no kana stays."""
    found: list[str] = []
    doubled = False
    for letter in kana:
        if letter == "ッ":
            doubled = True
            continue
        sound = _KANA.get(letter, letter)
        if sound.startswith("x"):  # キョ is ki + yo
            sound = sound[1:]
            if found and found[-1][-1:] in "iueo" and len(found[-1]) > 1:
                found[-1] = found[-1][:-1]
        found.append(sound[0] + sound if doubled and sound else sound)
        doubled = False
    return "".join(found)


@lru_cache(100_000)
def canonical(latin: str) -> str:
    """Return a Latin spelling in the form in which sato, satou and satoh, or shinbo and shimbo, are one."""
    text = _SOUND.sub(lambda match: _WRITTEN_AS[match[0]], latin)
    text = re.sub(r"m(?=[bp])", "n", text)
    return _LONG.sub(lambda match: match[0][0] if match[0] != "-" else "", text)


class Readings:
    """What parts of kanji names are read as, counted over the records that show it."""

    def __init__(self, counts: Iterable[tuple[str, str, str, int]] = ()) -> None:
        """Begin with what is known: (part, written, reading, count); part is `last` or `first`."""
        self._counts: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)
        self._learned: Counter[tuple[str, str, str]] = Counter()
        self._known: dict[tuple[str, str], list[str]] = {}
        self.know(counts)

    def know(self, counts: Iterable[tuple[str, str, str, int]]) -> None:
        """Add what earlier records showed of other parts."""
        for part, written, reading, count in counts:
            self._counts[part, written][reading] += count

    def learn(self, part: str, written: str, reading: str, weight: int) -> None:
        """Count one showing of a reading."""
        self._counts[part, written][reading] += weight
        self._learned[part, written, reading] += weight
        self._known.pop((part, written), None)

    def learned(self) -> list[tuple[str, str, str, int]]:
        """Return what was learned since the beginning, for keeping."""
        return [(*key, count) for key, count in self._learned.items()]

    def newly_known(self) -> list[tuple[str, str]]:
        """Return the parts, (part, written), of which nothing was known well before what was learned here."""
        before: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)
        for (part, written, reading), count in self._learned.items():
            before[part, written][reading] = self._counts[part, written][reading] - count
        for key, counts in before.items():
            for reading, count in self._counts[key].items():
                counts.setdefault(reading, count)
        return [key for key, counts in before.items() if self.of(*key) and not _well_known(counts)]

    def of(self, part: str, written: str) -> list[str]:
        """Return the readings that are known well, the commonest first; none where the data do not say."""
        known = self._known.get((part, written))
        if known is None:
            known = self._known[part, written] = _well_known(self._counts.get((part, written)))
        return known

    def split(self, full: str) -> tuple[str, str]:
        """Return surname and given name of kanji without a space, where one surname is known; else nothing."""
        for length in (2, 3, 1, 4):
            if length < len(full) and self.of("last", full[:length]):
                return full[:length], full[length:]
        return "", ""


def _well_known(counts: Counter[str] | None) -> list[str]:
    if not counts:
        return []
    total = counts.total()
    return [reading for reading, count in counts.most_common(MOST_READINGS) if count >= ENOUGH and count * 6 >= total]
