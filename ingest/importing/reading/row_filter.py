"""Leave out lines that are not rows of values: blank lines, comments, totals, notes. Pure.

Laws:

1. A line with a time is always a row of values: a meter may have the name 合计.
2. Lines that are left out, except blank ones, are counted and can be shown.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import repeat
from typing import Final

import msgspec

from ingest.importing.cells.cell import Cell, Row
from ingest.importing.cells.cell_kind import cell_kind
from ingest.importing.reading.line_words import is_footer, is_total
from jieneng.metering.errors import Msgid

#: Largest number of lines that are listed; further lines are only counted.
_MAX_LISTED: Final = 20
#: Largest number of remembered texts with which usual rows begin.
_MAX_USUAL: Final = 10_000
#: Possible last letters of names of totals.
_TOTAL_ENDS: Final = "计和值均lmen:："


class LeftOutLine(msgspec.Struct, frozen=True):
    """A line that was left out.

    Attributes:
        line: number of the line.
        text: first text in the line.
        note: msgid of a sentence about such lines, with the placeholder `{lines}`.
    """

    line: int
    text: str
    note: Msgid


class RowFilter:
    """Yields the rows of values of a table, and leaves out other lines.

    Attributes:
        left_out: the first lines that were left out.
        count: number of all lines that were left out, except blank ones.

    Args:
        names: names of the columns.
        time_columns: numbers of the columns with times.
    """

    def __init__(self, names: Sequence[str], time_columns: Sequence[int]) -> None:
        self.left_out: list[LeftOutLine] = []
        self.count = 0
        self._names: Final = tuple(names)
        self._time_columns: Final = tuple(time_columns)
        self._usual: set[str] = set()

    def rows(self, lines: Iterable[tuple[int, Row]]) -> Iterator[tuple[int, Row]]:
        """Yield the rows of values, without empty cells beyond the last column of the header."""
        width = len(self._names)
        for line, cells in lines:
            row = cells if len(cells) <= width else without_empty_end(cells, width)
            if self._is_usual(row) or self._is_row(line, row):
                yield line, row

    def _is_usual(self, row: Row) -> bool:
        """Return True if a row begins like a usual row: with a time, a number or a meter."""
        first = row[0] if row else None
        if isinstance(first, str):
            begins_with_time = first[:1].isdigit() and first[-1] not in _TOTAL_ENDS
            return begins_with_time or first in self._usual
        return first is not None

    def _is_row(self, line: int, row: Row) -> bool:
        texts = [str(cell).strip() for cell in row if cell is not None]
        filled = [text for text in texts if text]
        if not filled:
            return False
        note: Msgid | None = self._note(row, filled)
        if note is not None:
            self.count += 1
            if len(self.left_out) < _MAX_LISTED:
                self.left_out.append(LeftOutLine(line, filled[0][:40], note))
            return False
        first = row[0]
        if isinstance(first, str) and len(self._usual) < _MAX_USUAL and not _is_suspect(first):
            self._usual.add(first)
        return True

    def _note(self, row: Row, filled: Sequence[str]) -> Msgid | None:
        first = filled[0]
        if first.startswith("#"):
            return "comments were left out: line {lines}."
        if is_total(first) and not any(map(self._is_time, self._time_columns, repeat(row))):
            return "totals were left out: line {lines}."
        if first in self._names and _same_texts(row, self._names):
            return "repeated headers were left out: line {lines}."
        if len(self._names) > 1 and is_footer(first) and not self._has_data(row):
            return "notes below the table were left out: line {lines}."
        return None

    def _has_data(self, row: Row) -> bool:
        """Return True if a line has a number, or a time in a column of times."""
        has_time = any(map(self._is_time, self._time_columns, repeat(row)))
        return has_time or any(cell_kind(cell) == "number" for cell in row)

    def _is_time(self, column: int, row: Row) -> bool:
        return column < len(row) and cell_kind(row[column]) in {"time", "period", "number"}


def _is_suspect(text: str) -> bool:
    """Return True if a line that begins with this text may be something else than a row."""
    return not text.strip() or is_total(text) or is_footer(text)


def _same_texts(row: Row, names: Sequence[str]) -> bool:
    return [str(cell or "").strip() for cell in row] == list(names[: len(row)])


def without_empty_end(cells: Row, width: int) -> Row:
    """Return a row without empty cells at its end, but with at least `width` cells."""
    end = len(cells)
    while end > width and _is_empty(cells[end - 1]):
        end -= 1
    return cells[:end]


def _is_empty(cell: Cell) -> bool:
    return cell is None or cell == "" or (isinstance(cell, str) and not cell.strip())
