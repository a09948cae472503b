"""The documents: every command, file, link and setting that they name exists, and both READMEs say the same."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer

from nurture.cli.main import app

ROOT = Path(__file__).parents[1]
DOCUMENTS = ("README.md", "README.ja.md", "CHANGELOG.md", *(str(f.relative_to(ROOT)) for f in ROOT.glob("docs/*.md")))
FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PLACEHOLDER = re.compile(r"[<>…]|\bDIR\b")


def text_of(document: str) -> str:
    return (ROOT / document).read_text(encoding="utf-8")


def code_of(document: str) -> list[str]:
    """Return what stands as code: each line of a shell block, and each span between backticks."""
    text = text_of(document)
    lines = [line for language, body in FENCED.findall(text) if language == "sh" for line in body.splitlines()]
    return [*lines, *re.findall(r"`([^`\n]+)`", FENCED.sub("", text))]


def commands_of(document: str, program: str) -> list[list[str]]:
    found = [code.removeprefix(".venv/bin/") for code in code_of(document)]
    return [shlex.split(code)[1:] for code in found if code.startswith(f"{program} ") and "…" not in code]


def known_options(command: Any) -> set[str]:
    return {"--help", *(option for parameter in command.params for option in parameter.opts)}


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_command_of_nurture_exists_with_its_options(document: str):
    for words in commands_of(document, "nurture"):
        said, rest = f"{document}: nurture {' '.join(words)}", list(words)
        command: Any = typer.main.get_command(app)
        while hasattr(command, "commands"):
            name = rest.pop(0) if rest else ""
            assert name in command.commands, f"{said}: there is no {name!r}"
            command = command.commands[name]
        if command.name != "airflow":  # Airflow's own options follow
            unknown = {word for word in rest if word.startswith("--")} - known_options(command)
            assert not unknown, f"{said}: there is no {unknown}"


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_target_of_make_exists(document: str):
    targets = set(re.findall(r"^([a-z][\w-]*):", text_of("Makefile"), flags=re.MULTILINE))
    for words in commands_of(document, "make"):
        assert set(words) <= targets, f"{document}: make {' '.join(words)}"


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_link_and_picture_exists(document: str):
    for target in re.findall(r"\]\(([^)]+)\)", text_of(document)):
        if not target.startswith("https://"):
            file = (ROOT / document).parent / target.split("#")[0]
            assert file.is_file(), f"{document}: {target}"


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_file_of_the_checkout_that_is_named_exists(document: str):
    folders = {"dags", "plugins", "include", "sql", "tests", "docs"}
    for code in code_of(document):
        if code.split("/")[0] in folders and "/" in code and not PLACEHOLDER.search(code):
            assert (ROOT / code).exists(), f"{document}: {code}"


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_setting_that_is_named_is_read_somewhere(document: str):
    code = "".join(file.read_text(encoding="utf-8") for file in (ROOT / "include/nurture").rglob("*.py"))
    for name in set(re.findall(r"\b(?:NURTURE|SENDGRID)_[A-Z_]+\b", text_of(document))):
        assert name in code, f"{document}: {name}"


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_dag_and_crm_property_that_is_named_exists(document: str):
    products = {f"nurture_{folder.name}" for folder in (ROOT / "include/products").iterdir()}
    dags = {file.stem for file in (ROOT / "dags").glob("*.py")}
    code = "".join(file.read_text(encoding="utf-8") for file in (ROOT / "include/nurture").rglob("*.py"))
    for name in re.findall(r"`(nurture_[a-z_]+)`", text_of(document)):
        assert name in products | dags or f'"{name}"' in code, f"{document}: {name}"


def test_both_readmes_have_the_same_headings_code_tables_and_addresses():
    english, japanese = text_of("README.md"), text_of("README.ja.md")
    for what, pattern in {
        "headings": r"^(#+) ",
        "code": r"^```\w*\n(?:.*?)^```$",
        "tables": r"^\|(.*)\|$",
        "lists": r"^(?:-|\d+\.) ",
    }.items():
        found = [re.findall(pattern, text, flags=re.MULTILINE | re.DOTALL) for text in (english, japanese)]
        if what == "tables":
            found = [[row.count("|") for row in rows] for rows in found]
        assert found[0] == found[1], what
    for pattern in (r"https?://[\w./:<>-]*[\w/]", r"`([^`\n]+)`"):
        spans = [set(re.findall(pattern, FENCED.sub("", text))) for text in (english, japanese)]
        assert spans[0] == spans[1], spans[0] ^ spans[1]


def test_a_picture_is_small_enough_for_a_page(root: Path):
    for picture in (root / "docs/images").iterdir():
        assert picture.suffix == ".png"
        assert picture.stat().st_size < 300_000, picture.name
