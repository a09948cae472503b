"""Landing: an inbox is a folder anywhere, and only what is of a source is taken from it."""

from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest
import sqlalchemy as sa
from landing_files import AS_OF, CARDS, GOOD, HEADER, SAMPLES, records, write
from typer.testing import CliRunner
from upath import UPath

from nurture.cli.main import app
from nurture.definitions.load import load_sources
from nurture.problem import Problem
from nurture.sources import land, land_inbox

SOURCES = {"cards": CARDS}
KINDS = {"exhibition_badges", "business_cards_cp932", "web_forms", "seminar_attendees", "crm_export"}


@pytest.fixture
def store() -> Iterator[fsspec.AbstractFileSystem]:
    """A filesystem that is not the machine's, with an inbox of two files and what else lies about."""
    memory = fsspec.filesystem("memory")
    memory.pipe("/leads/inbox/cards_1.csv", (HEADER + GOOD).encode())
    memory.pipe("/leads/inbox/cards_2.csv", (HEADER + GOOD.replace("C1", "C2")).encode("cp932"))
    memory.pipe("/leads/inbox/.cards_3.csv", b"hidden")
    memory.pipe("/leads/inbox/README.md", b"nothing of ours")
    memory.pipe("/leads/inbox/done/cards_4.csv", (HEADER + GOOD.replace("C1", "C4")).encode())
    yield memory
    memory.rm("/leads", recursive=True)


@pytest.mark.parametrize("as_path", [str, UPath], ids=["text", "a path with its own filesystem"])
def test_an_inbox_may_be_an_object_store(conn: sa.Connection, store: fsspec.AbstractFileSystem, as_path: type) -> None:
    counts = land_inbox(conn, SOURCES, as_path("memory://leads/inbox"), AS_OF)
    assert counts == {"files": 2, "landed": 2, "unchanged": 0, "rejected": 0, "unreadable": 0, "skipped": 1}
    assert [record.source_key for record in records(conn)] == ["C1", "C2"]
    assert land(conn, CARDS, as_path("memory://leads/inbox/cards_1.csv"), AS_OF).taken_before


def test_the_command_takes_an_object_store_too(dsn: str, store: fsspec.AbstractFileSystem) -> None:
    store.pipe("/leads/forms/web_forms.jsonl", b'{"submission_id": "F1", "submitted_at": "x", "email": "a@b.example"}')
    store.pipe("/leads/forms/other.txt", b"")
    done = CliRunner().invoke(app, ["land", "memory://leads/forms"], env={"NURTURE_DSN": dsn})
    assert done.output.splitlines()[1:] == ["1 other files are of no source and were left alone."], done.output


@pytest.mark.parametrize("path", ["nosuch://bucket/inbox", "memory://nowhere/inbox"])
def test_an_inbox_that_cannot_be_opened_is_one_line(conn: sa.Connection, path: str) -> None:
    with pytest.raises(Problem, match="cannot be read") as problem:
        land_inbox(conn, SOURCES, path, AS_OF)
    assert "\n" not in str(problem.value)


def test_what_is_of_no_source_spoils_nothing(conn: sa.Connection, tmp_path: Path) -> None:
    write(tmp_path, HEADER + GOOD)
    for name in ("truth.csv", "spend.csv", "README.md"):
        write(tmp_path, "file,source_key\n", name)
    counts = land_inbox(conn, SOURCES, str(tmp_path), AS_OF)
    assert (counts["files"], counts["unreadable"], counts["skipped"]) == (1, 0, 3)


def test_the_sources_of_the_five_kinds_are_called_as_their_files() -> None:
    assert load_sources().keys() >= KINDS


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the sample files stand beside the checkout, not in it")
def test_a_sample_files_records_are_of_the_source_that_has_its_name(conn: sa.Connection) -> None:
    land_inbox(conn, load_sources(), str(SAMPLES), AS_OF)
    found = conn.execute(sa.text("select source, file from landings where landed_count > 0"))
    assert {Path(file).stem: source for source, file in found} == {kind: kind for kind in KINDS}
