"""Write the values of a batch in parts; each part is recorded before it is written.

Laws:

1. A part and the values that it replaces are recorded in the file of batches before the part is
   written to the store. So a batch that was killed can be undone.
2. The days of all written and removed values are marked, so that they are computed again.
"""

from collections.abc import Callable, Sequence
from math import isnan
from typing import Final

import msgspec

from ingest.importing.batches.batch_file import BatchFile
from ingest.importing.batches.batch_record import BatchCounts, BatchSource
from ingest.importing.batches.point_columns import PointColumns
from ingest.importing.batches.stored_points import StoredPoints
from ingest.storing.late_days import LateDays
from jieneng.clock import Clock
from jieneng.metering.schema import Point, interval_ms
from jieneng.storage import RejectedPoint, Store

#: Largest number of points in a part. A part is written in one request.
POINTS_PER_PART: Final = 10_000


class TouchedTime:
    """The time span in which written and removed points may change the consumption.

    Attributes:
        span_ms: start and end of the time [UTC, ms]; None before the first point.
    """

    def __init__(self) -> None:
        self.span_ms: tuple[int, int] | None = None

    def add(self, points: Sequence[Point]) -> None:
        """Extend the time span to points, and to their intervals."""
        if points:
            first_ms = min(point.time_ms for point in points)
            self.extend(first_ms, max(point.time_ms + interval_ms(point) for point in points))

    def extend(self, first_ms: int, until_ms: int) -> None:
        """Extend the time span to another one."""
        if self.span_ms is not None:
            first_ms, until_ms = min(first_ms, self.span_ms[0]), max(until_ms, self.span_ms[1])
        self.span_ms = first_ms, until_ms


class PointChanges:
    """Writes and removes points of a site, and marks the days that they touch.

    Attributes:
        touched: time span of all changed points so far.

    Args:
        site: id of the site.
        store: the store, prepared.
        stored: the stored points.
        late_days: marks days.
        touched: time of the points.
    """

    def __init__(self, site: str, store: Store, stored: StoredPoints, late_days: LateDays) -> None:
        self._site = site
        self._store = store
        self._stored = stored
        self._late_days = late_days
        self.touched = TouchedTime()

    async def apply(
        self, wanted: PointColumns, previous: PointColumns
    ) -> tuple[RejectedPoint, ...]:
        """Write values to points; if the quantity of a point is NaN, it is removed.

        Args:
            wanted: the new values.
            previous: the present values of the same points.

        Returns:
            The points that the store rejects.
        """
        points = list(wanted.points(self._site))
        before = list(previous.points(self._site))
        self.touched.add([*points, *before])
        gone = [place for place, value in enumerate(wanted.columns[0]) if isnan(value)]
        if gone:
            await self._stored.remove(wanted.select(gone))
        marks = self._late_days.marks([*points, *before])
        result = await self._store.write([*points, *marks])
        return tuple(one for one in result.not_stored if one.index < len(points))


class BatchWriter:
    """Writes the values of one batch.

    Attributes:
        number: number of the batch; None before the first value.
        counts: numbers of values so far.
        rejected: points that the store rejected.

    Args:
        source: the file of the batch.
        file: record of the batches.
        stored: the stored points.
        changes: writes the points.
        clock: gives the time of the batch.
    """

    def __init__(
        self,
        source: BatchSource,
        file: BatchFile,
        stored: StoredPoints,
        changes: PointChanges,
        clock: Clock,
    ) -> None:
        self._source = source
        self._file = file
        self._stored = stored
        self._changes = changes
        self._clock = clock
        self.number: int | None = None
        self.counts = BatchCounts()
        self.rejected: list[RejectedPoint] = []

    async def write(self, values: PointColumns, progress: Callable[[int], None]) -> None:
        """Write values, and remove those whose quantity is NaN.

        Args:
            values: the values, without those that are already stored.
            progress: called with the number of points of each part.
        """
        for part in values.parts(POINTS_PER_PART):
            previous = await self._stored.at(part)
            self._file.add_part(self._begun(), part, previous)
            rejected = await self._changes.apply(part, previous)
            self.rejected += rejected
            self._count(part, previous, len(rejected))
            progress(len(part))

    def finish(self, unchanged: int) -> None:
        """Record that the batch is completely written, if it has any values.

        Args:
            unchanged: number of values that were already stored.
        """
        if self.number is not None:
            self._add(unchanged=unchanged)
            self._file.set_state(self.number, "done", self.counts)

    def _begun(self) -> int:
        if self.number is None:
            self.number = self._file.begin(self._source, self._clock.now_ms())
        return self.number

    def _count(self, part: PointColumns, previous: PointColumns, rejected: int) -> None:
        pairs = list(zip(part.columns[0], previous.columns[0], strict=True))
        removed = sum(isnan(new) for new, _ in pairs)
        replaced = sum(not isnan(new) and not isnan(old) for new, old in pairs)
        self._add(written=len(part) - removed - rejected, replaced=replaced, removed=removed)

    def _add(self, **more: int) -> None:
        sums = {name: getattr(self.counts, name) + count for name, count in more.items()}
        self.counts = msgspec.structs.replace(self.counts, **sums)
