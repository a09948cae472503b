"""The command `nurture land`: lead files in, and what was wrong with their rows."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from nurture.cli.stack import HomeOption

app = typer.Typer()


@app.command()
def land(
    path: Annotated[str | None, typer.Argument(metavar="FILE|DIR", help="A lead file, or a folder of them.")] = None,
    rejected: Annotated[bool, typer.Option("--rejected", help="List the rows that were rejected, and why.")] = False,
    as_of: Annotated[str | None, typer.Option(help="When rows without a date happened; now, unless said.")] = None,
    source: Annotated[str | None, typer.Option(help="The source, where the file's name does not say it.")] = None,
    home: HomeOption = None,
) -> None:
    """Take lead files in, each once; a file's source is the one whose `files` match its name."""
    from nurture import db
    from nurture.definitions.load import load_sources
    from nurture.definitions.nearest import instead
    from nurture.problem import Problem
    from nurture.sources import land as land_file
    from nurture.sources import land_inbox, rejections, source_of
    from nurture.stack.parts import dsn_of

    engine = db.engine(dsn_of(home))
    if rejected:
        with engine.connect() as conn:
            found = rejections(conn, Path(path).name if path else None)
        for row in found:
            typer.echo(f"{row.file}:{row.line}: {row.reason}: {_shown(row.raw)}")
        typer.echo(f"{len(found):,} rejected." if found else "Nothing was rejected.")
        return
    if path is None:
        raise Problem("say which file or folder to land: nurture land FILE")
    at = _moment(as_of) if as_of else datetime.now(UTC)
    sources = load_sources()
    with engine.connect() as conn:
        if "://" not in path and Path(path).is_dir():
            unreadable = land_inbox(conn, sources, path, at, _progress, _report)["unreadable"]
            if unreadable:
                sys.exit(1)
            return
        if source is not None and source not in sources:
            raise Problem(f"there is no source {source!r}: {instead(source, sorted(sources))}")
        definition = sources[source] if source else source_of(sources, path)
        if definition is None:
            known = ", ".join(f"{one.source} ({', '.join(one.files)})" for one in sources.values())
            raise Problem(f"no source takes a file called {Path(path).name}; say --source, or rename it: {known}")
        _report(land_file(conn, definition, path, at, _progress))


def _report(outcome: object) -> None:
    if isinstance(outcome, Exception):
        typer.echo(f"nurture: {outcome}", err=True)
    else:
        typer.echo(str(outcome))


def _progress(file: str, rows: int) -> None:
    if rows >= 50_000 and sys.stderr.isatty():
        typer.echo(f"\r{file}: {rows:,} rows", err=True, nl=False)


def _moment(text: str) -> datetime:
    from nurture import db
    from nurture.problem import Problem

    try:
        return db.moment(text)
    except ValueError as error:
        raise Problem(f"--as-of: {error}") from error


def _shown(raw: bytes) -> str:
    """Return the beginning of a row's bytes with control characters written out: a terminal obeys some of them."""
    text = raw.decode("utf-8", "backslashreplace").strip()[:200]
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text)
