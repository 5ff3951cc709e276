"""Find the intervals whose consumption was measured, instead of being spread from a longer time.

If a meter is read by hand every morning, each hour of a day has the same share of the day's
consumption. If only a bill is known, each hour has the same share of the month's consumption. These
hours count as covered, because no reading is missing. But they show nothing about nights, peaks or
empty buildings.

Laws:

1. An interval is measured if no two readings around it are further apart than about its own length,
   or if it lies in imported intervals of at most that length.
2. An imported interval that is longer takes precedence over readings in its time, so the intervals
   in it are not measured.
3. If polls are trusted, and an agent reads a meter every 20 min or more often, all covered hours of
   the meter are taken as measured: a gap between its readings does not count as covered.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

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
#: Longest polling interval at which a gap of an hour is never covered: a gap of three intervals is
#: not covered.
_OFTEN_S: Final = 1200.0


class MeasuredIntervals:
    """Finds the measured intervals of meters.

    Args:
        site: the site.
        store: the store, prepared.
        trusts_polls: True for live rounds (law 3); False for history, because a meter that an agent
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
        longest_ms = int(np.median(np.diff(edges_ms))) + _JITTER_MS
        imports = await self._imports(edges_ms) if meters else {}
        found = {}
        for meter in meters:
            is_often = meter.bus is not None and meter.interval_s <= _OFTEN_S
            if self._trusts_polls and is_often:
                measured = np.ones(len(edges_ms) - 1, dtype=np.bool_)
            else:
                measured = await self._by_register(meter, edges_ms, longest_ms)
            if meter.id in imports:
                start, end = imports[meter.id]
                is_long = end - start > longest_ms
                measured |= overlapped(edges_ms, start[~is_long], end[~is_long])
                measured &= ~overlapped(edges_ms, start[is_long], end[is_long])
            found[meter.id] = measured
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

    async def _by_register(
        self, meter: Meter, edges_ms: "NDArray[np.int64]", longest_ms: int
    ) -> "NDArray[np.bool_]":
        """Return True for the intervals around which readings are at most `longest_ms` apart."""
        start_ms = int(edges_ms[0]) - longest_ms
        end_ms = int(edges_ms[-1]) + longest_ms
        found = await self._store.read(
            meter.medium,
            CONSUMPTION[meter.medium],
            where={"site": self._site.id, "meter": meter.id},
            start_ms=start_ms,
            end_ms=end_ms,
        )
        times = found[0].times_ms if found else np.zeros(0, dtype=np.int64)
        times = np.concatenate([[start_ms - 1], times, [end_ms + 1]])
        is_far = np.diff(times) > longest_ms
        return ~overlapped(edges_ms, times[:-1][is_far], times[1:][is_far])
