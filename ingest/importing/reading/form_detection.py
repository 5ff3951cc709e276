"""Detect the form of a table from its first rows, and from more rows if necessary. Pure.

Laws:

1. Parts of the form that a person states are not detected.
2. If the cells of a column don't determine its notation, the rest of the file is used: its other
   columns, and its delimiter. If the notation is still unknown, the person is asked.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Final, NamedTuple

from ingest.importing.cells.cell import Row
from ingest.importing.cells.notation import DecimalSign
from ingest.importing.reading.columns.column_judge import ColumnJudge
from ingest.importing.reading.file_form import ColumnForm, FormNote, StatedForm
from ingest.importing.reading.header_search import Header, find_header
from ingest.importing.reading.row_filter import RowFilter, without_empty_end
from jieneng.metering.errors import Problem

#: Numbers of first cells and first rows that are always examined.
_JUDGED_CELLS: Final = 200_000
_JUDGED_ROWS: Final = (200, 5000)
#: Number of first rows in which the header is searched.
_HEAD_ROWS: Final = 300
#: Usual decimal sign of programs, by the delimiter that they write.
_HABITS: Final[dict[str, DecimalSign]] = {",": ".", ";": ","}


class TableForm(NamedTuple):
    """The header of a table, and the forms of its columns.

    Attributes:
        header: the header.
        columns: the columns.
        notes: sentences about what is assumed.
        problem: question that must be answered before the table can be read; None if there is none.
    """

    header: Header
    columns: tuple[ColumnForm, ...]
    notes: tuple[FormNote, ...]
    problem: Problem | None = None

    @property
    def has_numbers(self) -> bool:
        """True if there is a column of numbers."""
        return any(column.content == "number" for column in self.columns)


def detect_table(
    lines: Iterable[tuple[int, Row]],
    stated: StatedForm,
    *,
    delimiter: str | None = None,
    from_1904: bool = False,
) -> TableForm | None:
    """Return the form of a table; None if it has no row.

    Args:
        lines: all lines of the table; only as many as necessary are read.
        stated: parts of the form that a person states.
        delimiter: delimiter of a text file; None for a sheet, in which only the first rows are
            examined.
        from_1904: True if the spreadsheet counts days from 1904.
    """
    remaining = iter(lines)
    head = [line for line in islice(remaining, _HEAD_ROWS) if _is_filled(line[1])]
    header = find_header(head, stated.header_line)
    if header is None:
        return None
    width = max(len(header.names), *(len(row) for _, row in head))
    judges = [ColumnJudge() for _ in range(width)]
    rows = RowFilter([""] * width, ()).rows(
        line for source in (head, remaining) for line in source if line[0] > header.last_line
    )
    fewest, most = _JUDGED_ROWS
    widths = Counter[int]()
    for line, row in islice(rows, min(max(_JUDGED_CELLS // width, fewest), most)):
        widths[len(without_empty_end(row, 0))] += 1
        for judge, cell in zip(judges, row, strict=False):
            judge.add(line, cell)
    if delimiter is not None:
        _judge_open_columns(judges, rows)
    table = _table(header, judges, stated, delimiter, from_1904)
    return table._replace(problem=_other_width(table, widths) if delimiter is not None else None)


def _other_width(table: TableForm, widths: Counter[int]) -> Problem | None:
    """Return a problem if most lines have more cells than the header has names; otherwise None."""
    cells, _ = widths.most_common(1)[0] if widths else (0, 0)
    if cells <= len(table.columns):
        return None
    return Problem(
        text="most lines have {cells} cells, but the header has {expected}.",
        fix="Name every column. If numbers have commas between thousands, put them in quotes, or "
        "save the file as XLSX.",
        values={"cells": cells, "expected": len(table.columns)},
        line=table.header.line,
    )


def _judge_open_columns(judges: Sequence[ColumnJudge], rows: Iterable[tuple[int, Row]]) -> None:
    """Read further rows until the notation of every column is certain."""
    columns = [number for number, judge in enumerate(judges) if judge.is_open]
    for line, row in rows:
        if not columns:
            return
        decided = False
        for column in columns:
            if column < len(row) and row[column]:
                judges[column].add_later(line, row[column])
                decided |= not judges[column].is_open
        if decided:
            columns = [number for number in columns if judges[number].is_open]


def _table(
    header: Header,
    judges: Sequence[ColumnJudge],
    stated: StatedForm,
    delimiter: str | None,
    from_1904: bool,
) -> TableForm:
    decided = {sign for judge in judges if (sign := judge.decided_decimal)}
    habit = _HABITS.get(delimiter or "") if not decided else None
    if len(decided) == 1:
        (habit,) = decided
    width = len(header.names)
    while width and not header.names[width - 1] and judges[width - 1].content == "nothing":
        width -= 1
    columns, notes = list[ColumnForm](), list[FormNote]()
    for number, name in enumerate(header.names[:width]):
        form, told = judges[number].form(
            name,
            header.units[number] if number < len(header.units) else "",
            habit,
            stated,
            is_whole=delimiter is not None,
            from_1904=from_1904,
        )
        columns.append(form)
        notes += told
    return TableForm(header, tuple(columns), tuple(notes))


def _is_filled(row: Row) -> bool:
    return any(cell is not None and str(cell).strip() for cell in row)
