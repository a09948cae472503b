"""What `nurture check` says of mails: errors stop, warnings do not, and everything is told in one run."""

import shutil
from datetime import date
from pathlib import Path

import pytest
from typer.testing import CliRunner

from nurture.cli.main import app
from nurture.definitions.check import check
from nurture.proofread import proofread

PLACE = "include/products/cloud_backup"


@pytest.fixture
def include(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of what marketing wrote, to be broken."""
    copy = tmp_path / "include"
    shutil.copytree(root / "include", copy, ignore=shutil.ignore_patterns("nurture"))
    monkeypatch.setenv("NURTURE_INCLUDE", str(copy))
    return copy


def append(file: Path, words: str) -> int:
    """Add a line at a file's end; return its number."""
    text = file.read_text("utf-8").rstrip("\n") + "\n" if file.exists() else ""
    file.write_text(f"{text}{words}\n", "utf-8")
    return text.count("\n") + 1


def told(include: Path) -> list[str]:
    return [str(problem) for problem in check(include, proofread, today=date(2026, 11, 22)).problems]


def test_warnings_are_told_and_stop_nothing(include: Path):
    text = include / "products/cloud_backup/emails/restore_drill.txt"
    words = text.read_text("utf-8")
    line = words[: words.index("平素より")].count("\n") + 1
    text.write_text(words.replace("平素より", "① 今だけの特別価格。平素より"), "utf-8")
    done = CliRunner().invoke(app, ["check"])
    assert done.exit_code == 0
    assert "No problems. 2 warnings. In order: 2 products" in done.stdout
    place = f"warning: {PLACE}/emails/restore_drill.txt:{line}: "
    assert [warning.startswith(place) for warning in done.stderr.splitlines()] == [True, True]
    assert "R-001-13" in done.stderr


def test_a_broken_product_has_its_mails_proofread_all_the_same(include: Path):
    product = include / "products/cloud_backup"
    (product / "product.yaml").write_text(
        (product / "product.yaml").read_text("utf-8").replace("to: learning", "to: lerning"), "utf-8"
    )
    append(product / "emails/restore_drill.subject", "{{ lead.nmae }}")
    problems = told(include)
    assert any("there is no segment 'lerning'" in problem for problem in problems)
    assert f"{PLACE}/emails/restore_drill.subject:2: unknown value lead.nmae: did you mean 'name'?" in problems


def test_what_is_wrong_with_the_layout_is_told_once_for_all_mails(include: Path):
    line = append(include / "layout/mail.mjml", "{{ prodct }}")
    assert told(include) == [f"include/layout/mail.mjml:{line}: unknown name 'prodct': did you mean 'product'?"]


def test_the_terms_of_an_email_are_checked_as_every_definition(include: Path):
    emails = include / "products/cloud_backup/emails"
    (emails / "restore_drill.yaml").write_text(
        "expires: 2026-09-30\n"
        "blocks:\n"
        "  - {block: for_it, when: {department: itt}}\n"
        "  - {block: for_it, when: {segmnt: learning}}\n"
    )
    (emails / "design_guide.yaml").write_text("langage: ja\n")
    problems = told(include)
    assert f"{PLACE}/emails/design_guide.yaml:1: langage: unknown key 'langage': did you mean 'language'?" in problems
    assert (
        f"{PLACE}/emails/restore_drill.yaml:4: blocks[1].when: 'segmnt' is not a condition: did you mean 'segment'?"
        in problems
    )
    (emails / "design_guide.yaml").unlink()
    (emails / "restore_drill.yaml").write_text(
        "expires: 2026-09-30\n"
        "blocks:\n"
        "  - {block: for_it, when: {department: itt}}\n"
        "  - {block: for_it, when: {segment: learning}}\n"
    )
    problems = told(include)
    place = f"{PLACE}/emails/restore_drill.yaml:3: blocks[0].when.department: "
    assert [problem for problem in problems if problem.startswith(f"{place}no lead has the department 'itt'")]
    assert (
        f"{PLACE}/emails/restore_drill.yaml:4: blocks[1].block: two blocks are called 'for_it': rename one" in problems
    )
    assert any("nothing shows the block 'for_it'" in problem for problem in problems)
    late = [problem for problem in problems if "is after 2026-09-30, the last day of 'restore_drill'" in problem]
    assert [problem.split(": ")[1] for problem in late] == ["plan[9].date"]


def test_an_email_that_a_definition_names_wrongly_has_its_nearest(include: Path):
    file = include / "products/cloud_backup/scenarios/document_follow_up.yaml"
    file.write_text(file.read_text("utf-8").replace("{email: case_logistics,", "{email: case_logistic,"), "utf-8")
    assert told(include) == [
        f"{PLACE}/scenarios/document_follow_up.yaml:15: journey[0].email: there is no emails/case_logistic.mjml: "
        "did you mean 'case_logistics'?"
    ]
