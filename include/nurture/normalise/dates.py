"""Dates: the moment that a text says, in ISO 8601 or as Japan writes it, by the year or by the era."""

import re
import unicodedata
from datetime import UTC, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from nurture.normalise.texts import REMEMBERED

# The year before an era's first (元年), by its name and its letter.
_ERAS = {"令和": 2018, "R": 2018, "平成": 1988, "H": 1988, "昭和": 1925, "S": 1925}
_DATE = re.compile(
    r"^(?:(?P<era>令和|平成|昭和|[RHS])\s?(?P<of_era>\d{1,2}|元)|(?P<year>\d{4}))[-/.年]\s?(?P<month>\d{1,2})[-/.月]\s?"
    r"(?P<day>\d{1,2})日?(?:[T\s]+(?P<hour>\d{1,2})[:時](?P<minute>\d{2})(?:[:分](?P<second>\d{2}))?[分秒]?)?$",
    re.IGNORECASE,
)


@lru_cache(REMEMBERED)
def read_moment(text: str, zone: ZoneInfo) -> str:
    """Return a date, with or without a time and a zone, in UTC; midnight of the source's zone without a time.

    Raise ValueError or OverflowError for what is none.
    """
    moment = _written(unicodedata.normalize("NFKC", text).strip())
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC).isoformat()


def _written(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        match = _DATE.match(text)
        if match is None:
            raise
        if match["era"]:
            year = _ERAS[match["era"].upper()] + (1 if match["of_era"] == "元" else int(match["of_era"]))
        else:
            year = int(match["year"])
        parts = (int(match[part] or 0) for part in ("month", "day", "hour", "minute", "second"))
        month, day, hour, minute, second = parts
        return datetime(year, month, day, hour, minute, second)  # noqa: DTZ001 - the caller gives it the zone
