"""Read the times and periods of a column by its notation. Pure.

Laws:

1. A wrong cell is reported with its fix (`BadCell`). Nothing is guessed: a date whose order of day
   and month is unknown is refused.
2. Repeated dates and times of day are parsed only once, for speed.
"""

from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from ingest.importing.cells.cell import BadCell, Cell, check_holds_value, quoted
from ingest.importing.cells.clock_text import ClockText, parse_clock
from ingest.importing.cells.date_text import (
    is_yearless,
    ordered_date,
    parse_date,
    plain_text,
    split_date,
)
from ingest.importing.cells.local_times import LocalTimes, check_range, midnight
from ingest.importing.cells.notation import USUAL_TIMES, TimeNotation
from ingest.importing.cells.period_text import Period, SpanUnit, parse_period
from ingest.importing.cells.serial_day import RoundedTooFar, is_serial_day, moment_of_serial_day
from jieneng.metering.errors import Msgid

_MS: Final = timedelta(milliseconds=1)
_DAY: Final = timedelta(days=1)
_EPOCH_UNITS_MS: Final = {"s": 1000, "ms": 1}

#: Largest number of texts in the cache of parsed times.
_MAX_KNOWN: Final = 50_000

_NO_TIME_FIX: Final[Msgid] = (
    "Write it as 2024-01-31 08:00 in the site's local time, or with an offset: +08:00."
)


class Span(msgspec.Struct, frozen=True):
    """The time or period in a cell.

    Attributes:
        start_ms: start [UTC, ms].
        end_ms: end [UTC, ms]; equals the start for a moment.
        unit: unit of the calendar: `moment` for a date with time of day, `day` for a date, `month`
            and so on, `range` for a first and a last day.
    """

    start_ms: int
    end_ms: int
    unit: SpanUnit


class TimeReader:
    """Reads times. A time without an offset is local to `zone`.

    Args:
        zone: time zone of times without an offset.
        notation: notation of the column.
    """

    def __init__(self, zone: ZoneInfo, notation: TimeNotation = USUAL_TIMES) -> None:
        self._local: Final = LocalTimes(zone)
        self._notation: Final = notation
        # Cache: text -> time. In the long layout, lines of several meters have the same time.
        self._times: dict[str, int] = {}
        # Caches: date -> its midnight (only days without a clock change), and time of day -> time
        # since midnight.
        self._midnights: dict[str, int] = {}
        self._clocks: dict[str, int] = {"": 0}

    def read(self, cell: Cell) -> int:
        """Return the time of a cell [UTC, ms].

        Raises:
            BadCell: the cell is not a time, or is an ambiguous time.
        """
        if isinstance(cell, str):
            found = self._times.get(cell)
            return self._of_new_text(cell) if found is None else found
        if isinstance(cell, datetime):
            return self._local.utc_ms(cell, str(cell))
        if isinstance(cell, date):
            return self._local.utc_ms(midnight(cell), str(cell))
        return self._of_value(cell)

    def read_two(self, date_cell: Cell, clock_cell: Cell) -> int:
        """Return the time from two cells: a date, and a time of day [UTC, ms].

        Raises:
            BadCell: a cell can't be read, or the time is ambiguous.
        """
        if isinstance(date_cell, str) and isinstance(clock_cell, str):
            midnight_ms = self._midnights.get(date_cell)
            clock_ms = self._clocks.get(clock_cell) if clock_cell else None
            if midnight_ms is not None and clock_ms is not None:
                return midnight_ms + clock_ms
        day = self._local_day(date_cell)
        clock = self._clock(clock_cell)
        if isinstance(date_cell, str) and isinstance(clock_cell, str):
            self._remember(date_cell, clock_cell)
        return self._joined(day, clock, f"{date_cell} {clock_cell}")

    def read_span(self, cell: Cell) -> Span:
        """Return the time or period in a cell.

        Raises:
            BadCell: the cell is neither a time nor a period, or is an ambiguous time.
        """
        period = self._period(cell)
        if period is not None:
            start_ms, end_ms = (
                self._local.midnight_ms(period.first),
                self._local.midnight_ms(period.until),
            )
            check_range(start_ms, str(cell))
            return Span(start_ms, end_ms, period.unit)
        moment_ms = self.read(cell)
        return Span(moment_ms, moment_ms, "moment")

    # --- texts --------------------------------------------------------------------------------

    def _of_new_text(self, cell: str) -> int:
        if len(self._times) >= _MAX_KNOWN:
            self._times.clear()
        left, _, right = cell.partition("T" if cell[10:11] == "T" else " ")
        midnight_ms, clock_ms = self._midnights.get(left), self._clocks.get(right)
        if midnight_ms is None or clock_ms is None:
            time_ms = self._parse(cell)
            self._remember(left, right)
        else:
            time_ms = midnight_ms + clock_ms
        self._times[cell] = time_ms
        return time_ms

    def _remember(self, left: str, right: str) -> None:
        """Add the date and the time of day of a text to the caches."""
        try:
            day = self._date(plain_text(left))
        except ValueError:
            return
        clock = parse_clock(plain_text(right))
        if clock and clock.offset is None and len(self._clocks) < _MAX_KNOWN:
            self._clocks[right] = clock.after_midnight_ms
        if day is None or len(self._midnights) >= _MAX_KNOWN:
            return
        midnight_ms = self._local.steady_midnight_ms(day)
        if midnight_ms is not None:
            self._midnights[left] = midnight_ms

    def _parse(self, cell: str) -> int:
        text = plain_text(cell)
        number = _number(text)
        if number is not None and not self._is_date_of_digits(text):
            return self._of_number(number, text)
        date_text, clock_text = split_date(text)
        day = self._parse_date(date_text, cell)
        clock = ClockText(0, None) if not clock_text else parse_clock(clock_text, compact=True)
        if clock is None:
            raise _no_time(cell)
        return self._joined(day, clock, cell)

    def _is_date_of_digits(self, text: str) -> bool:
        return self._notation.epoch is None and text.isdecimal() and len(text) in {8, 12, 14}

    def _parse_date(self, text: str, cell: str) -> date:
        try:
            day = self._date(text)
            if day is not None:
                return day
            period = parse_period(text, self._notation.order)
        except ValueError as error:
            raise _no_time(cell) from error
        if period is not None:
            raise BadCell(
                "column {column}: {cell} is a period, not a time.",
                "Write the time at which the meter was read, or import it as consumption: "
                "--kind interval.",
                cell=quoted(cell),
            )
        if self._notation.order is None and ordered_date(text):
            raise BadCell(
                "column {column}: it is not clear which number in {cell} is the day.",
                "State the order: --date-order dmy, mdy or ymd.",
                cell=quoted(cell),
            )
        if is_yearless(text):
            raise BadCell(
                "column {column}: {cell} is a date without a year.",
                "State the year: --year 2024.",
                cell=quoted(cell),
            )
        raise _no_time(cell)

    def _date(self, text: str) -> date | None:
        return parse_date(text, self._notation.order, self._notation.year)

    # --- values of spreadsheets ---------------------------------------------------------------

    def _of_value(self, cell: Cell) -> int:
        check_holds_value(cell)
        if isinstance(cell, int | float) and not isinstance(cell, bool):
            text = repr(cell).removesuffix(".0")
            return (
                self._parse(text) if self._is_date_of_digits(text) else self._of_number(cell, text)
            )
        raise _no_time("" if cell is None else str(cell))

    def _of_number(self, number: float, text: str) -> int:
        if not 0 <= number < 1e15:
            raise _no_time(text)
        if self._notation.epoch:
            time_ms = round(number * _EPOCH_UNITS_MS[self._notation.epoch])
            check_range(time_ms, text)
            return time_ms
        if not is_serial_day(number, from_1904=self._notation.from_1904):
            if 1e9 <= number < 1e13:
                raise BadCell(
                    "column {column}: {cell} looks like a time in seconds or milliseconds since "
                    "1970.",
                    "State which: --epoch s or --epoch ms.",
                    cell=quoted(text),
                )
            raise _no_time(text)
        return self._local.utc_ms(self._serial_moment(number, text), text)

    def _serial_moment(self, number: float, text: str) -> datetime:
        try:
            return moment_of_serial_day(number, text, from_1904=self._notation.from_1904)
        except RoundedTooFar as error:
            raise BadCell(
                "column {column}: {cell} is the number of a day with too few decimals to"
                " determine the minute.",
                "Format the column as date and time, and save the file again.",
                cell=quoted(text),
            ) from error

    # --- two cells ----------------------------------------------------------------------------

    def _local_day(self, cell: Cell) -> date:
        check_holds_value(cell)
        if isinstance(cell, str):
            text = plain_text(cell)
            number = _number(text)
            if number is None or self._is_date_of_digits(text):
                date_text, clock_text = split_date(text)
                clock = parse_clock(clock_text) if clock_text else None
                if clock_text and (clock is None or clock.after_midnight_ms):
                    raise _no_date(cell)
                return self._parse_date(date_text, cell)
            cell = number
        if isinstance(cell, datetime) and cell.time() == time():
            return cell.date()
        if isinstance(cell, date) and not isinstance(cell, datetime):
            return cell
        if isinstance(cell, int | float) and is_serial_day(
            cell, from_1904=self._notation.from_1904
        ):
            return self._serial_moment(int(cell), str(int(cell))).date()
        raise _no_date("" if cell is None else str(cell))

    def _clock(self, cell: Cell) -> ClockText:
        check_holds_value(cell)
        if isinstance(cell, str):
            text = plain_text(cell)
            # "08" alone can be an hour or a minute.
            if clock := parse_clock(text, compact=len(text) > 2):
                return clock
        if isinstance(cell, datetime):
            since = cell - datetime.combine(cell.date(), time(), cell.tzinfo)
            return ClockText(round(since / _MS), None)
        if isinstance(cell, time):
            cell = timedelta(
                hours=cell.hour,
                minutes=cell.minute,
                seconds=cell.second,
                microseconds=cell.microsecond,
            )
        elif isinstance(cell, float | int) and not isinstance(cell, bool) and 0 <= cell <= 1:
            cell = timedelta(seconds=round(cell * 86_400))
        if isinstance(cell, timedelta) and timedelta() <= cell <= _DAY:
            return ClockText(round(cell / _MS), None)
        raise BadCell(
            "column {column}: {cell} is not a time of day.",
            "Write it as 08:00.",
            cell=quoted("" if cell is None else str(cell)),
        )

    # --- periods ------------------------------------------------------------------------------

    def _period(self, cell: Cell) -> Period | None:
        """Return the period of a cell; None for a cell with a time of day."""
        if isinstance(cell, datetime):
            cell = cell.date() if cell.time() == time() and cell.tzinfo is None else None
        if isinstance(cell, date):
            return Period(cell, cell + _DAY, "day")
        if isinstance(cell, int | float) and not isinstance(cell, bool):
            cell = repr(cell).removesuffix(".0")
        if not isinstance(cell, str):
            return None
        text = plain_text(cell)
        number = _number(text)
        if number is not None and is_serial_day(number, from_1904=self._notation.from_1904):
            if self._notation.epoch or number % 1:
                return None
            day: date | None = self._serial_moment(number, text).date()
        else:
            day = self._day(text)
        if day is not None:
            return Period(day, day + _DAY, "day")
        return self._named_period(text)

    def _day(self, text: str) -> date | None:
        try:
            return self._date(text)
        except ValueError:
            return None

    def _named_period(self, text: str) -> Period | None:
        try:
            return parse_period(text, self._notation.order)
        except ValueError as error:
            raise _no_time(text) from error

    # --- local times --------------------------------------------------------------------------

    def _joined(self, day: date, clock: ClockText, text: str) -> int:
        moment = midnight(day) + timedelta(milliseconds=clock.after_midnight_ms)
        if clock.offset is not None:
            moment = (moment - clock.offset).replace(tzinfo=UTC)
        return self._local.utc_ms(moment, text)


def _number(text: str) -> float | None:
    if not text[:1].isdecimal() or not text.replace(".", "", 1).isdecimal():
        return None
    return float(text)


def _no_time(text: str) -> BadCell:
    return BadCell("column {column}: {cell} is not a time.", _NO_TIME_FIX, cell=quoted(text))


def _no_date(text: str) -> BadCell:
    return BadCell(
        "column {column}: {cell} is not a date.", "Write it as 2024-01-31.", cell=quoted(text)
    )
