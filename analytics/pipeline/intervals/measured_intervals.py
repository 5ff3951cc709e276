"""Find the intervals whose consumption was measured, not spread from a longer time.

If a meter is read by hand every morning, each hour of a day has the same share of the day's
consumption. If only a bill is known, each hour has the same share of the month's consumption. These
hours count as covered, because no reading is missing. But they show nothing about nights, peaks or
empty buildings.

Laws:

1. An interval is measured if the readings around it are not much further apart than its own length.
   It is also measured if it lies in imported intervals of at most about its own length.
2. A longer imported interval replaces the readings in its time. So the intervals in it are not
   measured.
3. An interval that is not measured has a share of the consumption of a longer time. This is the
   time of the imported intervals around it, or else the time between the readings around it.
4. If polls are trusted, and an agent reads a meter every 20 min or more often, all covered hours of
   the meter count as measured. Gaps between its readings are not covered anyway.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from analytics.counters.intervals.overlaps import overlapped
from jieneng.metering import schema
from jieneng.metering.quantities import CONSUMPTION
from jieneng.metering.site import Meter, Site
from jieneng.storage import Store

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Time by which two readings of a measured interval may be further apart than its length [ms].
_JITTER_MS: Final = 300_000
#: Longest imported interval that covers its time (`counters.consumption`) [ms].
_LONGEST_COVERED_MS: Final = 35 * 24 * 3_600_000
_DAY_MS: Final = 24 * 3_600_000
#: Lengths of time in which the next reading is searched for, the shortest first [ms].
_FURTHER_MS: Final = (35 * _DAY_MS, 100 * _DAY_MS)
#: Longest polling interval at which a gap of an hour is never covered: a gap of three intervals is
#: not covered.
_OFTEN_S: Final = 1200.0


#: Start and end of spans of time [UTC, ms], in order of time.
_Spans = tuple["NDArray[np.int64]", "NDArray[np.int64]"]
_NO_SPANS: Final[_Spans] = (np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64))


class MeasuredTimes(msgspec.Struct, frozen=True):
    """The measured intervals of a meter, in arrays of shape (n,).

    Attributes:
        is_measured: True for intervals that are measured (laws 1 and 2).
        from_ms: start of the time whose consumption was divided among intervals (law 3); for a
            measured interval, its own start [UTC, ms].
        until_ms: end of that time [UTC, ms].
    """

    is_measured: "NDArray[np.bool_]"
    from_ms: "NDArray[np.int64]"
    until_ms: "NDArray[np.int64]"


class MeasuredIntervals:
    """Finds the measured intervals of meters.

    Args:
        site: the site.
        store: the store, prepared.
        trusts_polls: True for live rounds (law 4); False for history, because a meter that an agent
            reads today may have been read by hand then.
    """

    def __init__(self, site: Site, store: Store, *, trusts_polls: bool) -> None:
        self._site = site
        self._store = store
        self._trusts_polls = trusts_polls

    async def measured(
        self, edges_ms: "NDArray[np.int64]", meters: Sequence[Meter]
    ) -> "dict[str, NDArray[np.bool_]]":
        """Return True for each measured interval, by meter id, in arrays of shape (n,).

        Args:
            edges_ms: edges of the intervals, shape (n + 1,) [UTC, ms].
            meters: the meters.
        """
        found = await self._times(edges_ms, meters, looks_further=False)
        return {meter: times.is_measured for meter, times in found.items()}

    async def times(
        self, edges_ms: "NDArray[np.int64]", meters: Sequence[Meter]
    ) -> "dict[str, MeasuredTimes]":
        """Return the measured intervals, and the longer times of the others, by meter id.

        Args:
            edges_ms: edges of the intervals, shape (n + 1,) [UTC, ms].
            meters: the meters.
        """
        return await self._times(edges_ms, meters, looks_further=True)

    async def _times(
        self, edges_ms: "NDArray[np.int64]", meters: Sequence[Meter], *, looks_further: bool
    ) -> "dict[str, MeasuredTimes]":
        longest_ms = int(np.median(np.diff(edges_ms))) + _JITTER_MS
        imports = await self._imports(edges_ms) if meters else {}
        found = {}
        for meter in meters:
            start, end = imports.get(meter.id, _NO_SPANS)
            is_imported = _inside(edges_ms, start, end)
            is_often = meter.bus is not None and meter.interval_s <= _OFTEN_S
            far = _NO_SPANS
            if not (self._trusts_polls and is_often):
                is_wanted = looks_further and not is_imported.all()
                far = await self._far_spans(meter, edges_ms, longest_ms, looks_further=is_wanted)
            is_long = end - start > longest_ms
            long = start[is_long], end[is_long]
            measured = ~overlapped(edges_ms, *far)
            measured |= overlapped(edges_ms, start[~is_long], end[~is_long])
            measured &= ~overlapped(edges_ms, *long)
            from_ms, until_ms = _around(edges_ms, long, ~measured)
            of_register = _around(edges_ms, far, ~measured & ~is_imported)
            found[meter.id] = MeasuredTimes(
                measured,
                np.minimum(from_ms, of_register[0]),
                np.maximum(until_ms, of_register[1]),
            )
        return found

    async def _imports(
        self, edges_ms: "NDArray[np.int64]"
    ) -> "dict[str, tuple[NDArray[np.int64], NDArray[np.int64]]]":
        """Return start and end of the imported intervals around the given ones, by meter."""
        found = {}
        for series in await self._store.read(
            schema.INTERVAL,
            schema.INTERVAL_S,
            where={"site": self._site.id},
            start_ms=int(edges_ms[0]) - _LONGEST_COVERED_MS,
            end_ms=int(edges_ms[-1]),
        ):
            length_ms = np.round(series.values * 1000).astype(np.int64)
            found[series.tags["meter"]] = series.times_ms, series.times_ms + length_ms
        return found

    async def _far_spans(
        self,
        meter: Meter,
        edges_ms: "NDArray[np.int64]",
        longest_ms: int,
        looks_further: bool,
    ) -> "_Spans":
        """Return start and end of the times without a reading that are longer than `longest_ms`.

        Args:
            meter: the meter.
            edges_ms: edges of the intervals.
            longest_ms: distance of two readings of a measured interval.
            looks_further: True to find the nearest reading before the first interval and after the
                last one, within the last of `_FURTHER_MS`.
        """
        start_ms = int(edges_ms[0]) - longest_ms
        end_ms = int(edges_ms[-1]) + longest_ms
        times = await self._reading_times(meter, start_ms, end_ms)
        before_ms, after_ms = start_ms - 1, end_ms + 1
        if looks_further and (not len(times) or times[0] - before_ms > longest_ms):
            for further_ms in _FURTHER_MS:
                earlier = await self._reading_times(meter, start_ms - further_ms, start_ms)
                if len(earlier):
                    before_ms = int(earlier[-1])
                    break
        if looks_further and (not len(times) or after_ms - times[-1] > longest_ms):
            for further_ms in _FURTHER_MS:
                later = await self._reading_times(meter, end_ms, end_ms + further_ms)
                if len(later):
                    after_ms = int(later[0])
                    break
        times = np.concatenate([[before_ms], times, [after_ms]])
        is_far = np.diff(times) > longest_ms
        return times[:-1][is_far], times[1:][is_far]

    async def _reading_times(self, meter: Meter, start_ms: int, end_ms: int) -> "NDArray[np.int64]":
        found = await self._store.read(
            meter.medium,
            CONSUMPTION[meter.medium],
            where={"site": self._site.id, "meter": meter.id},
            start_ms=start_ms,
            end_ms=end_ms,
        )
        return found[0].times_ms if found else np.zeros(0, dtype=np.int64)


def _around(
    edges_ms: "NDArray[np.int64]", spans: "_Spans", is_chosen: "NDArray[np.bool_]"
) -> "tuple[NDArray[np.int64], NDArray[np.int64]]":
    """Return start and end of the time of all spans that overlap each chosen interval (law 3).

    For intervals that are not chosen, these are their own start and end.
    """
    start_ms, end_ms = spans
    from_ms, until_ms = edges_ms[:-1].copy(), edges_ms[1:].copy()
    first = np.searchsorted(end_ms, edges_ms[:-1], side="right")
    last = np.searchsorted(start_ms, edges_ms[1:], side="left") - 1
    found = is_chosen & (first <= last)
    from_ms[found] = np.minimum(from_ms[found], start_ms[first[found]])
    until_ms[found] = np.maximum(until_ms[found], end_ms[last[found]])
    return from_ms, until_ms


def _inside(
    edges_ms: "NDArray[np.int64]", start_ms: "NDArray[np.int64]", end_ms: "NDArray[np.int64]"
) -> "NDArray[np.bool_]":
    """Return True for the intervals between edges that begin in a span, and end in a span."""
    begun = np.searchsorted(start_ms, edges_ms[:-1], side="right") - 1
    ended = np.searchsorted(start_ms, edges_ms[1:], side="left") - 1
    limits = np.append(end_ms, np.iinfo(np.int64).min)  # for the number -1: no span
    return (limits[begun] > edges_ms[:-1]) & (limits[ended] >= edges_ms[1:])
