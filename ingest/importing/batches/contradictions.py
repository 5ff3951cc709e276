"""Compare the values of a file with stored values from the same time span.

Laws:

1. Values that are already stored are not written again, so a file may be imported twice.
2. Earlier imported values of the same meter and quantity contradict the file in four cases, because
   consumption would be computed from both. They have another value at the same time; or their times
   lie in the file's time span and are not in the file; or they overlap an interval of the file; or
   they are of the other kind (readings of a register or consumption of intervals) in the same time
   span.
3. Live readings (from an agent) at other times never contradict the file, and are never removed.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from datetime import datetime
from itertools import pairwise
from math import isnan, nan
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from ingest.importing.batches.batch_file import BatchFile
from ingest.importing.batches.point_columns import PointColumns
from ingest.importing.batches.stored_points import StoredPoints
from jieneng.metering.reading import Quality
from jieneng.metering.schema import (
    BILL,
    FIELDS,
    INTERVAL,
    INTERVAL_S,
    LONGEST_INTERVAL_MS,
    QUALITY,
)

_MANUAL: Final = int(Quality.MANUAL)
#: Largest number of contradicting points for which the batches that wrote them are looked up.
_MAX_LOOKED_UP: Final = 10_000


class YearSum(msgspec.Struct, frozen=True):
    """Consumption in a local year within the file's time span, by the store and by the file.

    For registers, only rises are added up; falls are ignored.

    Attributes:
        year: the year.
        stored: consumption by the stored values.
        file: consumption by the values of the file.
    """

    year: int
    stored: float
    file: float


class Contradiction(msgspec.Struct, frozen=True, kw_only=True):
    """Counts of the stored values of one quantity of a meter that contradict a file.

    Attributes:
        meter: id of the meter.
        quantity: the quantity.
        differing: imported values that differ from the file at the same time.
        overlapping: imported intervals that overlap one of the file and begin at another time.
        others: imported values whose times lie in the file's time span and are not in the file.
        other_kind: imported values of the other kind in the file's time span.
        live: live readings that differ from the file at the same time.
        live_beside: live readings at other times in the file's time span.
        first_ms: first time of contradicting values [UTC, ms].
        until_ms: last time of contradicting values; for intervals the end [UTC, ms].
        batches: numbers of the batches that wrote the contradicting values, as far as recorded.
        years: consumption by year.
    """

    meter: str
    quantity: str
    differing: int
    overlapping: int
    others: int
    other_kind: int
    live: int
    live_beside: int
    first_ms: int
    until_ms: int
    batches: tuple[int, ...]
    years: tuple[YearSum, ...]

    @property
    def may_be_kept(self) -> bool:
        """True if both the file and the stored values can be kept: they differ at no time."""
        return not (self.differing or self.overlapping or self.live)


class SeriesComparison(msgspec.Struct, frozen=True, kw_only=True):
    """The comparison of a series in a file with the stored values.

    Attributes:
        new: values of the file that are not yet stored.
        unchanged: number of values that are already stored.
        contradicting: stored imported points at other times, or of the other kind.
        contradiction: summary of all contradicting values; None if there are none.
    """

    new: PointColumns
    unchanged: int
    contradicting: tuple[PointColumns, ...]
    contradiction: Contradiction | None


class _Found:
    """Collects the results of comparing stored points in the time span of a series."""

    def __init__(self, count: int) -> None:
        self.is_stored = bytearray(count)
        self.differing = array("q")
        self.overlapping = array("q")
        self.others = array("q")
        self.other_kind = array("q")
        self.live = array("q")
        self.live_beside = 0
        self.until_ms = 0

    def at_other_times(self) -> "array[int]":
        """Return the times of imported points that are not in the file, ascending."""
        return array("q", sorted([*self.overlapping, *self.others]))

    def times(self) -> list[int]:
        """Return the times of all contradicting points."""
        return sorted([*self.differing, *self.at_other_times(), *self.other_kind, *self.live])


class StoredComparison:
    """Compares series of a file with stored values.

    Args:
        zone: time zone of the years.
        stored: the stored points.
        file: record of the batches.
    """

    def __init__(self, zone: ZoneInfo, stored: StoredPoints, file: BatchFile) -> None:
        self._zone = zone
        self._stored = stored
        self._file = file

    async def compare(self, columns: PointColumns, medium: str) -> SeriesComparison:
        """Compare a series.

        Args:
            columns: values of the file: readings of a register, or intervals.
            medium: medium of the meter.
        """
        until_ms = _until_ms(columns)
        found = _Found(len(columns))
        await self._compare_own_kind(columns, until_ms, found)
        other = _of_other_kind(columns, medium)
        if other is not None:
            await self._find_other_kind(columns, other, until_ms, found)
        new = columns.select([place for place, known in enumerate(found.is_stored) if not known])
        contradiction = None
        if found.times():
            contradiction = await self._contradiction(columns, other, until_ms, found)
        pairs = ((columns, found.at_other_times()), (other, found.other_kind))
        return SeriesComparison(
            new=new,
            unchanged=len(columns) - len(new),
            contradicting=tuple(
                msgspec.structs.replace(kind, times_ms=times_ms, columns=_unknown(kind, times_ms))
                for kind, times_ms in pairs
                if kind is not None and times_ms
            ),
            contradiction=contradiction,
        )

    async def _compare_own_kind(self, columns: PointColumns, until_ms: int, found: _Found) -> None:
        first_ms = columns.times_ms[0]
        if columns.is_interval:
            async for time_ms, _, length_s, _ in self._points(
                columns, [(first_ms - LONGEST_INTERVAL_MS, first_ms)]
            ):
                end_ms = _end_ms(columns, time_ms, length_s)
                if end_ms > first_ms:
                    found.overlapping.append(time_ms)
                    found.until_ms = max(found.until_ms, end_ms)
        spans = [span async for span in self._stored.spans(columns, until_ms)]
        place = 0
        async for time_ms, value, companion, others in self._points(columns, spans):
            place = bisect_left(columns.times_ms, time_ms, place)
            is_there = place < len(columns) and columns.times_ms[place] == time_ms
            is_live = not columns.is_interval and not int(companion) & _MANUAL
            if is_there and _is_same(columns, place, value, companion, others):
                found.is_stored[place] = is_live or _is_marked(columns, place, companion, others)
                continue
            if is_live and not is_there:
                found.live_beside += 1
                continue
            if is_there:
                (found.live if is_live else found.differing).append(time_ms)
            elif _overlaps(columns, place, time_ms, companion):
                found.overlapping.append(time_ms)
            else:
                found.others.append(time_ms)
            found.until_ms = max(found.until_ms, _end_ms(columns, time_ms, companion))

    async def _find_other_kind(
        self, columns: PointColumns, other: PointColumns, until_ms: int, found: _Found
    ) -> None:
        """Find points of the other kind strictly inside the time span of a series.

        A reading exactly at the start or end of an interval is not a contradiction.
        """
        first_ms = columns.times_ms[0]
        is_interval = other.is_interval
        begin_ms = first_ms - LONGEST_INTERVAL_MS if is_interval else first_ms + 1
        last_ms = columns.times_ms[-1] if is_interval else until_ms
        async for time_ms, _, companion, _ in self._points(other, [(begin_ms, last_ms)]):
            if is_interval or int(companion) & _MANUAL:
                end_ms = _end_ms(other, time_ms, companion)
                if end_ms > first_ms:
                    found.other_kind.append(time_ms)
                    found.until_ms = max(found.until_ms, end_ms)

    async def _points(
        self, columns: PointColumns, spans: Iterable[tuple[int, int]]
    ) -> AsyncIterator[tuple[int, float, float, tuple[float, ...]]]:
        """Yield (time, value, companion field, other fields) of the stored points of a series."""
        quantity, *others, companion = columns.fields
        for span in spans:
            times_ms, values = await self._stored.values(columns, quantity, *span)
            of_times_ms, companions = await self._stored.values(columns, companion, *span)
            if of_times_ms != times_ms:  # points with other quantities, or without a companion
                of_time = dict(zip(of_times_ms, companions, strict=True))
                companions = array("d", [of_time.get(time_ms, 0.0) for time_ms in times_ms])
            of_others = [
                dict(zip(*await self._stored.values(columns, other, *span), strict=True))
                for other in others
            ]
            for time_ms, value, of_point in zip(times_ms, values, companions, strict=True):
                yield time_ms, value, of_point, tuple([one.get(time_ms, nan) for one in of_others])

    async def _contradiction(
        self, columns: PointColumns, other: PointColumns | None, until_ms: int, found: _Found
    ) -> Contradiction:
        times_ms = found.times()
        return Contradiction(
            meter=columns.meter,
            quantity=columns.quantity,
            differing=len(found.differing),
            overlapping=len(found.overlapping),
            others=len(found.others),
            other_kind=len(found.other_kind),
            live=len(found.live),
            live_beside=found.live_beside,
            first_ms=times_ms[0],
            until_ms=max(times_ms[-1], found.until_ms),
            batches=tuple(sorted(self._batches(columns, other, times_ms))),
            years=await self._years(columns, other, until_ms),
        )

    def _batches(
        self, columns: PointColumns, other: PointColumns | None, times_ms: list[int]
    ) -> set[int]:
        looked_up = array("q", times_ms[:_MAX_LOOKED_UP])
        wanted = set(looked_up)
        return {
            number
            for kind in (columns, other)
            if kind is not None
            for number, part in self._file.parts_of_series(
                msgspec.structs.replace(kind, times_ms=looked_up)
            )
            if not wanted.isdisjoint(part.times_ms)
        }

    async def _years(
        self, columns: PointColumns, other: PointColumns | None, until_ms: int
    ) -> tuple[YearSum, ...]:
        """Return the consumption by year, by the stored imports and by the file."""
        of_file = self._sums(columns, zip(columns.times_ms, columns.columns[0], strict=True))
        span = (columns.times_ms[0], until_ms)
        of_stored: Mapping[int, float] = {}
        for kind in (columns, other):
            if kind is not None and not of_stored:
                imported = [
                    (time_ms, value)
                    async for time_ms, value, companion, _ in self._points(kind, [span])
                    if kind.is_interval or int(companion) & _MANUAL
                ]
                of_stored = self._sums(kind, imported)
        return tuple(
            YearSum(year, of_stored.get(year, 0.0), of_file.get(year, 0.0))
            for year in sorted({*of_stored, *of_file})
        )

    def _sums(
        self, columns: PointColumns, rows: Iterable[tuple[int, float]]
    ) -> Mapping[int, float]:
        sums: dict[int, float] = {}
        years = _YearOf(self._zone)
        for time_ms, amount in rows if columns.is_interval else _rises(rows):
            year = years.year(time_ms)
            sums[year] = sums.get(year, 0.0) + amount
        return sums


class _YearOf:
    """Finds the local year of a time."""

    def __init__(self, zone: ZoneInfo) -> None:
        self._starts_ms = [
            round(datetime(year, 1, 1, tzinfo=zone).timestamp() * 1000)
            for year in range(_FIRST_YEAR, _FIRST_YEAR + 200)
        ]

    def year(self, time_ms: int) -> int:
        """Return the local year of a time [UTC, ms], from 1970 on."""
        return _FIRST_YEAR - 1 + bisect_right(self._starts_ms, time_ms)


_FIRST_YEAR: Final = 1970


def _rises(rows: Iterable[tuple[int, float]]) -> Iterator[tuple[int, float]]:
    """Yield (time, rise) for each rise of a register; the time is just before the later reading."""
    for (_, before), (time_ms, value) in pairwise(rows):
        yield time_ms - 1, max(value - before, 0.0)


def _until_ms(columns: PointColumns) -> int:
    """Return the end of a series' time span: of its last interval, or after its last reading."""
    if not columns.is_interval:
        return columns.times_ms[-1] + 1
    lengths_s = columns.columns[-1]
    return max(
        time_ms + round(length_s * 1000)
        for time_ms, length_s in zip(columns.times_ms, lengths_s, strict=True)
    )


def _end_ms(columns: PointColumns, time_ms: int, companion: float) -> int:
    return time_ms + round(companion * 1000) if columns.is_interval else time_ms


def _overlaps(columns: PointColumns, place: int, time_ms: int, length_s: float) -> bool:
    """Return True if a stored interval overlaps one of the file.

    Args:
        columns: series of the file.
        place: index of the file's first point after `time_ms`.
        time_ms: start of the stored interval [UTC, ms].
        length_s: length of the stored interval [s].
    """
    if not columns.is_interval:
        return False
    times_ms, lengths_s = columns.times_ms, columns.columns[-1]
    if place < len(columns) and times_ms[place] < _end_ms(columns, time_ms, length_s):
        return True
    return place > 0 and _end_ms(columns, times_ms[place - 1], lengths_s[place - 1]) > time_ms


def _is_same(
    columns: PointColumns, place: int, value: float, companion: float, others: tuple[float, ...]
) -> bool:
    """Return True if a point of a file is already stored with the same value."""
    if columns.columns[0][place] != value:
        return False
    if columns.is_interval and columns.columns[-1][place] != companion:
        return False
    return all(
        name == QUALITY or column[place] == other or (isnan(column[place]) and isnan(other))
        for name, column, other in zip(
            columns.fields[1:-1], columns.columns[1:-1], others, strict=True
        )
    )


def _is_marked(
    columns: PointColumns, place: int, companion: float, others: tuple[float, ...]
) -> bool:
    """Return True if store and file agree on whether a point is estimated."""
    if QUALITY not in columns.fields:
        return True
    number = columns.fields.index(QUALITY)
    stored = companion if number == len(columns.fields) - 1 else others[number - 1]
    of_file = int(columns.columns[number][place])
    return not (of_file ^ (0 if isnan(stored) else int(stored))) & Quality.ESTIMATED


def _of_other_kind(columns: PointColumns, medium: str) -> PointColumns | None:
    """Return an empty series of the other kind; None if the quantity has no other kind."""
    if columns.measurement == BILL:
        return None
    if columns.quantity not in FIELDS[INTERVAL] or columns.quantity not in FIELDS[medium]:
        return None
    is_interval = columns.is_interval
    return PointColumns(
        medium if is_interval else INTERVAL,
        columns.meter,
        (columns.quantity, QUALITY if is_interval else INTERVAL_S),
        array("q"),
        (array("d"), array("d")),
    )


def _unknown(columns: PointColumns, times_ms: "array[int]") -> "tuple[array[float], ...]":
    return tuple(array("d", [nan]) * len(times_ms) for _ in columns.fields)
