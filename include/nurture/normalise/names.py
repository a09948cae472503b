"""Names: one key for the spellings of a person's name, and the parts that can be told apart without guessing."""

import re
from functools import lru_cache
from typing import NamedTuple

from nurture.normalise.texts import REMEMBERED, fold, is_nothing, tidy

_HONORIFICS = re.compile(r"\s*(?:様|氏|殿|さま|さん|先生|御中)$")
# What lists put beside a name: （営業部）, 【欠席】, (旧姓:木村), ／タナカ タロウ, 他1名, ※, 部長.
_BESIDE = re.compile(
    r"\s*(?:[（(【\[〔＜<《「][^（(【]*[）)】\]〕＞>》」]|[／/].*|(?:他|ほか|外)\s*[0-9０-９]+\s*[名人])\s*"
)
_MARKS = re.compile(r"^[*＊※●○◎★☆■□・\s]+|[*＊※●○◎★☆■□]+$")
_POST = (
    r"(?:代表取締役|取締役|執行役員|専務|常務|副社長|社長|会長|本部長|事業部長|副部長|部長代理|部長|課長代理|課長補佐|課長|次長|室長|係長|主任|主査|所長"
    r"|支店長|支社長|工場長|店長|マネージャー|マネジャー|リーダー|担当)"
)
_POST_BEFORE = re.compile(rf"^(?:{_POST}[\s・]*)+\s(?=\S{{2,}})")
_POST_BEHIND = re.compile(rf"(?<=\S\S)(?:\s+{_POST})+$")
_MARKUP = re.compile(r"<[a-zA-Z/!][^@>]*>")  # it is data, and shown as it came
_MAY_BE_BESIDE = re.compile(r"[（(【\[〔＜<《「／/*＊※●○◎★☆■□]|[名人長役任査当締員]|[ーダ]$")
_TITLES = re.compile(r"^(?:mr|mrs|ms|miss|dr|prof)\.?\s+", re.IGNORECASE)
_LATIN = re.compile(r"^[\x00-\u024f\u2018\u2019]*$")
_BETWEEN_WORDS = re.compile(r"[\s,.\u00b7・'’`\-]+")


class PersonName(NamedTuple):
    """A name as it is shown; `last` and `first` are '' where the source does not tell them apart."""

    full: str
    last: str
    first: str
    key: str


def read_name(last: str, first: str, full: str) -> PersonName | None:
    """Return the name of a person from its columns, or None when they hold none.

    Columns that tell surname and given name apart are believed; a surname column that holds everything is a full name.
    The key has no spaces; kanji and kana are in the order surname, given name; the words of a Latin name are sorted,
    since sources disagree about their order.
    """
    last, first, full = _clean(last), _clean(first), _clean(full)
    if full or not (last and first):
        last, first = _split(full or last or first)
        if not first:
            full, last = full or last, ""
    full = _joined(last, first) if last and first else full
    if not full:
        return None
    return PersonName(full, last, first, _key(last + " " + first if last and first else full))


@lru_cache(REMEMBERED)
def kana_key(text: str) -> str | None:
    """Return a reading as katakana without spaces, or None."""
    cleaned = _clean(text)
    if not cleaned:
        return None
    return re.sub(r"[\s・]+", "", fold(cleaned)).replace("-", "ー") or None


@lru_cache(REMEMBERED)
def _clean(text: str) -> str:
    text = tidy(text)
    if not text or is_nothing(text):
        return ""
    if _MAY_BE_BESIDE.search(text) and not _MARKUP.search(text):
        text = _without_what_stands_beside(text)
    if text.isascii():
        return _TITLES.sub("", text).strip() if text[0] in "MmDdPp" else text
    return _HONORIFICS.sub("", text).strip() if text[-1] in "様氏殿まん生中" else text


def _without_what_stands_beside(text: str) -> str:
    """Return a name without a list's remarks and the person's post; what is nothing else is left as it is."""
    bare = _MARKS.sub("", _BESIDE.sub(" ", text)).strip()
    bare = _POST_BEHIND.sub("", _POST_BEFORE.sub("", bare))
    return bare or text


@lru_cache(REMEMBERED)
def _split(full: str) -> tuple[str, str]:
    """Return surname and given name; a Latin name without a comma is not told apart."""
    if _LATIN.match(full):
        surname, comma, given = full.partition(",")
        return (surname.strip(), given.strip()) if comma and given.strip() else (full, "")
    surname, space, given = full.partition(" ")
    return (surname, given) if space and " " not in given else (full, "")


def _joined(last: str, first: str) -> str:
    return f"{first} {last}" if _LATIN.match(last + first) else f"{last} {first}"


@lru_cache(REMEMBERED)
def _key(name: str) -> str:
    folded = fold(name)
    if _LATIN.match(folded):
        return "".join(sorted(_BETWEEN_WORDS.sub(" ", folded).split())) or folded
    return re.sub(r"[\s・,.]+", "", folded)
