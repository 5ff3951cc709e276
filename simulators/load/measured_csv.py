"""Read a CSV file of measured values into arrays. Pure: lines in, arrays out.

Law: an empty value, and a text that means "missing", become NaN, never 0. A value or time that
can't be read is refused with its line, never skipped.
"""

import csv
import math
from collections.abc import Collection, Iterable
from datetime import datetime
from zoneinfo import ZoneInfo

import msgspec
import numpy as np

from jieneng.metering.errors import ConfigError, Msgid, Problem
from simulators.load.seeded_noise import Floats, Ints


class CsvTable(msgspec.Struct, frozen=True):
    """The header and the rows of a CSV file, as texts.

    Attributes:
        name: name of the file, for messages.
        header: names of the columns.
        rows: the lines below the header.
    """

    name: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def times(self, column: str | None, zone: ZoneInfo) -> Ints:
        """Return the times of a column [UTC ms]; None means the first column.

        Args:
            column: name of the column.
            zone: time zone of times that are written without an offset.
        """
        at = 0 if column is None else self._column(column)
        return np.asarray(
            [self._time(text[at], zone, line) for line, text in enumerate(self.rows, 2)],
            dtype=np.int64,
        )

    def values(self, column: str, missing: Collection[str] = ()) -> Floats:
        """Return the numbers of a column; NaN for missing values.

        Args:
            column: name of the column.
            missing: texts that mean a missing value, besides the empty text; a number among them is
                compared as a number.
        """
        at = self._column(column)
        missing_values = {_number_or_text(text) for text in missing}
        return np.asarray(
            [self._value(text[at], missing_values, line) for line, text in enumerate(self.rows, 2)]
        )

    def _column(self, name: str) -> int:
        if name not in self.header:
            raise self._error(
                "the file has no column {column}.", "It has: {known}.", 1,
                column=name, known=", ".join(self.header),
            )  # fmt: skip
        return self.header.index(name)

    def _time(self, text: str, zone: ZoneInfo, line: int) -> int:
        try:
            moment = datetime.fromisoformat(text)
        except ValueError as error:
            raise self._error(
                "{time} is not a time.", "Write it as 2020-01-31 23:00:00.", line, time=text
            ) from error
        local = moment.replace(tzinfo=zone) if moment.tzinfo is None else moment
        return round(local.timestamp() * 1000)

    def _value(self, text: str, missing_values: Collection[float | str], line: int) -> float:
        number = _number_or_text(text)
        if text == "" or number in missing_values:
            return math.nan
        if isinstance(number, str):
            raise self._error(
                "{value} is not a number.",
                "If it stands for a missing value, add it to missing.",
                line,
                value=text,
            )
        return number

    def _error(self, text: Msgid, fix: Msgid, line: int, **values: object) -> ConfigError:
        return ConfigError([Problem(text=text, fix=fix, values=values, file=self.name, line=line)])


def parse(lines: Iterable[str], name: str) -> CsvTable:
    """Parse the lines of a file into a table.

    Raises:
        ConfigError: there is no header, or a line has another number of columns.
    """
    rows = [tuple(row) for row in csv.reader(lines)]
    if not rows:
        raise ConfigError([Problem(text="this file is empty.", fix="Check it.", file=name)])
    for line, row in enumerate(rows, 1):
        if len(row) != len(rows[0]):
            raise ConfigError(
                [
                    Problem(
                        text="this line has {count} columns, the header has {wanted}.",
                        fix="Correct the line.",
                        values={"count": len(row), "wanted": len(rows[0])},
                        file=name,
                        line=line,
                    )
                ]
            )
    return CsvTable(name, rows[0], tuple(rows[1:]))


def _number_or_text(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text
