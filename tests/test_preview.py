"""Preview: a mail as its readers see it; a test goes to testers alone, and leaves no trace in the ledger."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from builders import lead, rows
from click.testing import Result
from loopback import API_KEY, Sandbox, sandbox
from typer.testing import CliRunner

from nurture import tokens
from nurture.cli.main import app
from nurture.problem import Problem

TESTER = "cloud_backup@aozora-systems.example"
KEY = "the key of this test's tokens, long enough"


@pytest.fixture(scope="module")
def mailbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A stand-in for SendGrid."""
    with sandbox(tmp_path_factory.mktemp("sandbox"), None, "--at-rest") as running:
        yield running


@pytest.fixture
def environment(dsn: str, mailbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installation: its database, its provider, its receiver."""
    for name, said in {
        "NURTURE_DSN": dsn, "SENDGRID_HOST": mailbox.url, "SENDGRID_API_KEY": API_KEY, "NURTURE_TOKEN_KEY": KEY,
        "NURTURE_RECEIVER_URL": "https://mail.aozora-systems.example",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, said)


def preview(to: Path, *arguments: str) -> Result:
    done = CliRunner().invoke(app, ["preview", *arguments, "--to", str(to)])
    if isinstance(done.exception, Exception):
        raise done.exception
    return done


def test_every_variant_is_written_with_its_subject_html_and_text(tmp_path: Path):
    told = preview(tmp_path, "cloud_backup", "case_logistics").stdout
    for stem in ("case_logistics", "case_logistics.for_factories", "case_logistics.for_warehouses"):
        for suffix in ("html", "txt"):
            file = tmp_path / "cloud_backup" / f"{stem}.{suffix}"
            assert str(file) in told
            assert ("工場をお持ちの" in file.read_text("utf-8")) == ("factories" in stem)
    assert told.count("Subject: 【導入事例】") == 3


def test_a_reader_without_a_name_is_addressed_all_the_same(tmp_path: Path):
    preview(tmp_path, "shift_planner", "fair_shifts", "--name", "", "--company", "")
    for suffix in ("html", "txt"):
        assert "ご担当者様" in (tmp_path / "shift_planner" / f"fair_shifts.{suffix}").read_text("utf-8")


@pytest.mark.usefixtures("environment")
def test_a_lead_is_shown_what_they_would_get_now(conn: sa.Connection, tmp_path: Path):
    person = lead(conn, name="佐藤 花子", company="見本製作所", industry="manufacturing")
    conn.commit()
    told = preview(tmp_path, "cloud_backup", "case_logistics", "--lead", str(person)).stdout
    assert told.startswith("Shows:   for_factories\n")
    text = (tmp_path / "cloud_backup" / f"case_logistics.lead_{person}.txt").read_text("utf-8")
    assert "見本製作所 佐藤 花子 様" in text
    assert "工場をお持ちの皆様" in text
    with pytest.raises(Problem, match="there is no lead 99"):
        preview(tmp_path, "cloud_backup", "case_logistics", "--lead", "99")


def test_a_test_goes_to_testers_alone(tmp_path: Path):
    with pytest.raises(Problem, match=f"tomo@a.example is none of them: known: {TESTER}"):
        preview(tmp_path, "cloud_backup", "restore_drill", "--send-to", "tomo@a.example")


@pytest.mark.usefixtures("environment")
def test_a_test_is_marked_and_tracks_nothing_and_its_way_out_is_nobodys(
    conn: sa.Connection, mailbox: Sandbox, tmp_path: Path
):
    told = preview(tmp_path, "cloud_backup", "case_logistics", "--send-to", TESTER.upper()).stdout
    assert told.count("Sent:    [テスト") == 3
    taken = [each for each in mailbox.messages() if each["to"].casefold() == TESTER]
    subjects = sorted(each["subject"].partition("]")[0] for each in taken)
    assert subjects == ["[テスト", "[テスト for_factories", "[テスト for_warehouses"]
    text = (tmp_path / "cloud_backup" / "case_logistics.txt").read_text("utf-8")
    token = text.partition("/u/")[2].split()[0]
    assert "https://mail.aozora-systems.example/u/" in text
    assert tokens.read(KEY.encode(), token) is None
    assert [each["message_id"] for each in taken] == [None] * 3
    assert rows(conn, "select count(*) from send_requests union all select count(*) from messages") == [(0,), (0,)]


@pytest.mark.usefixtures("environment")
def test_a_refused_test_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("SENDGRID_API_KEY", "SG.wrong")
    with pytest.raises(Problem, match=r"^the test was not sent: SendGrid says 401"):
        preview(tmp_path, "cloud_backup", "restore_drill", "--send-to", TESTER)


def test_an_unknown_product_or_email_is_told_with_the_nearest(tmp_path: Path):
    with pytest.raises(Problem, match="there is no product 'shift_planer': did you mean 'shift_planner'"):
        preview(tmp_path, "shift_planer", "fair_shifts")
    with pytest.raises(Problem, match="has no email 'fair_shift': did you mean 'fair_shifts'"):
        preview(tmp_path, "shift_planner", "fair_shift")
