"""Landing: rows become source records, once by content; a file or a query lands whole or not at all.

A row that is broken is kept with its line, its reason and its bytes while the others land (N8).
"""

import hashlib
import io
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import NamedTuple

import sqlalchemy as sa

from nurture import db
from nurture.collecting import without_collecting
from nurture.definitions.model import hash_of
from nurture.definitions.sources import SourceDefinition
from nurture.definitions.vocabulary import Vocabulary
from nurture.sources import files
from nurture.sources.records import Reader, Refused

ROWS = 10_000  # rows that are read before they are written; about 30 MB

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
    read_anew: bool = False  # taken before, and read again because its source's definition has changed

    def __str__(self) -> str:
        """Say it as the command line does."""
        if self.taken_before:
            return f"{self.file}: taken before; 0 landed"
        parts = [f"{self.landed:,} landed"]
        if self.unchanged:
            parts.append(f"{self.unchanged:,} unchanged")
        parts.append(f"{self.rejected:,} rejected" + (" (nurture land --rejected)" if self.rejected else ""))
        return f"{self.file}: {'read anew: ' if self.read_anew else ''}{', '.join(parts)}"


class Rejection(NamedTuple):
    """A row that was rejected, with its bytes."""

    source: str
    file: str
    line: int
    reason: str
    raw: bytes
    recorded_at: datetime


@dataclass(frozen=True)
class Arrival:
    """What is to land: of which source, called what, known by which content, read in which words, and when."""

    definition: SourceDefinition
    file: str
    content_hash: str
    vocabulary: Vocabulary
    as_of: datetime


def reading_of(definition: SourceDefinition, vocabulary: Vocabulary) -> str:
    """Return a hash of all that decides how a source's rows are read."""
    return hash_of([definition.reading_hash(), vocabulary.hash()])


def take_in(
    conn: sa.Connection, arrival: Arrival, open_table: Callable[[], files.Table], progress: Progress | None = None
) -> Landed:
    """Land what arrives in the transaction that is open; what was taken before, read as now, is not opened."""
    sql = db.statements("sources")
    definition, file = arrival.definition, arrival.file
    reading = reading_of(definition, arrival.vocabulary)
    db.run(conn, sql.lock_source, source=definition.source)
    landing = db.run(
        conn, sql.begin_landing, source=definition.source, file=file, content_hash=arrival.content_hash,
        reading_hash=reading, as_of=arrival.as_of,
    ).one_or_none()  # fmt: skip
    if landing is None:
        return Landed(definition.source, file, 0, 0, 0, taken_before=True)
    table = open_table()
    reader = Reader(definition, arrival.vocabulary, table.columns)
    db.run(conn, sql.create_arriving)
    if landing.was_taken:
        db.run(conn, sql.forget_rejected, landing_id=landing.landing_id)
    constants = {
        "source": definition.source, "landing_id": landing.landing_id, "precedence": definition.precedence,
        "channel": definition.channel, "as_of": landing.as_of,
    }  # fmt: skip

    def write(lines: list[bytes], broken: list[files.Broken]) -> int:
        with db.cursor(conn) as cursor:
            cursor.copy_expert(sql.copy_arriving, io.BytesIO(b"".join(lines)))
        landed = db.count(conn, sql.insert_records, **constants)
        db.run(conn, sql.empty_arriving)
        rejected = ((landing.landing_id, definition.source, file, row.line, row.reason, row.raw) for row in broken)
        db.insert_values(conn, sql.insert_rejected, rejected)
        return landed

    # While PostgreSQL takes a chunk in, the next one is read: one thread writes, never two at a time.
    landed = unchanged = rejected = 0
    with without_collecting(), ThreadPoolExecutor(1, "landing") as writer:
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
    db.run(conn, sql.drop_arriving)
    db.run(conn, sql.finish_landing, landed=landed, rejected=rejected, landing_id=landing.landing_id)
    return Landed(definition.source, file, landed, unchanged - landed, rejected, read_anew=landing.was_taken)


def rejections(conn: sa.Connection, file: str | None = None, at_most: int = 1_000) -> list[Rejection]:
    """Return rejected rows, newest file first; of one file's name or of any."""
    found = db.run(conn, db.statements("sources").rejections, file=file, at_most=at_most)
    return [Rejection(row.source, row.file, row.line, row.reason, bytes(row.raw), row.recorded_at) for row in found]


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
        body = b"\x02".join((row.payload, record.fields, record.keys, record.facts))
        content = hashlib.blake2b(body, digest_size=16).hexdigest()
        before = f"{row.line}\x02{record.source_key}\x02{content}\x02".encode()
        lines.append(before + body + f"\x02{record.occurred_at or ''}\n".encode())
    return lines, broken
