"""Blocks: what a record shares with every record that it could match, as numbers, and the pairs that share one."""

from collections.abc import Sequence
from hashlib import blake2b
from typing import NamedTuple

import numpy as np

from nurture.matching.candidates import Row, local_words
from nurture.matching.names import Name
from nurture.matching.readings import Readings, canonical

MOST_IN_A_BLOCK = 60  # people; a larger block says nothing about one: only exact keys are looked at in it
MOST_BEARERS = 4  # people; of a name that more have, wherever they are, nobody is asked
MOST_OF_A_KEY = 200  # records; more than a person's key can have, and enough to see that a key is shared
# What a block is good for: finding again, a pair by a key, a pair, a pair where few share it, a pair across scripts.
KEY, SAME, LIKE, RARE, KANJI, SPOKEN = range(6)
# What is for kanji on the one side and a reading on the other alone: the initials of both parts; the first letter for a
# reading in one word; and for kanji whose kana are in one word.
ACROSS = ("initials_read", "letter_read", "letter_of_one")
_SPREAD = np.uint64(0x9E3779B97F4A7C15)


class Blocks(NamedTuple):
    """The blocks of rows, one after the other: its number, the row's place, and its kind."""

    number: np.ndarray
    row: np.ndarray
    kind: np.ndarray

    def after(self, earlier: "Blocks", count: int) -> "Blocks":
        """Return these blocks with those of so many rows that stand before."""
        return Blocks(
            np.concatenate([earlier.number, self.number]),
            np.concatenate([earlier.row, self.row + np.int32(count)]),
            np.concatenate([earlier.kind, self.kind]),
        )

    def kept(self) -> np.ndarray:
        """Return the numbers by which the rows are found again: kanji by a reading and a reading by kanji alone."""
        return np.where(self.kind == SPOKEN, ~self.number, self.number)

    def asked(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the numbers by which these rows find others, each once, and how many records one may have.

        Of a key the oldest of more records are asked; any other block that has more says nothing.
        """
        number, first = np.unique(np.where(self.kind == KANJI, ~self.number, self.number), return_index=True)
        kind = self.kind[first]
        most = np.where(kind == RARE, MOST_BEARERS, MOST_IN_A_BLOCK)
        return number, np.where((kind == KEY) | (kind == SAME), -MOST_OF_A_KEY, most)


def hashed(*block: str) -> int:
    """Return a block as a number of 64 bits, the same in every process."""
    digest = blake2b("\x1f".join(block).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


class _Words:
    """What a name shares with its other spellings, hashed once a name: (number, kind) each."""

    def __init__(self, readings: Readings) -> None:
        self._readings = readings
        self._place: dict[int, int] = {}
        self._hashes: dict[tuple[str, str], int] = {}
        self.numbers: list[int] = []
        self.kinds: list[int] = []
        self.ends: list[int] = [0]
        self.is_mute: list[bool] = []  # nothing but a mailbox says how it is read

    def place(self, name: Name) -> int:
        found = self._place.get(id(name))
        if found is None:
            found = self._place[id(name)] = len(self.ends) - 1
            words, is_mute = spellings(name, self._readings)
            for kind, word in sorted(words):
                self.numbers.append(self.number(kind, word))
                self.kinds.append(LIKE if kind not in ACROSS else KANJI if name.script == "han" else SPOKEN)
            self.ends.append(len(self.numbers))
            self.is_mute.append(is_mute)
        return found

    def number(self, kind: str, word: str) -> int:
        found = self._hashes.get((kind, word))
        if found is None:
            found = self._hashes[kind, word] = hashed(kind, word)
        return found


def unread(rows: Sequence[Row], readings: Readings) -> tuple[list[int], list[int]]:
    """Return by what the rows are found again once a reading of their kanji is known: numbers, and places of rows."""
    of_name: dict[int, list[int]] = {}
    numbers: list[int] = []
    places: list[int] = []
    for at, row in enumerate(rows):
        name = row.name
        if name is None or name.script != "han" or name.forms:
            continue
        found = of_name.get(id(name))
        if found is None:
            found = of_name[id(name)] = [unread_block(*part) for part in _unread_parts(name, readings)]
        numbers += found
        places += [at] * len(found)
    return numbers, places


def unread_block(part: str, written: str) -> int:
    """Return by what records are found of which nobody knows how this part of their names is read."""
    return hashed("unread", part, written)


def _unread_parts(name: Name, readings: Readings) -> list[tuple[str, str]]:
    last, first = (name.last, name.first) if name.first else readings.split(name.key)
    if first:
        parts = [("last", last), ("first", first)]
    else:  # any of these may be its surname
        parts = [("last", name.key[:length]) for length in (1, 2, 3) if length < len(name.key)]
    return [part for part in parts if not readings.of(*part)]


def blocks_of(rows: Sequence[Row], readings: Readings) -> Blocks:
    """Return the blocks of the rows: exact keys, then what a name's spellings share within a company or a number."""
    words = _Words(readings)
    remembered: dict[tuple[str, str], tuple[int, ...]] = {}
    keys: list[int] = []
    key_rows: list[int] = []
    same: list[int] = []
    same_rows: list[int] = []
    near: list[int] = []
    near_rows: list[int] = []
    bearers: list[int] = []
    bearer_rows: list[int] = []
    wheres: list[int] = []
    where_rows: list[int] = []
    where_names: list[int] = []
    heads: list[int] = []
    head_rows: list[int] = []
    head_wheres: list[int] = []

    def number(kind: str, value: str) -> int:
        found = remembered.get((kind, value))
        if found is None:
            found = remembered[kind, value] = (hashed(kind, value),)
        return found[0]

    for at, row in enumerate(rows):
        if row.crm_id:
            keys.append(hashed("crm_id", row.crm_id))
            key_rows.append(at)
        if row.mailbox:
            found = remembered.get((row.mailbox, row.domain))
            if found is None:
                found = remembered[row.mailbox, row.domain] = _of_mailbox(row.mailbox, row.local, row.domain)
            same.append(found[0])
            same_rows.append(at)
            near += found[1:]
            near_rows += [at] * (len(found) - 1)
        if row.mobile:
            same.append(number("mobile", row.mobile))
            same_rows.append(at)
        name = row.name
        if name is None:
            continue
        bearers.append(number("name", name.key or min(name.forms, default="")))
        bearer_rows.append(at)
        places = [number("account", row.account)] if row.account else []
        if row.phone:
            places.append(number("phone", row.phone))
        spelt = words.place(name)
        for place in places:
            wheres.append(place)
            where_rows.append(at)
            where_names.append(spelt)
            if words.is_mute[spelt] and row.mailbox:
                for kind, word in _of_reading([[word] for word in local_words(row.local)]):
                    heads.append(words.number(kind, word))
                    head_rows.append(at)
                    head_wheres.append(place)
    ends = np.array(words.ends)
    names = np.array(where_names, dtype=np.int64)
    lengths = (ends[1:] - ends[:-1])[names] if len(names) else names
    of_where = np.repeat(np.arange(len(names)), lengths)
    of_word = np.repeat(ends[:-1][names] if len(names) else names, lengths) + _counted(lengths)
    return Blocks(
        np.concatenate([
            *(np.array(numbers, dtype=np.int64) for numbers in (keys, same, near, bearers)),
            _mixed(np.array(wheres, dtype=np.int64)[of_where], np.array(words.numbers, dtype=np.int64)[of_word]),
            _mixed(np.array(head_wheres, dtype=np.int64), np.array(heads, dtype=np.int64)),
        ]),
        np.concatenate([
            *(np.array(places, dtype=np.int32) for places in (key_rows, same_rows, near_rows, bearer_rows)),
            np.array(where_rows, dtype=np.int32)[of_where], np.array(head_rows, dtype=np.int32),
        ]),
        np.concatenate([
            np.repeat(
                np.array([KEY, SAME, LIKE, RARE], dtype=np.int8), [len(keys), len(same), len(near), len(bearers)]
            ),
            np.array(words.kinds, dtype=np.int8)[of_word], np.full(len(heads), KANJI, dtype=np.int8),
        ]),
    )  # fmt: skip


def _of_mailbox(mailbox: str, local: str, domain: str) -> tuple[int, ...]:
    found = [hashed("mailbox", mailbox)]
    if len(local) > 3:
        host = mailbox.partition("@")[2].partition(".")[0]
        found += [hashed("local", local, host[:3], ""), hashed("local", local, "", host[-3:])]
        if len(host) < 7:  # gmial begins and ends otherwise than gmail
            found.append(hashed("local", local, "".join(sorted(host))))
    if domain and len(local) > 3:
        found += [hashed("begins", domain, local[:3]), hashed("ends", domain, local[-4:])]
    return tuple(found)


def spellings(name: Name, readings: Readings) -> tuple[set[tuple[str, str]], bool]:
    """Return what a name shares with its other spellings, and whether only a mailbox can say how it is read.

    These are its kanji, whole and by part, its words, its initials, and what is `ACROSS`.
    """
    found: set[tuple[str, str]] = set()
    words = [canonical(word) if len(word) > 1 else word for word in name.words or name.parts]
    if len(words) > 1:
        found.add(("initials", "".join(sorted(word[0] for word in words))))
        found |= {("word", word) for word in words if len(word) > 2}
    else:
        found |= {("initials", form[0]) for form in name.forms}
    if name.script != "han":
        if len(name.parts) != 2:
            return found | {("letter_read", form[0]) for form in name.forms}, False
        initials = "".join(sorted(part[0] for part in name.parts))
        return found | {("initials_read", initials)} | {("letter_of_one", form[0]) for form in name.forms}, False
    last, first = (name.last, name.first) if name.first else readings.split(name.key)
    found |= {("kanji", part) for part in (name.key, last, first) if part}
    if name.forms:
        kinds = ("letter_read",) if name.parts else ("letter_read", "letter_of_one")
        return found | {(kind, form[0]) for kind in kinds for form in name.forms}, False
    return found | _of_reading([readings.of("last", last), readings.of("first", first)]), True


def _of_reading(parts: list[list[str]]) -> set[tuple[str, str]]:
    """Return by what kanji are found that are read as one of these words each, in either order."""
    found = {("letter_read", word[0]) for known in parts for word in known}
    if len(parts) == 2:
        found |= {("initials_read", "".join(sorted((one[0], two[0])))) for one in parts[0] for two in parts[1]}
    return found


def pairs_of(blocks: Blocks, people: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return places of rows, two of one block and of two people, each pair of people once; `people` is by row.

    A block of too many people gives none.
    """
    found: list[tuple[np.ndarray, np.ndarray]] = []
    for kinds, most in (((SAME, LIKE), MOST_IN_A_BLOCK), ((RARE,), MOST_BEARERS)):
        here = np.isin(blocks.kind, kinds)
        found.append(_within(*_once(blocks.number[here], blocks.row[here], people), most))
    sides = [
        _once(blocks.number[side], blocks.row[side], people) for side in (blocks.kind == KANJI, blocks.kind == SPOKEN)
    ]
    found.append(_across(*sides))
    one, two = (np.concatenate(side) for side in zip(*found, strict=True))
    differ = people[one] != people[two]
    one, two = one[differ], two[differ]
    low, high = np.minimum(people[one], people[two]), np.maximum(people[one], people[two])
    _, kept = np.unique(low.astype(np.int64) * (int(people.max(initial=0)) + 1) + high, return_index=True)
    return one[kept], two[kept]


def _once(number: np.ndarray, row: np.ndarray, people: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the blocks in order, each person in a block by one row, the oldest."""
    person = people[row]
    order = np.lexsort((row, person, number))
    number, row, person = number[order], row[order], person[order]
    first = np.ones(len(number), dtype=bool)
    first[1:] = (number[1:] != number[:-1]) | (person[1:] != person[:-1])
    return number[first], row[first]


def _within(number: np.ndarray, row: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray]:
    starts, sizes = _groups(number)
    ends = np.repeat(starts + sizes, sizes)
    here = np.arange(len(number))
    later = np.where(np.repeat(sizes, sizes) <= most, ends - here - 1, 0)
    one = np.repeat(here, later)
    return row[one], row[one + 1 + _counted(later)]


def _across(
    kanji: tuple[np.ndarray, np.ndarray], spoken: tuple[np.ndarray, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    (one, ones), (two, twos) = kanji, spoken
    starts, sizes = _groups(one)
    from_here = np.searchsorted(two, one[starts], "left")
    found = np.searchsorted(two, one[starts], "right") - from_here
    found = np.where(np.minimum(sizes, found) <= MOST_IN_A_BLOCK, found, 0)
    times = np.repeat(found, sizes)
    return np.repeat(ones, times), twos[np.repeat(np.repeat(from_here, sizes), times) + _counted(times)]


def _groups(number: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return where each run of one number begins, and how long it is."""
    starts = np.flatnonzero(np.r_[True, number[1:] != number[:-1]]) if len(number) else np.zeros(0, dtype=np.int64)
    return starts, np.diff(np.r_[starts, len(number)])


def _counted(lengths: np.ndarray) -> np.ndarray:
    """Return 0, 1, … for each length, one after the other."""
    total = int(lengths.sum())
    return np.arange(total) - np.repeat(np.cumsum(lengths) - lengths, lengths)


def _mixed(where: np.ndarray, word: np.ndarray) -> np.ndarray:
    """Return one number of two."""
    mixed = where.view(np.uint64) * _SPREAD + word.view(np.uint64)
    return (mixed ^ (mixed >> np.uint64(31))).view(np.int64)
