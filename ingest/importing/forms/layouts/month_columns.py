"""Layout with a row for each meter, and a column for each month, quarter or year. Pure.

If a file has columns for months and for their year, reading both would count the year twice. So
only the columns with the shortest periods are read.
"""

import re
from collections.abc import Iterator
from typing import ClassVar, Final

from ingest.importing.cells.cell import Row
from ingest.importing.cells.date_text import plain_text
from ingest.importing.cells.period_text import parse_period
from ingest.importing.forms.column_words import split_unit
from ingest.importing.forms.import_options import LayoutName
from ingest.importing.forms.layouts.layout import FileContext, Layout
from ingest.importing.forms.meter_series import ParsedValue, ScaledSeries
from ingest.importing.forms.row_times import BadTime, RowTime, month_number

#: Words that may follow a month in a header: 1月用电量, 2020年1月 读数.
_ENDING: Final = re.compile(r"(?<=[月年度])\s*(?:[用耗]?[电水气热]量?|用量|能耗|读数|示数|合计)$")
#: Smallest number of columns with periods for this layout.
_FEWEST: Final = 2
#: A period that is more than this many times as long as the shortest one is a sum of others.
_LONGER: Final = 1.5


def period_name(name: str) -> str:
    """Return the period in a header, without unit and following words; "" if there is none."""
    text = _ENDING.sub("", plain_text(split_unit(name)[0]))
    if month_number(text) is not None and not text.isdecimal():
        return text
    try:
        return text if parse_period(text, None) is not None else ""
    except ValueError:
        return ""


class MonthColumns(Layout):
    """Layout with a column for each period."""

    name: ClassVar[LayoutName] = "month"

    @classmethod
    def fits(cls, context: FileContext) -> bool:
        """Return True if the file has names of meters, and at least two columns of periods."""
        names = [context.form.columns[column].name for column in context.roles.others]
        return not context.roles.has_time and sum(map(bool, map(period_name, names))) >= _FEWEST

    def __init__(self, context: FileContext) -> None:
        super().__init__(context)
        roles = context.roles
        others = [column for column in roles.others if not self._period(column)]
        meter = roles.get("meter")
        self._meter = others.pop(0) if meter is None and others else meter or 0
        self._columns = tuple(self._find_columns())
        read = {column for column, _ in self._columns}
        self.left_out = tuple(
            sorted({*others, *(column for column in roles.others if self._period(column))} - read)
        )
        self._series: dict[tuple[str, str, str], ScaledSeries | None] = {}
        self._last_name = ""
        self.has_values = bool(self._columns)

    def values(self, line: int, row: Row) -> Iterator[ParsedValue]:
        """Yield the values of a meter."""
        roles = self.context.roles
        quantity = self.text(row, roles.get("quantity"))
        name = self.text(row, self._meter)
        if not name and quantity:  # in a merged cell, only the first row has the name
            name = self._last_name
        self._last_name = name
        key = (name, quantity, self.text(row, roles.get("unit")))
        if key not in self._series:
            self._series[key] = self._find(line, *key)
        scaled = self._series[key]
        if scaled is None:
            self.unknown_lines.append(line)
            return
        for column, time in self._columns:
            yield from self.parsed(line, row, column, scaled, time)

    def _period(self, column: int) -> str:
        return period_name(self.context.form.columns[column].name)

    def _find_columns(self) -> Iterator[tuple[int, RowTime]]:
        """Yield (column, (start, length)) for the columns with the shortest periods."""
        found: list[tuple[int, RowTime]] = []
        for column in self.context.roles.others:
            period = self._period(column)
            if not period:
                continue
            try:
                found.append((column, self.spans.read(period, column)))
            except BadTime as bad:
                self.context.report_cell(self.context.form.header_line, bad.column, bad.error)
        shortest_ms = min((length_ms for _, (_, length_ms) in found), default=0)
        for column, (start_ms, length_ms) in found:
            if length_ms < _LONGER * shortest_ms:
                yield column, (start_ms, length_ms)

    def _find(self, line: int, meter: str, quantity: str, unit: str) -> ScaledSeries | None:
        columns = self.context.form.columns
        first = columns[self._columns[0][0]]
        return self.context.finder.find(
            line,
            meter,
            columns[self._meter].name or str(self._meter + 1),
            quantity=quantity,
            unit=unit or split_unit(first.name)[1] or first.unit,
        )
