"""The form of a file: encoding, delimiter, header, columns with their notations. Pure values.

Law: each detected part of the form is shown, and a person can state it instead (`StatedForm`).
"""

import msgspec

from ingest.importing.cells.cell_kind import CellKind
from ingest.importing.cells.notation import (
    DateOrder,
    DecimalSign,
    EpochUnit,
    NumberNotation,
    TimeNotation,
)
from jieneng.metering.errors import Msgid, Problem


class StatedForm(msgspec.Struct, frozen=True, kw_only=True):
    """Parts of a form that a person states; None and () mean that the part is detected.

    Attributes:
        encoding: encoding of a text file, as the name of a Python codec: utf-8, gb18030, utf-16.
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
    """The form of a column.

    Attributes:
        name: name in the header, without surrounding spaces. In a header of two rows, both names
            are joined with a space.
        content: kind of the cells.
        unit: unit in the row of units or in the cells, as it is written; "" if there is none.
        numbers: notation of the numbers.
        times: notation of the times.
        number_problem: question that must be answered before the numbers can be read; None if there
            is none.
        time_problem: question that must be answered before the times can be read; None if there is
            none.
    """

    name: str
    content: CellKind = "text"
    unit: str = ""
    numbers: NumberNotation = NumberNotation()
    times: TimeNotation = TimeNotation()
    number_problem: Problem | None = None
    time_problem: Problem | None = None

    @property
    def is_determined(self) -> bool:
        """True if the cells determine the notation."""
        return (
            self.content != "nothing"
            and self.numbers.decimal is not None
            and not (self.number_problem or self.time_problem)
        )


class FormNote(msgspec.Struct, frozen=True, kw_only=True):
    """A sentence about what was left out or assumed, and why.

    Attributes:
        text: msgid of the sentence.
        values: values of the placeholders.
    """

    text: Msgid
    values: dict[str, object] = {}


class FileForm(msgspec.Struct, frozen=True, kw_only=True):
    """Form of a file.

    Attributes:
        encoding: encoding of a text file; None for XLSX.
        delimiter: sign between the cells of a text file; None for XLSX.
        header_line: line of the header; if it has two rows, the second one.
        unit_line: line of the units below the header; None if there is none.
        titles: texts above the header.
        columns: the columns, in the order of the file.
        sheets: names of the sheets that are read as one table; () for a text file.
        last_lines: for each sheet, or for a text file: the last line above the values.
        notes: sentences about what was left out or assumed.
        problems: questions that must be answered before the file can be read.
    """

    encoding: str | None = None
    delimiter: str | None = None
    header_line: int = 1
    unit_line: int | None = None
    titles: tuple[str, ...] = ()
    columns: tuple[ColumnForm, ...] = ()
    sheets: tuple[str, ...] = ()
    last_lines: tuple[int, ...] = (1,)
    notes: tuple[FormNote, ...] = ()
    problems: tuple[Problem, ...] = ()

    @property
    def header(self) -> tuple[str, ...]:
        """Names of the columns."""
        return tuple(column.name for column in self.columns)
