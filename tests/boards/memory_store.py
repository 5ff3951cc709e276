"""A fast store in memory whose content can be read as line protocol."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from jieneng.metering import line_protocol
from jieneng.metering.schema import Point, Value
from jieneng.storage.store import (
    Series,
    SeriesColumns,
    SeriesSpan,
    TextSeries,
    Where,
    WriteResult,
    has_tags,
)
from tests.storage.point_counts import point_counts

#: Points in a write: a busy server refuses writes that take it longer than ten seconds.
_PORTION: Final = 10_000
_SeriesKey = tuple[str, tuple[tuple[str, str], ...]]  # measurement and tags
_Column = tuple[NDArray[np.int64], NDArray[np.float64]]


class MemoryStore:
    """A `Store` whose points can be taken out again as lines."""

    def __init__(self) -> None:
        self._series: dict[_SeriesKey, dict[int, dict[str, Value]]] = defaultdict(dict)
        self._columns: dict[_SeriesKey, dict[str, _Column]] = defaultdict(dict)

    def lines(self) -> Iterator[bytes]:
        """Yield line protocol in portions."""
        points = [
            Point.of(measurement, tags, tuple(fields.items()), time_ms)
            for (measurement, tags), rows in self._series.items()
            for time_ms, fields in rows.items()
        ]
        for start in range(0, len(points), _PORTION):
            yield line_protocol.encode(points[start : start + _PORTION])

    async def prepare(self) -> None:
        return

    async def write(self, points: Sequence[Point]) -> WriteResult:
        for point in points:
            key = (point.measurement, point.tags)
            self._series[key].setdefault(point.time_ms, {}).update(point.fields)
            self._columns.pop(key, None)
        return WriteResult(len(points))

    async def write_columns(self, measurement: str, series: Sequence[SeriesColumns]) -> WriteResult:
        return await self.write([point for one in series for point in one.points(measurement)])

    async def read(
        self,
        measurement: str,
        field: str,
        *,
        where: Where,
        start_ms: int,
        end_ms: int,
    ) -> list[Series]:
        found = []
        for key in self._matching(measurement, where):
            times, values = self._column(key, field)
            first, last = np.searchsorted(times, (start_ms, end_ms))
            if first < last:
                found.append(Series(dict(key[1]), times[first:last], values[first:last]))
        return found

    async def read_columns(
        self,
        measurement: str,
        fields: Sequence[str],
        *,
        where: Where,
        start_ms: int,
        end_ms: int,
    ) -> list[SeriesColumns]:
        found = []
        for key in self._matching(measurement, where):
            columns = {field: self._column(key, field) for field in fields}
            times = np.unique(np.concatenate([of_field for of_field, _ in columns.values()]))
            times = times[(times >= start_ms) & (times < end_ms)]
            if len(times):
                by_field = {field: _at(times, *column) for field, column in columns.items()}
                found.append(SeriesColumns(dict(key[1]), times, by_field))
        return found

    async def read_text(
        self,
        measurement: str,
        field: str,
        *,
        where: Where,
        start_ms: int,
        end_ms: int,
    ) -> list[TextSeries]:
        found = []
        for key in self._matching(measurement, where):
            rows = sorted(self._series[key].items())
            values = {
                time_ms: str(fields[field])
                for time_ms, fields in rows
                if field in fields and start_ms <= time_ms < end_ms
            }
            if values:
                found.append(TextSeries(dict(key[1]), values))
        return found

    async def count(
        self,
        measurement: str,
        field: str,
        *,
        where: Where,
        start_ms: int,
        end_ms: int,
        step_ms: int,
    ) -> list[Series]:
        found = await self.read(measurement, field, where=where, start_ms=start_ms, end_ms=end_ms)
        return [point_counts(series, start_ms, step_ms) for series in found]

    async def span(
        self, measurement: str, *, where: Where, field: str | None = None
    ) -> tuple[int, int] | None:
        found = await self.spans(measurement, where=where, field=field)
        if not found:
            return None
        return min(one.first_ms for one in found), max(one.last_ms for one in found)

    async def spans(
        self, measurement: str, *, where: Where, field: str | None = None
    ) -> list[SeriesSpan]:
        found = []
        for key in self._matching(measurement, where):
            rows = self._series[key] if field is None else self._column(key, field)[0].tolist()
            if rows:
                found.append(SeriesSpan(dict(key[1]), min(rows), max(rows)))
        return found

    async def delete(
        self, measurement: str, *, where: Mapping[str, str], start_ms: int, end_ms: int
    ) -> None:
        for key in self._matching(measurement, where):
            rows = self._series[key]
            for time_ms in [time_ms for time_ms in rows if start_ms <= time_ms < end_ms]:
                del rows[time_ms]
            self._columns.pop(key, None)

    async def retention_s(self) -> float | None:
        """Return None: points are kept without end."""
        return None

    async def close(self) -> None:
        return

    def _matching(self, measurement: str, where: Where) -> list[_SeriesKey]:
        return [
            key
            for key, rows in self._series.items()
            if key[0] == measurement and rows and has_tags(dict(key[1]), where)
        ]

    def _column(self, key: _SeriesKey, field: str) -> _Column:
        columns = self._columns[key]
        if field not in columns:
            rows = self._series[key]
            times = sorted(time_ms for time_ms, row in rows.items() if field in row)
            columns[field] = (
                np.asarray(times, dtype=np.int64),
                np.asarray([rows[time_ms][field] for time_ms in times], dtype=np.float64),
            )
        return columns[field]


def _at(
    wanted_ms: NDArray[np.int64], times_ms: NDArray[np.int64], values: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the value at each wanted time; NaN where there is none."""
    found = np.full(len(wanted_ms), np.nan)
    is_wanted = np.isin(times_ms, wanted_ms)
    found[np.searchsorted(wanted_ms, times_ms[is_wanted])] = values[is_wanted]
    return found
