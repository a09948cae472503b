"""The command `nurture land`: lead files and tables in, and what was wrong with their rows."""

import json
import os
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nurture.cli.stack import HomeOption
from nurture.problem import Problem

if TYPE_CHECKING:
    import sqlalchemy as sa

    from nurture.definitions.sources import SourceDefinition
    from nurture.sources import Landed

app = typer.Typer()


@app.command()
def land(
    path: Annotated[
        str | None, typer.Argument(metavar="FILE|DIR", help="A lead file, or a folder of them; s3:// and the like too.")
    ] = None,
    rejected: Annotated[bool, typer.Option("--rejected", help="List the rows that were rejected, and why.")] = False,
    misspelt: Annotated[
        bool, typer.Option("--misspelt", help="List the addresses that look mistyped, and what they may mean.")
    ] = False,
    as_of: Annotated[str | None, typer.Option(help="When rows without a date happened; now, unless said.")] = None,
    source: Annotated[
        str | None, typer.Option(help="The source: where the file's name does not say it, or one of format sql.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print what a program can read.")] = False,
    home: HomeOption = None,
) -> None:
    """Take lead files in, each once; a file's source is the one whose `files` match its name."""
    from nurture import db
    from nurture.definitions.load import load_sources
    from nurture.stack.parts import dsn_of

    with db.engine(dsn_of(home)).connect() as conn:
        if rejected or misspelt:
            (_list_rejected if rejected else _list_misspelt)(conn, Path(path).name if path else None, as_json)
            return
        at = _moment(as_of) if as_of else datetime.now(UTC)
        sources = load_sources()
        if source is not None and source not in sources:
            from nurture.definitions.nearest import instead

            raise Problem(f"there is no source {source!r}: {instead(source, sorted(sources))}")
        said = _Said(as_json)
        if path is None:
            said.say(_asked(conn, sources.get(source or ""), at, home))
        elif source is None and _is_folder(path):
            from nurture.sources import land_inbox

            counts = land_inbox(conn, sources, path, at, _progress, said.say)
            if counts["skipped"] and not as_json:
                typer.echo(f"{counts['skipped']:,} other files are of no source and were left alone.")
        else:
            said.say(_landed(conn, sources, sources.get(source or ""), path, at))
        said.finish()


def _landed(
    conn: "sa.Connection",
    sources: "dict[str, SourceDefinition]",
    definition: "SourceDefinition | None",
    path: str,
    at: datetime,
) -> "Landed":
    from nurture.sources import land as land_file
    from nurture.sources import source_of

    definition = definition or source_of(sources, path)
    if definition is None:
        known = ", ".join(f"{one.source} ({', '.join(one.files)})" for one in sources.values() if one.files)
        raise Problem(f"no source takes a file called {Path(path).name}; say --source, or rename it: {known}")
    if definition.connection is not None:
        raise Problem(
            f"{definition.source} is of format sql and takes no file: nurture land --source {definition.source}"
        )
    return land_file(conn, definition, path, at, _progress)


def _asked(conn: "sa.Connection", definition: "SourceDefinition | None", at: datetime, home: Path | None) -> "Landed":
    """Land a source of format sql; its Connection stands in the environment, or in that of the local stack."""
    from nurture.cli.run import stack_environment
    from nurture.connections import of_environment
    from nurture.sources import land_query

    if definition is None or definition.connection is None:
        raise Problem("say which file or folder to land (nurture land FILE), or the source of format sql (--source)")
    environment = {**stack_environment(home), **os.environ}
    return land_query(conn, definition, of_environment(environment, definition.connection), at, _progress)


class _Said:
    """What is told as each file ends: a line of text, or of JSON."""

    def __init__(self, as_json: bool) -> None:
        self._as_json = as_json
        self._failed = False

    def say(self, outcome: "Landed | Problem") -> None:
        if isinstance(outcome, Problem):
            self._failed = True
            typer.echo(json.dumps({"problem": str(outcome)}) if self._as_json else f"nurture: {outcome}", err=True)
        else:
            typer.echo(json.dumps(asdict(outcome), ensure_ascii=False) if self._as_json else str(outcome))

    def finish(self) -> None:
        if self._failed:
            sys.exit(1)


def _list_rejected(conn: "sa.Connection", file: str | None, as_json: bool) -> None:
    from nurture.sources import rejections

    found = rejections(conn, file)
    if as_json:
        _print([{**row._asdict(), "raw": _shown(row.raw), "recorded_at": f"{row.recorded_at}"} for row in found])
        return
    for row in found:
        typer.echo(f"{row.file}:{row.line}: {row.reason}: {_shown(row.raw)}")
    typer.echo(f"{len(found):,} rejected." if found else "Nothing was rejected.")


def _list_misspelt(conn: "sa.Connection", file: str | None, as_json: bool) -> None:
    from nurture.sources import misspelt

    found = misspelt(conn, file)
    if as_json:
        _print([row._asdict() for row in found])
        return
    for row in found:
        typer.echo(f"{row.file}:{row.line}: {row.source_key}: {row.address}: {row.proposed}?")
    typer.echo(f"{len(found):,} look mistyped; nothing was changed." if found else "No address looks mistyped.")


def _print(rows: list[dict[str, Any]]) -> None:
    typer.echo(json.dumps(rows, ensure_ascii=False, indent=2))


def _is_folder(path: str) -> bool:
    if "://" not in path:
        return Path(path).is_dir()
    import fsspec

    filesystem, place = fsspec.url_to_fs(path)
    return filesystem.isdir(place)


def _progress(file: str, rows: int) -> None:
    if rows >= 50_000 and sys.stderr.isatty():
        typer.echo(f"\r{file}: {rows:,} rows", err=True, nl=False)


def _moment(text: str) -> datetime:
    from nurture import db

    try:
        return db.moment(text)
    except ValueError as error:
        raise Problem(f"--as-of: {error}") from error


def _shown(raw: bytes) -> str:
    """Return the beginning of a row's bytes with control characters written out: a terminal obeys some of them."""
    text = raw.decode("utf-8", "backslashreplace").strip()[:200]
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text)
