"""Sheets: the rows of a workbook, in flat memory and as they are written; a formula is data and never evaluated.

openpyxl opens the workbook and knows its sheets, texts and formats. The rows are read here, since openpyxl makes five
objects of every cell: 430 microseconds for a row of twelve cells, where this takes 60.
"""

import zipfile
import zlib
from collections.abc import Iterator
from typing import IO, Any
from xml.etree.ElementTree import ParseError
from xml.parsers import expat

from nurture.problem import Problem
from nurture.sources.files import CHUNK, Broken, Columns, Row, Table, as_json, find_header, row_of, text_of

_UNREADABLE = (zipfile.BadZipFile, zlib.error, expat.ExpatError, ParseError, KeyError, ValueError, EOFError)
Cells = tuple[int, list[str]]  # the row's number and its texts


def open_xlsx(stream: IO[bytes], columns: Columns, file: str) -> Table:
    """Return the rows of the first sheet that has a header with all the needed columns."""
    import openpyxl  # It takes 0.2 s to import, and only this kind of file needs it.
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        book: Any = openpyxl.load_workbook(stream, read_only=True)
    except (*_UNREADABLE, InvalidFileException) as error:
        raise Problem(f"{file} is no readable xlsx file (is it protected by a password?): {error}") from error
    failure: Problem | None = None
    for sheet in book.worksheets:
        rows = _whole(_Cells(book).rows(book._archive, sheet._worksheet_path), file)
        try:
            header = find_header((_without_end(values) for _, values in rows), columns, file)
        except Problem as problem:
            failure = failure if failure and "its columns are" in str(failure) else problem
            continue
        return Table(header, _rows(rows, header))
    raise failure or Problem(f"{file} has no sheet")


def _rows(rows: Iterator[Cells], header: list[str]) -> Iterator[Row | Broken]:
    width = len(header)
    for line, values in rows:
        beyond = [place for place, value in enumerate(values[width:], start=width + 1) if value]
        if beyond:
            yield Broken(line, f"column count {beyond[-1]}, expected {width}", as_json(values))
            continue
        values = values[:width] + [""] * (width - len(values))
        if any(values) and values != header:
            yield row_of(line, header, values, as_json(values))


def _whole(rows: Iterator[Cells], file: str) -> Iterator[Cells]:
    try:
        yield from rows
    except _UNREADABLE as error:
        raise Problem(f"{file} breaks off: {error}") from error


def _without_end(values: list[str]) -> list[str]:
    values = list(values)
    while values and not values[-1]:
        values.pop()
    return values


class _Cells:
    """The cells of one sheet, as expat meets them (ECMA-376, 18.3.1.4)."""

    def __init__(self, book: Any) -> None:
        self._shared: list[str] = book.shared_strings
        self._dates: set[int] = book._date_formats
        self._spans: set[int] = book._timedelta_formats
        self._epoch = book.epoch
        self._done: list[Cells] = []
        self._line, self._values = 0, list[str]()
        self._column, self._kind, self._style = 0, "n", 0
        self._value = self._formula = self._shared_by = None
        self._formulas: dict[str, str] = {}
        self._places: dict[str, int] = {}
        self._text: list[str] | None = None  # what collects the characters of <v>, <f> or <t>; None: nothing does
        self._reading_aid = False  # <rPh>: how a text is read aloud, which is not the text

    def rows(self, archive: zipfile.ZipFile, path: str) -> Iterator[Cells]:
        """Yield the rows that the sheet has, a chunk of its XML at a time."""
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler, parser.EndElementHandler = self._start, self._end
        parser.CharacterDataHandler = self._characters
        parser.StartDoctypeDeclHandler = _refuse
        with archive.open(path) as stream:
            while chunk := stream.read(CHUNK):
                parser.Parse(chunk, False)
                yield from self._done
                self._done.clear()
            parser.Parse(b"", True)
        yield from self._done

    def _start(self, name: str, said: dict[str, str]) -> None:
        if ":" in name:  # some writers give the elements a prefix
            name = name.rpartition(":")[2]
        if name == "c":
            place = said.get("r", "").rstrip("0123456789")
            self._column = self._place(place) if place else self._column + 1
            self._kind, self._style = said.get("t", "n"), int(said.get("s", 0))
            self._value = self._formula = None
        elif name in ("v", "t"):
            self._text = []
        elif name == "f":
            self._text, self._shared_by = [], said.get("si")
        elif name == "row":
            self._line = int(said.get("r", self._line + 1))
            self._values, self._column = [], 0
        elif name == "rPh":
            self._reading_aid = True

    def _characters(self, text: str) -> None:
        if self._text is not None:
            self._text.append(text)

    def _end(self, name: str) -> None:
        if ":" in name:  # some writers give the elements a prefix
            name = name.rpartition(":")[2]
        if name == "c":
            missing = self._column - 1 - len(self._values)
            if missing > 0:
                self._values += [""] * missing
            self._values.append(self._shown())
        elif name in ("v", "t"):
            if not self._reading_aid and self._text:
                self._value = (self._value or "") + "".join(self._text)
            self._text = None
        elif name == "f":
            self._formula = "".join(self._text or ())
            if self._shared_by is not None:
                self._formula = self._formulas.setdefault(self._shared_by, self._formula)
            self._text = None
        elif name == "row":
            self._done.append((self._line, self._values))
        elif name == "rPh":
            self._reading_aid = False

    def _shown(self) -> str:
        """Return the cell that has ended as the text that the same value has in a csv file."""
        if self._formula is not None:
            return "=" + self._formula
        value, kind = self._value, self._kind
        if value is None:
            return ""
        if kind == "s":
            return self._shared[int(value)]
        if kind == "b":
            return "true" if value == "1" else "false"
        if kind != "n":
            return value
        if self._style in self._dates or self._style in self._spans:
            return self._moment(float(value))
        return value if value.isdecimal() else text_of(float(value))

    def _moment(self, number: float) -> str:
        from openpyxl.utils.datetime import from_excel

        return text_of(from_excel(number, self._epoch, timedelta=self._style in self._spans))

    def _place(self, letters: str) -> int:
        """Return the number of a column: A is 1, AB is 28."""
        if letters not in self._places:
            number = 0
            for letter in letters:
                number = number * 26 + ord(letter) - 64
            self._places[letters] = number
        return self._places[letters]


def _refuse(*_declared: object) -> None:
    raise ValueError("it declares a document type, which no workbook does")
