"""`nurture leads`: pairs side by side, answers, and a merge undone, from the command line."""

import json

import pytest
import sqlalchemy as sa
from builders import NOON, record, rows
from typer.testing import CliRunner

from nurture.cli.main import app
from nurture.consolidate import consolidate
from nurture.problem import Problem


@pytest.fixture
def pair(conn: sa.Connection, dsn: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Make a pair that waits; return its number."""
    record(conn, "1", email="hanako@lead.example", name="山田 花子", title="課長\x1b[2J")
    record(conn, "2", email="hanako@lead.example", name="佐藤 花子")
    consolidate(conn, NOON)
    monkeypatch.setenv("NURTURE_DSN", dsn)
    return str(rows(conn, "select review_id from match_reviews")[0][0])


def run(*arguments: str) -> str:
    done = CliRunner().invoke(app, ["leads", *arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_a_pair_is_shown_side_by_side_with_its_evidence(pair: str) -> None:
    shown = run("review")
    assert f"pair {pair}: same_mailbox" in shown
    [names] = [line for line in shown.splitlines() if "山田 花子" in line]
    assert "佐藤 花子" in names
    assert "\x1b" not in shown
    assert json.loads(run("review", "--json"))[0]["evidence"]["agreement"] == "renamed"


def test_a_yes_merges_and_an_unmerge_undoes_it(conn: sa.Connection, pair: str) -> None:
    assert run("review", pair, "yes").startswith(f"pair {pair}: yes, both are lead ")
    assert run("review") == "No pair waits.\n"
    [(lead,)] = rows(conn, "select merged_into from leads where merged_into is not null")
    conn.rollback()
    assert "are two again" in run("unmerge", str(lead))
    assert rows(conn, "select count(*) from leads where merged_into is not null") == [(0,)]
    with pytest.raises(Problem, match="has no merge to undo"):
        run("unmerge", str(lead))


def test_an_answer_to_nothing_says_what_waits(pair: str) -> None:
    with pytest.raises(Problem, match="no pair 999 waits: `nurture leads review`"):
        run("review", "999", "no")
    with pytest.raises(Problem, match="say yes, no or not-sure"):
        run("review", pair)
