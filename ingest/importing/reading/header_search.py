"""Find the header of a table among its first rows, with titles above it and units below it. Pure.

Each of the first rows gets a score. Names of columns, and texts above numbers and times, raise the
score; values like those in the rows below lower it. The row with the best score is the header.

Law: the found header is shown, and a person can state its line instead.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Final

import msgspec

from ingest.importing.cells.cell import Cell, Row
from ingest.importing.cells.cell_kind import CellKind, cell_kind
from ingest.importing.cells.unit_words import bare_unit, is_unit
from ingest.importing.reading.line_words import is_header_word

#: Number of first rows in which the header is searched.
_SEARCHED: Final = 60
#: Number of rows from which the kind of a column is determined.
_JUDGED: Final = 200
_DATA: Final[frozenset[CellKind]] = frozenset({"number", "time", "clock", "period"})

#: (line number, cells).
Line = tuple[int, Row]


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """Header of a table.

    Attributes:
        line: line of the header; if it has two rows, the second one.
        names: names of the columns.
        titles: texts above the header.
        units: texts of the row of units, by column; () if there is none.
        unit_line: line of the units; None if there is none.
    """

    line: int
    names: tuple[str, ...]
    titles: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    unit_line: int | None = None

    @property
    def last_line(self) -> int:
        """Last line above the values."""
        return self.unit_line or self.line


def find_header(lines: Sequence[Line], stated_line: int | None = None) -> Header | None:
    """Return the header of a table; None if there is no row.

    Args:
        lines: the first rows that are not blank, up to some hundreds.
        stated_line: line of the header that a person states; None to search it.
    """
    if stated_line is not None:
        place = next((place for place, (line, _) in enumerate(lines) if line == stated_line), None)
    else:
        place = _best_place(lines)
    if place is None:
        return None
    first = last = place
    if stated_line is None:
        if _is_second(lines, place, place + 1):
            last = place + 1
        elif place and _groups(lines[place - 1][1]) > 1 and _has_twins(lines[place][1]):
            first = place - 1
    names = _joined([row for _, row in lines[first : last + 1]])
    units = _units_below(lines, last)
    return Header(
        line=lines[last][0],
        names=names,
        titles=tuple(_title(row) for _, row in lines[:first]),
        units=tuple(_text(cell) for cell in lines[last + 1][1]) if units else (),
        unit_line=lines[last + 1][0] if units else None,
    )


def _best_place(lines: Sequence[Line]) -> int | None:
    if not lines:
        return None
    widths = [_filled(row) for _, row in lines[:_JUDGED]]
    usual = Counter(widths[len(widths) // 2 :]).most_common(1)[0][0]
    kinds = _column_kinds(lines)
    wide = [place for place, width in enumerate(widths[:_SEARCHED]) if 2 * width >= usual]
    scores = {place: _score(lines[place][1], kinds) for place in wide}
    best = max(scores, key=lambda place: scores[place], default=0)
    return best if scores.get(best, 0) > 0 or not wide else wide[0]


def _column_kinds(lines: Sequence[Line]) -> list[CellKind]:
    """Return the kind of most cells of each column, in the second half of the rows."""
    rows = [row for _, row in lines[:_JUDGED]]
    rows = rows[min(len(rows) // 2, len(rows) - 1) :]
    found: list[CellKind] = []
    for column in range(max(map(len, rows))):
        kinds = Counter(
            kind
            for row in rows
            if column < len(row) and (kind := cell_kind(row[column])) != "nothing"
        )
        found.append(kinds.most_common(1)[0][0] if kinds else "nothing")
    return found


def _score(row: Row, kinds: Sequence[CellKind]) -> float:
    score = 0.0
    numbered = _is_numbered(row)
    for cell, column_kind in zip(row, kinds, strict=False):
        kind = cell_kind(cell)
        if kind == "text":
            score += 1 if column_kind in _DATA else 0
            score += 2 if is_header_word(_text(cell)) else 0
            score -= 1 if is_unit(_text(cell)) else 0
        elif kind in _DATA and kind == column_kind and not numbered:
            score -= 2
    return score


def _is_numbered(row: Row) -> bool:
    """Return True if the names in a header are numbers: hours 0 to 23, days 1 to 31."""
    numbers = [_text(cell) for cell in row if cell_kind(cell) == "number"]
    if len(numbers) < 3 or not all(number.isdecimal() for number in numbers):
        return False
    first = int(numbers[0])
    return first in {0, 1} and [int(number) for number in numbers] == list(
        range(first, first + len(numbers))
    )


# --- headers of two rows, titles, units ---------------------------------------------------------


def _is_second(lines: Sequence[Line], place: int, below: int) -> bool:
    """Return True if the row below a header continues it: 1号楼 | 2号楼 above 电 | 水 | 电 | 水."""
    if below >= len(lines) or _units_below(lines, place):
        return False
    kinds = _column_kinds(lines)
    row = lines[below][1]
    own = [cell_kind(cell) for cell in row]
    data = [column for column, kind in enumerate(kinds) if kind in _DATA and column < len(row)]
    texts = sum(own[column] == "text" for column in data)
    return (
        len(lines) > below + 1
        and 2 * texts >= len(data) > 0
        and texts >= 2
        and not any(own[column] in _DATA for column in data)
    )


def _has_twins(row: Row) -> bool:
    names = [text for cell in row if (text := _text(cell))]
    return len(names) > len(set(names))


def _groups(row: Row) -> int:
    return len({text for cell in row if (text := _text(cell))})


def _joined(rows: Sequence[Row]) -> tuple[str, ...]:
    """Return the names of columns; names in the same column are joined."""
    above, names = "", list[str]()
    for column in range(max(map(len, rows))):
        parts = [_text(row[column]) if column < len(row) else "" for row in rows]
        above = parts[0] or above
        if len(parts) > 1 and parts[-1]:  # the upper name applies to several columns
            parts[0] = above
        names.append(" ".join(dict.fromkeys(filter(None, parts))))
    return tuple(names)


def _units_below(lines: Sequence[Line], place: int) -> bool:
    """Return True if the row below the header contains only units."""
    if place + 1 >= len(lines):
        return False
    texts = [text for cell in lines[place + 1][1] if (text := _text(cell))]
    units = sum(is_unit(text) for text in texts)
    return units > 0 and all(is_unit(text) or _is_no_value(text) for text in texts)


def _is_no_value(text: str) -> bool:
    """Return True for a text in a row of units that is not a unit: -, (yyyy-mm-dd), 单位."""
    bare = bare_unit(text).casefold()
    return not any(map(str.isdecimal, bare)) and (
        set(bare) <= set("-—/*ymdhs:. 年月日时分秒")
        or bare in {"", "单位", "unit", "units", "无", "none"}
    )


def _title(row: Row) -> str:
    return " ".join(filter(None, map(_text, row)))


def _filled(row: Row) -> int:
    return sum(cell is not None and cell != "" for cell in row)


def _text(cell: Cell) -> str:
    if cell is None:
        return ""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell).strip().replace("\n", " ")
