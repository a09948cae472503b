"""The command `nurture preview`: a mail as its readers see it, as files, in the browser, or in a tester's mailbox."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nurture.cli.run import HomeOption, stack_environment
from nurture.problem import Problem

if TYPE_CHECKING:
    from nurture.definitions.products import Product
    from nurture.emails import Rendered

app = typer.Typer()
# No token of ours: whoever follows it is told that the link is unknown, and nothing changes.
NOBODYS_TOKEN = "test"
MARKS = {"ja": "テスト", "en": "Test"}


@app.command()
def preview(
    product: Annotated[str, typer.Argument(help="The product's folder.")],
    email: Annotated[str, typer.Argument(help="The email's name.")],
    lead: Annotated[int | None, typer.Option(help="As this lead would read it, content blocks included.")] = None,
    name: Annotated[str, typer.Option(help="The reader's name; '' for a reader whose name is unknown.")] = "山田 太郎",
    company: Annotated[str, typer.Option(help="The reader's company; '' for an unknown one.")] = "株式会社見本",
    to: Annotated[Path, typer.Option(help="The folder for the files.")] = Path(".nurture/preview"),
    open_it: Annotated[bool, typer.Option("--open", help="Show it in the browser.")] = False,
    send_to: Annotated[
        str | None, typer.Option(help="Send it, marked as a test, to one of the product's test_recipients.")
    ] = None,
    home: HomeOption = None,
) -> None:
    """Write every variant of a mail as HTML and text, every blank filled; say where, and what is wrong with it."""
    from nurture.emails import distinct, fill, render
    from nurture.proofread import proofread

    defined = _product(product, email)
    _refuse_strangers(defined, send_to)
    values = {"name": name, "company": company}
    if lead is None:
        variants = distinct(defined, email)
    else:
        values, shown = _of_lead(defined, email, lead, home)
        variants = {shown: render(defined, email, shown=shown)}
    receiver = stack_environment(home)["NURTURE_RECEIVER_URL"] if send_to else "https://mail.example"
    values |= {"token": NOBODYS_TOKEN, "unsubscribe_url": f"{receiver.rstrip('/')}/u/{NOBODYS_TOKEN}"}
    for shown, rendered in variants.items():
        mail = fill(rendered, values)
        page = _write(to / product, ".".join((email, *([f"lead_{lead}"] if lead is not None else shown))), mail, shown)
        if open_it:
            typer.launch(page.resolve().as_uri())
        if send_to is not None:
            _send(defined, mail, shown, send_to, stack_environment(home))
    for finding in proofread(defined, email):
        place = "include/" if "/" in finding.part else f"include/products/{product}/emails/{email}."
        typer.echo(f"{place}{finding}", err=True)


def _product(name: str, email: str) -> "Product":
    """Read one product; what is wrong with its scenarios stops no preview of a mail."""
    from nurture.definitions.load import include_root, load_shared, product_folders, read_product
    from nurture.definitions.nearest import instead
    from nurture.definitions.problems import BrokenDefinition

    root = include_root()
    folders = {folder.name: folder for folder in product_folders(root)}
    if name not in folders:
        raise Problem(f"there is no product {name!r}: {instead(name, folders)}")
    product, problems, _ = read_product(folders[name], load_shared(root))
    if product is None:
        raise BrokenDefinition(problems)
    if email not in product.emails:
        of_it = [problem for problem in problems if Path(problem.file).stem == email]
        if of_it:
            raise BrokenDefinition(of_it)
        raise Problem(f"product {name!r} has no email {email!r}: {instead(email, sorted(product.emails))}")
    return product


def _refuse_strangers(product: "Product", address: str | None) -> None:
    from nurture.definitions.nearest import instead

    if address is not None and address.casefold() not in map(str.casefold, product.test_recipients):
        mend = instead(address, product.test_recipients)
        raise Problem(
            f"tests go to test_recipients of include/products/{product.product}/product.yaml alone, and {address} is "
            f"none of them: {mend}"
        )


def _of_lead(
    product: "Product", email: str, lead: int, home: Path | None
) -> tuple[dict[str, str | None], tuple[str, ...]]:
    """Return what the mail says of a lead, and the blocks that it shows them now."""
    from nurture import blocks, db

    with db.engine(stack_environment(home)["NURTURE_DSN"]).connect() as conn:
        reader = blocks.reader(conn, product, email, lead, datetime.now(UTC))
    if reader is None:
        raise Problem(f"there is no lead {lead}")
    return {"name": reader.name, "company": reader.company}, reader.shown


def _write(place: Path, stem: str, mail: "Rendered", shown: tuple[str, ...]) -> Path:
    place.mkdir(parents=True, exist_ok=True)
    html, text = place / f"{stem}.html", place / f"{stem}.txt"
    html.write_text(mail.html, "utf-8")
    text.write_text(f"{mail.subject}\n\n{mail.text}", "utf-8")
    blocks = f"Shows:   {', '.join(shown)}\n" if shown else ""
    typer.echo(f"{blocks}Subject: {mail.subject}\nHTML:    {html}\nText:    {text}")
    return html


def _send(
    product: "Product", mail: "Rendered", shown: tuple[str, ...], address: str, environment: Mapping[str, str]
) -> None:
    """Send a marked test: no ledger, no tracking, no token of anybody's."""
    from nurture.answers import Refused, Unanswered
    from nurture.pipeline import Edges
    from nurture.sendgrid import trial_body

    mark = " ".join((MARKS[mail.language], *shown))
    sender = product.sender
    body = trial_body((sender.name, sender.email), address, f"[{mark}] {mail.subject}", mail.text, mail.html)
    try:
        Edges.of_environment(environment).sendgrid.send(body)
    except Refused as refusal:
        raise Problem(f"the test was not sent: {refusal}") from refusal
    except Unanswered as nobody_knows:
        raise Problem(f"nobody knows whether the test was sent: {nobody_knows}") from nobody_knows
    typer.echo(f"Sent:    [{mark}] to {address}")
