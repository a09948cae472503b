"""Candidates: source records as matching sees them, and what one of them shows of readings."""

import re
from collections.abc import Iterable
from sys import intern
from typing import NamedTuple

from nurture.matching.names import Name, read
from nurture.matching.readings import Readings, canonical

_LOCAL_WORDS = re.compile(r"[a-z]+")


class Row(NamedTuple):
    """A source record as matching sees it; '' where it does not say."""

    record_id: int
    source_key: str
    lead_id: int | None  # None: no lead yet
    crm_id: str
    name: Name | None
    mailbox: str  # a person's own, by its key; role mailboxes are left out
    domain: str  # a company's, never freemail's
    mobile: str
    phone: str
    company: str
    corporate_number: str
    place: str  # the postal code, else the region
    account: str = ""  # the company that it is of, as `companies` found it

    @property
    def local(self) -> str:
        """Return what stands before the @ of the person's mailbox."""
        return self.mailbox.partition("@")[0]


def row_of(
    record_id: int, source_key: str, lead_id: int | None, account: str | None, name_key: str | None, last: str | None,
    first: str | None, full: str | None, kana: str | None, crm_id: str | None, mailbox: str | None, domain: str | None,
    mobile: str | None, phone: str | None, company: str | None, corporate_number: str | None, place: str | None,
) -> Row:  # fmt: skip
    """Return a landed record as matching sees it, of what the statements `new_records` and `known_records` select."""
    return Row(
        record_id, source_key, lead_id, crm_id or "",
        read(name_key or "", last or "", first or "", full or "", kana or ""),
        intern(mailbox or ""), intern(domain or ""), intern(mobile or ""), intern(phone or ""),
        intern(company or ""), corporate_number or "", intern(place or ""), account or "",
    )  # fmt: skip


def local_words(local: str) -> list[str]:
    """Return the words of a mailbox's local part, as names are read: taro.tanaka2 is taro and tanaka."""
    return [canonical(word) for word in _LOCAL_WORDS.findall(local)]


def written_in(rows: Iterable[Row]) -> set[str]:
    """Return the parts of the rows' names as their readings and their frequency are kept, and '' for all names."""
    found = {""}
    for name in {row.name for row in rows if row.name}:
        if name.script == "han":
            found |= {name.last, name.first, name.key}
            for length in range(1, 5):
                found |= {name.key[:length], name.key[length:]}
        found.update(canonical(word) if len(word) > 1 else word for word in name.words or name.parts)
    return found


def learn(row: Row, readings: Readings) -> None:
    """Take from one record what its kanji are read as: by its kana, else by its mailbox."""
    name = row.name
    if name is None or name.script != "han" or not (name.last and name.first):
        return
    if len(name.parts) == 2:
        readings.learn("last", name.last, name.parts[0], 3)
        readings.learn("first", name.first, name.parts[1], 3)
        return
    words = [word for word in local_words(row.local) if len(word) > 1]
    if len(words) == 2 and not name.forms:
        for part, written in (("last", name.last), ("first", name.first)):
            for word in words:
                readings.learn(part, written, word, 1)
