"""The demo's people: the same seed gives the same files, every address is reserved, and every file lands."""

import csv
import hashlib
import re
import zipfile
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from nurture.definitions.load import load_sources
from nurture.demo.files import FILES, write_files
from nurture.sources import land_inbox

UNTIL = date(2026, 11, 20)
DEMO = Path(__file__).parents[1] / "include" / "demo"


def hashes(folder: Path) -> dict[str, str]:
    return {name: hashlib.sha256(unpacked(folder / name)).hexdigest() for name in FILES.values()}


def unpacked(file: Path) -> bytes:
    """Return a file's bytes, and of an xlsx those of its parts: how tight they are packed is the machine's zlib's."""
    if file.suffix != ".xlsx":
        return file.read_bytes()
    with zipfile.ZipFile(file) as parts:
        return b"".join(name.encode() + parts.read(name) for name in sorted(parts.namelist()))


def test_the_same_seed_gives_the_same_files(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_files(tmp_path / name, 100, 3, UNTIL)
    assert hashes(tmp_path / "one") == hashes(tmp_path / "two")
    write_files(tmp_path / "other", 100, 4, UNTIL)
    assert hashes(tmp_path / "one") != hashes(tmp_path / "other")


def test_the_shipped_files_are_the_generators(tmp_path: Path) -> None:
    write_files(tmp_path, 1_300, 7, UNTIL)
    assert hashes(tmp_path) == hashes(DEMO)
    assert sum((DEMO / name).stat().st_size for name in FILES.values()) < 1_500_000


def test_every_file_lands_with_the_rejections_of_its_broken_rows(conn: sa.Connection) -> None:
    counts = land_inbox(conn, load_sources(), str(DEMO), datetime(2026, 11, 20, tzinfo=UTC))
    assert (counts["files"], counts["unreadable"]) == (5, 0)
    assert counts["landed"] > 2_500
    reasons = [row.reason for row in conn.execute(sa.text("select reason from rejected_records order by file, line"))]
    assert len(reasons) == 5
    assert {"column count 3, expected 14", "date 2026-13-45", "no way to reach or identify"} <= set(reasons)


def test_only_reserved_domains_and_numbers_are_used(conn: sa.Connection) -> None:
    land_inbox(conn, load_sources(), str(DEMO), datetime(2026, 11, 20, tzinfo=UTC))
    rows = conn.execute(
        sa.text("select fields ->> 'email', keys ->> 'mobile', keys ->> 'phone', payload::text from source_records")
    )
    for email, mobile, phone, payload in rows:
        assert email is None or email.endswith(".example")
        assert mobile is None or mobile.startswith("+81900")
        assert phone is None or re.match(r"\+81(3|6|11|22|4[358]|5[23]|82|92)0", phone)
        assert re.findall(r"@(?![a-z0-9.-]+\.example)[a-z0-9-]+\.[a-z.]+", payload) == []


def test_records_lie_within_the_days_before_until_and_carry_what_the_demo_shows(conn: sa.Connection) -> None:
    land_inbox(conn, load_sources(), str(DEMO), datetime(2026, 11, 20, tzinfo=UTC))

    def count(condition: str) -> int:
        return conn.execute(sa.text(f"select count(*) from source_records where {condition}")).scalar_one()

    assert count("occurred_at < '2026-07-22T00:00:00+09:00' or occurred_at > '2026-11-20T09:00:00+09:00'") == 0
    for condition in (
        "facts -> 'event' ->> 'product' = 'cloud_backup'", "facts -> 'event' ->> 'product' = 'shift_planner'",
        "facts ? 'opt_out'", "facts ? 'consent'", "fields ->> 'lifecycle' = 'customer'",
        "fields ->> 'lifecycle' = 'opportunity'",
        "fields ->> 'department_function' in ('it', 'general_affairs') and fields ->> 'title_level' = 'manager'",
        "fields ->> 'industry' in ('manufacturing', 'logistics')", "keys ? 'is_role'", "keys ? 'is_freemail'",
    ):  # fmt: skip
        assert count(condition) >= 10, condition


def test_the_truth_names_every_record_once(tmp_path: Path) -> None:
    truth = write_files(tmp_path, 200, 5, UNTIL, with_truth=True)
    assert len({(made.source, made.source_key) for made in truth}) == len(truth)
    assert len({made.person_id for made in truth}) == 200
    with (tmp_path / "truth.csv").open(encoding="utf-8", newline="") as file:
        assert sum(1 for _ in csv.DictReader(file)) == len(truth)


@pytest.mark.parametrize("trap", ["role", "team", "placeholder", "successor"])
def test_the_traps_are_there(tmp_path: Path, trap: str) -> None:
    assert any(made.trap == trap for made in write_files(tmp_path, 1_300, 7, UNTIL))
