"""Files: split csv and jsonl into rows, in flat memory; a row that cannot be split keeps its bytes and why."""

import codecs
import csv
import io
import unicodedata
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import IO, Any, NamedTuple

import msgspec

from nurture.definitions.sources import SourceDefinition
from nurture.problem import Problem

CHUNK = 1 << 20
as_json = msgspec.json.Encoder(order="sorted").encode
LONGEST_LINE = 1 << 20  # bytes; what is longer is cut, and its pieces are rejected one by one
TITLE_ROWS = 50  # the header stands within so many rows
_BOM = codecs.BOM_UTF8


class Row(NamedTuple):
    """A row as it arrived: its line, the texts of the columns that `Table.columns` names, itself as JSON, its bytes.

    The JSON has its keys in order: a row is the same row when its columns were moved.
    """

    line: int
    values: Sequence[str]
    payload: bytes
    raw: bytes


class Broken(NamedTuple):
    """A row that cannot be read, with its line, the reason and its bytes."""

    line: int
    reason: str
    raw: bytes


@dataclass
class Table:
    """The rows of a file, to be walked once; `columns` says what their values are."""

    columns: list[str]
    rows: Iterator[Row | Broken]


class Columns(NamedTuple):
    """The columns that a definition names, those of them that must be there, and what else each may be called."""

    named: Sequence[str]
    needed: Sequence[str]
    called: dict[str, str]  # a folded heading -> the column that it is

    @classmethod
    def of(cls, definition: SourceDefinition) -> "Columns":
        """Return the columns of a source's definition."""
        named, optional = definition.named_columns(), set(definition.optional)
        called = {_folded(other): column for column, others in definition.headings.items() for other in others}
        called |= {_folded(column): column for column in named}
        return cls(named, [column for column in named if column not in optional], called)


def open_csv(stream: IO[bytes], encoding: str, columns: Columns, file: str) -> Table:
    """Return the rows below the header of a csv file.

    The header is the first row with all the needed columns; title rows may stand above it. Lines are decoded one by
    one with `surrogateescape`, so that a row with bad bytes spoils no other and keeps its bytes.
    """
    records = _Records(stream, encoding)
    header = find_header((record.values for record in records if isinstance(record, _Record)), columns, file)
    records.width = len(header)
    return Table(header, _csv_rows(records, header))


def open_jsonl(stream: IO[bytes], columns: Columns, file: str) -> Table:
    """Return the rows of a file of one JSON object a line.

    Walking them raises Problem at the file's end when a needed column was in no row.
    """
    return Table(list(columns.named), _json_rows(stream, columns, file))


def detect_encoding(stream: IO[bytes]) -> str:
    """Return utf-8 or cp932, whichever the bytes are; of a file with bad bytes, the one in which fewer are bad."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        while chunk := stream.read(CHUNK):
            decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        pass
    else:
        return "utf-8"
    stream.seek(0)
    bad = {"utf-8": 0, "cp932": 0}
    counters = {name: codecs.getincrementaldecoder(name)("replace") for name in bad}
    while chunk := stream.read(CHUNK):
        for name, counter in counters.items():
            bad[name] += counter.decode(chunk).count("\ufffd")
    return min(bad, key=bad.__getitem__)


class _Record(NamedTuple):
    line: int
    values: list[str]
    bad_byte: int | None  # where in `raw` the first undecodable byte is
    raw: bytes


class _Lines:
    """Physical lines as text, remembering the bytes of those that the csv reader has taken for its row."""

    def __init__(self, stream: IO[bytes], encoding: str) -> None:
        self._stream, self._encoding = stream, encoding
        self._again: deque[bytes] = deque()
        self.number = 0
        self.taken: list[bytes] = []
        self.bad_byte: int | None = None

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else self._stream.readline(LONGEST_LINE)
        if not line:
            raise StopIteration
        self.number += 1
        if self.number == 1 and line.startswith(_BOM):
            line = line[len(_BOM) :]
        self.taken.append(line)
        try:
            return line.decode(self._encoding)
        except UnicodeDecodeError as error:
            if self.bad_byte is None:
                self.bad_byte = sum(map(len, self.taken[:-1])) + error.start
            return line.decode(self._encoding, "surrogateescape")

    def forget(self) -> None:
        self.taken, self.bad_byte = [], None

    def give_back_all_but_the_first(self) -> None:
        rest = self.taken[1:]
        self._again.extendleft(reversed(rest))
        self.number -= len(rest)
        self.taken = self.taken[:1]


class _Records:
    """The rows of a csv file; an open quotation mark costs its own line and not the rows that it would swallow."""

    def __init__(self, stream: IO[bytes], encoding: str) -> None:
        self._lines = _Lines(stream, encoding)
        self._reader = csv.reader(self._lines)
        self.width: int | None = None  # the columns of the header, once it is known

    def __iter__(self) -> Iterator[_Record | Broken]:
        return self

    def __next__(self) -> _Record | Broken:
        lines = self._lines
        while True:
            lines.forget()
            begins = lines.number + 1
            try:
                values = next(self._reader)
            except csv.Error as error:
                lines.give_back_all_but_the_first()
                return Broken(begins, f"no readable csv: {error}", lines.taken[0])
            if not values:
                continue
            if len(lines.taken) == 1:
                return _Record(begins, values, lines.bad_byte, lines.taken[0])
            if len(values) == self.width or self.width is None:
                return _Record(begins, values, lines.bad_byte, b"".join(lines.taken))
            lines.give_back_all_but_the_first()
            return Broken(begins, "a quotation mark is not closed", lines.taken[0])


def _csv_rows(records: Iterable[_Record | Broken], header: list[str]) -> Iterator[Row | Broken]:
    width = len(header)
    for record in records:
        if isinstance(record, Broken):
            yield record
            continue
        line, values, bad_byte, raw = record
        if bad_byte is not None:
            yield Broken(line, f"undecodable bytes at {bad_byte}", raw)
        elif len(values) != width:
            if any(values) and not (len(values) == 1 and not values[0].strip("\x1a \u3000")):
                yield Broken(line, f"column count {len(values)}, expected {width}", raw)
        elif b"\0" in raw:
            yield Broken(line, f"NUL byte at {raw.index(0)}", raw)
        elif any(values) and values != header:
            yield Row(line, values, as_json(dict(zip(header, values, strict=True))), raw)


def row_of(line: int, header: list[str], values: list[str], raw: bytes = b"") -> Row | Broken:
    """Return a row that came as values; without bytes of its own its JSON stands for them."""
    payload = as_json(dict(zip(header, values, strict=True)))
    if b"\\u0000" in payload:
        return Broken(line, "NUL character, which no text can hold", raw or payload)
    return Row(line, values, payload, raw or payload)


def _json_rows(stream: IO[bytes], columns: Columns, file: str) -> Iterator[Row | Broken]:
    seen: dict[str, None] = {}
    line = 0
    while raw := stream.readline(LONGEST_LINE):
        line += 1
        if line == 1:
            raw = raw.removeprefix(_BOM)
        if not raw.strip():
            continue
        try:
            raw.decode()
            read = msgspec.json.decode(raw.rstrip())
            payload = as_json(read)
        except UnicodeDecodeError as error:
            yield Broken(line, f"undecodable bytes at {error.start}", raw)
            continue
        except (msgspec.DecodeError, RecursionError, ValueError) as error:
            yield Broken(line, f"no whole JSON object: {error}", raw)
            continue
        if not isinstance(read, dict):
            yield Broken(line, "no JSON object", raw)
        elif b"\\u0000" in payload:
            yield Broken(line, "NUL character, which no text can hold", raw)
        else:
            seen.update(dict.fromkeys(read))
            values = [cell if type(cell := read.get(name)) is str else text_of(cell) for name in columns.named]
            yield Row(line, values, payload, raw)
    missing = [column for column in columns.needed if column not in seen]
    if seen and missing:
        raise lacks(file, missing, seen)


def find_header(rows: Iterable[Sequence[str]], columns: Columns, file: str) -> list[str]:
    """Return the first row that has all the needed columns; raise Problem with the columns there are."""
    best: Sequence[str] = ()
    most = 0
    for seen, values in enumerate(rows):
        names = {columns.called.get(_folded(value)) for value in values}
        found = sum(column in names for column in columns.needed)
        if found == len(columns.needed):
            return _named(values, columns.called)
        if found > most or not best:
            best, most = values, found
        if seen >= TITLE_ROWS:
            break
    if not best:
        raise Problem(f"{file} is empty")
    names = {columns.called.get(_folded(value)) for value in best}
    raise lacks(file, [column for column in columns.needed if column not in names], [name for name in best if name])


def lacks(file: str, missing: Sequence[str], columns: Iterable[str]) -> Problem:
    """Return the Problem of a mapping that names columns which are not there."""
    what = "column" if len(missing) == 1 else "columns"
    shown = ", ".join(columns)
    return Problem(f"{file} lacks the {what} {', '.join(missing)}; its columns are {shown[:1000]}")


def _named(values: Sequence[str], called: dict[str, str]) -> list[str]:
    """Name each column once, as the definition writes it where it does; a second one of a name gets a number."""
    names: list[str] = []
    for place, value in enumerate(values, start=1):
        name = called.get(_folded(value)) or value.strip() or f"column {place}"
        names.append(name if name not in names else f"{name} ({place})")
    return names


def _folded(column: str) -> str:
    return unicodedata.normalize("NFKC", column).strip().casefold()


def text_of(cell: Any) -> str:
    """Return a cell or a JSON value as the text that the same value has in a csv file."""
    if isinstance(cell, str):
        return cell
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    if isinstance(cell, date | datetime):
        return cell.isoformat()
    if isinstance(cell, dict | list):
        return as_json(cell).decode()
    if isinstance(cell, bytes | memoryview):
        return bytes(cell).hex()
    return str(cell)


def buffered(stream: Any) -> io.BufferedReader:
    """Return the stream with a large buffer, whatever it was opened from."""
    return stream if isinstance(stream, io.BufferedReader) else io.BufferedReader(stream, CHUNK)
