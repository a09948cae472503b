"""Likely pairs: of the many that share a block, those whose names can be one person's; the rest costs nothing."""

from collections.abc import Callable, Sequence

import numpy as np
from rapidfuzz import process
from rapidfuzz.distance import OSA

from nurture.matching.blocks import Blocks, pairs_of
from nurture.matching.candidates import Row
from nurture.matching.clusters import People
from nurture.matching.names import Agreement, Name

Pairs = list[tuple[int, int]]


def likely(people: People, rows: Sequence[Row], blocks: Blocks) -> Pairs:
    """Return pairs of records of two people each, whose names do not part them, each pair of people once."""
    places = {row.record_id: at for at, row in enumerate(rows)}
    roots = np.array([places[people.of(row.record_id).root] for row in rows], dtype=np.int64)
    one, two = pairs_of(blocks, roots)
    names: list[Name] = []
    numbers: dict[int, int] = {}
    of_row = np.full(len(rows), -1, dtype=np.int64)
    for at, row in enumerate(rows):
        if row.name is not None:
            number = numbers.setdefault(id(row.name), len(names))
            if number == len(names):
                names.append(row.name)
            of_row[at] = number
    left, right = of_row[one], of_row[two]
    differ = np.flatnonzero((left >= 0) & (right >= 0) & (left != right))
    packed = np.minimum(left, right)[differ] * len(names) + np.maximum(left, right)[differ]
    distinct, back = np.unique(packed, return_inverse=True)
    kept = np.ones(len(one), dtype=bool)
    vouched = np.array([people.of(row.record_id).is_vouched for row in rows], dtype=bool)
    kept[differ] = _can_be_one(names, distinct // max(1, len(names)), distinct % max(1, len(names)), people.compare)[
        back
    ]
    kept |= vouched[one] | vouched[two]  # of whom a person said that he bears two names
    ids = np.array([row.record_id for row in rows], dtype=np.int64)
    one, two = ids[one[kept]], ids[two[kept]]
    low, high = np.minimum(one, two), np.maximum(one, two)
    order = np.lexsort((high, low))
    return list(zip(low[order].tolist(), high[order].tolist(), strict=True))


def _can_be_one(
    names: list[Name], one: np.ndarray, two: np.ndarray, compare: Callable[[Name, Name], Agreement]
) -> np.ndarray:
    """Tell of each pair of names whether they do not conflict; most kanji do, and are not even compared."""
    kanji = np.array([name.script == "han" for name in names], dtype=bool)
    asked = np.ones(len(one), dtype=bool)
    both = np.flatnonzero(kanji[one] & kanji[two])
    asked[both] = _kanji_may_agree(names, one[both], two[both])
    found = np.zeros(len(one), dtype=bool)
    for at in np.flatnonzero(asked).tolist():
        found[at] = compare(names[one[at]], names[two[at]]) != Agreement.CONFLICT
    return found


def _kanji_may_agree(names: list[Name], one: np.ndarray, two: np.ndarray) -> np.ndarray:
    """Tell of each pair whether `compare` could find more than a conflict: a cheap test that never errs to a no."""
    numbers: dict[str, int] = {"": 0}

    def coded(texts: list[str]) -> np.ndarray:
        return np.array([numbers.setdefault(text, len(numbers)) for text in texts], dtype=np.int64)

    keys = coded([name.key for name in names])
    firsts = coded([name.first for name in names])
    tails = coded([name.key[-2:] for name in names])
    heads = coded([name.key[:1] for name in names])
    swapped = coded([name.first + name.last if name.first else "" for name in names])
    lengths = np.array([len(name.key) for name in names])
    may = keys[one] == keys[two]
    may |= (firsts[one] == firsts[two]) & (firsts[one] > 0)
    may |= tails[one] == tails[two]
    may |= (swapped[one] == keys[two]) | (swapped[two] == keys[one])
    may |= (lengths[one] != lengths[two]) & (heads[one] == heads[two])
    rest = np.flatnonzero(
        ~may & (np.abs(lengths[one] - lengths[two]) <= 1) & (np.minimum(lengths[one], lengths[two]) > 2)
    )
    texts = np.array([name.key for name in names], dtype=object)
    distance = process.cpdist(texts[one[rest]], texts[two[rest]], scorer=OSA.distance, score_cutoff=1, dtype=np.uint8)
    may[rest] = distance <= 1
    return may
