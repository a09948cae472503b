"""Regions: where in Japan a postal code or an address lies."""

import re
from functools import lru_cache

from nurture.normalise.texts import REMEMBERED, digits, tidy

REGIONS = {
    "hokkaido": ("北海道",),
    "tohoku": ("青森", "岩手", "宮城", "秋田", "山形", "福島"),
    "kanto": ("茨城", "栃木", "群馬", "埼玉", "千葉", "東京", "神奈川"),
    "chubu": ("新潟", "富山", "石川", "福井", "山梨", "長野", "岐阜", "静岡", "愛知", "三重"),
    "kansai": ("滋賀", "京都", "大阪", "兵庫", "奈良", "和歌山"),
    "chugoku": ("鳥取", "島根", "岡山", "広島", "山口"),
    "shikoku": ("徳島", "香川", "愛媛", "高知"),
    "kyushu": ("福岡", "佐賀", "長崎", "熊本", "大分", "宮崎", "鹿児島", "沖縄"),
}
_ROMAN = {
    "hokkaido": "hokkaido sapporo",
    "tohoku": "aomori iwate miyagi sendai akita yamagata fukushima",
    "kanto": "ibaraki tochigi gunma saitama chiba tokyo kanagawa yokohama kawasaki",
    "chubu": "niigata toyama ishikawa kanazawa fukui yamanashi nagano gifu shizuoka hamamatsu aichi nagoya mie",
    "kansai": "shiga kyoto osaka hyogo kobe nara wakayama",
    "chugoku": "tottori shimane okayama hiroshima yamaguchi",
    "shikoku": "tokushima kagawa takamatsu ehime matsuyama kochi",
    "kyushu": "fukuoka saga nagasaki kumamoto oita miyazaki kagoshima okinawa naha kitakyushu",
}
# The first two digits of a postal code, by Japan Post's numbering.
_POSTAL = {
    "hokkaido": "00 04-09", "tohoku": "01-03 96-99", "kanto": "10-37", "chubu": "38-51 91-95", "kansai": "52-67",
    "chugoku": "68-75", "shikoku": "76-79", "kyushu": "80-90",
}  # fmt: skip


def _prefixes(text: str) -> list[str]:
    ranges = [part.partition("-") for part in text.split()]
    return [f"{number:02}" for low, _, high in ranges for number in range(int(low), int(high or low) + 1)]


_BY_PREFIX = {prefix: region for region, text in _POSTAL.items() for prefix in _prefixes(text)}
_BY_PREFECTURE = {prefecture: region for region, names in REGIONS.items() for prefecture in names}
_BY_ROMAN = {name: region for region, names in _ROMAN.items() for name in names.split()}
_PREFECTURE = re.compile(rf"^(?:〒?[0-9\-]*\s*)?({'|'.join(_BY_PREFECTURE)})")
_ROMAN_NAME = re.compile(rf"\b({'|'.join(_BY_ROMAN)})\b", re.IGNORECASE)


@lru_cache(REMEMBERED)
def postal_code(text: str) -> str | None:
    """Return a Japanese postal code as 123-4567, or None."""
    found = digits(text)
    return f"{found[:3]}-{found[3:]}" if len(found) == 7 and len(set(found)) > 1 else None


@lru_cache(REMEMBERED)
def region_of(postal: str, address: str) -> str | None:
    """Return the region of a postal code, else of the prefecture or city that an address names, else None."""
    code = postal_code(postal)
    if code is not None:
        return _BY_PREFIX.get(code[:2])
    address = tidy(address)
    match = _PREFECTURE.match(address)
    if match:
        return _BY_PREFECTURE[match[1]]
    names = _ROMAN_NAME.findall(address)
    return _BY_ROMAN[names[-1].lower()] if names else None
