"""Write points to the store, and return which of them are refused and which are undecided.

Laws:

- If the store refuses a reading with an unknown message, the refusal is final only after the
  conditions in `suspects` are met. Until then the reading is undecided: neither stored nor refused.
- A final refusal is remembered, because the batch may be written again while its other points are
  undecided.
- A refusal of a point that is not a reading is final at once.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

import msgspec

from ingest.metrics import Metrics
from ingest.storing.late_days import LateDays
from ingest.storing.suspects import PointKey, Suspects, point_key
from jieneng.metering.errors import StoreUnavailable
from jieneng.metering.quantities import MEDIA
from jieneng.metering.schema import Point
from jieneng.observe import Log, LoggedFault, SevereFault
from jieneng.storage import RejectedPoint, Store, WriteResult

#: Largest number of final refusals that are remembered.
_MAX_REMEMBERED: Final = 20_000


class WrittenPoints(msgspec.Struct, frozen=True):
    """The result of a write. Points are named by their index in the sequence to write.

    Attributes:
        refused: points that the store refused for good, with their index.
        undecided: indices of points that are not stored now, but may be stored later.
    """

    refused: tuple[RejectedPoint, ...] = ()
    undecided: frozenset[int] = frozenset()


class PointWriter:
    """Writes points, and remembers the points whose refusal is not final yet.

    Args:
        store: the store.
        late_days: marks the days of late readings, in the same write.
        now_s: a clock that never goes back [s].
        metrics: metrics to count in.
        log: logger of the ingest.
    """

    def __init__(
        self,
        store: Store,
        late_days: LateDays,
        now_s: Callable[[], float],
        *,
        metrics: Metrics,
        log: Log,
    ) -> None:
        self._store = store
        self._late_days = late_days
        self._suspects = Suspects(now_s)
        #: Code and message of each refusal with an unknown message that became final.
        self._final_refusals: dict[PointKey, tuple[str, str]] = {}
        self._metrics = metrics
        self._fault = LoggedFault(log, "store unavailable")
        self._unavailable = ""  # reason of the last failed write
        self._mark_fault = SevereFault(log, "late days can't be marked")

    @property
    def is_store_away(self) -> bool:
        """True if the last write failed."""
        return self._fault.occurrences > 0

    def faults(self) -> list[str]:
        """Return the reason for which nothing can be stored at present, if there is one."""
        return [self._unavailable] if self.is_store_away else []

    async def write(self, points: Sequence[Point]) -> WrittenPoints:
        """Write points.

        Raises:
            StoreUnavailable: it is unknown which points were stored; write all of them again.
        """
        due: Sequence[int] = range(len(points))
        known: list[RejectedPoint] = []
        if len(self._suspects) or self._final_refusals:
            known = [
                RejectedPoint(i, point, *found)
                for i, point in enumerate(points)
                if (found := self._final_refusals.get(point_key(point)))
            ]
            settled = {one.index for one in known}
            due = [
                i
                for i, point in enumerate(points)
                if i not in settled and self._suspects.is_due(point)
            ]
        if not due:
            undecided = set(range(len(points))).difference(one.index for one in known)
            return WrittenPoints(tuple(known), frozenset(undecided))
        result = await self._write(points if len(due) == len(points) else [points[i] for i in due])
        unclear = [one for one in result.unclear if one.point.measurement in MEDIA]
        others = [one for one in result.unclear if one.point.measurement not in MEDIA]
        believed = self._suspects.add(unclear)
        self._remember(believed)
        refused = [*result.rejected, *others, *believed]
        self._metrics.points.labels("rejected").inc(len(refused))
        undecided = {due[one.index] for one in unclear}
        undecided -= {due[one.index] for one in refused}
        if len(due) < len(points):
            undecided |= set(range(len(points))).difference(due, (one.index for one in known))
        if len(self._suspects):
            gone = {due[one.index] for one in result.not_stored}
            self._suspects.forget(points[i] for i in due if i not in gone)
        return WrittenPoints((*known, *_renumbered(refused, due)), frozenset(undecided))

    def _remember(self, believed: Iterable[RejectedPoint]) -> None:
        for one in believed:
            if len(self._final_refusals) >= _MAX_REMEMBERED:
                del self._final_refusals[next(iter(self._final_refusals))]
            self._final_refusals[point_key(one.point)] = (one.code, one.reason)

    async def _write(self, points: Sequence[Point]) -> WriteResult:
        """Write points and the marks of their days. Return the result for the points."""
        marks = self._late_days.marks(points)
        try:
            with self._metrics.write_s.time():
                result = await self._store.write([*points, *marks] if marks else points)
        except StoreUnavailable as error:
            self._fault.report(error)
            self._unavailable = str(error)
            self._metrics.store_up.set(0)
            raise
        self._fault.clear()
        self._metrics.store_up.set(1)
        self._metrics.points.labels("stored").inc(result.written)
        self._metrics.last_readings.add(points, {one.index for one in result.not_stored})
        lost = [one for one in result.not_stored if one.index >= len(points)]
        if not lost:
            self._mark_fault.clear()
            return result
        # The readings are stored, but their days will not be computed again automatically.
        self._mark_fault.report(lost[0].reason)
        return WriteResult(
            result.written,
            tuple([one for one in result.rejected if one.index < len(points)]),
            tuple([one for one in result.unclear if one.index < len(points)]),
        )


def _renumbered(refused: Iterable[RejectedPoint], due: Sequence[int]) -> list[RejectedPoint]:
    """Return refused points with their index in all points, not only in those that were due."""
    return [msgspec.structs.replace(one, index=due[one.index]) for one in refused]
