"""Detect the form of a file, and read its rows with their line numbers.

Laws:

1. A file is read row by row, and is always closed.
2. The kind of a file is determined from its content, not from its name.
"""

import gzip
import io
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path
from typing import IO, Final, TypeAlias

import msgspec

from ingest.importing.cells.cell import ProblemHandler, Row
from ingest.importing.reading.columnar.parquet_rows import parquet_rows
from ingest.importing.reading.container import HEAD_BYTES, container, is_compound, refuse_compound
from ingest.importing.reading.delimiter import JUDGED_LINES, detect_delimiter
from ingest.importing.reading.encoding import detect_encoding, stated_encoding
from ingest.importing.reading.file_form import FileForm, FormNote, StatedForm
from ingest.importing.reading.form_detection import TableForm, detect_table
from ingest.importing.reading.line_numbers import line_ranges, unique_line
from ingest.importing.reading.row_filter import LeftOutLine, RowFilter
from ingest.importing.reading.text_rows import text_rows
from ingest.importing.reading.workbook.sheet_choice import choose_sheets
from ingest.importing.reading.workbook.workbook_file import WorkbookFile
from ingest.importing.reading.workbook.workbook_parts import SheetEntry
from jieneng.metering.errors import Problem, UsageError

Rows: TypeAlias = Iterator[tuple[int, Row]]

_CHUNK: Final = 1 << 18
_TIME_CONTENT: Final = frozenset({"time", "period", "clock"})


class Table:
    """Rows of an open file.

    Attributes:
        form: the form in which the file is read.
        rows: (line number, cells) of each row below the header. Blank lines, comments, totals and
            notes are left out. Line numbers are unique across sheets (`line_numbers`).
    """

    def __init__(self, form: FileForm, lines: Iterable[tuple[int, Row]]) -> None:
        self.form = form
        times = [
            number for number, column in enumerate(form.columns) if column.content in _TIME_CONTENT
        ]
        self._filter = RowFilter(form.header, times)
        self.rows: Rows = self._filter.rows(lines)

    @property
    def left_out(self) -> tuple[LeftOutLine, ...]:
        """The first lines that were left out so far."""
        return tuple(self._filter.left_out)

    def notes(self) -> Iterator[FormNote]:
        """Yield sentences about the lines that were left out so far."""
        kinds = {one.note: one for one in reversed(self.left_out)}
        more = ", …" if self._filter.count > len(self.left_out) else ""
        for first in reversed(kinds.values()):
            lines = [one.line for one in self.left_out if one.note == first.note]
            shown = line_ranges(lines, self.form.sheets)
            yield FormNote(text=first.note, values={"lines": shown + more})


def detect_form(path: Path, stated: StatedForm) -> FileForm:
    """Return the form of a CSV, text, XLSX or Parquet file.

    Args:
        path: the file; text may be compressed with gzip.
        stated: parts of the form that a person states.

    Raises:
        UsageError: the file can't be read.
    """
    with _open(path) as file:
        if _is_workbook(path, file):
            return _workbook_form(path, WorkbookFile(path, file), stated)
        if container(path.name, file.peek(HEAD_BYTES)) == "parquet":
            return _parquet_form(path, stated)
    return _text_form(path, stated)


@contextmanager
def open_table(path: Path, form: FileForm, on_problem: ProblemHandler) -> Iterator[Table]:
    """Open a file as a context, and yield the table of its rows.

    Args:
        path: the file.
        form: form of the file.
        on_problem: called with an error inside the file; the rows end there.

    Raises:
        UsageError: the file can't be read.
    """
    if form.encoding is None and not form.sheets:
        yield Table(form, ((line, row) for line, row in parquet_rows(path) if line > 1))
    elif form.encoding is None:
        with _open(path) as file:
            yield Table(form, _sheets_rows(WorkbookFile(path, file), form, on_problem))
    else:
        with _text(path, form.encoding) as text:
            lines = text_rows(text, form.delimiter or ",", form.encoding, on_problem)
            last_line = form.last_lines[0]
            yield Table(form, ((line, row) for line, row in lines if line > last_line))


# --- text ---------------------------------------------------------------------------------------


def _text_form(path: Path, stated: StatedForm) -> FileForm:
    if stated.encoding:
        encoding = stated_encoding(stated.encoding, next(_chunks(path), b""))
    else:
        encoding = detect_encoding(_chunks(path))
    with _text(
        path, encoding, errors="replace"
    ) as text:  # wrong bytes are reported by `open_table`
        lines = list(_first_lines(text))
        delimiter = stated.delimiter or detect_delimiter(lines)
        problems: list[Problem] = []
        rows = text_rows(chain(lines, text), delimiter, encoding, problems.append)
        table = detect_table(rows, stated, delimiter=delimiter)
    if table is None:
        return FileForm(
            encoding=encoding,
            delimiter=delimiter,
            problems=tuple(problems) or (_no_table(stated),),
        )
    return FileForm(
        encoding=encoding,
        delimiter=delimiter,
        header_line=table.header.line,
        unit_line=table.header.unit_line,
        titles=table.header.titles,
        columns=table.columns,
        last_lines=(table.header.last_line,),
        notes=table.notes,
        problems=(table.problem,) if table.problem else (),
    )


def _chunks(path: Path) -> Iterator[bytes]:
    with _bytes(path) as file:
        try:
            while chunk := file.read(_CHUNK):
                yield chunk
        except (EOFError, zlib.error, OSError):  # reported by `open_table`
            return


def _first_lines(text: Iterable[str]) -> Iterator[str]:
    try:
        yield from islice(text, JUDGED_LINES)
    except (EOFError, zlib.error, OSError):  # reported by `open_table`
        return


@contextmanager
def _text(path: Path, encoding: str, errors: str = "strict") -> Iterator[io.TextIOWrapper]:
    with _bytes(path) as file:
        yield io.TextIOWrapper(file, encoding=encoding, errors=errors, newline="")


@contextmanager
def _bytes(path: Path) -> Iterator[IO[bytes]]:
    with _open(path) as file:
        if container(path.name, file.peek(HEAD_BYTES)) == "gzip":
            with gzip.GzipFile(fileobj=file) as unpacked:
                yield io.BufferedReader(unpacked)
        else:
            yield file


# --- columns --------------------------------------------------------------------------------------


def _parquet_form(path: Path, stated: StatedForm) -> FileForm:
    table = detect_table(parquet_rows(path), msgspec.structs.replace(stated, header_line=1))
    if table is None:
        return FileForm(problems=(_no_table(stated),))
    return FileForm(columns=table.columns, notes=table.notes)


# --- sheets -------------------------------------------------------------------------------------


def _is_workbook(path: Path, file: io.BufferedReader) -> bool:
    head = file.peek(HEAD_BYTES)
    if is_compound(head):
        refuse_compound(path.name, file.read())
    return container(path.name, head) == "xlsx"


def _workbook_form(path: Path, book: WorkbookFile, stated: StatedForm) -> FileForm:
    damages: list[Problem] = []

    def detect(sheet: SheetEntry) -> TableForm | None:
        return detect_table(book.rows(sheet, damages.append), stated, from_1904=book.from_1904)

    choice = choose_sheets(path.name, book.sheets, stated.sheets, detect)
    if not choice.sheets:
        return FileForm(problems=tuple(damages) or (_no_table(stated),), notes=choice.notes)
    header = choice.sheets[0][1].header
    return FileForm(
        header_line=header.line,
        unit_line=header.unit_line,
        titles=header.titles,
        columns=choice.columns,
        sheets=tuple(sheet.name for sheet, _ in choice.sheets),
        last_lines=tuple(form.header.last_line for _, form in choice.sheets),
        notes=choice.notes,
        problems=choice.problems,
    )


def _sheets_rows(book: WorkbookFile, form: FileForm, on_problem: ProblemHandler) -> Rows:
    """Yield the rows of all used sheets, each padded or cut to the width of the header."""
    entries = {entry.name: entry for entry in book.sheets}
    width = len(form.columns)
    for number, (name, last_line) in enumerate(zip(form.sheets, form.last_lines, strict=True)):
        for line, row in book.rows(entries[name], on_problem):
            if line > last_line:
                yield unique_line(number, line), (*row, *[None] * (width - len(row)))


def _no_table(stated: StatedForm) -> Problem:
    if stated.header_line:
        return Problem(
            text="there is no line {header_line} for the header.",
            fix="Choose another line, or omit --header-line.",
            values={"header_line": stated.header_line},
        )
    return Problem(text="this file is empty.", fix="Choose another file.", line=1)


def _open(path: Path) -> io.BufferedReader:
    try:
        return path.open("rb")
    except FileNotFoundError as error:
        raise UsageError("{file} is not there: check its name.", file=path) from error
    except OSError as error:
        raise UsageError(
            "{file} can't be read: {reason}.", file=path, reason=error.strerror
        ) from error
