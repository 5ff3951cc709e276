"""Options of an import: the meaning and the form of a file, as far as a person names them."""

from collections.abc import Mapping
from typing import Literal
from zoneinfo import ZoneInfo

import msgspec

ImportKind = Literal["register", "interval"]
Stamp = Literal["start", "end"]


class ImportOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Options for reading a file.

    Attributes:
        kind: meaning of the values: readings of a register, or the consumption of intervals.
        stamp: moment of an interval that its time names, its start or its end.
        quantity: quantity of the wide layout, and of the long one without that column; None for
            the consumption quantity of each meter's medium.
        interval_s: length of intervals [s]; None to tell it from the steps of each series.
        unit: unit of the values, a name of `units.py`; None for the quantity's canonical unit.
        zone: time zone of times without an offset; None for the site's.
        time_column: name of the time column; None for one of `TIME_NAMES`.
        columns: meter ids by column name, in the wide layout; "" leaves the column out. A column
            that is not listed is named after its meter.
        missing: texts of missing values, besides the empty text.
        sheet: sheet of an XLSX file; None for the first one.
        skip_bad: True to leave out the rows with problems, and to write the others.
        replace: True to replace stored values that contradict the file.
        keep: True to keep imported values in the file's time at times that the file does not have.
        dry_run: True to check the file without writing.
    """

    kind: ImportKind = "register"
    stamp: Stamp = "start"
    quantity: str | None = None
    interval_s: float | None = None
    unit: str | None = None
    zone: ZoneInfo | None = None
    time_column: str | None = None
    columns: Mapping[str, str] = {}
    missing: tuple[str, ...] = ()
    sheet: str | None = None
    skip_bad: bool = False
    replace: bool = False
    keep: bool = False
    dry_run: bool = False
