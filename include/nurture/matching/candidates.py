"""Candidates: the records that are worth comparing, found by keys and blocks that two spellings of one person share."""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from hashlib import blake2b
from typing import Any, NamedTuple

from nurture.matching.names import Name, read
from nurture.matching.readings import Readings, canonical

_LOCAL_WORDS = re.compile(r"[a-z]+")
MOST_IN_A_BLOCK = 60  # a larger one says nothing about a person: only exact keys are looked at in it


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
    occurred_at: datetime
    account: str = ""  # the company that it is of, as `companies` found it

    @property
    def local(self) -> str:
        """Return what stands before the @ of the person's mailbox."""
        return self.mailbox.partition("@")[0]


def row_of(
    record_id: int, source_key: str, lead_id: int | None, fields: Mapping[str, Any], keys: Mapping[str, Any],
    occurred_at: datetime,
) -> Row:  # fmt: skip
    """Return a landed record as matching sees it."""
    name = read(
        keys.get("name", ""), fields.get("last_name", ""), fields.get("first_name", ""), fields.get("name", ""),
        fields.get("kana", keys.get("kana", "")),
    )  # fmt: skip
    return Row(
        record_id=record_id,
        source_key=source_key,
        lead_id=lead_id,
        crm_id=keys.get("crm_id", ""),
        name=name,
        mailbox="" if keys.get("is_role") else keys.get("email", ""),
        domain=keys.get("domain", ""),
        mobile=keys.get("mobile", ""),
        phone=keys.get("phone", ""),
        company=keys.get("company", ""),
        corporate_number=keys.get("corporate_number", ""),
        place=fields.get("postal_code") or fields.get("region") or "",
        occurred_at=occurred_at,
    )


def local_words(local: str) -> list[str]:
    """Return the words of a mailbox's local part, as names are read: taro.tanaka2 is taro and tanaka."""
    return [canonical(word) for word in _LOCAL_WORDS.findall(local)]


def blocks(row: Row, readings: Readings) -> Iterator[tuple[str, ...]]:
    """Yield what the row shares with every record that it could match: exact keys first, then blocks."""
    yield "record", row.source_key
    if row.crm_id:
        yield "crm_id", row.crm_id
    if row.mailbox:
        yield "mailbox", row.mailbox
        if len(row.local) > 4:
            yield "local", row.local
        if row.domain and len(row.local) > 3:
            yield "begins", row.domain, row.local[:3]
            yield "ends", row.domain, row.local[-4:]
    if row.mobile:
        yield "mobile", row.mobile
    if row.name is None:
        return
    yield "name", row.name.key or min(row.name.forms, default="")
    for where in sorted({row.account, row.phone and "phone:" + row.phone} - {""}):
        for kind, word in _spellings(row, row.name, readings):
            yield kind, where, word


def _spellings(row: Row, name: Name, readings: Readings) -> set[tuple[str, str]]:
    """Return what a name shares with its other spellings: its first kanji, a word, its initials, its reading's first.

    The last, `cross`, is for kanji on the one side and a reading on the other alone.
    """
    found: set[tuple[str, str]] = set()
    words = [canonical(word) if len(word) > 1 else word for word in name.words or name.parts]
    if len(words) > 1:
        found.add(("initials", "".join(sorted(word[0] for word in words))))
        found |= {("word", word) for word in words if len(word) > 2}
    else:
        found |= {("initials", form[0]) for form in name.forms}
    if name.script != "han":
        return found | {("cross", form[0]) for form in name.forms}
    last, first = (name.last, name.first) if name.first else readings.split(name.key)
    found |= {("kanji", part[0]) for part in (last or name.key, first) if part}
    heads = {form[0] for form in name.forms}
    if not heads:
        heads = {reading[0] for part, text in (("last", last), ("first", first)) for reading in readings.of(part, text)}
        heads |= {word[0] for word in local_words(row.local)}
    return found | {("cross", head) for head in heads}


def hashed(block: tuple[str, ...]) -> int:
    """Return a block as a number of 64 bits, the same in every process."""
    digest = blake2b("\x1f".join(block).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


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
