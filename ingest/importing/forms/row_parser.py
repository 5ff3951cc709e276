"""Parse the rows of a file. Pure: header and cells in, values and problems out.

There are two layouts: long, with the columns `time`, `meter`, `quantity` and `value`; and wide,
with a time column and a column for each meter. Errors are reported with line, column and fix. A
meter or column that is wrong in every line is reported once.
"""

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Final, Literal

from ingest.importing.cells.cell import BadCell, ProblemHandler, Row
from ingest.importing.cells.number_reader import NumberReader
from ingest.importing.cells.time_reader import TimeReader
from ingest.importing.forms.import_options import ImportOptions
from ingest.importing.forms.meter_series import ImportSeries, ParsedValue
from jieneng.metering import units
from jieneng.metering.errors import Msgid, Problem
from jieneng.metering.quantities import CONSUMPTION, QUANTITIES
from jieneng.metering.site import Site
from jieneng.metering.spelling import nearest

FileLayout = Literal["long", "wide"]

#: Names of a time column. The first column is the time column too if it has no name.
TIME_NAMES: Final = ("time", "datetime", "timestamp", "date", "时间", "日期", "日期时间")


class RowParser:
    """Parses the rows of a file, according to its header.

    Attributes:
        layout: layout of the file, long or wide.

    Args:
        header: cells of the first line.
        site: the site, for its meters.
        options: options for reading the file.
        on_problem: called with each problem.
    """

    def __init__(
        self, header: Row, site: Site, options: ImportOptions, on_problem: ProblemHandler
    ) -> None:
        self._site = site
        self._options = options
        self._on_problem = on_problem
        self._times = TimeReader(options.zone or site.zone)
        self._numbers = NumberReader(options.missing)
        self._series: dict[tuple[str, str], ImportSeries | None] = {}
        self._header = [str(cell if cell is not None else "").strip() for cell in header]
        self._columns = {
            name.casefold(): column for column, name in reversed([*enumerate(self._header)])
        }
        self._time = self._find_time_column()
        self.layout: FileLayout = "long" if {"meter", "value"} <= self._columns.keys() else "wide"
        self._series_columns = (
            self._wide_columns() if self.layout == "wide" and self._time is not None else ()
        )
        self._unnamed_columns = tuple(
            column for column, name in enumerate(self._header) if not name and column != self._time
        )

    @property
    def has_values(self) -> bool:
        """True if the file has a time column and a column of values."""
        return self._time is not None and (self.layout == "long" or bool(self._series_columns))

    def parse(self, line: int, row: Row) -> Iterator[ParsedValue]:
        """Yield the values of a row, also missing ones. Wrong ones are reported and left out."""
        if self._time is None:
            return
        if len(row) != len(self._header):
            self._report(
                line,
                "this line has {cells} cells, the header {expected}.",
                "Complete it, or remove it.",
                cells=len(row),
                expected=len(self._header),
            )
            return
        if any(row[column] not in (None, "") for column in self._unnamed_columns):
            self._report(
                line, "there is a value below a column without a name.", "Name the column."
            )
        try:
            time_ms = self._times.read(row[self._time])
        except BadCell as error:
            self._report_cell(line, self._header[self._time], error)
            return
        for column, series in self._series_columns or self._long_columns(line, row):
            try:
                value = self._numbers.read(row[column])
            except BadCell as error:
                self._report_cell(line, self._header[column], error)
            else:
                yield series, time_ms, _scaled(value, series.scale), 0, False

    # --- columns ------------------------------------------------------------------------------

    def _find_time_column(self) -> int | None:
        names = (self._options.time_column,) if self._options.time_column else TIME_NAMES
        for name in names:
            if name.casefold() in self._columns:
                return self._columns[name.casefold()]
        if self._header and not self._header[0] and not self._options.time_column:
            return 0
        self._report(
            1,
            "there is no column {names} in this file; its first line is {header}.",
            "Name the column of the times.",
            names=" / ".join(names),
            header=", ".join(self._header)[:200],
        )
        return None

    def _wide_columns(self) -> tuple[tuple[int, ImportSeries], ...]:
        found: dict[ImportSeries, int] = {}
        for column, name in enumerate(self._header):
            meter = self._options.columns.get(name, name)
            if column == self._time or not meter:
                continue
            series = self._find_series(1, meter, "", name)
            if series is None:
                continue
            if series in found:
                self._report(
                    1,
                    "columns {one} and {other} are both {quantity} of meter {meter}.",
                    "Remove one of them, or name it as left out.",
                    one=self._header[found[series]],
                    other=name,
                    quantity=series.quantity,
                    meter=meter,
                )
            found.setdefault(series, column)
        if not any(name for column, name in enumerate(self._header) if column != self._time):
            self._report(
                1, "this file has times, but nothing beside them.", "Add a column a meter."
            )
        return tuple((column, series) for series, column in found.items())

    def _long_columns(self, line: int, row: Row) -> Iterator[tuple[int, ImportSeries]]:
        column = self._columns.get("quantity")
        meter = str(row[self._columns["meter"]] or "").strip()
        quantity = str(row[column] or "").strip() if column is not None else ""
        key = (meter, quantity)
        if key not in self._series:
            self._series[key] = self._find_series(line, meter, quantity, "meter")
        if series := self._series[key]:
            yield self._columns["value"], series

    def _find_series(
        self, line: int, meter_id: str, quantity: str, column: str
    ) -> ImportSeries | None:
        """Return the series of a meter and quantity; None after reporting an error."""
        meter = self._site.meters.get(meter_id)
        if meter is None:
            self._report_unknown(
                line,
                "column {column}: {name} is no meter of the site.",
                meter_id,
                self._site.meters,
                column=column,
            )
            return None
        quantity = quantity or self._options.quantity or CONSUMPTION[meter.medium]
        known_quantities = [
            row.name
            for row in QUANTITIES.values()
            if meter.medium in row.media
            and (self._options.kind == "register" or row.kind == "counter")
        ]
        if quantity not in known_quantities:
            text: Msgid = (
                "{name} is nothing that meter {meter} can count over an interval."
                if self._options.kind == "interval"
                else "{name} is no quantity of meter {meter}."
            )
            self._report_unknown(line, text, quantity, known_quantities, meter=meter.id)
            return None
        canonical = QUANTITIES[quantity].unit
        try:
            scale = units.conversion_factor(self._options.unit or canonical, canonical)
        except ValueError:
            self._report(
                line,
                "{unit} is no unit of {quantity}, whose unit is {canonical}.",
                "Name the unit that the file's values have.",
                unit=self._options.unit,
                quantity=quantity,
                canonical=canonical,
            )
            return None
        return ImportSeries(meter.id, quantity, meter.medium, scale)

    # --- problems -----------------------------------------------------------------------------

    def _report_unknown(
        self,
        line: int,
        text: Msgid,
        name: str,
        known: Mapping[str, object] | Sequence[str],
        **values: object,
    ) -> None:
        close = nearest(name, known)
        fix: Msgid = "Did you mean {close}?" if close else "Known are: {known}."
        shown = ", ".join(sorted(known))[:300]
        self._report(line, text, fix, name=name, close=close, known=shown, **values)

    def _report_cell(self, line: int, column: str, error: BadCell) -> None:
        self._report(line, error.text, error.fix, column=column, **error.values)

    def _report(self, line: int, text: Msgid, fix: Msgid, **values: object) -> None:
        self._on_problem(Problem(text=text, fix=fix, values=values, line=line))


def _scaled(value: float | None, scale: Fraction) -> float | None:
    if value is None or scale == 1:
        return value
    return value * scale.numerator / scale.denominator
