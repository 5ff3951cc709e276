"""Read the rows of a file, each with its line number.

Law: a file is read row by row, and is always closed.
"""

import csv
import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final, TypeAlias
from zipfile import BadZipFile

from ingest.importing.cells.cell import ProblemHandler, Row
from jieneng.metering.errors import Problem, UsageError

if TYPE_CHECKING:
    from openpyxl import Workbook

Rows: TypeAlias = Iterator[tuple[int, Row]]

_DELIMITERS: Final = ",;\t"


@contextmanager
def open_rows(path: Path, sheet: str | None, on_problem: ProblemHandler) -> Iterator[Rows]:
    """Open a CSV, gzipped CSV or XLSX file; yield an iterator of its rows, the header first.

    Args:
        path: the file.
        sheet: sheet of an XLSX file; None for the first one.
        on_problem: called with an error inside the file, at which the rows end.

    Raises:
        UsageError: the file can't be read in the format of its extension.
    """
    name = path.name.lower()
    if name.endswith((".csv", ".txt")):
        with _open(path) as file, _decoded(file) as text:
            yield _csv_rows(text, on_problem)
    elif name.endswith((".csv.gz", ".txt.gz")):
        with _open(path) as file, _decoded(gzip.GzipFile(fileobj=file)) as text:
            yield _csv_rows(text, on_problem)
    elif name.endswith(".xlsx"):
        with _open(path) as file, closing(_workbook(path, file)) as book:
            yield _sheet_rows(path, book, sheet)
    else:
        raise UsageError(
            "{file} is no file that can be imported: save it as CSV or XLSX.", file=path.name
        )


def _open(path: Path) -> IO[bytes]:
    try:
        return path.open("rb")
    except FileNotFoundError as error:
        raise UsageError("{file} is not there: check its name.", file=path) from error
    except OSError as error:
        raise UsageError(
            "{file} can't be read: {reason}.", file=path, reason=error.strerror
        ) from error


def _decoded(file: IO[bytes] | gzip.GzipFile) -> io.TextIOWrapper:
    # utf-8-sig: Excel writes a byte order mark before the first column's name.
    return io.TextIOWrapper(file, encoding="utf-8-sig", newline="")


def _csv_rows(text: io.TextIOWrapper, on_problem: ProblemHandler) -> Rows:
    line = 0
    try:
        header = text.readline()
        if not header:
            on_problem(Problem(text="this file is empty.", fix="Choose another file.", line=1))
            return
        delimiter = max(_DELIMITERS, key=header.count)
        yield 1, next(csv.reader([header], delimiter=delimiter))
        reader = csv.reader(text, delimiter=delimiter)
        for row in reader:
            line = reader.line_num
            yield line + 1, row
    except UnicodeDecodeError:
        on_problem(
            Problem(
                text="from about this line on, the file is not UTF-8.",
                fix='Save it as "CSV UTF-8".',
                line=line + 1,
            )
        )
    except csv.Error as error:
        on_problem(
            Problem(
                text="this line can't be read as CSV ({reason}).",
                fix="Correct the quotes of this line.",
                values={"reason": error},
                line=line + 1,
            )
        )
    except (EOFError, zlib.error, OSError) as error:
        on_problem(
            Problem(
                text="from about this line on, the file is damaged ({reason}).",
                fix="Copy the file again.",
                values={"reason": error},
                line=line + 1,
            )
        )


def _workbook(path: Path, file: IO[bytes]) -> "Workbook":
    import openpyxl  # imported here: it takes 0.1 s that CSV does not need

    try:
        return openpyxl.load_workbook(file, read_only=True, data_only=True)
    except (BadZipFile, KeyError, ValueError) as error:
        raise UsageError(
            "{file} is no XLSX file: open it in a spreadsheet program and save it as one.",
            file=path.name,
        ) from error


def _sheet_rows(path: Path, book: "Workbook", sheet: str | None) -> Rows:
    name = sheet or book.sheetnames[0]
    if name not in book.sheetnames:
        raise UsageError(
            "{file} has no sheet {sheet}; it has {known}.",
            file=path.name,
            sheet=name,
            known=", ".join(book.sheetnames),
        )
    width = 0
    for line, cells in enumerate(book[name].iter_rows(values_only=True), 1):
        filled = len(cells)
        while filled > width and cells[filled - 1] is None:
            filled -= 1
        width = width or filled  # of the header; empty cells beyond it are left out
        yield line, (*cells[:filled], *[None] * (width - filled))
