"""The command `nurture preview`: one mail as one reader sees it, as files."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()


@app.command()
def preview(
    product: Annotated[str, typer.Argument(help="The product's folder.")],
    email: Annotated[str, typer.Argument(help="The email's name.")],
    name: Annotated[str, typer.Option(help="The reader's name; '' for a reader whose name is unknown.")] = "山田 太郎",
    company: Annotated[str, typer.Option(help="The reader's company.")] = "株式会社見本",
    to: Annotated[Path, typer.Option(help="The folder for the files.")] = Path(".nurture/preview"),
) -> None:
    """Write a mail's HTML and text, every blank filled, and say where."""
    from nurture.definitions.load import include_root, load_product, load_shared, product_folders
    from nurture.definitions.nearest import instead
    from nurture.emails import fill, render
    from nurture.problem import Problem

    root = include_root()
    folders = {folder.name: folder for folder in product_folders(root)}
    if product not in folders:
        raise Problem(f"there is no product {product!r}: {instead(product, folders)}")
    loaded = load_product(folders[product], load_shared(root))
    url = "https://mail.example/u/preview"
    values = {"name": name, "company": company, "token": "preview", "unsubscribe_url": url}
    mail = fill(render(loaded, email), values)
    place = to / product
    place.mkdir(parents=True, exist_ok=True)
    html, text = place / f"{email}.html", place / f"{email}.txt"
    html.write_text(mail.html, "utf-8")
    text.write_text(f"{mail.subject}\n\n{mail.text}", "utf-8")
    typer.echo(f"Subject: {mail.subject}\nHTML:    {html}\nText:    {text}")
