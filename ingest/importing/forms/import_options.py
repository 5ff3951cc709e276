"""Options of an import: the meaning and the form of a file, as far as a person names them."""

from collections.abc import Mapping
from typing import Literal
from zoneinfo import ZoneInfo

import msgspec

from ingest.importing.cells.notation import DateOrder, DecimalSign, EpochUnit
from ingest.importing.reading.file_form import FormWishes

ImportKind = Literal["register", "interval"]
Stamp = Literal["start", "end"]
Side = Literal["display", "primary"]
IntervalName = Literal["hour", "day", "week", "month", "quarter", "year"]
#: Layouts: a row a value; a column a meter; a column a part of the day; a column a month.
LayoutName = Literal["long", "wide", "day", "month"]


class ImportOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Options for reading a file.

    Attributes:
        kind: meaning of the values: readings of a register, or the consumption of intervals; None
            to tell it from the file, which is a register if nothing says otherwise.
        stamp: moment of an interval that its time names, its start or its end; None for what the
            headers say, otherwise the start.
        quantity: quantity of the wide layout, and of the long one without that column; None for
            the consumption quantity of each meter's medium.
        interval: length of intervals, in the calendar; None to tell it from the times.
        interval_s: length of intervals [s]; None to tell it from the times.
        unit: unit of all values; None for the one that the file says, or the quantity's own.
        units: units by column or meter, which precede `unit`.
        calorific_value: calorific value of gas that is billed in kWh or MJ, such as 38.93MJ/m3.
        meter: meter of a file of one meter, which does not name it; None if the file names it.
        year: year of dates without one; None to take it from the titles.
        layout: layout of the file; None to detect it.
        side: values of registers: what the display showed, or what was multiplied by the ratio of
            the transformers (primary); None if nobody said it.
        zone: time zone of times without an offset; None for the site's.
        time_column: name of the time column; None for one of `TIME_NAMES`.
        columns: meter ids by column name, in the wide layout; "" leaves the column out. A column
            that is not listed is named after its meter.
        missing: texts of missing values, besides the empty text.
        sheets: sheets of an XLSX file, read as one table; () for all that have the table.
        encoding: encoding of a text file; None to detect it.
        delimiter: sign between the cells of a text file; None to detect it.
        decimal: decimal sign of all columns; None to tell it from each column.
        epoch: unit of times that are numbers since 1970; None for other times.
        header_line: line of the header; None to detect it.
        date_order: order of dates that do not begin with the year, or `ymd` to say that all dates
            are right; None to tell it from the column.
        swap_days: True to swap day and month where the day is 12 or less.
        sure: True to write values that look wrong as a whole.
        skip_bad: True to leave out the rows with problems, and to write the others.
        replace: True to replace stored values that contradict the file.
        keep: True to keep imported values in the file's time at times that the file does not have.
        dry_run: True to check the file without writing.
    """

    kind: ImportKind | None = None
    stamp: Stamp | None = None
    quantity: str | None = None
    interval: IntervalName | None = None
    interval_s: float | None = None
    unit: str | None = None
    units: Mapping[str, str] = {}
    calorific_value: str | None = None
    meter: str | None = None
    year: int | None = None
    layout: LayoutName | None = None
    side: Side | None = None
    zone: ZoneInfo | None = None
    time_column: str | None = None
    columns: Mapping[str, str] = {}
    missing: tuple[str, ...] = ()
    sheets: tuple[str, ...] = ()
    encoding: str | None = None
    delimiter: str | None = None
    decimal: DecimalSign | None = None
    epoch: EpochUnit | None = None
    header_line: int | None = None
    date_order: DateOrder | None = None
    swap_days: bool = False
    sure: bool = False
    skip_bad: bool = False
    replace: bool = False
    keep: bool = False
    dry_run: bool = False

    @property
    def wishes(self) -> FormWishes:
        """Parts of the file's form that a person states."""
        return FormWishes(
            encoding=self.encoding,
            delimiter=self.delimiter,
            decimal=self.decimal,
            date_order=self.date_order,
            epoch=self.epoch,
            header_line=self.header_line,
            sheets=self.sheets,
        )
