"""Notations of the numbers and times of a column. Pure values.

A notation is determined from the whole column, or stated by a person. `NumberReader` and
`TimeReader` use it to read the cells of the column.
"""

from typing import Final, Literal

import msgspec

#: Sign between the whole part and the fraction of a number.
DecimalSign = Literal[".", ","]
#: Order of year, month and day in dates such as 05/01/2024.
DateOrder = Literal["ymd", "mdy", "dmy"]
#: Unit of times that are written as the number of seconds or milliseconds since 1970, UTC.
EpochUnit = Literal["s", "ms"]


class NumberNotation(msgspec.Struct, frozen=True):
    """Notation of the numbers of a column.

    Attributes:
        decimal: decimal sign. The other sign, a space or an apostrophe separates thousands. None if
            it is unknown; then a cell that can mean two numbers is an error.
        unit: unit in the cells, such as `kWh` in `81.2 kWh`; "" if there is none.
    """

    decimal: DecimalSign | None = "."
    unit: str = ""


class TimeNotation(msgspec.Struct, frozen=True):
    """Notation of the times of a column.

    Attributes:
        order: order of dates that do not begin with a year of four digits; None if no cell has such
            a date, or if the order is unknown.
        epoch: unit of numbers since 1970; None if numbers are days of a spreadsheet (45296.5) or
            dates without separators (20240105).
        from_1904: True if the spreadsheet counts days from 1904.
        year: year of dates without a year, such as 1月5日; None if it is unknown.
    """

    order: DateOrder | None = None
    epoch: EpochUnit | None = None
    from_1904: bool = False
    year: int | None = None


#: Notation of programs: 1234.5 kilowatt-hours as "1234.5".
USUAL_NUMBERS: Final = NumberNotation()
#: Notation of programs: the year first.
USUAL_TIMES: Final = TimeNotation()
