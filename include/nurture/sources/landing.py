"""Landing: a file's rows become source records, once by content; a file lands whole or not at all.

A row that is broken is kept with its line, its reason and its bytes while the others land (N8).
"""

import hashlib
import io
import posixpath
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from itertools import islice
from typing import NamedTuple

import fsspec
import sqlalchemy as sa

from nurture import db
from nurture.definitions.sources import SourceDefinition
from nurture.definitions.vocabulary import Vocabulary, load_vocabulary
from nurture.problem import Problem
from nurture.sources import files
from nurture.sources.records import Reader, Refused

ROWS = 10_000  # rows that are read before they are written; about 30 MB
_IN_PROGRESS = (".", "~$")
_UNFINISHED = (".tmp", ".part", ".crdownload")

Progress = Callable[[str, int], None]  # the file's name and its rows so far


@dataclass(frozen=True)
class Landed:
    """What a file gave: new records, rows that were known already, rows that were rejected."""

    source: str
    file: str
    landed: int
    unchanged: int
    rejected: int
    taken_before: bool = False

    def __str__(self) -> str:
        """Say it as the command line does."""
        if self.taken_before:
            return f"{self.file}: taken before; 0 landed"
        parts = [f"{self.landed:,} landed"]
        if self.unchanged:
            parts.append(f"{self.unchanged:,} unchanged")
        parts.append(f"{self.rejected:,} rejected" + (" (nurture land --rejected)" if self.rejected else ""))
        return f"{self.file}: {', '.join(parts)}"


class Rejection(NamedTuple):
    """A row that was rejected, with its bytes."""

    source: str
    file: str
    line: int
    reason: str
    raw: bytes
    recorded_at: datetime


def land(
    conn: sa.Connection,
    definition: SourceDefinition,
    path: str,
    as_of: datetime,
    progress: Progress | None = None,
    vocabulary: Vocabulary | None = None,
) -> Landed:
    """Take one file in (an fsspec path: local, s3://, gs://) in one transaction, and commit it.

    A row happened at its own date column, else at `as_of`. Raise Problem, with nothing landed, when the file cannot
    be read or lacks a column that the definition names.
    """
    file = posixpath.basename(str(path).replace("\\", "/"))
    try:
        with _opened(path, file) as stream:
            landed = _land(conn, definition, file, stream, as_of, progress, vocabulary or load_vocabulary())
    except BaseException:
        conn.rollback()
        raise
    conn.commit()
    return landed


def land_inbox(
    conn: sa.Connection,
    sources: Mapping[str, SourceDefinition],
    inbox: str,
    as_of: datetime,
    progress: Progress | None = None,
    report: Callable[[Landed | Problem], None] | None = None,
) -> dict[str, int]:
    """Take in every file of a folder that a source names, in the order of their names; return counts.

    A file that cannot be read stops no other: it is reported, counted as unreadable, and tried again next time.
    """
    counts = {"files": 0, "landed": 0, "unchanged": 0, "rejected": 0, "unreadable": 0}
    for path in _files_of(inbox):
        definition = source_of(sources, path)
        if definition is None:
            continue
        try:
            outcome = land(conn, definition, path, as_of, progress)
        except Problem as problem:
            counts["unreadable"] += 1
            outcome = problem
        else:
            counts["files"] += not outcome.taken_before
            counts["landed"] += outcome.landed
            counts["unchanged"] += outcome.unchanged
            counts["rejected"] += outcome.rejected
        if report is not None:
            report(outcome)
    return counts


def source_of(sources: Mapping[str, SourceDefinition], path: str) -> SourceDefinition | None:
    """Return the source whose `files` match the file's name, or None; of several, the one that says most of it."""
    file = posixpath.basename(str(path).replace("\\", "/"))
    matches = [
        (len(pattern.replace("*", "")), definition.source)
        for definition in sources.values()
        for pattern in definition.files
        if fnmatchcase(file.lower(), pattern.lower())
    ]
    return sources[max(matches)[1]] if matches else None


def rejections(conn: sa.Connection, file: str | None = None, at_most: int = 1_000) -> list[Rejection]:
    """Return rejected rows, newest file first; of one file's name or of any."""
    found = db.run(conn, db.statements("sources").rejections, file=file, at_most=at_most)
    return [Rejection(row.source, row.file, row.line, row.reason, bytes(row.raw), row.recorded_at) for row in found]


def _land(
    conn: sa.Connection,
    definition: SourceDefinition,
    file: str,
    stream: io.BufferedReader,
    as_of: datetime,
    progress: Progress | None,
    vocabulary: Vocabulary,
) -> Landed:
    sql = db.statements("sources")
    digest = hashlib.file_digest(stream, "sha256").hexdigest()
    begun = {"source": definition.source, "content_hash": digest}
    landing_id = db.run(conn, sql.begin_landing, file=file, as_of=as_of, **begun).scalar()
    if landing_id is None:
        earlier = db.run(conn, sql.earlier_landing, **begun).one()
        return Landed(definition.source, file, 0, earlier.landed_count, 0, taken_before=True)
    table = _table(definition, stream, file)
    reader = Reader(definition, vocabulary, table.columns)
    db.run(conn, sql.create_arriving)
    constants = {
        "source": definition.source, "landing_id": landing_id, "precedence": definition.precedence,
        "channel": definition.channel, "as_of": as_of,
    }  # fmt: skip

    def write(lines: list[bytes], broken: list[files.Broken]) -> int:
        with db.cursor(conn) as cursor:
            cursor.copy_expert(sql.copy_arriving, io.BytesIO(b"".join(lines)))
        landed = db.count(conn, sql.insert_records, **constants)
        db.run(conn, sql.empty_arriving)
        rejected = ((landing_id, definition.source, file, row.line, row.reason, row.raw) for row in broken)
        db.insert_values(conn, sql.insert_rejected, rejected)
        return landed

    # While PostgreSQL takes a chunk in, the next one is read: one thread writes, never two at a time.
    landed = unchanged = rejected = 0
    with ThreadPoolExecutor(1, "landing") as writer:
        under_way: Future[int] | None = None
        rows = iter(table.rows)
        while chunk := list(islice(rows, ROWS)):
            lines, broken = _read(reader, chunk)
            if under_way is not None:
                landed += under_way.result()
            under_way = writer.submit(write, lines, broken)
            unchanged += len(lines)
            rejected += len(broken)
            if progress is not None:
                progress(file, unchanged + rejected)
        if under_way is not None:
            landed += under_way.result()
    db.run(conn, sql.finish_landing, landed=landed, rejected=rejected, landing_id=landing_id)
    return Landed(definition.source, file, landed, unchanged - landed, rejected)


def _read(reader: Reader, rows: Iterable[files.Row | files.Broken]) -> tuple[list[bytes], list[files.Broken]]:
    """Return the rows as lines for COPY, and those that are none."""
    lines: list[bytes] = []
    broken: list[files.Broken] = []
    for row in rows:
        if isinstance(row, files.Broken):
            broken.append(row)
            continue
        try:
            record = reader.read(row.values)
        except Refused as refused:
            if reason := str(refused):
                broken.append(files.Broken(row.line, reason, row.raw))
            continue
        content = hashlib.blake2b(row.payload, digest_size=16).hexdigest()
        before = f"{row.line}\x02{record.source_key}\x02{content}".encode()
        after = f"{record.occurred_at or ''}\n".encode()
        lines.append(b"\x02".join((before, row.payload, record.fields, record.keys, record.facts, after)))
    return lines, broken


def _table(definition: SourceDefinition, stream: io.BufferedReader, file: str) -> files.Table:
    optional = set(definition.optional)
    named = definition.named_columns()
    columns = files.Columns(named, [column for column in named if column not in optional])
    stream.seek(0)
    if definition.format == "xlsx":
        return files.open_xlsx(stream, columns, file)
    if definition.format == "jsonl":
        return files.open_jsonl(stream, columns, file)
    encoding = definition.encoding
    if encoding is None:
        encoding = files.detect_encoding(stream)
        stream.seek(0)
    return files.open_csv(stream, encoding, columns, file)


@contextmanager
def _opened(path: str, file: str) -> Iterator[io.BufferedReader]:
    try:
        filesystem, place = fsspec.url_to_fs(str(path))
        with filesystem.open(place, "rb") as stream:
            yield files.buffered(stream)
    except OSError as error:
        raise Problem(f"{file} cannot be read: {error.strerror or error}") from error


def _files_of(inbox: str) -> list[str]:
    """Return the folder's files by name, without those that are still being written."""
    filesystem, place = fsspec.url_to_fs(str(inbox))
    try:
        found = filesystem.ls(place, detail=True)
    except OSError as error:
        raise Problem(f"{inbox} cannot be read: {error.strerror or error}") from error
    names = sorted(entry["name"] for entry in found if entry["type"] == "file")
    return [
        filesystem.unstrip_protocol(name)
        for name in names
        if not posixpath.basename(name).startswith(_IN_PROGRESS) and not name.endswith(_UNFINISHED)
    ]
