"""Phones: E.164 with the extension apart, and whether the number is a person's mobile."""

import re
import unicodedata
from functools import lru_cache
from typing import NamedTuple

import phonenumbers

from nurture.normalise.texts import REMEMBERED, is_nothing

_EXTENSION = re.compile(r"[\s(,;]*(?:内線|ext(?:ension)?|x|#)[.:\s]*([0-9]{1,6})\)?\s*$", re.IGNORECASE)
_LABEL = re.compile(r"^\s*(?:tel|phone|mobile|fax|携帯|電話|代表|直通)[.:\s]*", re.IGNORECASE)
_JAPANESE_MOBILE = re.compile(r"^\+81[789]0[0-9]{8}$")
_TOLL_FREE = re.compile(r"^0800[^0-9]")
_JAPANESE = re.compile(r"^(?:[1-9][0-9]{8}|[1-9]0[0-9]{8}|800[0-9]{7})$")  # without the 0 of the trunk
_JUNK = re.compile(
    r"^(?:([0-9])\1{6,}|0?1?23456789[0-9]*|0[0-9]{1,3}0{6,}|0[0-9]0(?:1234|0000)5678|0[0-9]0([0-9])\2{7})$"
)


class Phone(NamedTuple):
    """A number in E.164; `is_mobile` is None for a number outside Japan, whose plan often does not say."""

    number: str
    shown: str  # as it came, without the extension
    extension: str
    is_mobile: bool | None


@lru_cache(REMEMBERED)
def read_phone(text: str) -> Phone | None:
    """Return the number that the text holds, or None for a placeholder or a number that cannot exist.

    A number without a country is Japanese when it begins with 0, or when it is bare digits that lost their 0 in a
    spreadsheet; ten digits with marks between them are of the North American plan.
    """
    if is_nothing(text):
        return None
    text = _LABEL.sub("", unicodedata.normalize("NFKC", text)).strip()
    extension = ""
    match = _EXTENSION.search(text)
    if match:
        extension, text = match[1], text[: match.start()].strip()
    text = text.removesuffix(".0")  # a spreadsheet's number
    number = _international(text)
    if number is None:
        return None
    is_mobile = None
    if number.startswith("+81"):
        is_mobile = _JAPANESE_MOBILE.match(number) is not None and not _TOLL_FREE.match(text)
    return Phone(number, text, extension, is_mobile)


def _international(text: str) -> str | None:
    found = "".join(re.findall(r"[0-9]+", text))
    if not 7 <= len(found) <= 15 or _JUNK.match(found):
        return None
    has_country = "+" in text[:3]
    if not has_country and found.startswith("010") and len(found) > 11:
        has_country, found = True, found[3:]
    if has_country and found.startswith("81"):
        return _japanese(found[2:].removeprefix("0"))
    if has_country:
        return _by_plan("+" + found)
    if found.startswith("0"):
        return _japanese(found[1:])
    if found.startswith("81") and len(found) in (11, 12):
        return _japanese(found[2:])
    if len(found) == 11 and found.startswith("1"):
        return "+" + found
    if found == text and (len(found) == 9 or (len(found) == 10 and found[:2] in ("70", "80", "90"))):
        return _japanese(found)
    if len(found) == 10:
        return "+1" + found
    return _by_plan("+" + found)


def _japanese(national: str) -> str | None:
    return "+81" + national if _JAPANESE.match(national) and not _JUNK.match("0" + national) else None


def _by_plan(number: str) -> str | None:
    """Return a foreign number when its country's plan can have it (by libphonenumber's tables)."""
    try:
        parsed = phonenumbers.parse(number)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(parsed):
        return None
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
