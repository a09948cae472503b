"""Benchmarks: the same seed gives the same world, and what is judged is counted right."""

import csv
from collections import Counter
from pathlib import Path

import pytest
import sqlalchemy as sa
from builders import NOON, record, rows, value

from nurture.benchmarks import judging, world
from nurture.benchmarks.judging import True_
from nurture.benchmarks.machine import Meter
from nurture.benchmarks.measuring import Bench
from nurture.benchmarks.scenes import SCENES
from nurture.benchmarks.trap_files import MIXES, write_traps
from nurture.consolidate import consolidate
from nurture.stack.postgres import Postgres


@pytest.fixture
def bench(postgres: Postgres, tmp_path: Path) -> Bench:
    return Bench("test", 1_000, 1, postgres, Meter(postgres), tmp_path, {})


def test_the_same_seed_writes_the_same_traps_and_another_one_others(tmp_path: Path) -> None:
    for folder, seed in (("one", 3), ("again", 3), ("other", 4)):
        write_traps(tmp_path / folder, 50, seed)
    names = sorted(file.name for file in (tmp_path / "one").iterdir())
    assert len(names) == 6

    def written(folder: str) -> list[bytes]:
        return [(tmp_path / folder / name).read_bytes() for name in names]

    assert written("one") == written("again")
    assert written("one") != written("other")


def test_every_scene_leaves_its_flag_in_the_truth(tmp_path: Path) -> None:
    cast = write_traps(tmp_path, 50, 1)
    with (tmp_path / "truth.csv").open(encoding="utf-8", newline="") as file:
        told = list(csv.DictReader(file))
    assert len(told) == len(cast.records)
    assert {row["flags"] for row in told} == {"", *SCENES}


@pytest.mark.parametrize("mix", MIXES)
def test_a_mix_names_only_scenes_that_there_are(mix: str) -> None:
    assert MIXES[mix].keys() - {"*"} <= SCENES.keys()


def test_precision_and_recall_are_of_pairs_of_records() -> None:
    assert judging.pairwise([("a", 1), ("a", 1), ("a", 2), ("b", 2)]) == (1 / 2, 1 / 3)
    assert judging.f1(0.0, 0.0) == 0.0


def test_mixed_leads_and_lost_rows_are_counted_for_their_trap(conn: sa.Connection) -> None:
    for key in ("a1", "a2", "b"):
        record(conn, key, email="yamada@lead.example", name="山田 太郎")
    consolidate(conn, NOON)
    source = value(conn, "select source from source_records limit 1")
    truth = {
        (source, key): True_(key[0], "1", frozenset({trap}))
        for key, trap in (("a1", "shared"), ("a2", "shared"), ("b", "shared"), ("c", "lost"), ("c2", "lost"))
    }
    judged = judging.judge(conn, truth)
    assert (judged.leads, judged.mixed_leads, judged.rejected) == (3, 1, 2)
    assert (judged.precision, judged.recall) == (1 / 3, 1 / 2)
    assert judged.flags["shared"] == {"records": 3, "pairs": 1, "recall": 1.0, "mixed_leads": 1}
    assert judged.flags["lost"] == {"records": 2, "pairs": 1, "recall": 0.0, "mixed_leads": 0}
    shown = list(judging.examples(conn, judged, "shared", 5))
    assert shown[0] == "mixed"
    assert len(shown) == 4


def test_the_world_has_what_its_arguments_say(bench: Bench, conn: sa.Connection) -> None:
    made = world.build(bench, conn)
    assert (made.leads, value(conn, "select count(*) from leads")) == (1_000, 1_000)
    assert made.signals == value(conn, "select count(*) from signals")
    assert 8_000 < made.signals < 12_000
    kinds = Counter(dict(tuple(row) for row in rows(conn, "select kind, count(*) from signals group by kind")))
    assert set(kinds) == {"opened", "clicked", "visited", "submitted", "attended", "replied"}
    assert value(conn, "select count(*) from lead_addresses where is_primary") == 1_000
    assert value(conn, "select max(day) from signals") <= made.until.date()
    assert value(conn, "insert into leads default values returning lead_id") == 1_001
    assert [phase.name for phase in bench.phases] == ["make the leads", "make their signals"]
    assert bench.report()["phases"][0]["rows"] == 1_000
