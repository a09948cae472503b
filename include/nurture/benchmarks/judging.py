"""Judging: leads and accounts beside the truth: who was found, who was mixed, what a person is asked."""

import csv
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import sqlalchemy as sa

from nurture import db

Key = tuple[str, str]  # source, source_key


class True_(NamedTuple):
    """What is true of a record."""

    person: str
    company: str
    flags: frozenset[str]


@dataclass
class Judged:
    """What became of records whose truth is known."""

    lead_of: dict[Key, int]
    truth: dict[Key, True_]
    records: int = 0
    rejected: int = 0
    precision: float = 0.0
    recall: float = 0.0
    accounts_f1: float = 0.0
    mixed_leads: int = 0
    leads: int = 0
    reviews: int = 0
    reviews_yes: int = 0
    f1_with_reviewer: float = 0.0
    flags: dict[str, dict[str, float]] = field(default_factory=dict)

    def figures(self) -> dict[str, Any]:
        """Return what a report shows."""
        return {
            "precision": round(self.precision, 6), "recall": round(self.recall, 4),
            "f1": round(f1(self.precision, self.recall), 4),
            "f1_with_a_perfect_reviewer": round(self.f1_with_reviewer, 4),
            "accounts_f1": round(self.accounts_f1, 4), "leads": self.leads, "mixed_leads": self.mixed_leads,
            "mixed_leads_per_10000": round(10_000 * self.mixed_leads / max(1, self.leads), 2),
            "reviews_per_1000_rows": round(1_000 * self.reviews / max(1, self.records), 2),
            "reviews_that_are_one_person": round(self.reviews_yes / max(1, self.reviews), 3),
            "rows_without_a_lead": self.rejected,
        }  # fmt: skip


def read_truth(folder: Path) -> dict[Key, True_]:
    """Read truth.csv; a file's source is its stem."""
    found: dict[Key, True_] = {}
    with (folder / "truth.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            source = Path(row["file"]).stem
            flags = frozenset((row.get("flags") or row.get("trap") or "").split("|")) - {""}
            found[source, row["source_key"]] = True_(row["person_id"], row["company_id"], flags)
    return found


def judge(conn: sa.Connection, truth: dict[Key, True_]) -> Judged:
    """Compare the leads in the database with the truth, pairwise over the records of people."""
    sql = db.statements("benchmarks")
    lead_of: dict[Key, int] = {}
    account_of: dict[Key, Hashable] = {}
    for source, key, lead, account in db.run(conn, sql.owners):
        if (source, key) in truth:
            lead_of[source, key] = lead
            account_of[source, key] = account or ("none", source, key)
    judged = Judged(lead_of, truth, records=len(truth), rejected=len(truth) - len(lead_of))
    for place, key in enumerate(sorted(truth.keys() - lead_of.keys()), start=1):
        lead_of[key], account_of[key] = -place, ("none", *key)  # a row that is no record is nobody's: it was missed
    judged.precision, judged.recall = pairwise((truth[key].person, lead_of[key]) for key in truth)
    judged.accounts_f1 = f1(*pairwise((truth[key].company, account_of[key]) for key in truth))
    people_of: dict[int, set[str]] = defaultdict(set)
    for key, lead in lead_of.items():
        people_of[lead].add(truth[key].person)
    judged.leads = len(people_of)
    judged.mixed_leads = sum(len(people) > 1 for people in people_of.values())
    _ask(conn, judged)
    _by_flag(judged, people_of)
    return judged


def _ask(conn: sa.Connection, judged: Judged) -> None:
    """Count the questions, and say what a reviewer who knows the truth would make of them."""
    truth, lead_of = judged.truth, judged.lead_of
    parents: dict[int, int] = {}

    def root(lead: int) -> int:
        while parents.setdefault(lead, lead) != lead:
            lead = parents[lead]
        return lead

    for source, key, other, other_key in db.run(conn, db.statements("benchmarks").questions):
        judged.reviews += 1
        one, two = (source, key), (other, other_key)
        if one in truth and two in truth and truth[one].person == truth[two].person:
            judged.reviews_yes += 1
            parents[root(lead_of[one])] = root(lead_of[two])
    judged.f1_with_reviewer = f1(*pairwise((truth[key].person, root(lead_of[key])) for key in truth))


def _by_flag(judged: Judged, people_of: dict[int, set[str]]) -> None:
    """Say for each trap which share of its people's pairs was found, and how many leads mix people in it."""
    pairs: Counter[str] = Counter()
    found: Counter[str] = Counter()
    of_person: dict[str, list[Key]] = defaultdict(list)
    for key, true in judged.truth.items():
        of_person[true.person].append(key)
    for keys in of_person.values():
        for at, one in enumerate(keys):
            for two in keys[at + 1 :]:
                together = judged.lead_of[one] == judged.lead_of[two]
                for flag in judged.truth[one].flags | judged.truth[two].flags:
                    pairs[flag] += 1
                    found[flag] += together
    records: Counter[str] = Counter()
    mixed: dict[str, set[int]] = defaultdict(set)
    for key, true in judged.truth.items():
        for flag in true.flags:
            records[flag] += 1
            if len(people_of[judged.lead_of[key]]) > 1:
                mixed[flag].add(judged.lead_of[key])
    judged.flags = {
        flag: {
            "records": records[flag], "pairs": pairs[flag],
            "recall": round(found[flag] / pairs[flag], 3) if pairs[flag] else 1.0, "mixed_leads": len(mixed[flag]),
        }
        for flag in sorted(records)
    }  # fmt: skip


def pairwise(labels: Iterable[tuple[Hashable, Hashable]]) -> tuple[float, float]:
    """Return precision and recall over pairs of records: (true, found) labels."""
    both = list(labels)
    together = _pairs(both)
    return together / max(1, _pairs(found for _, found in both)), together / max(1, _pairs(true for true, _ in both))


def f1(precision: float, recall: float) -> float:
    """Return the harmonic mean."""
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def _pairs(labels: Iterable[Hashable]) -> int:
    return sum(count * (count - 1) // 2 for count in Counter(labels).values())


def examples(conn: sa.Connection, judged: Judged, flag: str, at_most: int) -> Iterator[str]:
    """Yield cases of a trap that went wrong: each record with its person, its lead and what it says."""
    said = {(row[0], row[1]): row[2:] for row in db.run(conn, db.statements("benchmarks").said)}
    people_of: dict[int, set[str]] = defaultdict(set)
    leads_of: dict[str, set[int]] = defaultdict(set)
    for key, lead in judged.lead_of.items():
        people_of[lead].add(judged.truth[key].person)
        leads_of[judged.truth[key].person].add(lead)
    wrong: dict[frozenset[str], None] = {}
    for key, true in judged.truth.items():
        if flag in true.flags:
            people = people_of[judged.lead_of[key]]
            if len(people) > 1 or len(leads_of[true.person]) > 1:
                wrong[frozenset(people)] = None
    for people in list(wrong)[:at_most]:
        yield "mixed" if len(people) > 1 else "parted"
        for key, true in judged.truth.items():
            if true.person in people:
                fields, keys, rules = said.get(key, ({}, {}, "no record"))
                text = ", ".join(
                    f"{name}={value}" for name, value in {**keys, **fields}.items()
                    if name in ("name", "kana", "company", "email", "phone", "mobile", "domain")
                )  # fmt: skip
                yield f"  person {true.person} lead {judged.lead_of[key]} {key[0]}/{key[1]} {text} [{rules or ''}]"
