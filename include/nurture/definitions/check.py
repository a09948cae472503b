"""Check: read everything that is defined and say, in one run, everything that is wrong with it.

How an email is proofread is an argument, because rendering stands above the definitions.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from nurture.definitions.load import (
    EMAIL_PARTS,
    load_product,
    load_shared,
    load_sources,
    product_folders,
    shown,
)
from nurture.definitions.nearest import instead
from nurture.definitions.problems import BrokenDefinition, DefinitionProblem
from nurture.definitions.products import Product
from nurture.definitions.reachable import unreachable
from nurture.problem import Problem

_CRON = re.compile(r"^(@(hourly|daily|weekly|monthly|yearly|once)|([0-9A-Za-z*/,#-]+ ){4}[0-9A-Za-z*/,#-]+)$")


class Finding(Protocol):
    """What a proofreader found in one part (`mjml`, `subject`, `txt`) of an email."""

    @property
    def part(self) -> str:
        """The file's suffix without its dot."""
        ...

    @property
    def line(self) -> int:
        """The line, or 0."""
        ...

    @property
    def message(self) -> str:
        """What is wrong, and the mend."""
        ...


Proofread = Callable[[Product, str], Sequence[Finding]]


@dataclass
class Checked:
    """What was looked at: how much of it there is, what is wrong, and what is only worth knowing."""

    products: list[str] = field(default_factory=list)
    scenarios: int = 0
    emails: int = 0
    sources: int = 0
    problems: list[DefinitionProblem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def check(root: Path, proofread: Proofread, product: str | None = None) -> Checked:
    """Check all definitions under `root`, or one product's; raise `Problem` when there is no such product."""
    checked = Checked()
    try:
        shared = load_shared(root)
    except BrokenDefinition as broken:
        checked.problems += broken.problems
        return checked
    try:
        checked.sources = len(load_sources(root))
    except BrokenDefinition as broken:
        checked.problems += broken.problems if product is None else []
    folders = {folder.name: folder for folder in product_folders(root)}
    if product is not None and product not in folders:
        raise Problem(f"there is no product {product!r}: {instead(product, folders)}")
    for name, folder in folders.items():
        if product is not None and name != product:
            continue
        checked.problems += _stray_files(folder, root)
        try:
            loaded = load_product(folder, shared)
        except BrokenDefinition as broken:
            checked.problems += broken.problems
            continue
        checked.problems += _schedule(loaded, folder, root)
        checked.problems += unreachable(loaded, folder, root)
        for email in loaded.emails:
            checked.problems += _proofread(loaded, email, folder, root, proofread)
        checked.notes += _unsent(loaded, folder, root)
        checked.products.append(name)
        checked.scenarios += len(loaded.scenarios)
        checked.emails += len(loaded.emails)
    checked.problems.sort()
    return checked


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
                "nothing reads this file: a product has product.yaml, scenarios/*.yaml, emails/*.mjml, .subject, .txt"
            )
            yield DefinitionProblem(shown(file, root), 0, "", message)


def _schedule(product: Product, folder: Path, root: Path) -> Iterator[DefinitionProblem]:
    if not _CRON.match(product.schedule):
        message = f"{product.schedule!r} is not a cron schedule of five fields, as in '0 9 * * 1-5'"
        yield DefinitionProblem(shown(folder / "product.yaml", root), 0, "schedule", message)


def _proofread(
    product: Product, email: str, folder: Path, root: Path, proofread: Proofread
) -> Iterator[DefinitionProblem]:
    for finding in proofread(product, email):
        file = folder / "emails" / f"{email}.{finding.part}"
        if not file.exists():  # a text that is derived from the MJML
            file = file.with_suffix(".mjml")
        yield DefinitionProblem(shown(file, root), finding.line, "", finding.message)


def _unsent(product: Product, folder: Path, root: Path) -> Iterator[str]:
    sent = {entry.email for entry in product.plan}
    sent |= {step.email for scenario in product.scenarios.values() for step in scenario.emails()}
    for email in sorted(set(product.emails) - sent):
        yield f"{shown(folder / 'emails' / f'{email}.mjml', root)}: no scenario and no plan entry sends it yet"
