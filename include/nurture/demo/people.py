"""People: invented companies, those who work there and the records that they leave, from a seed.

`python -m nurture.demo.people --out DIR --people N --seed S --until D` writes the files of five sources; the same
arguments give the same bytes. Every address is on a reserved domain and every number of a block that no carrier has
(090-0…, 03-0…), so that nobody is ever reached by mistake.
"""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from random import Random
from typing import NamedTuple
from zoneinfo import ZoneInfo

from nurture.demo import words
from nurture.demo.chance import Draw

TOKYO = ZoneInfo("Asia/Tokyo")
DAYS = 120  # the records lie within so many days before `until`
PRODUCTS = ("cloud_backup", "shift_planner")
FREEMAIL = ("freemail.example", "webmail.example", "mobile-mail.example")
SOURCES = ("exhibition_badges", "web_forms", "seminar_attendees", "business_cards_cp932", "crm_export")
SHARES = (0.28, 0.30, 0.19, 0.11, 0.12)
MOST_BADGES = 30_000  # no exhibition has more visitors; the rest come by the other ways

_records = Draw((1, 2, 3, 4, 5, 6), (36, 29, 18, 10, 5, 2))  # of one person: 2.3 on average
_place = Draw(words.PLACES, range(24, 12, -1))
_form = Draw(("株式会社", "有限会社", "合同会社", "一般社団法人"), (90, 5, 4, 1))
_size = Draw((8, 25, 60, 120, 300, 800, 2500, 9000), (8, 12, 18, 22, 18, 10, 7, 5))
_surname = Draw(words.SURNAMES, [1 / (place + 8) for place in range(len(words.SURNAMES))])
_given = Draw(words.GIVEN_NAMES)
_department = Draw(words.DEPARTMENTS, (24, 16, 8, 6, 8, 5, 6, 6, 5, 6, 4, 5, 4, 3))
_title = Draw(words.TITLES, (14, 20, 16, 8, 10, 7, 6, 5, 5, 5, 4))
_standing = Draw(("Lead", "Opportunity", "Customer", "Lost"), (62, 6, 14, 18))
_freemail = Draw(FREEMAIL)
_pattern = Draw(("{g}.{s}", "{s}.{g}", "{i}.{s}", "{s}", "{s}_{i}"), (45, 20, 15, 14, 6))
_foreign = Draw([(last, first) for last in words.FOREIGN_LAST for first in words.FOREIGN_FIRST])


@dataclass(slots=True)
class Company:
    """An invented company; several may have one name in different places."""

    company_id: int
    name: str
    form: str
    is_form_first: bool
    english: str
    domain: str
    area: str
    number: int
    postal_code: str
    address: str
    english_address: str
    employees: int
    industry: str
    industry_in_english: str
    corporate_number: str

    def phone(self, line: int = 0) -> str:
        """Return a number of the company; line 0 is its switchboard."""
        number = f"{self.number + line:0{10 - len(self.area)}d}"
        return f"{self.area}-{number[:-4]}-{number[-4:]}"


class Job(NamedTuple):
    """What a person is called at a company, from some moment on."""

    company: Company
    last: tuple[str, str]
    email: str


@dataclass(slots=True)
class Person:
    """An invented person; some change their job, their surname or both at `moves_at`."""

    person_id: int
    job: Job
    first: tuple[str, str]
    is_foreign: bool
    department: tuple[str, str]
    title: tuple[str, str]
    mobile: str
    line: int
    interest: str
    standing: str
    has_opted_out: bool
    inherited: str = ""  # the mailbox of a colleague who left, which is this person's now
    moves_at: datetime | None = None
    next_job: Job | None = None

    def job_at(self, at: datetime) -> Job:
        """Return the person's job at a moment."""
        return (
            self.next_job
            if self.next_job is not None and self.moves_at is not None and at >= self.moves_at
            else self.job
        )


class Made(NamedTuple):
    """The truth about one record."""

    source: str
    source_key: str
    person_id: int
    company_id: int
    trap: str


def companies(how_many: int, random: Random) -> list[Company]:
    """Return invented companies; about one in thirty has the name of another one elsewhere."""
    names = [(stem, trade) for stem in words.STEMS for trade in words.TRADES]
    if how_many > len(names):
        stems = [(a[0] + b[0], a[1] + b[1]) for a in words.STEMS for b in words.STEMS]
        names = [(stem, trade) for stem in stems for trade in words.TRADES]
    random.shuffle(names)
    made: list[Company] = []
    domains: set[str] = set()
    for number in range(how_many):
        namesake = number > 0 and random.random() < 0.03
        (stem, roman), (trade, trade_roman, english, industry) = names[
            (random.randrange(number) if namesake else number) % len(names)
        ]
        domain = f"{roman}-{trade_roman}"
        if domain in domains:
            domain = f"{domain}{number}"
        domains.add(domain)
        prefecture, town, english_town, area, postal = _place(random)
        street = f"{random.randrange(1, 6)}-{random.randrange(1, 20)}-{random.randrange(1, 30)}"
        made.append(
            Company(
                company_id=number + 1,
                name=stem + trade,
                form=_form(random),
                is_form_first=random.random() < 0.6,
                english=f"{roman.capitalize()} {english}",
                domain=f"{domain}.example",
                area=area,
                number=random.randrange(10 ** (8 - len(area))) * 10,  # its first digit stays 0: nobody's
                postal_code=f"{postal}-{random.randrange(1, 90):04d}",
                address=f"{prefecture}{town}{street}",
                english_address=f"{street} Mihoncho, {english_town}",
                employees=_size(random),
                industry=industry,
                industry_in_english={"製造業": "Manufacturing", "物流・運輸": "Logistics"}.get(industry, industry),
                corporate_number=f"9{random.randrange(10**12):012d}" if random.random() < 0.6 else "",
            )
        )
    return made


def people(how_many: int, random: Random, until: datetime) -> Iterator[Person]:
    """Yield invented people; a few large companies have many of them, as in every list."""
    employers = companies(max(2, round(how_many * 0.115)), random)
    employer = Draw(employers, [1 / (place + 3) ** 0.75 for place in range(len(employers))])
    used: set[str] = set()
    leavers: dict[int, str] = {}  # one mailbox a company that somebody else gets
    for person_id in range(1, how_many + 1):
        company = employer(random)
        is_foreign = random.random() < 0.1
        if is_foreign:
            last, first = ((name, name) for name in _foreign(random))
        else:
            last = _surname(random)
            first = _given(random)
        department = _department(random)
        person = Person(
            person_id=person_id,
            job=Job(company, last, _mailbox(company, last, first, person_id, used, random)),
            first=first,
            is_foreign=is_foreign,
            department=department,
            title=_title(random),
            mobile=f"090-0{person_id % 1000:03d}-{int(random.random() * 10_000):04d}" if random.random() < 0.5 else "",
            line=1 + int(random.random() * 9),
            interest=PRODUCTS[department[1] in ("HR", "Sales", "Manufacturing", "Logistics") or random.random() < 0.25],
            standing=_standing(random),
            has_opted_out=random.random() < 0.03,
        )
        if random.random() < 0.02:
            person.inherited = leavers.pop(company.company_id, "")
        elif not person.job.email.endswith(FREEMAIL):
            leavers[company.company_id] = person.job.email
        if random.random() < 0.06:
            person.moves_at = until - timedelta(days=random.uniform(20, 80))
            if random.random() < 0.75:
                other = employer(random)
                person.next_job = Job(other, last, _mailbox(other, last, first, person_id, used, random))
            else:  # A new surname: the mailbox stays, or follows.
                new = last if is_foreign else _surname(random)
                email = (
                    person.job.email
                    if random.random() < 0.5
                    else _mailbox(company, new, first, person_id, used, random)
                )
                person.next_job = Job(company, new, email)
        yield person


def _mailbox(
    company: Company, last: tuple[str, str], first: tuple[str, str], person_id: int, used: set[str], random: Random
) -> str:
    surname, given = words.romaji(last[1]).lower(), words.romaji(first[1]).lower()
    if random.random() < 0.06:
        email = f"{given}.{surname}{person_id}@{_freemail(random)}"
    else:
        email = f"{_pattern(random).format(g=given, s=surname, i=given[0])}@{company.domain}"
        if email in used:
            email = f"{given}.{surname}@{company.domain}"
        if email in used:
            email = f"{given}.{surname}{person_id}@{company.domain}"
    used.add(email)
    return email


def visits(crowd: list[Person], random: Random) -> list[tuple[int, str, int]]:
    """Return who left a record in which source when (seconds before `until`, negative), in the order of time."""
    any_source, other_source = Draw(SOURCES, SHARES), Draw(SOURCES[1:], SHARES[1:])
    made: list[tuple[int, str, int]] = []
    badges = 0
    for at, person in enumerate(crowd):
        in_crm = False
        for _ in range(_records(random)):
            source = (any_source if badges < MOST_BADGES else other_source)(random)
            if source == "crm_export" and in_crm and random.random() < 0.7:
                source = "web_forms"  # A CRM has most people once.
            in_crm |= source == "crm_export"
            badges += source == "exhibition_badges"
            made.append((-1 - int(random.random() * (DAYS * 86_400 - 1)), source, at))
        if person.next_job is not None:  # Who moved was seen before and is seen after.
            made.append((-random.randrange(1, 19 * 86_400), "business_cards_cp932", at))
    made.sort()
    return made


def main() -> None:
    """Write the five files (and, when asked, truth.csv beside them)."""
    from nurture.demo.files import write_files

    parser = argparse.ArgumentParser(prog="python -m nurture.demo.people", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="the folder for the files")
    parser.add_argument("--people", type=int, default=1_300)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument(
        "--until", type=date.fromisoformat, default=date(2026, 11, 20), help="the day after the last record"
    )
    parser.add_argument("--truth", action="store_true", help="write truth.csv too: file, source_key, person_id")
    arguments = parser.parse_args()
    truth = write_files(arguments.out, arguments.people, arguments.seed, arguments.until, with_truth=arguments.truth)
    sys.stdout.write(f"{len(truth):,} records of {arguments.people:,} people in {arguments.out}" + "\n")


def midnight(day: date) -> datetime:
    """Return the first moment of a day in Japan."""
    return datetime.combine(day, time(), TOKYO)


if __name__ == "__main__":
    main()
