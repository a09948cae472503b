"""Trap files: a cast with its scenes as the five files of the samples' kinds, and truth.csv beside them."""

import csv
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import date, timedelta
from pathlib import Path
from random import Random

from nurture.benchmarks.cast import Cast, Record
from nurture.benchmarks.scenes import SCENES
from nurture.demo.files import FILES, KEYS, WRITERS

UNTIL = date(2026, 11, 20)
# How often each scene is played for 1,000 people of the crowd; a scene that a mix does not name, `*` times.
MIXES: dict[str, dict[str, int]] = {
    "even": {"*": 6},
    "shared": {
        "*": 1, "successor": 25, "team_mailbox": 25, "team_mailbox_without_name": 15, "rep_own_contact": 6,
        "rep_own_contact_twice": 20, "family_mobile": 20, "family_mailbox": 20, "secretary": 15, "extensions": 15,
        "switchboard_as_mobile": 15, "placeholder_mail": 20, "placeholder_phone": 20, "placeholder_name": 20,
    },
    "namesakes": {
        "*": 1, "namesakes_in_a_company": 30, "namesakes_across_companies": 25, "namesakes_at_namesakes": 25,
        "twins_of_initials": 25, "slip_of_a_name": 25, "brothers": 25, "several_readings": 25,
        "chinese_namesakes": 20,
        "one_local_at_two_companies": 20, "surname_alone": 20, "group_domain": 15,
    },
    "spelling": {
        "*": 1, "old_kanji": 25, "kana_only": 25, "romaji": 25, "romaji_without_mail": 25, "western": 25,
        "chinese": 20,
        "korean": 20, "full_width": 20, "decorated_name": 25, "swapped_columns": 20, "work_mail_typo": 20,
        "freemail_typo": 20,
    },
    "moving": {
        "*": 1, "job_change_with_mobile": 25, "job_change_with_freemail": 25, "married": 20,
        "married_with_mobile": 20,
        "company_renamed": 12, "department_change": 25, "two_jobs": 20, "subdomain": 20, "alias": 20,
    },
}  # fmt: skip


def write_traps(out: Path, people: int, seed: int, mix: str = "even") -> Cast:
    """Write the files of so many ordinary people and the scenes of a mix to a folder; return the cast."""
    random = Random(f"{mix} {seed}")
    cast = Cast(random)
    for _ in range(max(4, people // 9)):
        cast.new_company()
    cast.crowd(people)
    for name, play in SCENES.items():
        for _ in range(max(1, _often(MIXES[mix], name) * people // 1_000)):
            play(cast)
    out.mkdir(parents=True, exist_ok=True)
    random.shuffle(cast.records)
    counts = dict.fromkeys(FILES, 0)
    with ExitStack() as opened:
        writers = {source: opened.enter_context(WRITERS[source](out / name, UNTIL)) for source, name in FILES.items()}
        truth = csv.writer(opened.enter_context((out / "truth.csv").open("w", encoding="utf-8", newline="")))
        truth.writerow(("file", "source_key", "person_id", "company_id", "flags"))
        for record in cast.records:
            counts[record.source] += 1
            key = KEYS[record.source].format(counts[record.source])
            writers[record.source].write(_ROWS[record.source](key, record, random))
            truth.writerow((FILES[record.source], key, record.person_id, record.company_id, record.flag))
    return cast


def _often(mix: Mapping[str, int], name: str) -> int:
    return mix.get(name, mix["*"])


def _day(record: Record, form: str) -> str:
    return (
        (UNTIL - timedelta(days=1 + int(record.day))).strftime(form)
        if len(record.day) < 4 and record.day
        else record.day
    )


def _full(record: Record, random: Random) -> str:
    last, first = record.name
    if not (last and first):
        return last or first
    if f"{last}{first}".isascii():
        return f"{last}, {first}" if random.random() < 0.1 else f"{first} {last}"
    return last + random.choice((" ", " ", "\u3000", "")) + first


def _badge(key: str, record: Record, random: Random) -> tuple[str, ...]:
    return (
        key, _full(record, random), record.kana, record.company, record.department, record.title, record.email,
        record.phone, record.mobile, record.postal_code, record.address, "製造業", "未定", _day(record,
        "%Y/%m/%d 10:00"),
    )  # fmt: skip


def _card(key: str, record: Record, random: Random) -> tuple[str, ...]:
    return (
        key,
        f"rep{random.randrange(1, 9)}", record.company, record.department, record.title, *record.name, record.email,
        record.postal_code, record.address, record.phone, record.mobile, _day(record, "%Y/%m/%d"), "",
    )  # fmt: skip


def _form(key: str, record: Record, _: Random) -> dict[str, object]:
    day = _day(record, "%Y-%m-%dT09:00:00+09:00")
    last, first = record.name
    return {
        "submission_id": key, "form": "contact", "submitted_at": day, "last_name": last, "first_name": first,
        "kana": record.kana, "company": record.company, "department": record.department, "title": record.title,
        "email": record.email, "tel": record.mobile or record.phone, "employees": 120, "industry": "製造業",
        "message": "", "page": "/pricing", "referrer": "", "search_keyword": "", "utm_source": "", "utm_campaign": "",
        "marketing_consent": True, "consent_text": "同意する",
    }  # fmt: skip


def _attendee(key: str, record: Record, random: Random) -> tuple[str, ...]:
    return (
        key, _full(record, random), record.company, record.title, record.email, record.phone, _day(record,
        "%Y-%m-%d"),
        "Attended", "cloud_backup", "",
    )  # fmt: skip


def _crm(key: str, record: Record, _: Random) -> tuple[str, ...]:
    return (
        key, *record.name, record.company, record.email, record.phone, record.mobile, record.title, "Lead", "sato",
        _day(record, "%Y-%m-%d"), "FALSE", "120", "製造業", record.corporate_number,
    )  # fmt: skip


_ROWS = {
    "exhibition_badges": _badge, "web_forms": _form, "seminar_attendees": _attendee, "business_cards_cp932": _card,
    "crm_export": _crm,
}  # fmt: skip
