"""`nurture simulate`: tables, JSON, a chart, a changed file, and what cannot be played, from the command line."""

import json
import shutil
from pathlib import Path
from xml.etree import ElementTree

import pytest
import sqlalchemy as sa
from simulated_world import settle
from typer.testing import CliRunner

from nurture.cli.main import app
from nurture.definitions.changed import changed_product
from nurture.definitions.load import include_root
from nurture.definitions.problems import BrokenDefinition
from nurture.problem import Problem

SPAN = ("--from", "2026-11-27", "--to", "2026-11-28", "--as-of", "2026-11-27T00:00:00+09:00", "--alone")
WELCOME = include_root() / "products" / "shift_planner" / "scenarios" / "web_welcome.yaml"


@pytest.fixture
def world(conn: sa.Connection, dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    settle(conn, times=1)
    monkeypatch.setenv("NURTURE_DSN", dsn)


def run(*arguments: str) -> str:
    done = CliRunner().invoke(app, ["simulate", *arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def changed(folder: Path, old: str, new: str) -> Path:
    file = folder / "copied.yaml"
    text = WELCOME.read_text("utf-8")
    assert old in text
    file.write_text(text.replace(old, new), "utf-8")
    return file


def test_a_changed_scenario_is_told_with_its_difference_and_drawn(world: None, tmp_path: Path) -> None:
    chart = tmp_path / "mails.svg"
    other = changed(tmp_path, "holdout: 10%", "holdout: 99%")
    told = run("shift_planner", *SPAN, "--with", str(other), "--chart", str(chart))
    assert "シフトプランナー, 2026-11-27 to 2026-11-28, changed (± as it stands)" in told
    [welcome] = [line for line in told.splitlines() if line.startswith("web_welcome")]
    assert "(+" in welcome
    assert f"Chart: {chart}" in told
    drawn = chart.read_text("utf-8")
    assert ElementTree.fromstring(drawn).tag.endswith("svg")
    assert "prefers-color-scheme:dark" in drawn
    assert ">as it stands<" in drawn
    assert ">changed<" in drawn


def test_a_program_reads_every_number(world: None) -> None:
    told = json.loads(run("shift_planner", *SPAN, "--json"))["in_force"]
    assert [day["day"] for day in told["days"]] == ["2026-11-27", "2026-11-28"]
    assert sum(row["mails"] for row in told["mails"]) == sum(told["domains"].values()) == told["totals"]["mails"] > 0
    assert "people" not in told


def test_what_cannot_be_played_is_one_line(world: None, tmp_path: Path) -> None:
    with pytest.raises(Problem, match="'tomorrow' is not a day: write it as 2026-12-01"):
        run("shift_planner", "--from", "tomorrow", "--to", "2026-11-30")
    with pytest.raises(Problem, match="--to 2026-11-01 is before --from 2026-11-02"):
        run("shift_planner", "--from", "2026-11-02", "--to", "2026-11-01")
    with pytest.raises(Problem, match="did you mean 'shift_planner'"):
        run("shift_plan", *SPAN)
    with pytest.raises(BrokenDefinition, match=r"include/products/shift_planner/scenarios/web_welcome\.yaml:"):
        run("shift_planner", *SPAN, "--with", str(changed(tmp_path, "2 business days", "2 busness days")))


def test_a_changed_file_takes_the_place_of_what_it_says_it_is(tmp_path: Path) -> None:
    root = include_root()
    other = changed(tmp_path, "reenter: never", "reenter: after 90 days")
    made = changed_product(root, "shift_planner", other)
    assert str(made.scenarios["web_welcome"].reenter) == "90 days"
    assert len(made.scenarios) == len(changed_product(root, "shift_planner", WELCOME).scenarios)
    folder = tmp_path / "next_year"
    shutil.copytree(root / "products" / "shift_planner", folder)
    (folder / "scenarios" / "web_welcome.yaml").unlink()
    assert "web_welcome" not in changed_product(root, "shift_planner", folder).scenarios
    stray = tmp_path / "stray.yaml"
    stray.write_text("name: nothing\n", "utf-8")
    with pytest.raises(Problem, match=r"neither a scenario nor a product\.yaml"):
        changed_product(root, "shift_planner", stray)
