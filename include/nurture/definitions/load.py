"""Loading: folders of YAML and mails become products, and a broken one stops nobody else's.

It is light on purpose: the DAG factory calls it at every parse (budget: 50 products in 2 s).
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from pydantic import ValidationError

from nurture.definitions.model import Model
from nurture.definitions.nearest import instead
from nurture.definitions.problems import BrokenDefinition, DefinitionProblem, Document, problems_of
from nurture.definitions.products import Company, EmailTemplate, EmailTerms, Product, Scenario, TargetDefinition
from nurture.definitions.references import REGIONS, Names, circles, expired, of_email, of_product, of_scenario
from nurture.definitions.sources import SourceDefinition
from nurture.definitions.vocabulary import Vocabulary
from nurture.definitions.yaml12 import NotReadable, read
from nurture.problem import Problem

ModelT = TypeVar("ModelT", bound=Model)
EMAIL_PARTS = (".mjml", ".subject", ".txt", ".yaml")
PRESETS = Path(__file__).parent / "presets"  # sources as well-known services export them


@dataclass(frozen=True)
class Shared:
    """What every product of a company builds on, read once."""

    root: Path
    company: Company
    sources: frozenset[str]
    layout: dict[str, str]
    words: dict[str, frozenset[str]]


@dataclass
class Loaded:
    """Every product that is in order, and what is wrong with each that is not (by the folder's name)."""

    company: Company
    products: dict[str, Product] = field(default_factory=dict)
    problems: dict[str, list[DefinitionProblem]] = field(default_factory=dict)


class Reading(NamedTuple):
    """One product folder as it was read: the product or None, what is wrong, product.yaml ("") and the scenarios."""

    product: Product | None
    problems: list[DefinitionProblem]
    pages: dict[str, Document]


def include_root() -> Path:
    """Return the folder that holds company.yaml, products/ and sources/: NURTURE_INCLUDE, else the checkout's."""
    named = os.environ.get("NURTURE_INCLUDE")
    return Path(named).resolve() if named else Path(__file__).resolve().parents[2]


def load_products(root: Path | None = None) -> Loaded:
    """Load every product folder under `root`/products; raise `BrokenDefinition` only for company.yaml."""
    shared = load_shared(root)
    loaded = Loaded(company=shared.company)
    for folder in product_folders(shared.root):
        try:
            loaded.products[folder.name] = load_product(folder, shared)
        except BrokenDefinition as broken:
            loaded.problems[folder.name] = broken.problems
    return loaded


def load_shared(root: Path | None = None) -> Shared:
    """Load what products share; raise `BrokenDefinition` for company.yaml.

    Of the sources only the names are read: a broken source stops no product.
    """
    root = root or include_root()
    return Shared(
        root=root,
        company=load_company(root),
        sources=frozenset(file.stem for file in (root / "sources").glob("*.yaml")),
        layout={file.name: file.read_text("utf-8") for file in sorted((root / "layout").glob("*.*"))},
        words=_words(root / "vocabulary.yaml", root),
    )


def load_product(folder: Path, shared: Shared) -> Product:
    """Load one product folder; raise `BrokenDefinition` with everything that is wrong in it."""
    read = read_product(folder, shared)
    if read.product is None or read.problems:
        raise BrokenDefinition(read.problems)
    return read.product


def read_product(folder: Path, shared: Shared) -> Reading:
    """Read one product folder, as far as it can be read (to find more in it)."""
    root = shared.root
    problems: list[DefinitionProblem] = []
    product, page = _read(folder / "product.yaml", root, Product, problems)
    data = page.data if page is not None and isinstance(page.data, dict) else None
    segments = data.get("segments") if data is not None else None
    names = Names(
        emails={file.stem for file in (folder / "emails").glob("*") if file.suffix in EMAIL_PARTS},
        scenarios={file.stem for file in (folder / "scenarios").glob("*.yaml")},
        segments=None if data is None else set(segments) if isinstance(segments, dict) else set(),
        sources=set(shared.sources),
        calendars=set(shared.company.calendars),
        words=shared.words,
    )
    scenarios: dict[str, Scenario] = {}
    pages: dict[str, Document] = {}
    for file in sorted((folder / "scenarios").glob("*.yaml")):
        scenario, scenario_page = _read(file, root, Scenario, problems)
        if scenario is not None and scenario_page is not None:
            scenarios[file.stem], pages[file.stem] = scenario, scenario_page
            problems.extend(_called_as(file.stem, "scenario", scenario.scenario, scenario_page))
            problems.extend(of_scenario(scenario, scenario_page, names, product.target if product else None))
    emails = _emails(folder / "emails", root, problems, names, product.target if product else None)
    if product is not None and page is not None:
        problems.extend(_called_as(folder.name, "product", product.product, page))
        problems.extend(of_product(product, page, names))
        product = product.model_copy(update={"scenarios": scenarios, "emails": emails, "layout": shared.layout,
            "selling_words": tuple(shared.company.selling_words)})  # fmt: skip
        problems.extend(expired(product, page))
        pages[""] = page
        problems.extend(circles(product, pages))
    return Reading(product, problems, pages)


def load_company(root: Path | None = None) -> Company:
    """Load company.yaml; raise `BrokenDefinition`."""
    root = root or include_root()
    problems: list[DefinitionProblem] = []
    company, _ = _read(root / "company.yaml", root, Company, problems)
    if company is None:
        raise BrokenDefinition(problems)
    return company


def load_sources(root: Path | None = None) -> dict[str, SourceDefinition]:
    """Load every sources/*.yaml by name; raise `BrokenDefinition` with everything that is wrong in any."""
    root = root or include_root()
    problems: list[DefinitionProblem] = []
    sources: dict[str, SourceDefinition] = {}
    for file in sorted((root / "sources").glob("*.yaml")):
        source, page = _read(file, root, SourceDefinition, problems, complete=_with_preset)
        if source is None or page is None:
            continue
        problems.extend(_called_as(file.stem, "source", source.source, page))
        sources[file.stem] = source
    if problems:
        raise BrokenDefinition(problems)
    return sources


def load_vocabulary(root: Path | None = None) -> Vocabulary:
    """Load vocabulary.yaml, the shipped one where the folder has none; raise `BrokenDefinition`."""
    root = root or include_root()
    if not (root / "vocabulary.yaml").exists():
        root = Path(__file__).resolve().parents[2]
    problems: list[DefinitionProblem] = []
    vocabulary, _ = _read(root / "vocabulary.yaml", root, Vocabulary, problems)
    if vocabulary is None:
        raise BrokenDefinition(problems)
    return vocabulary


def product_folders(root: Path) -> Iterator[Path]:
    """Yield the product folders, by name; a name that begins with a dot or an underscore is none."""
    products = root / "products"
    if not products.is_dir():
        raise Problem(f"{products} is not there: set NURTURE_INCLUDE to the folder that holds products/")
    for folder in sorted(products.iterdir()):
        if folder.is_dir() and not folder.name.startswith((".", "_")):
            yield folder


def shown(file: Path, root: Path) -> str:
    """Return a file's name as problems say it: `include/products/...`."""
    return file.relative_to(root.parent).as_posix()


def _with_preset(said: dict[str, Any]) -> dict[str, Any]:
    """Return what a source says on top of its preset: key by key in columns and the like, where null takes one out."""
    if "preset" not in said:
        return said
    own = {key: value for key, value in said.items() if key != "preset"}
    known = sorted(file.stem for file in PRESETS.glob("*.yaml"))
    if said["preset"] not in known:
        raise Problem(f"there is no preset {said['preset']!r}: {instead(str(said['preset']), known)}")
    preset = read((PRESETS / f"{said['preset']}.yaml").read_text("utf-8"))
    for key in ("columns", "headings", "first_touch"):
        if isinstance(own.get(key), dict):
            both = {**preset.get(key, {}), **own[key]}
            own[key] = {name: value for name, value in both.items() if value is not None}
    return {**preset, **own}


def _read(
    file: Path,
    root: Path,
    model: type[ModelT],
    problems: list[DefinitionProblem],
    complete: Callable[[dict[str, Any]], dict[str, Any]] = dict,
) -> tuple[ModelT | None, Document | None]:
    """Read one YAML file into a model, completed by what it builds on; what is wrong is added to `problems`."""
    text = _text(file, root, problems)
    if text is None:
        return None, None
    try:
        document = Document(shown(file, root), text, read(text))
    except NotReadable as error:
        problems.append(DefinitionProblem(shown(file, root), error.line, "", str(error)))
        return None, None
    if not isinstance(document.data, dict):
        problems.append(DefinitionProblem(shown(file, root), 1, "", "the file must be a mapping of keys"))
        return None, document
    try:
        document = replace(document, data=complete(document.data))
        return model.model_validate(document.data), document
    except Problem as problem:
        problems.append(document.problem(("preset",), str(problem)))
        return None, document
    except ValidationError as error:
        problems.extend(problems_of(document, model, error))
        return None, document


def _called_as(name: str, key: str, said: str, page: Document) -> Iterator[DefinitionProblem]:
    if said != name:
        yield page.problem((key,), f"a {key} is called as its place in the folder: {name!r}, not {said!r}")


def _words(file: Path, root: Path) -> dict[str, frozenset[str]]:
    """Return the words that a condition may ask of an attribute, by attribute; nothing where there is no file."""
    if not file.exists():
        return {}
    try:
        vocabulary = read(file.read_text("utf-8"))
    except NotReadable as error:
        raise BrokenDefinition([DefinitionProblem(shown(file, root), error.line, "", str(error))]) from error
    lists = {"industry": "industries", "department": "departments", "title": "titles"}
    words = {attribute: frozenset(vocabulary.get(name, {})) - {""} for attribute, name in lists.items()}
    return {**words, "region": frozenset(REGIONS)}


def _text(file: Path, root: Path, problems: list[DefinitionProblem]) -> str | None:
    try:
        return file.read_text("utf-8-sig")
    except FileNotFoundError:
        message = "is not there"
    except UnicodeDecodeError as error:
        message = f"is not UTF-8 (byte {error.start + 1}): save it as UTF-8"
    problems.append(DefinitionProblem(shown(file, root), 0, "", message))
    return None


def _emails(
    folder: Path, root: Path, problems: list[DefinitionProblem], names: Names, target: TargetDefinition | None
) -> dict[str, EmailTemplate]:
    """Read a product's mails: `x.mjml` and `x.subject` make one, `x.txt` may say its plain text, `x.yaml` its terms."""
    emails: dict[str, EmailTemplate] = {}
    for name in sorted({file.stem for file in folder.glob("*") if file.suffix in EMAIL_PARTS}):
        parts: dict[str, Any] = {}
        terms, page = EmailTerms(), None
        if (folder / f"{name}.yaml").exists():
            terms, page = _read(folder / f"{name}.yaml", root, EmailTerms, problems)
        if terms is None:
            continue
        if page is not None:
            problems.extend(of_email(terms, page, names, target))
        for suffix in (".mjml", ".subject", ".txt"):
            file = folder / f"{name}{suffix}"
            if suffix == ".txt" and not file.exists():
                continue
            text = _text(file, root, problems)
            if text is not None:
                parts[suffix] = text
        if ".mjml" not in parts or ".subject" not in parts:
            continue
        subject = parts[".subject"].removesuffix("\n").removesuffix("\r")
        try:
            emails[name] = EmailTemplate(
                email=name, subject=subject, mjml=parts[".mjml"], text=parts.get(".txt", ""), terms=terms
            )
        except ValidationError as error:
            file = shown(folder / f"{name}.mjml", root)
            problems.extend(DefinitionProblem(file, 0, "", f"{name!r} {_plain(detail)}") for detail in error.errors())
    return emails


def _plain(detail: Any) -> str:
    if detail["type"] == "string_pattern_mismatch":
        return "is not a name: small letters, digits and _, beginning with a letter"
    return detail["msg"]
