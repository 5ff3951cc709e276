"""Cells and rows of a file, and the error of a cell that can't be read. Pure."""

from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import TypeAlias

from jieneng.metering.errors import Msgid, Problem

#: Value of a cell in a CSV (always text) or XLSX file.
Cell: TypeAlias = str | float | datetime | date | None
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
