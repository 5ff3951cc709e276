"""Determine the kind and the notation of a column from its cells. Pure.

Law: cells are examined until the notation is certain, if necessary over the whole file.
"""

from collections import Counter
from typing import Final

from ingest.importing.cells.cell import Cell, quoted
from ingest.importing.cells.cell_kind import CellKind, cell_kind
from ingest.importing.cells.notation import DateOrder, DecimalSign, NumberNotation, TimeNotation
from ingest.importing.cells.number_text import parts_of_number
from ingest.importing.reading.columns.date_order_judge import DateOrderJudge
from ingest.importing.reading.columns.decimal_judge import DecimalJudge
from ingest.importing.reading.file_form import ColumnForm, FormNote, StatedForm
from jieneng.metering.errors import Msgid, Problem

_DECIMAL_FIX: Final[Msgid] = "State the decimal sign: --decimal . or --decimal ,"
_ORDER_NOTES: Final[dict[DateOrder, Msgid]] = {
    "dmy": "column {column}: in {cell} the day is first (--date-order dmy).",
    "mdy": "column {column}: in {cell} the month is first (--date-order mdy).",
    "ymd": "column {column}: in {cell} the year is first (--date-order ymd).",
}
_ORDER_FIX: Final[Msgid] = "State the order: --date-order dmy, mdy or ymd."


class ColumnJudge:
    """Determines kind and notation of one column from the cells that are added."""

    def __init__(self) -> None:
        self._kinds: Counter[CellKind] = Counter()
        self._units: Counter[str] = Counter()
        self._decimals = DecimalJudge()
        self._orders = DateOrderJudge()
        self._has_text_numbers = False

    def add(self, line: int, cell: Cell) -> None:
        """Add a cell from the first rows."""
        kind = cell_kind(cell)
        self._kinds[kind] += 1
        if not isinstance(cell, str):
            return
        if kind == "number":
            self._has_text_numbers = True
            self._decimals.add(line, cell.strip())
            is_bare = cell[-1:].isdecimal() and cell[:1].isdecimal()
            parts = None if is_bare else parts_of_number(cell)
            self._units[parts.unit if parts else ""] += 1
        elif kind == "time":
            self._orders.add(line, cell)

    @property
    def is_open(self) -> bool:
        """True if the notation is not yet certain, and further cells may determine it."""
        return self._orders.is_open or (self._has_text_numbers and not self._decimals.is_decided)

    def add_later(self, line: int, cell: Cell) -> None:
        """Add a cell from a later row. Only for a column that is open."""
        if not isinstance(cell, str):
            return
        if self._orders.is_open:
            self._orders.add(line, cell)
        elif "." in cell or "," in cell or "．" in cell or "，" in cell:
            self._decimals.add(line, cell.strip())

    @property
    def decided_decimal(self) -> DecimalSign | None:
        """Decimal sign that the cells determine; None if there is none, or if cells disagree."""
        return self._decimals.verdict(None).decimal if self._decimals.is_decided else None

    @property
    def content(self) -> CellKind:
        """Kind of most cells that are not empty."""
        filled = Counter(self._kinds)
        del filled["nothing"]
        return filled.most_common(1)[0][0] if filled else "nothing"

    def form(
        self,
        name: str,
        unit: str,
        habit: DecimalSign | None,
        stated: StatedForm,
        *,
        is_whole: bool,
        from_1904: bool,
    ) -> tuple[ColumnForm, tuple[FormNote, ...]]:
        """Return the form of the column, and notes about what was detected or assumed.

        Args:
            name: name of the column.
            unit: unit of the column in the row of units; "" if there is none.
            habit: decimal sign that the rest of the file suggests.
            stated: parts of the form that a person states.
            is_whole: True if the whole file was examined where necessary.
            from_1904: True if the spreadsheet counts days from 1904.
        """
        decimals, orders = self._decimals.verdict(habit), self._orders.verdict()
        decimal = stated.decimal or decimals.decimal
        if decimal is None and decimals.problem is None and is_whole:
            decimal = "."  # no number of the column has a separator
        cell_unit = self._units.most_common(1)[0][0] if self._units else ""
        form = ColumnForm(
            name=name,
            content=self.content,
            unit=unit or cell_unit,
            numbers=NumberNotation(decimal=decimal, unit=cell_unit),
            times=TimeNotation(
                order=stated.date_order or orders.order, epoch=stated.epoch, from_1904=from_1904
            ),
            number_problem=None
            if stated.decimal or decimals.problem is None
            else _problem(decimals.problem, _DECIMAL_FIX, name, decimals.values),
            time_problem=None
            if stated.date_order or orders.problem is None
            else _problem(orders.problem, _ORDER_FIX, name, orders.values),
        )
        notes = []
        if orders.order and not stated.date_order:
            said: dict[str, object] = {"column": name, "cell": quoted(orders.example)}
            notes.append(FormNote(text=_ORDER_NOTES[orders.order], values=said))
        if decimals.note and not stated.decimal:
            notes.append(FormNote(text=decimals.note, values={"column": name, **decimals.values}))
        return form, tuple(notes)


def _problem(text: Msgid, fix: Msgid, column: str, values: dict[str, object]) -> Problem:
    line = values.get("line")
    return Problem(
        text=text,
        fix=fix,
        values={"column": column, **values},
        line=line if isinstance(line, int) else None,
    )
