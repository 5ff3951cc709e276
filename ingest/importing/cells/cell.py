"""Cells and rows of a file, and the error of a cell that can't be read. Pure."""

from collections.abc import Callable, Sequence
from datetime import date, datetime, time, timedelta
from typing import TypeAlias

import msgspec

from jieneng.metering.errors import Msgid, Problem


class Valueless(msgspec.Struct, frozen=True):
    """Cell of a spreadsheet that shows a value which the file does not hold.

    Attributes:
        text: msgid of the sentence that says why, with the placeholders `{column}` and `{cell}`.
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
#: Cells of a line, from the first column on.
Row: TypeAlias = Sequence[Cell]
#: A function that is called with each problem.
ProblemHandler: TypeAlias = Callable[[Problem], None]


class BadCell(Exception):
    """Raised for a cell that can't be read.

    Attributes:
        text: msgid of the sentence that says what is wrong.
        fix: msgid of the sentence that says how to fix it.
        values: values of the placeholders of both, except `{column}`, which the caller adds.
    """

    def __init__(self, text: Msgid, fix: Msgid, **values: object) -> None:
        super().__init__(text)
        self.text: Msgid = text
        self.fix: Msgid = fix
        self.values = values


def check_holds_value(cell: Cell) -> None:
    """Raise BadCell for a cell whose value the file does not hold."""
    if isinstance(cell, Valueless):
        raise BadCell(cell.text, cell.fix, cell=cell.shown)


def quoted(text: str) -> str:
    """Return a cell's text for a message: shortened and in quotes."""
    return repr(text if len(text) <= 40 else text[:40] + "…")
