"""Base class of the layouts: reads the cells of a file, for all layouts. Pure."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from typing import ClassVar, Final, Self

import msgspec

from ingest.importing.cells.cell import BadCell, Cell, ProblemHandler, Row
from ingest.importing.cells.local_days import swapped_day
from ingest.importing.cells.number_reader import NumberReader
from ingest.importing.cells.time_reader import TimeReader
from ingest.importing.forms.column_roles import ColumnRoles
from ingest.importing.forms.column_words import Role, plain
from ingest.importing.forms.import_options import ImportOptions, LayoutName
from ingest.importing.forms.meter_series import ParsedValue, ScaledSeries
from ingest.importing.forms.month_days import months_of_sheets
from ingest.importing.forms.row_times import BadTime, RowTime, RowTimes, SpanReader, year_of_titles
from ingest.importing.forms.series_finder import SeriesFinder
from ingest.importing.reading.file_form import FileForm
from jieneng.metering.errors import Msgid, Problem
from jieneng.metering.site import Site

#: Texts that mean "estimated" in the column of estimated values.
_ESTIMATED: Final = frozenset(
    "e est estimated estimate 估 估算 估计 估抄 估读 推算 暂估 是 y yes true 1".split()  # noqa: SIM905 - a list to read
)
_MEASURED: Final = frozenset(
    "|a|act|actual|measured|实|实测|实抄|实读|抄见|自动|人工|远程|正常|否|n|no|false|0".split("|")  # noqa: SIM905 - a list to read
)

#: Roles of columns with times.
_TIMES: Final[tuple[Role, ...]] = ("time", "start", "end")


class FileContext(msgspec.Struct, frozen=True):
    """The form of a file and the options of its import, for all layouts.

    Attributes:
        form: form of the file.
        roles: roles of its columns.
        site: the site.
        options: options of the import, with the kind of the values.
        finder: finds the series of names.
        on_problem: called with each problem.
    """

    form: FileForm
    roles: ColumnRoles
    site: Site
    options: ImportOptions
    finder: SeriesFinder
    on_problem: ProblemHandler

    @property
    def year(self) -> int | None:
        """Year of dates without a year, in the first sheet; None if it is unknown."""
        stated = self.options.year or year_of_titles((*self.form.titles, *self.form.sheets))
        return stated or next(iter(self.sheet_years), None)

    @property
    def sheet_years(self) -> tuple[int, ...]:
        """Year of each sheet, if the name of every sheet contains a year; otherwise empty."""
        years = [year_of_titles([name]) for name in self.form.sheets]
        known = tuple(year for year in years if year is not None)
        return known if self.options.year is None and len(known) == len(years) else ()

    def report_problem(self, line: int, text: Msgid, fix: Msgid, **values: object) -> None:
        """Report a problem of a line."""
        self.on_problem(Problem(text=text, fix=fix, values=values, line=line))

    def report_cell(self, line: int, column: int, error: BadCell) -> None:
        """Report a cell that can't be read."""
        name = self.form.columns[column].name or str(column + 1)
        self.report_problem(line, error.text, error.fix, column=name, **error.values)


class Layout(ABC):
    """Layout of one file.

    Attributes:
        name: name of the layout.
        reads_others: True if columns without a role hold values.
        spans: reader of periods in cells and headers.
        has_values: True if the file has times and a column of values.
        unknown_lines: lines whose meter or quantity is unknown. Each unknown name is reported only
            once.
        left_out: columns that are not read, in addition to those ignored because of their names.
    """

    name: ClassVar[LayoutName]
    reads_others: ClassVar[bool] = True

    def __init__(self, context: FileContext) -> None:
        self.context = context
        self._numbers = [
            NumberReader(context.options.missing, column.numbers) for column in context.form.columns
        ]
        self._zone = context.options.zone or context.site.zone
        self._time_readers = [
            TimeReader(self._zone, msgspec.structs.replace(column.times, year=context.year))
            for column in context.form.columns
        ]
        self.spans = SpanReader(self._time_readers, context.year)
        self._has_estimates = context.roles.get("estimated") is not None
        self.has_values = True
        self.unknown_lines: list[int] = []
        self.left_out: tuple[int, ...] = ()

    def for_year(self, year: int, on_problem: ProblemHandler) -> Self:
        """Return a copy of the layout for a sheet of another year."""
        options = msgspec.structs.replace(self.context.options, year=year)
        context = msgspec.structs.replace(self.context, options=options, on_problem=on_problem)
        return type(self)(context)

    @property
    def left_out_names(self) -> tuple[str, ...]:
        """Names of the columns that are not read."""
        columns = sorted({*self.context.roles.ignored, *self.left_out})
        return tuple(self.context.form.columns[column].name for column in columns)

    @classmethod
    @abstractmethod
    def fits(cls, context: FileContext) -> bool:
        """Return True if a file has this layout."""

    @abstractmethod
    def values(self, line: int, row: Row) -> Iterable[ParsedValue]:
        """Return the values of a row that has a cell for each column."""

    def questions(self) -> Iterator[Problem]:
        """Yield the questions that must be answered before the used columns can be read."""
        columns, roles = self.context.form.columns, self.context.roles
        times = [columns[place] for role in _TIMES if (place := roles.get(role)) is not None]
        value = roles.get("value")
        numbers = [value] if value is not None else []
        if self.reads_others:
            numbers += [place for place in roles.others if place not in self.left_out]
        # An answer applies to all columns, so one question of each kind is enough.
        for problems in (
            [column.time_problem for column in times],
            [columns[place].number_problem for place in sorted(numbers)],
        ):
            if (first := next(filter(None, problems), None)) is not None:
                yield first

    def parse(self, line: int, row: Row) -> Iterable[ParsedValue]:
        """Return the values of a row, including missing ones. Wrong values are only reported."""
        columns = self.context.form.columns
        if len(row) != len(columns):
            self.context.report_problem(
                line,
                "this line has {cells} cells, but the header has {expected}.",
                "Complete it, or remove it.",
                cells=len(row),
                expected=len(columns),
            )
            return ()
        unnamed = self.context.roles.unnamed
        if unnamed and any(row[column] not in (None, "") for column in unnamed):
            self.context.report_problem(
                line, "there is a value below a column without a name.", "Name the column."
            )
        return self.values(line, row)

    def row_times(self) -> RowTimes:
        """Return the reader of the rows' times."""
        context = self.context
        return RowTimes(
            context.form.columns,
            context.roles,
            self._time_readers,
            self.spans,
            months_of_sheets(context.form.sheets, context.form.titles, context.year),
            is_interval=context.options.kind == "interval",
        )

    def time_of(self, times: RowTimes, line: int, row: Row) -> RowTime | None:
        """Return the time of a row; None after a problem was reported."""
        try:
            time = times.read(line, row)
        except BadTime as bad:
            self.context.report_cell(line, bad.column, bad.error)
            return None
        if not self.context.options.swap_days:
            return time
        time_ms, length_ms = time
        return swapped_day(time_ms, self._zone), length_ms

    def parsed(
        self, line: int, row: Row, column: int, scaled: ScaledSeries, time: RowTime
    ) -> tuple[ParsedValue, ...]:
        """Return the value of a cell; nothing after a problem was reported."""
        try:
            value = self._numbers[column].read(row[column])
        except BadCell as error:
            self.context.report_cell(line, column, error)
            return ()
        time_ms, length_ms = time
        if value is None:
            return ((scaled.series, time_ms, None, length_ms, False),)
        is_estimated = self._has_estimates and self.is_estimated(line, row)
        return ((scaled.series, time_ms, scaled.canonical(value), length_ms, is_estimated),)

    def is_estimated(self, line: int, row: Row) -> bool:
        """Return True if a row marks its values as estimated."""
        column = self.context.roles.get("estimated")
        if column is None:
            return False
        text = plain(_text(row[column]))
        if text in _ESTIMATED or text in _MEASURED:
            return text in _ESTIMATED
        self.context.report_cell(
            line,
            column,
            BadCell(
                "column {column}: {cell} does not tell if the value is estimated.",
                "Write E or 估算 for an estimated value, A or 实测 for a measured one.",
                cell=_text(row[column]),
            ),
        )
        return False

    def text(self, row: Row, column: int | None) -> str:
        """Return the text of a cell; "" if `column` is None."""
        return "" if column is None else _text(row[column])


def _text(cell: Cell) -> str:
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return "" if cell is None else str(cell).strip()
