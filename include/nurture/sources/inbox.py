"""Inbox: the files of a folder, wherever it lies, each of them taken in by the source that its name says.

A path is local or of an object store (s3://, gs://, abfs://), as text or as a path object that brings its own
filesystem, as Airflow's ObjectStoragePath does with the credentials of a Connection.
"""

import hashlib
import io
import posixpath
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any, Protocol

import fsspec
import sqlalchemy as sa

from nurture.definitions.load import load_vocabulary
from nurture.definitions.sources import SourceDefinition
from nurture.definitions.vocabulary import Vocabulary
from nurture.problem import Problem
from nurture.sources import files, sheets
from nurture.sources.landing import Arrival, Landed, Progress, take_in

_IN_PROGRESS = (".", "~$")
_UNFINISHED = (".tmp", ".part", ".crdownload")


class RemotePath(Protocol):
    """A path that knows its filesystem: Airflow's ObjectStoragePath, or any of universal_pathlib."""

    @property
    def fs(self) -> Any:
        """The fsspec filesystem, with its credentials."""
        ...

    @property
    def path(self) -> str:
        """The place in it."""
        ...


Path = str | RemotePath


def land(
    conn: sa.Connection,
    definition: SourceDefinition,
    path: Path,
    as_of: datetime,
    progress: Progress | None = None,
    vocabulary: Vocabulary | None = None,
) -> Landed:
    """Take one file in, in one transaction, and commit it.

    A row happened at its own date column, else at `as_of`. Raise Problem, with nothing landed, when the file cannot
    be read or lacks a column that the definition names.
    """
    filesystem, place = _placed(path)
    return _land(conn, definition, filesystem, place, as_of, progress, vocabulary or load_vocabulary())


def land_inbox(
    conn: sa.Connection,
    sources: Mapping[str, SourceDefinition],
    inbox: Path,
    as_of: datetime,
    progress: Progress | None = None,
    report: Callable[[Landed | Problem], None] | None = None,
) -> dict[str, int]:
    """Take in every file of a folder that a source names, in the order of their names; return counts.

    A file that cannot be read stops no other: it is reported, counted as unreadable, and tried again next time. One
    that no source names is `skipped`.
    """
    counts = {"files": 0, "landed": 0, "unchanged": 0, "rejected": 0, "unreadable": 0, "skipped": 0}
    vocabulary = load_vocabulary()
    filesystem, folder = _placed(inbox)
    for place in _files_of(filesystem, folder):
        definition = source_of(sources, place)
        if definition is None:
            counts["skipped"] += 1
            continue
        try:
            outcome = _land(conn, definition, filesystem, place, as_of, progress, vocabulary)
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
    file = _name(path)
    matches = [
        (len(pattern.replace("*", "")), definition.source)
        for definition in sources.values()
        for pattern in definition.files
        if fnmatchcase(file.lower(), pattern.lower())
    ]
    return sources[max(matches)[1]] if matches else None


def _land(
    conn: sa.Connection,
    definition: SourceDefinition,
    filesystem: Any,
    place: str,
    as_of: datetime,
    progress: Progress | None,
    vocabulary: Vocabulary,
) -> Landed:
    file = _name(place)
    try:
        with _opened(filesystem, place, file) as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
            arrival = Arrival(definition, file, digest, vocabulary, as_of)
            landed = take_in(conn, arrival, lambda: _table(definition, stream, file), progress)
    except BaseException:
        conn.rollback()
        raise
    conn.commit()
    return landed


def _table(definition: SourceDefinition, stream: io.BufferedReader, file: str) -> files.Table:
    columns = files.Columns.of(definition)
    stream.seek(0)
    if definition.format == "xlsx":
        return sheets.open_xlsx(stream, columns, file)
    if definition.format == "jsonl":
        return files.open_jsonl(stream, columns, file)
    encoding = definition.encoding
    if encoding is None:
        encoding = files.detect_encoding(stream)
        stream.seek(0)
    return files.open_csv(stream, encoding, columns, file)


def _placed(path: Path) -> tuple[Any, str]:
    """Return the filesystem of a path and the place in it; raise Problem where nothing here speaks its protocol."""
    try:
        return fsspec.url_to_fs(path) if isinstance(path, str) else (path.fs, path.path)
    except (ImportError, ValueError) as error:
        raise Problem(f"{path} cannot be read: {error}") from error


@contextmanager
def _opened(filesystem: Any, place: str, file: str) -> Iterator[io.BufferedReader]:
    try:
        with filesystem.open(place, "rb") as stream:
            yield files.buffered(stream)
    except OSError as error:
        raise Problem(f"{file} cannot be read: {error.strerror or error}") from error


def _files_of(filesystem: Any, folder: str) -> list[str]:
    """Return the folder's files by name, without those that are still being written."""
    try:
        found = filesystem.ls(folder, detail=True)
    except OSError as error:
        raise Problem(f"{folder} cannot be read: {error.strerror or error}") from error
    return sorted(
        entry["name"]
        for entry in found
        if entry["type"] == "file"
        and _name(entry["name"])  # some stores list the folder itself
        and not _name(entry["name"]).startswith(_IN_PROGRESS)
        and not entry["name"].endswith(_UNFINISHED)
    )


def _name(place: str) -> str:
    return posixpath.basename(place.replace("\\", "/"))
