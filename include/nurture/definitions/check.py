"""Check: read everything that is defined and say, in one run, everything that is wrong with it.

How an email is proofread is an argument, because rendering stands above the definitions.
"""

import datetime as dt
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Protocol

from nurture.collecting import without_collecting
from nurture.definitions import changes, forms, plan_lints
from nurture.definitions.load import (
    EMAIL_PARTS,
    Shared,
    load_shared,
    load_sources,
    load_vocabulary,
    product_folders,
    read_product,
    shown,
)
from nurture.definitions.nearest import instead
from nurture.definitions.past import Past
from nurture.definitions.problems import BrokenDefinition, DefinitionProblem, Document
from nurture.definitions.products import Product
from nurture.definitions.reachable import unreachable
from nurture.definitions.spread import spread
from nurture.problem import Problem

_CRON = re.compile(r"^(@(hourly|daily|weekly|monthly|yearly|once)|([0-9A-Za-z*/,#-]+ ){4}[0-9A-Za-z*/,#-]+)$")


class Finding(Protocol):
    """What a proofreader found in one file of an email."""

    @property
    def part(self) -> str:
        """The suffix of the email's file without its dot, or another file under include/."""
        ...

    @property
    def line(self) -> int:
        """The line, or 0."""
        ...

    @property
    def message(self) -> str:
        """What is wrong, and the mend."""
        ...

    @property
    def is_warning(self) -> bool:
        """Whether it is for a person to weigh, and stops nothing."""
        ...

    @property
    def path(self) -> tuple[str | int, ...]:
        """Where it is in a YAML file, or nothing."""
        ...


Proofread = Callable[[Product, str], Sequence[Finding]]


@dataclass
class Checked:
    """What was looked at: how much of it there is, what is wrong, what is to be weighed, what is worth knowing."""

    products: list[str] = field(default_factory=list)
    scenarios: int = 0
    emails: int = 0
    sources: int = 0
    problems: list[DefinitionProblem] = field(default_factory=list)
    warnings: list[DefinitionProblem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@without_collecting()
def check(
    root: Path, proofread: Proofread, product: str | None = None, *,
    today: dt.date, past_of: Callable[[Product], Past] | None = None,
) -> Checked:  # fmt: skip
    """Check all definitions under `root`, or one product's; raise `Problem` when there is no such product.

    `past_of` tells what has run of a product; None when there is no database to ask.
    """
    checked = Checked()
    try:
        shared = load_shared(root)
    except BrokenDefinition as broken:
        checked.problems += broken.problems
        return checked
    known: set[str] = set()
    try:
        sources = load_sources(root)
        checked.sources = len(sources)
        known = {form for source in sources.values() for form in forms.of_source(source)}
    except BrokenDefinition as broken:
        checked.problems += broken.problems if product is None else []
    try:
        load_vocabulary(root)
    except BrokenDefinition as broken:
        checked.problems += broken.problems
    folders = {folder.name: folder for folder in product_folders(root)}
    if product is not None and product not in folders:
        raise Problem(f"there is no product {product!r}: {instead(product, folders)}")
    asked = [folder for name, folder in folders.items() if product in (None, name)]
    for looked in spread(partial(_look, shared, proofread, frozenset(known)), asked):
        checked.problems += looked.problems
        checked.warnings += looked.warnings
        loaded = looked.product
        if loaded is None:
            continue
        past = past_of(loaded) if past_of is not None else None
        for found, is_warning in _journeys_and_plan(loaded, looked.pages, today, past):
            (checked.warnings if is_warning else checked.problems).append(found)
        checked.notes += looked.notes
        checked.products.append(loaded.product)
        checked.scenarios += len(loaded.scenarios)
        checked.emails += len(loaded.emails)
    checked.problems = sorted(set(checked.problems))  # what is wrong with the layout is so for every email
    checked.warnings = sorted(set(checked.warnings))
    return checked


@dataclass
class _Looked:
    """What one product's folder alone says; the product is None when something in it cannot be read."""

    product: Product | None
    pages: dict[str, Document]
    problems: list[DefinitionProblem]
    warnings: list[DefinitionProblem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def _look(shared: Shared, proofread: Proofread, known_forms: frozenset[str], folder: Path) -> _Looked:
    """Read a product's folder with its mails."""
    root = shared.root
    loaded, broken, pages = read_product(folder, shared)
    looked = _Looked(None if broken else loaded, pages, [*_stray_files(folder, root), *broken])
    if loaded is None:
        return looked
    looked.problems += _schedule(loaded, pages[""])
    for email in loaded.emails:
        for problem, is_warning in _proofread(loaded, email, folder, root, proofread):
            (looked.warnings if is_warning else looked.problems).append(problem)
    if looked.product is not None:
        looked.problems += unreachable(loaded, pages)
        looked.warnings += forms.misspelt(loaded, pages, known_forms)
        looked.notes += _unsent(loaded, folder, root)
    return looked


def _stray_files(folder: Path, root: Path) -> Iterator[DefinitionProblem]:
    """Find the files that nothing reads: somebody's work that does not happen."""
    for file in sorted(file for file in folder.rglob("*") if file.is_file()):
        if file.name.startswith(".") or file.suffix == ".md":
            continue
        place = file.relative_to(folder).parent.as_posix()
        belongs = (
            file.name == "product.yaml" if place == "."
            else file.suffix == ".yaml" if place == "scenarios"
            else file.suffix in EMAIL_PARTS if place == "emails"
            else False
        )  # fmt: skip
        if not belongs:
            message = (
                "nothing reads this file: a product has product.yaml, scenarios/*.yaml, "
                "emails/*.mjml, .subject, .txt, .yaml"
            )
            yield DefinitionProblem(shown(file, root), 0, "", message)


def _schedule(product: Product, page: Document) -> Iterator[DefinitionProblem]:
    if not _CRON.match(product.schedule):
        message = f"{product.schedule!r} is not a cron schedule of five fields, as in '0 9 * * 1-5'"
        yield page.problem(("schedule",), message)


def _proofread(
    product: Product, email: str, folder: Path, root: Path, proofread: Proofread
) -> Iterator[tuple[DefinitionProblem, bool]]:
    """Yield what a proofreader finds, and whether it is a warning."""
    for finding in proofread(product, email):
        file = root / finding.part if "/" in finding.part else folder / "emails" / f"{email}.{finding.part}"
        if not file.exists():  # a text that is derived from the MJML
            file = file.with_suffix(".mjml")
        if finding.path:
            problem = Document(shown(file, root), file.read_text("utf-8"), None).problem(finding.path, finding.message)
        else:
            problem = DefinitionProblem(shown(file, root), finding.line, "", finding.message)
        yield problem, finding.is_warning


def _journeys_and_plan(
    product: Product, pages: Mapping[str, Document], today: dt.date, past: Past | None
) -> Iterator[tuple[DefinitionProblem, bool]]:
    """Yield what is wrong with changes and dates, and whether it is a warning."""
    page = pages[""]
    for name, scenario in product.scenarios.items():
        if past is not None:
            yield from ((found, False) for found in changes.of_scenario(scenario, pages[name], past))
    if past is not None:
        yield from ((found, False) for found in changes.of_plan(product, page, past))
    for path, message, is_warning in plan_lints.lint(product, today, past):
        if path[0] == "scenarios":
            yield pages[str(path[1])].problem(("journey",), message), is_warning
        else:
            yield page.problem(path, message), is_warning


def _unsent(product: Product, folder: Path, root: Path) -> Iterator[str]:
    sent = {entry.email for entry in product.plan}
    sent |= {step.email for scenario in product.scenarios.values() for step in scenario.emails()}
    for email in sorted(set(product.emails) - sent):
        yield f"{shown(folder / 'emails' / f'{email}.mjml', root)}: no scenario and no plan entry sends it yet"
