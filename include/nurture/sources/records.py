"""Records: a row read by its source's definition: what is shown, what is matched, what it says happened."""

import re
import unicodedata
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from nurture.definitions.sources import SourceDefinition, When
from nurture.definitions.vocabulary import Vocabulary
from nurture.normalise.companies import company_key
from nurture.normalise.dates import read_moment
from nurture.normalise.mailboxes import read_mailbox
from nurture.normalise.names import kana_key, read_name
from nurture.normalise.phones import read_phone
from nurture.normalise.regions import postal_code, region_of
from nurture.normalise.texts import REMEMBERED, digits, is_nothing, tidy

LONGEST_KEY = 300
_CONTROLS = re.compile(r"[\x00-\x1f\x7f]")
_REACHING = frozenset({"email", "phone", "mobile", "crm_id"})
_LOCATING = frozenset({"company", "corporate_number"})  # with a name these identify
_NUMBER = re.compile(r"[0-9][0-9,]*")


class Record(NamedTuple):
    """A row in our words; the JSON is what `source_records` holds under the same names."""

    source_key: str
    fields: bytes
    keys: bytes
    facts: bytes
    occurred_at: str | None  # ISO 8601 in UTC; None where the row has no time of its own


class Refused(Exception):
    """The row cannot become a record; its text is the reason, '' for a footer that is no row at all."""


class Reader:
    """Read the rows of one file of one source."""

    def __init__(self, definition: SourceDefinition, vocabulary: Vocabulary, columns: Sequence[str]) -> None:
        """Find the places of the definition's columns among the file's; an optional one may be nowhere."""
        self._definition = definition
        self._words = vocabulary
        self._zone = ZoneInfo(definition.timezone)
        place = {column: at for at, column in enumerate(columns)}
        self._key = [place.get(column) for column in definition.key]
        self._date = place.get(definition.date) if definition.date else None
        at = {field: place.get(column) for field, column in sorted(definition.columns.items())}
        self._names = [at.get("last_name"), at.get("first_name"), at.get("full_name")]
        self._email = at.get("email")
        phones = ((at.get("mobile"), True), (at.get("phone"), False))
        self._phones = [(found, is_mobile) for found, is_mobile in phones if found is not None]
        self._places = [at.get("postal_code"), at.get("address")]
        readers = _readers(vocabulary)
        self._columns = [
            (found, readers[field]) for field, found in at.items() if found is not None and field in readers
        ]
        self._first_touch = [
            (fact, place[column]) for fact, column in definition.first_touch.items() if column in place
        ]
        self._consent = self._consent_of(place)
        self._opt_out = self._opt_out_of(place)
        self._event = self._event_of(place)

    def read(self, values: Sequence[str]) -> Record:
        """Return the row's record; raise Refused."""
        source_key = "|".join(tidy(values[at]) if at is not None else "" for at in self._key)
        fields, keys, facts = self._person(values)
        if not (_REACHING & keys.keys() or ("name" in keys and (_LOCATING & keys.keys() or "address" in fields))):
            is_footer = self._definition.format == "xlsx" and not source_key.strip("|")
            raise Refused("" if is_footer else "no way to reach or identify")
        if not source_key.strip("|"):
            raise Refused(f"no key: {', '.join(self._definition.key)} is empty")
        if len(source_key) > LONGEST_KEY:
            raise Refused(f"a key of {len(source_key)} characters, at most {LONGEST_KEY}")
        occurred_at = None
        if self._date is not None and not is_nothing(values[self._date]):
            occurred_at = _moment(values[self._date], self._zone)
        self._add_facts(facts, values, has_mailbox="email" in keys)
        source_key = _CONTROLS.sub("", source_key)
        return Record(source_key, _json(fields), _json(keys), _json(facts), occurred_at)

    def _person(self, values: Sequence[str]) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        """Return what is shown of the person, what is matched, and what is to be known of the address."""
        fields: dict[str, Any] = {}
        keys: dict[str, Any] = {}
        facts: dict[str, Any] = {}
        last, first, full = (values[at] if at is not None else "" for at in self._names)
        name = read_name(last, first, full)
        if name:
            fields["name"], keys["name"] = name.full, name.key
            if name.first:
                fields["last_name"], fields["first_name"] = name.last, name.first
        for at, understand in self._columns:
            if text := values[at]:
                shown, matched = understand(text)
                fields |= shown
                if matched:
                    keys |= matched
        if "crm_id" in keys:
            keys["crm_id"] = f"{self._definition.crm or self._definition.source}/{keys['crm_id']}"
        if "department_function" not in fields and "title" in fields:
            _put(fields, "department_function", self._words.department_functions.find(fields["title"]))
        mailbox = None
        if self._email is not None and (text := values[self._email]):
            mailbox = read_mailbox(text, self._words.role_mailboxes, self._words.freemail)
        if mailbox:
            fields["email"], keys["email"] = mailbox.address, mailbox.key
            if mailbox.is_role:
                keys["is_role"] = True
            if mailbox.is_freemail:
                keys["is_freemail"] = True
            else:
                keys["domain"] = mailbox.domain
            _put(facts, "unmailable", mailbox.unmailable)
            _put(facts, "proposed_email", mailbox.proposed)
        for at, in_mobile_column in self._phones:
            if text := values[at]:
                _read_phone(text, in_mobile_column, fields, keys)
        if self._places:
            postal, address = (values[at] if at is not None else "" for at in self._places)
            if postal or address:
                _put(fields, "region", region_of(postal, address))
        return fields, keys, facts

    def _add_facts(self, facts: dict[str, Any], values: Sequence[str], *, has_mailbox: bool) -> None:
        if has_mailbox and self._consent is not None:
            _put(facts, "consent", self._consent(values))
        if self._opt_out is not None:
            _put(facts, "opt_out", self._opt_out(values))
        if self._event is not None:
            _put(facts, "event", self._event(values))
        first_touch = {fact: text for fact, place in self._first_touch if (text := values[place].strip())}
        if first_touch:
            facts["first_touch"] = first_touch

    def _consent_of(self, place: dict[str, int]) -> "Says | None":
        consent = self._definition.consent
        if consent is None:
            return None
        holds = _holds(consent.when, place)
        shown = place.get(consent.evidence_column) if consent.evidence_column else None

        def says(values: Sequence[str]) -> dict[str, Any] | None:
            if not holds(values):
                return None
            text = values[shown].strip() if shown is not None else ""
            return {"basis": consent.basis, "evidence": f"{consent.evidence}: {text}" if text else consent.evidence}

        return says

    def _opt_out_of(self, place: dict[str, int]) -> "Says | None":
        opt_out = self._definition.opt_out
        if opt_out is None or opt_out.when.column not in place:
            return None
        holds, shown = _holds(opt_out.when, place), place[opt_out.when.column]
        cell = {"product": opt_out.product, "mail_type": opt_out.mail_type}
        cell = {word: value for word, value in cell.items() if value}

        def says(values: Sequence[str]) -> dict[str, Any] | None:
            if not holds(values):
                return None
            return {**cell, "evidence": f"{opt_out.when.column}: {values[shown].strip()}"}

        return says

    def _event_of(self, place: dict[str, int]) -> "Says | None":
        event = self._definition.event
        if event is None:
            return None
        holds = _holds(event.when, place)
        subject_at = place.get(event.subject_column) if event.subject_column else None
        product_at = place.get(event.product_column) if event.product_column else None
        signs = [(_holds(sign.when, place), sign.product) for sign in event.products]

        def says(values: Sequence[str]) -> dict[str, Any] | None:
            subject = event.subject or (values[subject_at].strip() if subject_at is not None else "")
            if not subject or not holds(values):
                return None
            product = event.product or (values[product_at].strip() if product_at is not None else "")
            if not product:
                product = next((sign for shows, sign in signs if shows(values)), "")
            found = {"type": event.type, "subject": subject}
            _put(found, "product", product or None)
            if self._date is not None and not is_nothing(values[self._date]):
                found["occurred_at"] = _moment(values[self._date], self._zone)
            return found

        return says


Says = Callable[[Sequence[str]], "dict[str, Any] | None"]


def _holds(when: When | None, place: dict[str, int]) -> Callable[[Sequence[str]], bool]:
    """Return the question whether a row's column says one of the words; always yes without a condition."""
    if when is None:
        return lambda _values: True
    at = place.get(when.column)
    if at is None:
        return lambda _values: False
    words = frozenset(_said(word) for word in when.values)
    return lambda values: _said(values[at]) in words


@lru_cache(REMEMBERED)
def _said(text: str) -> str:
    return unicodedata.normalize("NFKC", text).strip().casefold()


Understood = tuple[dict[str, Any], dict[str, Any]]  # what is shown, what is matched


def _readers(words: Vocabulary) -> dict[str, Callable[[str], Understood]]:
    """Return how the columns are read that say one thing each; every distinct text of a column is read once."""

    def kana(text: str) -> Understood:
        key = kana_key(text)
        return ({"kana": tidy(text)}, {"kana": key}) if key else ({}, {})

    def company(text: str) -> Understood:
        key = company_key(text)
        return ({"company": " ".join(text.split())}, {"company": key}) if key else ({}, {})

    def department(text: str) -> Understood:
        if is_nothing(text):
            return {}, {}
        return _known(department=tidy(text), department_function=words.department_functions.find(text)), {}

    def title(text: str) -> Understood:
        return (
            ({}, {}) if is_nothing(text) else (_known(title=tidy(text), title_level=words.title_levels.find(text)), {})
        )

    def postal(text: str) -> Understood:
        return _known(postal_code=postal_code(text)), {}

    def address(text: str) -> Understood:
        return ({} if is_nothing(text) else {"address": " ".join(text.split())}), {}

    def industry(text: str) -> Understood:
        return _known(industry=words.industry_words.find(text)), {}

    def employees(text: str) -> Understood:
        return _known(employees=_employees(text)), {}

    def corporate_number(text: str) -> Understood:
        found = digits(text)
        same = {"corporate_number": found} if len(found) == 13 and len(set(found)) > 1 else {}
        return same, same

    def crm_id(text: str) -> Understood:
        same = {"crm_id": text.strip()} if text.strip() else {}
        return same, same

    def crm_status(text: str) -> Understood:
        return _known(crm_status=tidy(text) or None, lifecycle=words.lifecycle_words.find(text)), {}

    def said(field: str) -> Callable[[str], Understood]:
        return lambda text: (_known(**{field: text.strip() or None}), {})

    found: dict[str, Callable[[str], Understood]] = {
        "kana": kana, "company": company, "department": department, "title": title, "postal_code": postal,
        "address": address, "industry": industry, "employees": employees, "corporate_number": corporate_number,
        "crm_id": crm_id, "crm_status": crm_status, **{field: said(field) for field in ("owner", "product", "comment")},
    }  # fmt: skip
    return {field: lru_cache(REMEMBERED)(read) for field, read in found.items()}


def _read_phone(text: str, in_mobile_column: bool, fields: dict[str, Any], keys: dict[str, Any]) -> None:
    """Put a number where it belongs: a Japanese mobile number is one in whichever column it stands."""
    phone = read_phone(text)
    if phone is None:
        return
    is_mobile = in_mobile_column if phone.is_mobile is None else phone.is_mobile
    kind = "mobile" if is_mobile and "mobile" not in keys else "phone"
    if kind not in keys:
        fields[kind], keys[kind] = phone.shown, phone.number
        if phone.extension:
            fields["extension"] = phone.extension


def _moment(text: str, zone: ZoneInfo) -> str:
    try:
        return read_moment(text, zone)
    except (ValueError, OverflowError) as error:
        raise Refused(f"date {text.strip()[:60]}") from error


@lru_cache(REMEMBERED)
def _employees(text: str) -> int | None:
    """Return a number of employees; of a range (`101～300名`) its lower end."""
    match = _NUMBER.search(unicodedata.normalize("NFKC", text))
    number = int(match[0].replace(",", "")) if match else None
    return number if number is not None and 0 < number < 10_000_000 else None


def _put(fields: dict[str, Any], name: str, value: Any) -> None:
    if value is not None:
        fields[name] = value


def _known(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


_json = msgspec.json.Encoder().encode
