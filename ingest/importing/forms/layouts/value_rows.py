"""Layout with a row for each value: time, meter, quantity, value. Pure."""

from collections.abc import Iterable
from typing import ClassVar

from ingest.importing.cells.cell import Cell, Row
from ingest.importing.forms.column_words import split_unit
from ingest.importing.forms.import_options import LayoutName
from ingest.importing.forms.layouts.layout import FileContext, Layout
from ingest.importing.forms.meter_series import ParsedValue, ScaledSeries


class ValueRows(Layout):
    """Layout with a row for each value; a file of one meter need not name it."""

    name: ClassVar[LayoutName] = "long"
    reads_others: ClassVar[bool] = False

    @classmethod
    def fits(cls, context: FileContext) -> bool:
        """Return True if the file has columns of times and values, and meters (or one meter)."""
        roles = context.roles
        has_meter = roles.get("meter") is not None or context.options.meter is not None
        return roles.has_time and roles.get("value") is not None and has_meter

    def __init__(self, context: FileContext) -> None:
        super().__init__(context)
        roles = context.roles
        self._times = self.row_times()
        self._meter, self._quantity = roles.get("meter"), roles.get("quantity")
        self._unit, self._value = roles.get("unit"), roles.by_role["value"]
        self._ratio = roles.get("ratio")
        self.left_out = roles.others
        self._named = [
            column
            for column in (self._meter, self._quantity, self._unit, self._ratio)
            if column is not None
        ]
        self._series: dict[tuple[Cell, ...], ScaledSeries | None] = {}

    def values(self, line: int, row: Row) -> Iterable[ParsedValue]:
        """Return the value of a row."""
        time = self.time_of(self._times, line, row)
        if time is None:
            return ()
        key = tuple([row[column] for column in self._named])
        if key not in self._series:
            self._series[key] = self._find(
                line,
                self.text(row, self._meter),
                self.text(row, self._quantity),
                self.text(row, self._unit),
            )
            self._check_ratio(line, row, self._series[key])
        scaled = self._series[key]
        if scaled is None:
            self.unknown_lines.append(line)
            return ()
        return self.parsed(line, row, self._value, scaled, time)

    def _check_ratio(self, line: int, row: Row, scaled: ScaledSeries | None) -> None:
        """Report a ratio in the file if the meter has no transformers in `site.toml`."""
        options, text = self.context.options, self.text(row, self._ratio)
        if scaled is None or options.kind == "interval" or options.side == "primary":
            return
        meter = self.context.site.meters[scaled.series.meter]
        if self._ratio is None or text in ("", "1", "1.0") or meter.ct or meter.pt:
            return
        name = self.context.form.columns[self._ratio].name
        self.context.report_problem(
            line,
            "column {column}: meter {meter} has the ratio {ratio} in the file, but no"
            " transformers in site.toml.",
            "Write ct at the meter, and add --side display. If the values are already"
            " multiplied by the ratio, add --side primary.",
            column=name,
            meter=meter.id,
            ratio=text,
        )

    def _find(self, line: int, meter: str, quantity: str, unit: str) -> ScaledSeries | None:
        columns = self.context.form.columns
        value = columns[self._value]
        if self._meter is None:
            meter = self.context.options.meter or ""
        return self.context.finder.find(
            line,
            meter,
            "--meter" if self._meter is None else columns[self._meter].name,
            quantity=quantity,
            words=value.name,
            unit=unit or split_unit(value.name)[1] or value.unit,
        )
