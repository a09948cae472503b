"""Names: whether two names can be one person's, across scripts, order, initials and slips; a guess is no answer."""

import re
from enum import IntEnum
from functools import lru_cache
from typing import NamedTuple

from rapidfuzz.distance import OSA

from nurture.matching.abroad import share_a_surname, sounds
from nurture.matching.readings import Readings, canonical, romaji
from nurture.normalise.texts import fold

_HAN = re.compile(r"[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff々〆]")
_KANA = re.compile(r"^[ァ-ヶー]+$")
_WORDS = re.compile(r"[^\W\d_]+")
_NICKNAMES = [
    set(group.split())
    for group in (
        "anthony tony", "michael mike mick", "robert bob rob bobby", "william bill will billy",
        "richard rick dick rich",
        "james jim jimmy jamie", "john jack johnny jon", "joseph joe joey", "thomas tom tommy", "charles charlie chuck",
        "christopher chris", "christine chris chrissy tina", "christina chris tina", "daniel dan danny", "david dave",
        "matthew matt", "andrew andy drew", "edward ed eddie ted", "steven steve stephen", "kenneth ken kenny",
        "gregory greg", "benjamin ben", "samuel sam", "samantha sam", "alexander alex", "alexandra alex sandra",
        "nicholas nick", "patrick pat", "patricia pat patty tricia", "ronald ron", "donald don", "timothy tim",
        "jeffrey jeff geoffrey", "lawrence larry", "raymond ray", "gerald gerry jerry", "jerome jerry", "peter pete",
        "philip phil", "douglas doug", "frederick fred", "jonathan jon", "joshua josh", "zachary zach", "nathan nate",
        "nathaniel nate", "vincent vince", "theodore ted theo", "elizabeth liz beth betty eliza", "jennifer jen jenny",
        "margaret maggie meg peggy", "katherine kate kathy katie", "catherine cathy kate", "kathleen kathy",
        "susan sue susie", "deborah deb debbie", "barbara barb", "rebecca becky", "kimberly kim", "pamela pam",
        "jessica jess jessie", "victoria vicky tori", "cynthia cindy", "sandra sandy", "judith judy", "penelope penny",
        "abigail abby", "amanda mandy", "melissa missy mel", "stephanie steph", "valerie val", "jacqueline jackie",
        "teresa terry tess", "theresa terry tess", "leonard leo len", "eugene gene", "walter walt", "harold harry hal",
        "henry harry hank", "albert al", "alan al", "francis frank", "franklin frank", "stanley stan", "clifford cliff",
        "bradley brad", "russell russ", "randall randy", "mitchell mitch", "gabriel gabe", "dominic dom", "jacob jake",
    )
]  # fmt: skip
# What people write where a name is asked for and they would rather not say.
_NOBODY = frozenset(
    (
        "担当",
        "担当者",
        "ゴ担当者",
        "御担当者",
        "担当者各位",
        "関係者各位",
        "各位",
        "総務",
        "総務担当",
        "事務局",
        "受付",
        "代表",
        "管理者",
    )
)
_NICKNAMES_OF: dict[str, set[str]] = {}
for _group in _NICKNAMES:
    for _name in _group:
        _NICKNAMES_OF.setdefault(_name, set()).update(_group)


class Agreement(IntEnum):
    """How two names stand to each other, the better the higher."""

    CONFLICT = -2  # two people
    RENAMED = -1  # one given name under two surnames: a marriage, or two people
    UNKNOWN = 0  # scripts that nothing bridges, or a surname alone
    SLIP = 1  # one character apart
    COMPATIBLE = 2  # an initial, a nickname, a middle name
    SAME = 3


class Name(NamedTuple):
    """A name as matching sees it; '' and () where the record does not say."""

    script: str  # han, kana, latin
    key: str
    last: str
    first: str
    words: tuple[str, ...]  # of a Latin name, lower case
    forms: frozenset[str]  # the whole name read aloud, in either order
    parts: tuple[str, ...]  # a reading's parts, surname first where the record tells


@lru_cache(500_000)
def read(key: str, last: str, first: str, full: str, kana: str) -> Name | None:
    """Return a record's name from what landing made of it, or None where it has none."""
    if key in _NOBODY or not (key or kana):
        return None
    reading = tuple(romaji(part) for part in _kana_words(kana))
    if key and _HAN.search(key):
        if not (last and first) and len(told := full.split()) == 2:
            last, first = told
        forms = frozenset({canonical("".join(reading))} if reading else ())
        parts = tuple(map(canonical, reading)) if len(reading) == 2 else ()
        return Name("han", key, _packed(last), _packed(first), (), forms, parts)
    if not key or _KANA.match(key):
        words = tuple(romaji(part) for part in _kana_words(f"{last} {first}" if last and first else full or key))
        words = words or reading
        return Name("kana", key, _packed(last), _packed(first), (), frozenset(_orders(words)), _parts(words))
    words = tuple(_WORDS.findall(fold(f"{last} {first}" if last and first else full or key)))
    return Name("latin", key, fold(last), fold(first), words, frozenset(_orders(words)), _parts(words))


def compare(one: Name, two: Name, readings: Readings) -> Agreement:
    """Return how two names stand to each other."""
    if one == two:
        return Agreement.UNKNOWN if _is_surname_alone(one, readings) else Agreement.SAME
    if one.script == two.script:
        if one.script == "han":
            if one.key == two.key and _is_surname_alone(one, readings) and _is_surname_alone(two, readings):
                return Agreement.UNKNOWN
            return _compare_kanji(one, two)
        return _compare_words(one, two)
    if "han" not in (one.script, two.script):
        found = _compare_words(one, two)
        return Agreement.SLIP if found == Agreement.CONFLICT and share_a_surname(_words(one), _words(two)) else found
    kanji, spoken = (one, two) if one.script == "han" else (two, one)
    found = _compare_reading(kanji, spoken, readings)
    if found <= Agreement.UNKNOWN and sounds(kanji.last or kanji.key[:1]) & _words(spoken):
        return Agreement.SLIP  # 金 敏洙 is Kim and キム; what 敏洙 is read as, no record tells
    return found


def _is_surname_alone(name: Name, readings: Readings) -> bool:
    """Tell whether a name is no more than a surname: 田中, タナカ, Tanaka."""
    if name.first or len(name.parts) > 1:
        return False
    if name.script == "latin":
        return len(name.words) == 1
    if name.script == "kana":
        return len(name.key) <= 4
    if readings.of("last", name.key):
        return True
    return len(name.key) == 1 or (len(name.key) == 2 and not readings.of("last", name.key[0]))


def _words(name: Name) -> set[str]:
    return {canonical(word) for word in name.words or name.parts}


def _compare_kanji(one: Name, two: Name) -> Agreement:
    if one.key == two.key:
        if one.forms and two.forms and not _close(one.forms, two.forms):
            return Agreement.COMPATIBLE  # 健成 is read タツノリ or ケンセイ: the kanji alone are not enough
        return Agreement.SAME
    if _is_swapped(one, two):
        return Agreement.SAME
    if one.key.startswith(two.key) or two.key.startswith(one.key):
        shorter = min(one, two, key=lambda name: len(name.key))
        if not shorter.first:
            return Agreement.UNKNOWN  # a surname alone
    is_slip = OSA.distance(one.key, two.key, score_cutoff=1) == 1 and min(len(one.key), len(two.key)) > 2
    if is_slip and (not (one.first and two.first) or _share_parts(one, two)):
        return Agreement.SLIP
    if one.first and one.first == two.first and one.last and two.last:
        return Agreement.RENAMED
    if not (one.last and two.last) and one.key[-2:] == two.key[-2:] and len(one.key) > 2 < len(two.key):
        return Agreement.RENAMED
    return Agreement.CONFLICT


def _share_parts(one: Name, two: Name) -> bool:
    """Tell whether both parts have a letter in common: 山田 一 and 山田 二 are a letter apart, and two people."""
    return bool(set(one.last) & set(two.last) and set(one.first) & set(two.first))


def _is_swapped(one: Name, two: Name) -> bool:
    """Tell whether one has the surname where the other has the given name."""
    return len(one.key) == len(two.key) and bool(
        (one.first and one.first + one.last == two.key) or (two.first and two.first + two.last == one.key)
    )


def _compare_words(one: Name, two: Name) -> Agreement:
    if one.forms & two.forms:
        return Agreement.SAME
    left, right = _tokens(one), _tokens(two)
    if len(left) < 2 or len(right) < 2:
        if _close(one.forms, two.forms):
            return Agreement.SLIP
        if any(_is_same(a, b) for a in left for b in right):
            return Agreement.UNKNOWN  # a surname alone
        return Agreement.CONFLICT
    common = [word for word in left if any(_is_same(word, other) for other in right)]
    rest = [word for word in left if word not in common]
    others = [word for word in right if not any(_is_same(word, other) for other in common)]
    if common and (not rest or not others):
        return Agreement.COMPATIBLE if len(common) > 1 else Agreement.UNKNOWN
    if len(rest) == 1 and len(others) == 1 and common and len(common[0]) > 1:
        word, other = rest[0], others[0]
        if _is_short(word, other):
            return Agreement.COMPATIBLE
        if _is_slip(word, other):
            return Agreement.SLIP
        if one.first and one.first == two.first:
            return Agreement.RENAMED
        return Agreement.CONFLICT
    if len(left) == len(right) == 2:
        ways = (right, right[::-1])
        if any(
            (_is_slip(left[0], way[0]) and _is_short(left[1], way[1]))
            or (_is_slip(left[1], way[1]) and _is_short(left[0], way[0]))
            for way in ways
        ):
            return Agreement.SLIP
    return Agreement.SLIP if _close(one.forms, two.forms) else Agreement.CONFLICT


def _compare_reading(kanji: Name, spoken: Name, readings: Readings) -> Agreement:
    """Return how a kanji name and a reading agree: by the record's own kana, else by what the data read it as."""
    if kanji.forms:
        if kanji.forms & spoken.forms:
            return Agreement.SAME
        if kanji.parts and len(spoken.parts) == 2 and _initialled(kanji.parts, spoken.parts):
            return Agreement.COMPATIBLE
        if _close(kanji.forms, spoken.forms):
            return Agreement.SLIP
        return Agreement.CONFLICT
    last, first = (kanji.last, kanji.first) if kanji.first else readings.split(kanji.key)
    if len(spoken.parts) < 2:
        ways = {canonical(a + b) for a in readings.of("last", last) for b in readings.of("first", first)}
        if ways & spoken.forms:
            return Agreement.SAME
        heads = readings.of("last", last)
        if heads and not any(form.startswith(head) for head in heads for form in spoken.forms):
            return Agreement.CONFLICT
        return Agreement.UNKNOWN
    surnames, givens = readings.of("last", last), readings.of("first", first)
    if not surnames and not givens:
        return Agreement.UNKNOWN
    best = Agreement.CONFLICT
    for surname, given in (spoken.parts[:2], spoken.parts[1::-1]):
        is_surname = _heard(surname, surnames)
        is_given = _heard(given, givens)
        if is_surname is True and is_given is True:
            return Agreement.SAME if len(given) > 1 else Agreement.COMPATIBLE
        if (is_surname is not False and is_given is not False) or is_surname is True:
            best = Agreement.UNKNOWN
    return best


def is_read_so(kanji: Name, spoken: Name, readings: Readings) -> bool:
    """Tell whether a surname in kanji is known to be read as one of the parts of a name in kana or Latin letters."""
    last = kanji.last or readings.split(kanji.key)[0]
    return any(part in readings.of("last", last) for part in spoken.parts) if last else False


def _heard(word: str, known: list[str]) -> bool | None:
    """Tell whether a word is one of the known readings; None where none is known."""
    if not known:
        return None
    return any(word == reading or (word[0] == reading[0] and word in ("zy", word[0])) for reading in known)


def _kana_words(text: str) -> list[str]:
    return [word for word in re.split(r"[\s・]+", fold(text)) if word]


def _packed(text: str) -> str:
    return re.sub(r"[\s・]+", "", fold(text))


def _orders(words: tuple[str, ...]) -> set[str]:
    return {canonical("".join(words)), canonical("".join(words[::-1]))} - {""}


def _parts(words: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(map(canonical, words)) if len(words) == 2 else ()


def _tokens(name: Name) -> list[str]:
    return list(name.words or name.parts)


def _initialled(kanji: tuple[str, ...], spoken: tuple[str, ...]) -> bool:
    return any(
        (a == kanji[0] and _is_initial(b, kanji[1])) or (a == kanji[1] and _is_initial(b, kanji[0]))
        for a, b in (spoken, spoken[::-1])
    )


def _is_same(one: str, two: str) -> bool:
    return one == two or (len(one) > 1 < len(two) and canonical(one) == canonical(two))


def _is_short(one: str, two: str) -> bool:
    """Tell whether one is the other's initial or nickname."""
    return _is_initial(one, two) or two in _NICKNAMES_OF.get(one, ())


def _is_initial(one: str, two: str) -> bool:
    return (len(one) == 1 or len(two) == 1) and (one[0] == two[0] or canonical(one)[0] == canonical(two)[0])


def _is_slip(one: str, two: str) -> bool:
    return min(len(one), len(two)) > 2 and OSA.distance(one, two, score_cutoff=1) == 1


def _close(one: frozenset[str], two: frozenset[str]) -> bool:
    return any(min(len(a), len(b)) > 4 and OSA.distance(a, b, score_cutoff=1) <= 1 for a in one for b in two)
