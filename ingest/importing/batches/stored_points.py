"""Read stored points by series, and set or remove fields of them.

Laws:

1. Servers can't delete a single field of a point. So the point is deleted, and its other fields are
   written again. Before that, the other fields are recorded on disk; after a crash, they are
   written from there.
2. Only the given points are deleted. A time span is deleted only if it contains no other point of
   the series.
3. The memory needed does not depend on the number of other points stored in the same time span.
"""

from array import array
from bisect import bisect_left
from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from itertools import groupby
from math import isnan
from typing import Final

from ingest.importing.batches.batch_file import BatchFile
from ingest.importing.batches.point_columns import COMPANIONS, PointColumns
from jieneng.metering.schema import FIELDS, Point
from jieneng.storage import Series, Store

#: Largest number of stored points of a series in memory at a time.
_MAX_HELD: Final = 20_000


class StoredPoints:
    """The stored points of a site's meters.

    Args:
        site: id of the site.
        store: the store, prepared.
        file: file for points that are deleted and written again.
    """

    def __init__(self, site: str, store: Store, file: BatchFile) -> None:
        self._site = site
        self._store = store
        self._file = file

    async def values(
        self, columns: PointColumns, field: str, start_ms: int, end_ms: int
    ) -> tuple["array[int]", "array[float]"]:
        """Return times and values of a field of a series in `start_ms <= time < end_ms`."""
        series = await self._read(columns, field, start_ms, end_ms)
        if series is None:
            return array("q"), array("d")
        return array("q", series.times_ms.tolist()), array("d", series.values.tolist())

    async def spans(self, columns: PointColumns, end_ms: int) -> AsyncIterator[tuple[int, int]]:
        """Yield time spans [UTC, ms] from the first point to `end_ms`, each with few stored points.

        A span begins at the time of a point of `columns`, and contains at least one of its points.
        """
        waiting = [(0, len(columns))] if len(columns) else []
        while waiting:
            first, after = waiting.pop()
            is_last = after == len(columns)
            span = columns.times_ms[first], end_ms if is_last else columns.times_ms[after]
            found = await self._read(columns, columns.fields[-1], *span)
            if found is None or len(found.times_ms) <= _MAX_HELD or after - first == 1:
                yield span
            else:
                middle = (first + after) // 2
                waiting += [(middle, after), (first, middle)]

    async def at(self, columns: PointColumns) -> PointColumns:
        """Return the stored values of the same fields at the same times."""
        found = columns.without_values()
        places = {time_ms: place for place, time_ms in enumerate(columns.times_ms)}
        async for span in self.spans(columns, columns.times_ms[-1] + 1):
            for field, column in zip(found.fields, found.columns, strict=True):
                times_ms, values = await self.values(columns, field, *span)
                for time_ms, value in zip(times_ms, values, strict=True):
                    if time_ms in places:
                        column[places[time_ms]] = value
        return found

    async def remove(self, wanted: PointColumns) -> None:
        """Remove the quantity from points. Points without another quantity are deleted.

        Args:
            wanted: the points. If a point has another quantity, its companion fields are set to the
                values in `wanted` that are not NaN.
        """
        async for start_ms, end_ms in self.spans(wanted, wanted.times_ms[-1] + 1):
            first = bisect_left(wanted.times_ms, start_ms)
            after = bisect_left(wanted.times_ms, end_ms)
            await self._remove(wanted.select(range(first, after)))

    async def write_rescued(self) -> None:
        """Write points again that an interrupted `remove` may have deleted."""
        if points := self._file.rescued():
            await self._store.write(points)
            self._file.forget_rescued()

    async def _remove(self, wanted: PointColumns) -> None:
        leaving = set(wanted.times_ms)
        others = await self._other_fields(wanted)
        kept = {
            time_ms: {**others[time_ms], **companions}
            for time_ms, companions in _companions(wanted)
            if others.get(time_ms, {}).keys() - COMPANIONS
        }
        leaving.difference_update(kept)
        staying = others.keys() - leaving
        for first_ms, last_ms in _runs(leaving, staying):
            await self._delete(wanted, first_ms, last_ms + 1)
        await self._rewrite(wanted, kept)

    async def _other_fields(self, wanted: PointColumns) -> dict[int, dict[str, float]]:
        """Return, for each point in the time span, the fields that stay, by time.

        Points of which no field stays have an empty mapping.
        """
        found: dict[int, dict[str, float]] = {}
        removed = set(wanted.fields) - COMPANIONS
        span = wanted.times_ms[0], wanted.times_ms[-1] + 1
        for field in sorted(FIELDS[wanted.measurement]):
            times_ms, values = await self.values(wanted, field, *span)
            for time_ms, value in zip(times_ms, values, strict=True):
                fields = found.setdefault(time_ms, {})
                if field not in removed:
                    fields[field] = value
        return found

    async def _rewrite(self, wanted: PointColumns, kept: Mapping[int, dict[str, float]]) -> None:
        """Delete points, and write them again with the fields in `kept` (law 1)."""
        if not kept:
            return
        tags = (("meter", wanted.meter), ("site", self._site))
        points = [
            Point.of(wanted.measurement, tags, fields.items(), time_ms)
            for time_ms, fields in kept.items()
        ]
        self._file.rescue(points)
        for time_ms in kept:
            await self._delete(wanted, time_ms, time_ms + 1)
        await self._store.write(points)
        self._file.forget_rescued()

    async def _read(
        self, columns: PointColumns, field: str, start_ms: int, end_ms: int
    ) -> Series | None:
        found = await self._store.read(
            columns.measurement,
            field,
            where={"site": self._site, "meter": columns.meter},
            start_ms=start_ms,
            end_ms=end_ms,
        )
        return found[0] if found else None

    async def _delete(self, columns: PointColumns, start_ms: int, end_ms: int) -> None:
        await self._store.delete(
            columns.measurement,
            where={"site": self._site, "meter": columns.meter},
            start_ms=start_ms,
            end_ms=end_ms,
        )


def _companions(wanted: PointColumns) -> Iterator[tuple[int, dict[str, float]]]:
    """Yield the time and the known companion fields of each point."""
    names = wanted.fields[1:]
    for time_ms, *values in zip(wanted.times_ms, *wanted.columns[1:], strict=True):
        pairs = zip(names, values, strict=True)
        yield (
            time_ms,
            {name: value for name, value in pairs if name in COMPANIONS and not isnan(value)},
        )


def _runs(leaving: Collection[int], staying: Collection[int]) -> Iterator[tuple[int, int]]:
    """Yield (first, last time) of each sequence of leaving points without a staying point."""
    order: Sequence[int] = sorted([*leaving, *staying])
    leaves = set(leaving).__contains__
    for does_leave, times_ms in groupby(order, leaves):
        if does_leave:
            run = list(times_ms)
            yield run[0], run[-1]
