"""Layout with a row for each time and a column for each meter. Pure."""

from collections.abc import Iterator
from typing import ClassVar

from ingest.importing.cells.cell import Row
from ingest.importing.forms.import_options import LayoutName
from ingest.importing.forms.layouts.layout import FileContext, Layout
from ingest.importing.forms.meter_series import ImportSeries, ParsedValue, ScaledSeries


class MeterColumns(Layout):
    """Layout with a column for each meter."""

    name: ClassVar[LayoutName] = "wide"

    @classmethod
    def fits(cls, context: FileContext) -> bool:
        """Return True if the file has times and further columns."""
        return context.roles.has_time

    def __init__(self, context: FileContext) -> None:
        super().__init__(context)
        self._times = self.row_times()
        self._columns = tuple(self._find_columns())
        self.has_values = bool(self._columns)

    def values(self, line: int, row: Row) -> Iterator[ParsedValue]:
        """Yield the values of a row."""
        time = self.time_of(self._times, line, row)
        if time is None:
            return
        for column, scaled in self._columns:
            yield from self.parsed(line, row, column, scaled, time)

    def _find_columns(self) -> Iterator[tuple[int, ScaledSeries]]:
        """Yield the columns of meters, and report problems of the other columns."""
        context = self.context
        names = [column.name for column in context.form.columns]
        found: dict[ImportSeries, int] = {}
        columns = sorted([*context.roles.others, *self._value_columns()])
        for column in columns:
            scaled = context.finder.find(
                context.form.header_line,
                names[column],
                names[column],
                unit=context.form.columns[column].unit,
            )
            if scaled is None:
                continue
            first = found.setdefault(scaled.series, column)
            if first == column:
                yield column, scaled
                continue
            context.report_problem(
                context.form.header_line,
                "columns {one} and {other} both contain {quantity} of meter {meter}.",
                "Remove one of them, or state that it is left out.",
                one=names[first],
                other=names[column],
                quantity=scaled.series.quantity,
                meter=scaled.series.meter,
            )
        if not columns:
            context.report_problem(
                context.form.header_line,
                "this file has times, but no other columns.",
                "Add a column for each meter.",
            )

    def _value_columns(self) -> list[int]:
        """Return the column whose name only means values, such as 用电量, as a list."""
        value = self.context.roles.get("value")
        return [] if value is None else [value]
