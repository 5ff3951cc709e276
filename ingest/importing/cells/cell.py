"""Cells and rows of a file, and the error of a cell that can't be read. Pure."""

from collections.abc import Callable, Sequence
from datetime import date, datetime, time, timedelta
from typing import TypeAlias

import msgspec

from jieneng.metering.errors import Msgid, Problem


class Valueless(msgspec.Struct, frozen=True):
    """A cell of a spreadsheet without a stored value, e.g. a formula without a stored result.

    Attributes:
        text: msgid of the error, with the placeholders `{column}` and `{cell}`.
        fix: msgid of the sentence that says how to fix it.
        shown: text of the cell: a formula, or an error such as `#REF!`.
    """

    text: Msgid
    fix: Msgid
    shown: str

    def __str__(self) -> str:
        return self.shown


#: Value of a cell in a text file (always text) or XLSX file.
Cell: TypeAlias = str | float | datetime | date | time | timedelta | Valueless | None
#: Cells of a line, beginning with the first column.
Row: TypeAlias = Sequence[Cell]
#: A function that is called with each problem.
ProblemHandler: TypeAlias = Callable[[Problem], None]


class BadCell(Exception):
    """Raised for a cell that can't be read.

    Attributes:
        text: msgid of the error.
        fix: msgid of the sentence that says how to fix it.
        values: values of the placeholders in both; the caller adds the value of `{column}`.
    """

    def __init__(self, text: Msgid, fix: Msgid, **values: object) -> None:
        super().__init__(text)
        self.text: Msgid = text
        self.fix: Msgid = fix
        self.values = values


def check_holds_value(cell: Cell) -> None:
    """Raise BadCell if the file does not contain the value of a cell (`Valueless`)."""
    if isinstance(cell, Valueless):
        raise BadCell(cell.text, cell.fix, cell=cell.shown)


def quoted(text: str) -> str:
    """Return a cell's text for a message, shortened and in quotes."""
    return repr(text if len(text) <= 40 else text[:40] + "…")
