"""Likely pairs: of the many that share a block, those whose names can be one person's; the rest costs nothing."""

from collections.abc import Callable, Collection, Sequence

import numpy as np
from rapidfuzz import process
from rapidfuzz.distance import OSA

from nurture.matching.blocks import Blocks, pairs_of
from nurture.matching.candidates import Row
from nurture.matching.clusters import People
from nurture.matching.names import Agreement, Name

Pairs = list[tuple[int, int]]


def likely(people: People, rows: Sequence[Row], blocks: Blocks, again: Collection[int] = ()) -> Pairs:
    """Return pairs of records of two people each, whose names do not part them, each pair of people once.

    Two known people were compared when the later of them came. They are again where both are likely to be one with
    somebody new, who may bridge what was not joined or show that it is two. A record that is judged `again` is new.
    """
    places = {row.record_id: at for at, row in enumerate(rows)}
    roots = np.array([places[people.of(row.record_id).root] for row in rows], dtype=np.int64)
    one, two = pairs_of(blocks, roots)
    may_be_one = _names_of(people, rows)
    concerned = _new_people(rows, roots, again)
    here = concerned[roots[one]] | concerned[roots[two]]
    kept = may_be_one(one, two, here)
    concerned[roots[one[kept]]] = concerned[roots[two[kept]]] = True
    kept |= may_be_one(one, two, concerned[roots[one]] & concerned[roots[two]] & ~here)
    ids = np.array([row.record_id for row in rows], dtype=np.int64)
    one, two = ids[one[kept]], ids[two[kept]]
    low, high = np.minimum(one, two), np.maximum(one, two)
    order = np.lexsort((high, low))
    return list(zip(low[order].tolist(), high[order].tolist(), strict=True))


def _new_people(rows: Sequence[Row], roots: np.ndarray, again: Collection[int]) -> np.ndarray:
    """Tell of each row whether it stands for a person who has a new record, or who was parted from others."""
    found = np.zeros(len(rows), dtype=bool)
    of_lead: dict[int, int] = {}
    for row, root in zip(rows, roots.tolist(), strict=True):
        if row.lead_id is None or row.record_id in again:
            found[root] = True
        elif (first := of_lead.setdefault(row.lead_id, root)) != root:
            found[root] = found[first] = True
    return found


def _names_of(
    people: People, rows: Sequence[Row]
) -> Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]:  # fmt: skip
    """Return what tells of pairs of rows, of those that are asked, whether their names do not part them."""
    names: list[Name] = []
    numbers: dict[int, int] = {}
    of_row = np.full(len(rows), -1, dtype=np.int64)
    for at, row in enumerate(rows):
        if row.name is not None:
            number = numbers.setdefault(id(row.name), len(names))
            if number == len(names):
                names.append(row.name)
            of_row[at] = number
    vouched = np.array([people.of(row.record_id).is_vouched for row in rows], dtype=bool)

    def may_be_one(one: np.ndarray, two: np.ndarray, asked: np.ndarray) -> np.ndarray:
        left, right = of_row[one], of_row[two]
        kept = asked.copy()
        differ = np.flatnonzero(asked & (left >= 0) & (right >= 0) & (left != right))
        packed = np.minimum(left, right)[differ] * len(names) + np.maximum(left, right)[differ]
        distinct, back = np.unique(packed, return_inverse=True)
        low, high = distinct // max(1, len(names)), distinct % max(1, len(names))
        kept[differ] = _can_be_one(names, low, high, people.compare)[back]
        return kept | (asked & (vouched[one] | vouched[two]))  # of whom a person said that he bears two names

    return may_be_one


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
