"""Read the time of a row, from one column or from several columns together. Pure.

    time | date, clock | start, end | year, month | month, with the year from the title |
    day, with month and year from their columns, the sheet's name or the title

Laws:

1. A month, a quarter, a year or a range of days also gives the length of the interval. A date or a
   moment does not: a date may be the first day of a month.
2. If a row has a start, an end and a register, the register was read at the end.
3. The year of a month without a year is taken from a title or an option. If there is none, the
   month is refused.
"""

import re
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from ingest.importing.cells.cell import BadCell, Cell, Row
from ingest.importing.cells.time_reader import Span, TimeReader
from ingest.importing.forms.column_roles import ColumnRoles
from ingest.importing.forms.month_days import day_number
from ingest.importing.reading.file_form import ColumnForm
from ingest.importing.reading.line_numbers import sheet_of

#: (time [UTC, ms], length of the interval [ms]). The length is 0 if the cells don't state it.
RowTime: TypeAlias = tuple[int, int]

_NUMERALS: Final = ("", *"一二三四五六七八九十", "十一", "十二")
_MONTH: Final = re.compile(r"(?:(\d{1,2})|([一二三四五六七八九十]{1,2}))\s*(月份?)?")
_TITLE_YEAR: Final = re.compile(r"(20\d\d)\s*年|\b(20\d\d)\b")


class BadTime(Exception):
    """Raised for a row whose time can't be read.

    Attributes:
        column: number of the column with the wrong cell.
        error: error of the cell.
    """

    def __init__(self, column: int, error: BadCell) -> None:
        super().__init__(str(error))
        self.column = column
        self.error = error


def year_of_titles(titles: Sequence[str]) -> int | None:
    """Return the year in the titles; None if they contain none, or several."""
    years = {int(one or other) for title in titles for one, other in _TITLE_YEAR.findall(title)}
    return years.pop() if len(years) == 1 else None


def month_number(text: str) -> int | None:
    """Return the month in a text such as 1月, 一月 or 01; None for any other text."""
    found = _MONTH.fullmatch(text.strip())
    if found is None:
        return None
    digits, numeral, _ = found.groups()
    number = int(digits) if digits else _NUMERALS.index(numeral) if numeral in _NUMERALS else 0
    return number if 1 <= number <= 12 else None


def length_of(span: Span) -> int:
    """Return the length of the interval that a span means [ms]; 0 for a day or a moment."""
    return 0 if span.unit in ("moment", "day") else span.end_ms - span.start_ms


class SpanReader:
    """Reads the moment, day, month or longer period in a cell or a header.

    Args:
        readers: reader of each column's times.
        year: year of months without a year; None if it is unknown.
    """

    def __init__(self, readers: Sequence[TimeReader], year: int | None) -> None:
        self._readers = readers
        self._year = year

    def read(self, cell: Cell, column: int) -> RowTime:
        """Return start and length of a span.

        Raises:
            BadTime: the cell contains no time, or a month whose year is unknown.
        """
        month = month_number(_text(cell))
        try:
            if month is not None:
                cell = self._month_of_year(month, _text(cell))
            span = self._readers[column].read_span(cell)
        except BadCell as error:
            raise BadTime(column, error) from error
        return span.start_ms, length_of(span)

    def month(self, text: str, row: Row, year: int | None) -> str:
        """Return the month of a row such as 2025-01; "" if it has none.

        Args:
            text: text of the column of months.
            row: the row.
            year: number of the column of years; None if there is none.
        """
        number = month_number(text)
        of_row = self._year if year is None else _text(row[year]).rstrip("年度")
        return f"{of_row}-{number:02}" if number and of_row else ""

    def _month_of_year(self, month: int, text: str) -> str:
        if self._year is None:
            raise BadCell(
                "column {column}: {cell} is a month without a year.",
                "State the year: --year 2024.",
                cell=text,
            )
        return f"{self._year}-{month:02}"


class RowTimes:
    """Reads the times of the rows of a file.

    Args:
        columns: forms of the columns.
        roles: roles of the columns; at least one is a time.
        readers: reader of each column's times.
        spans: reader of spans.
        months: month of each sheet, such as 2025-01, or "", for days that are written as numbers.
        is_interval: True if the values are amounts of intervals.
    """

    def __init__(
        self,
        columns: Sequence[ColumnForm],
        roles: ColumnRoles,
        readers: Sequence[TimeReader],
        spans: SpanReader,
        months: Sequence[str],
        *,
        is_interval: bool,
    ) -> None:
        self._columns = columns
        self._readers = readers
        self._spans = spans
        self._months = months
        self._is_interval = is_interval
        self._date: Cell = None
        #: Function that reads the time of a row; raises BadTime.
        self.read: Callable[[int, Row], RowTime] = self._reader_for(roles)

    def _reader_for(self, roles: ColumnRoles) -> Callable[[int, Row], RowTime]:
        """Return the function that reads times from the columns of this file."""
        time, clock = roles.get("time"), roles.get("clock")
        start, end = roles.get("start"), roles.get("end")
        year, month = roles.get("year"), roles.get("month")
        if start is not None and end is not None:
            if self._is_interval:
                return lambda _, row: self._start_and_end(row, start, end)
            time, clock = end, None
        if time is not None and clock is not None:
            return lambda _, row: self._date_and_clock(row, time, clock)
        if (day := roles.get("day")) is not None and time is None:
            return lambda line, row: self._day(line, row, (year, month, day))
        if year is not None and month is not None:
            return lambda _, row: self._year_and_month(row, year, month)
        single = next(place for place in (time, start, end, month, year) if place is not None)
        if self._is_interval and self._columns[single].content != "time":
            return lambda _, row: self._span(row, single)
        return lambda _, row: self._moment(row, single)

    def _moment(self, row: Row, column: int) -> RowTime:
        try:
            return self._readers[column].read(row[column]), 0
        except BadCell as error:
            raise BadTime(column, error) from error

    def _span(self, row: Row, column: int) -> RowTime:
        return self._spans.read(row[column], column)

    def _date_and_clock(self, row: Row, date: int, clock: int) -> RowTime:
        if row[date] not in (None, ""):  # in a merged cell, only the first row has the date
            self._date = row[date]
        try:
            return self._readers[date].read_two(self._date, row[clock]), 0
        except BadCell as error:
            raise BadTime(date, error) from error

    def _day(self, line: int, row: Row, places: tuple[int | None, int | None, int]) -> RowTime:
        """Return the time of a numbered day, with the month from row, sheet name or title."""
        year, month, day = places
        number = day_number(_text(row[day]))
        of_row = "" if month is None else self._spans.month(_text(row[month]), row, year)
        of_day = of_row or self._months[sheet_of(line) % len(self._months)]
        if number is None or not of_day:
            raise BadTime(
                day,
                BadCell(
                    "column {column}: {cell} is a day without month and year.",
                    "Write month and year into the sheet's name, a title such as 2025年1月, or"
                    " the cell.",
                    cell=_text(row[day]),
                ),
            )
        try:
            return self._readers[day].read(f"{of_day}-{number:02}"), 0
        except BadCell as error:
            raise BadTime(day, error) from error

    def _year_and_month(self, row: Row, year: int, month: int) -> RowTime:
        text = f"{_text(row[year]).rstrip('年度')}-{_text(row[month]).rstrip('月份')}"
        try:
            span = self._readers[year].read_span(text)
        except BadCell as error:
            raise BadTime(month, error) from error
        return span.start_ms, length_of(span) if self._is_interval else 0

    def _start_and_end(self, row: Row, start: int, end: int) -> RowTime:
        start_ms, _ = self._moment(row, start)
        end_ms, _ = self._moment(row, end)
        if end_ms <= start_ms:
            raise BadTime(
                end,
                BadCell(
                    "column {column}: {cell} is not after the start of the interval.",
                    "Correct one of the two times.",
                    cell=_text(row[end]),
                ),
            )
        return start_ms, end_ms - start_ms


def _text(cell: Cell) -> str:
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return "" if cell is None else str(cell).strip()
