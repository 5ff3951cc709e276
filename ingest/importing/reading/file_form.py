"""Form of a file: what was detected, or stated by a person. Pure values.

Law: each part of a form that is detected can be stated instead (`FormWishes`), and is shown.
"""

from typing import Literal

import msgspec

from ingest.importing.cells.notation import (
    DateOrder,
    DecimalSign,
    EpochUnit,
    NumberNotation,
    TimeNotation,
)
from jieneng.metering.errors import Msgid

#: What the cells of a column are: times (a date, or a date with its time of day), times of day
#: alone, periods (a month, a quarter, a range), numbers, texts, or all empty.
Content = Literal["time", "clock", "period", "number", "text", "nothing"]


class FormWishes(msgspec.Struct, frozen=True, kw_only=True):
    """Parts of a form that a person states; None and () for those that are detected.

    Attributes:
        encoding: encoding of a text file, a name of Python's codecs: utf-8, gb18030, utf-16.
        delimiter: sign between the cells of a text file.
        decimal: decimal sign of all columns.
        date_order: order of dates that do not begin with the year.
        epoch: unit of times that are numbers since 1970.
        header_line: line of the header.
        sheets: sheets of an XLSX file, read as one table.
    """

    encoding: str | None = None
    delimiter: str | None = None
    decimal: DecimalSign | None = None
    date_order: DateOrder | None = None
    epoch: EpochUnit | None = None
    header_line: int | None = None
    sheets: tuple[str, ...] = ()


class ColumnForm(msgspec.Struct, frozen=True, kw_only=True):
    """Form of a column.

    Attributes:
        name: its name in the header, without surrounding spaces; names above each other are joined
            with a space.
        content: what its cells are.
        unit: unit below its name (row of units) or in its cells, as it is written; "" without one.
        numbers: notation of its numbers.
        times: notation of its times.
    """

    name: str
    content: Content = "text"
    unit: str = ""
    numbers: NumberNotation = NumberNotation()
    times: TimeNotation = TimeNotation()


class FormNote(msgspec.Struct, frozen=True, kw_only=True):
    """Sentence about a form: what was left out, or assumed, and why.

    Attributes:
        text: msgid of the sentence.
        values: values of its placeholders.
    """

    text: Msgid
    values: dict[str, object] = {}


class FileForm(msgspec.Struct, frozen=True, kw_only=True):
    """Form of a file.

    Attributes:
        encoding: encoding of a text file; None for XLSX.
        delimiter: sign between the cells of a text file; None for XLSX.
        header_line: line of the header; of several, the last.
        unit_line: line of the units below the header; None without one.
        titles: texts above the header.
        columns: the columns, from the first on.
        sheets: names of the sheets that are read, as one table; () for text.
        notes: sentences on what was left out or assumed.
    """

    encoding: str | None = None
    delimiter: str | None = None
    header_line: int = 1
    unit_line: int | None = None
    titles: tuple[str, ...] = ()
    columns: tuple[ColumnForm, ...] = ()
    sheets: tuple[str, ...] = ()
    notes: tuple[FormNote, ...] = ()

    @property
    def header(self) -> tuple[str, ...]:
        """Names of the columns."""
        return tuple(column.name for column in self.columns)
