"""Options of an import: the meaning and the form of a file, as far as a person states them."""

from collections.abc import Mapping
from typing import Literal
from zoneinfo import ZoneInfo

import msgspec

from ingest.importing.cells.notation import DateOrder, DecimalSign, EpochUnit
from ingest.importing.reading.file_form import StatedForm

ImportKind = Literal["register", "interval"]
Stamp = Literal["start", "end"]
Side = Literal["display", "primary"]
IntervalName = Literal["hour", "day", "week", "month", "quarter", "year"]
#: Layouts. long: a row for each value; wide: a column for each meter; day: a column for each part
#: of the day; month: a column for each month.
LayoutName = Literal["long", "wide", "day", "month"]


class ImportOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Options for reading a file.

    Attributes:
        kind: meaning of the values: readings of a register, or the consumption of intervals; None
            to detect it (readings of a register if nothing in the file indicates otherwise).
        stamp: meaning of the time of an interval: its start or its end; None to detect it from the
            headers (the start if they don't tell).
        quantity: quantity of all values, if the file has no column of quantities; None for the
            consumption quantity of each meter's medium.
        interval: length of intervals in the calendar; None to determine it from the times.
        interval_s: length of intervals [s]; None to determine it from the times.
        unit: unit of all values; None for the unit in the file, or the canonical unit.
        units: units by column or meter; they take precedence over `unit`.
        calorific_value: calorific value of gas that is stated in kWh or MJ, such as 38.93MJ/m3.
        meter: meter of a file that contains only one meter and does not name it; None if the file
            names its meters.
        year: year of dates without a year; None to take it from the titles.
        layout: layout of the file; None to detect it.
        side: meaning of registers of meters with transformers: as displayed, or multiplied by the
            ratio (primary); None if it is not stated.
        zone: time zone of times without an offset; None for the site's time zone.
        time_column: name of the time column; None for one of `TIME_NAMES`.
        columns: meter ids by column name, in the wide layout; "" to leave the column out. Columns
            that are not listed must have the name of a meter.
        missing: texts that mean a missing value, in addition to the empty text.
        sheets: sheets of an XLSX file, read as one table; () for all sheets with such a table.
        encoding: encoding of a text file; None to detect it.
        delimiter: sign between the cells of a text file; None to detect it.
        decimal: decimal sign of all columns; None to determine it for each column.
        epoch: unit of times that are numbers since 1970; None for other times.
        header_line: line of the header; None to detect it.
        date_order: order of dates that do not begin with the year, or `ymd` to state that all dates
            are right; None to determine it from the column.
        swap_days: True to swap day and month if the day is 12 or less.
        sure: True to write the values even if a check of the whole file finds them doubtful.
        skip_bad: True to skip rows with problems, and to write the others.
        replace: True to replace stored values that contradict the file.
        keep: True to keep stored imported values whose times are not in the file.
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
    def stated(self) -> StatedForm:
        """The options that state parts of the file's form."""
        return StatedForm(
            encoding=self.encoding,
            delimiter=self.delimiter,
            decimal=self.decimal,
            date_order=self.date_order,
            epoch=self.epoch,
            header_line=self.header_line,
            sheets=self.sheets,
        )
