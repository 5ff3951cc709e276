"""Layout with a row for each day, and a column for each hour, half hour or quarter. Pure.

Headers are times of day (00:00, 0:15, ... or 00:15, ..., 24:00), ranges (00:00-00:15), or numbers
(1 to 96, P1 to P96). If the last time of day is 24:00, the times are ends of intervals; otherwise
they are starts.
"""

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import ClassVar, Final
from zoneinfo import ZoneInfo

import msgspec

from ingest.importing.cells.cell import Row
from ingest.importing.cells.clock_text import parse_clock
from ingest.importing.cells.date_text import plain_text
from ingest.importing.forms.column_words import split_unit
from ingest.importing.forms.import_options import LayoutName
from ingest.importing.forms.layouts.layout import FileContext, Layout
from ingest.importing.forms.meter_series import ParsedValue, ScaledSeries

_DAY_MS: Final = 86_400_000
#: Possible numbers of columns: hours, half hours, quarters of an hour, five minutes.
_PARTS: Final = (24, 48, 96, 288)
_NUMBERED: Final = re.compile(r"[a-z]*[-_ ]?(\d{1,3})", re.IGNORECASE)
_RANGE: Final = re.compile(r"(\S+?)\s*[-~—至]\s*(\S+)")


class DayParts(msgspec.Struct, frozen=True):
    """Parts of a day, by column.

    Attributes:
        clocks_ms: time of day in each header [ms].
        starts_ms: start of each part [ms].
    """

    clocks_ms: tuple[int, ...]
    starts_ms: tuple[int, ...]


def day_parts(names: Sequence[str]) -> DayParts | None:
    """Return the parts of the day that headers name; None if they do not name parts of a day."""
    if len(names) not in _PARTS:
        return None
    part_ms = _DAY_MS // len(names)
    starts = tuple(place * part_ms for place in range(len(names)))
    ends = tuple(start + part_ms for start in starts)
    clocks = tuple(_clock_ms(name) for name in names)
    if clocks == ends:
        return DayParts(ends, starts)
    return DayParts(starts, starts) if clocks == starts or _are_numbered(names) else None


def _are_numbered(names: Sequence[str]) -> bool:
    found = [_NUMBERED.fullmatch(name) for name in names]
    numbers = [int(one[1]) for one in found if one]
    first = numbers[0] if numbers else -1
    return first in (0, 1) and numbers == list(range(first, first + len(names)))


def _clock_ms(name: str) -> int | None:
    """Return the time of day in a header [ms]; for a range its start."""
    text = plain_text(name)
    if found := _RANGE.fullmatch(text):
        text = found[1]
    clock = parse_clock(text)
    return clock.after_midnight_ms if clock else None


class DayColumns(Layout):
    """Layout with a column for each part of the day."""

    name: ClassVar[LayoutName] = "day"

    @classmethod
    def fits(cls, context: FileContext) -> bool:
        """Return True if the file has a column of days, and a column for each part of the day."""
        return context.roles.get("time") is not None and cls._parts(context) is not None

    @staticmethod
    def _parts(context: FileContext) -> DayParts | None:
        names = [context.form.columns[column].name for column in context.roles.others]
        return day_parts([split_unit(name)[0] for name in names])

    def __init__(self, context: FileContext) -> None:
        super().__init__(context)
        self._times = self.row_times()
        parts = self._parts(context) or DayParts((), ())
        self._columns = context.roles.others
        self._length_ms = _DAY_MS // max(len(self._columns), 1)
        self._parts_ms = self._part_times(parts)
        self._series: dict[tuple[str, str, str], ScaledSeries | None] = {}

    def values(self, line: int, row: Row) -> Iterator[ParsedValue]:
        """Yield the values of a day."""
        time = self.time_of(self._times, line, row)
        roles = self.context.roles
        key = (
            self.text(row, roles.get("meter")),
            self.text(row, roles.get("quantity")),
            self.text(row, roles.get("unit")),
        )
        if key not in self._series:
            self._series[key] = self._find(line, *key)
        scaled = self._series[key]
        if scaled is None:
            self.unknown_lines.append(line)
        if time is None or scaled is None:
            return
        times_ms = part_times(time[0], self._parts_ms, self._zone)
        for column, time_ms in zip(self._columns, times_ms, strict=True):
            yield from self.parsed(line, row, column, scaled, (time_ms, self._length_ms))

    def _part_times(self, parts: DayParts) -> tuple[int, ...]:
        """Return the local time of day of each column [ms]: an interval's start, or a reading."""
        options = self.context.options
        if options.kind == "register":
            return parts.clocks_ms
        if options.stamp == "end":
            return tuple(clock_ms - self._length_ms for clock_ms in parts.clocks_ms)
        return parts.clocks_ms if options.stamp == "start" else parts.starts_ms

    def _find(self, line: int, meter: str, quantity: str, unit: str) -> ScaledSeries | None:
        context = self.context
        column = context.roles.get("meter")
        if column is None:
            meter = context.options.meter or context.finder.only_meter(line) or ""
            if not meter:
                return None
        first = context.form.columns[context.roles.others[0]]
        return context.finder.find(
            line,
            meter,
            "--meter" if column is None else context.form.columns[column].name,
            quantity=quantity,
            unit=unit or split_unit(first.name)[1] or first.unit,
        )


def part_times(midnight_ms: int, starts: Sequence[int], zone: ZoneInfo) -> Sequence[int]:
    """Return the times of parts of a local day [UTC, ms].

    Args:
        midnight_ms: start of the local day [UTC, ms].
        starts: starts of the parts on the local clock [ms].
        zone: the time zone.
    """
    midnight = datetime.fromtimestamp(midnight_ms / 1000, UTC).astimezone(zone)
    next_midnight = (midnight.replace(tzinfo=None) + timedelta(days=1)).replace(tzinfo=zone)
    if midnight.utcoffset() == next_midnight.utcoffset():
        return [midnight_ms + start for start in starts]
    local = midnight.replace(tzinfo=None)
    return [
        round((local + timedelta(milliseconds=start)).replace(tzinfo=zone).timestamp() * 1000)
        for start in starts
    ]
