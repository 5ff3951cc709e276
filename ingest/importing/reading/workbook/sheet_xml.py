"""Read the rows of a worksheet from its XML in pieces. Pure.

Laws:

- A sheet is read to its end, even if the size stated in the file is smaller.
- A formula without a stored value is not an empty cell. It is returned as `Valueless`, and so is an
  error value.
- Memory does not grow with the sheet.

Source: ECMA-376 part 1, 18.3.1.4 (c), 18.3.1.73 (row), 18.18.11 (type of a cell).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import chain
from typing import Final
from xml.parsers import expat

from ingest.importing.cells.cell import Cell, Valueless
from ingest.importing.cells.serial_day import RoundedTooFar, moment_of_serial_day
from ingest.importing.reading.workbook.workbook_parts import MergedCells, column_number
from jieneng.metering.errors import Msgid

_NAMESPACES: Final = (
    "http://schemas.openxmlformats.org/spreadsheetml/2006/main",
    "http://purl.oclc.org/ooxml/spreadsheetml/main",
)
_NAMES: Final = {
    f"{namespace}}}{name}": name
    for namespace in _NAMESPACES
    for name in ("row", "c", "v", "f", "t", "rPh")
}
_UNSTORED: Final[Msgid] = (
    "column {column}: the value of the formula {cell} is not stored in the file."
)
_UNSTORED_FIX: Final[Msgid] = (
    "Open the file in a spreadsheet program, save it, and import it again."
)
_ERROR: Final[Msgid] = "column {column}: the cell shows the error {cell}."
_ERROR_FIX: Final[Msgid] = "Correct its formula, or empty the cell."


class SheetContext:
    """Parts of a workbook that the cells of its sheets refer to.

    Attributes:
        texts: shared strings; cells refer to them by number.
        date_styles: numbers of the styles that show dates or times.
        from_1904: True if days count from 1904.
    """

    def __init__(
        self, texts: Sequence[str], date_styles: frozenset[str], *, from_1904: bool
    ) -> None:
        self.texts = texts
        self.date_styles = date_styles
        self.from_1904 = from_1904


def sheet_rows(chunks: Iterable[bytes], context: SheetContext) -> Iterator[tuple[int, list[Cell]]]:
    """Yield (line number, cells) of each row that the sheet has.

    Args:
        chunks: the sheet's XML in pieces.
        context: parts of the workbook that its cells refer to.

    Raises:
        expat.ExpatError: the XML is damaged.
    """
    collector = _RowCollector(context)
    parser = expat.ParserCreate(namespace_separator="}")
    parser.buffer_text = True
    parser.StartElementHandler = collector.start
    parser.EndElementHandler = collector.end
    parser.CharacterDataHandler = collector.text
    for chunk, is_last in chain(((chunk, False) for chunk in chunks), [(b"", True)]):
        try:
            parser.Parse(chunk, is_last)
        except expat.ExpatError:
            yield from collector.take()  # the rows before the damage
            raise
        yield from collector.take()


class _RowCollector:
    """Handlers of the XML parser, which collect rows."""

    def __init__(self, context: SheetContext) -> None:
        self._context = context
        self._rows: list[tuple[int, list[Cell]]] = []
        self._line = 0
        self._cells: list[Cell] = []
        self._columns: dict[str, int] = {}
        self._type = ""
        self._style: str | None = None
        self._column = -1
        self._value: str | None = None
        self._formula: str | None = None
        self._into = ""
        self._is_spoken = False
        #: Function that parses the text of a cell, by cell type. Other types: the text as it is.
        self._of_type: dict[str, Callable[[str], Cell]] = {
            "n": self._number,
            "s": lambda value: context.texts[int(value)],
            "e": lambda value: Valueless(_ERROR, _ERROR_FIX, value),
            "b": lambda value: value in {"1", "true"},
            "d": datetime.fromisoformat,
        }

    def take(self) -> list[tuple[int, list[Cell]]]:
        """Return the rows since the last call."""
        rows, self._rows = self._rows, []
        return rows

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        name = _NAMES.get(tag)
        if name == "c":
            self._column = self._column_of(attributes.get("r"))
            self._type = attributes.get("t", "n")
            self._style = attributes.get("s")
            self._value = self._formula = None
        elif name in {"v", "t"}:
            if not self._is_spoken:
                self._into = name
                self._value = self._value or ""
        elif name == "f":
            self._into = name
            self._formula = ""
        elif name == "row":
            self._line = int(float(attributes.get("r", self._line + 1)))
            self._cells = []
            self._column = -1
        elif name == "rPh":
            self._is_spoken = True

    def text(self, text: str) -> None:
        if self._into == "f":
            self._formula = (self._formula or "") + text
        elif self._into:
            self._value = (self._value or "") + text

    def end(self, tag: str) -> None:
        name = _NAMES.get(tag)
        if name == "c":
            cell = self._cell()
            if cell is not None:
                self._cells += [None] * (self._column - len(self._cells))
                self._cells[self._column :] = [cell]
        elif name == "row":
            self._rows.append((self._line, self._cells))
        elif name == "rPh":
            self._is_spoken = False
        elif name is not None:
            self._into = ""

    def _column_of(self, reference: str | None) -> int:
        if reference is None:
            return self._column + 1
        letters = reference.rstrip("0123456789")
        column = self._columns.get(letters)
        if column is None:
            column = self._columns[letters] = column_number(letters)
        return column

    def _cell(self) -> Cell:
        value = self._value
        if value:
            return self._of_type[self._type](value) if self._type in self._of_type else value
        if self._formula is None or self._type == "str":
            return None
        return Valueless(_UNSTORED, _UNSTORED_FIX, f"={self._formula}"[:60])

    def _number(self, value: str) -> Cell:
        number = float(value)
        if self._style is None or self._style not in self._context.date_styles:
            return number
        if 0 <= number <= 1:
            return timedelta(days=number)
        try:
            return moment_of_serial_day(number, value, from_1904=self._context.from_1904)
        except RoundedTooFar:
            return moment_of_serial_day(
                number, repr(number) + "0" * 9, from_1904=self._context.from_1904
            )
        except (OverflowError, ValueError):
            return number


def filled_down(
    rows: Iterable[tuple[int, list[Cell]]], merged: Sequence[MergedCells]
) -> Iterator[tuple[int, list[Cell]]]:
    """Yield rows with the texts and times of vertically merged cells repeated in each line.

    Numbers are not repeated: a number in merged cells is one consumption for several lines.
    """
    tall = {
        (one.first_row, one.first_column): one.last_row
        for one in merged
        if one.last_row > one.first_row
    }
    if not tall:
        yield from rows
        return
    starts: dict[int, list[int]] = {}
    for top, column in tall:
        starts.setdefault(top, []).append(column)
    repeated: dict[int, tuple[int, Cell]] = {}
    for line, cells in rows:
        row = cells
        for column, (last, value) in repeated.items():
            if line <= last:
                row += [None] * (column + 1 - len(row))
                row[column] = value if row[column] is None else row[column]
        for column in starts.get(line, ()):
            value = row[column] if column < len(row) else None
            if isinstance(value, str | datetime):
                repeated[column] = (tall[line, column], value)
        yield line, row
