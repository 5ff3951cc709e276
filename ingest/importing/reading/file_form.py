"""Form of a file: what was detected, or stated by a person. Pure values.

Law: each part of a form that is detected can be stated instead (`FormWishes`), and is shown.
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
        number_problem: question that must be answered before its numbers can be read; None without
            one.
        time_problem: question that must be answered before its times can be read.
    """

    name: str
    content: CellKind = "text"
    unit: str = ""
    numbers: NumberNotation = NumberNotation()
    times: TimeNotation = TimeNotation()
    number_problem: Problem | None = None
    time_problem: Problem | None = None

    @property
    def is_told(self) -> bool:
        """True if its cells tell its notation."""
        return (
            self.content != "nothing"
            and self.numbers.decimal is not None
            and not (self.number_problem or self.time_problem)
        )


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
        last_lines: last line above the values: of a text file, or of each sheet.
        notes: sentences on what was left out or assumed.
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
