"""Find the hours whose consumption was measured, instead of being spread from a longer time.

If a meter is read by hand every morning, each hour of a day has the same share of the day's
consumption. If only a bill is known, each hour has the same share of the month's consumption. These
hours count as covered, because no reading is missing. But they show nothing about nights or empty
buildings.

Laws:

1. An hour is measured if no two readings around it are further apart than about an hour, or if it
   lies in imported intervals of at most that length.
2. An imported interval that is longer takes precedence over readings in its time, so its hours are
   not measured.
3. An hour of an area is measured if it is measured for all meters that enter into the consumption
   of the area.
4. In live rounds, if an agent reads a meter every 20 min or more often, all covered hours of the
   meter are taken as measured: a gap between its readings does not count as covered.
"""

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, Final

import numpy as np

from analytics.alerts.signals.hours import HOUR_MS, HourGrid
from analytics.figures.boundary.flows import CountedFlows, flows_of
from analytics.figures.boundary.virtual_meters import operands_read
from analytics.figures.roll_up import boundary_weights, scopes
from jieneng.metering import schema
from jieneng.metering.quantities import CONSUMPTION
from jieneng.metering.site import Meter, Site
from jieneng.storage import Store

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Longest time between two readings that measure an hour [ms]: an hour, and some jitter.
_LONGEST_MS: Final = HOUR_MS + 300_000
#: Longest imported interval that covers its time (`counters.consumption`) [ms].
_LONGEST_COVERED_MS: Final = 35 * 24 * HOUR_MS
#: Longest polling interval at which a gap of an hour is never covered: a gap of three intervals is
#: not covered.
_OFTEN_S: Final = 1200.0


class HourResolution:
    """Finds the measured hours of meters and areas.

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
        self._areas = {one.id: one for one in scopes(site) if one.kind == "area"}
        self._known_members: dict[tuple[str, date, date], list[Meter]] = {}
        self._counted = CountedFlows.of(export_deducted=True, export_carbon_deducted=False).energy

    async def measured(
        self, grid: HourGrid, ids: Sequence[str], is_covered: "NDArray[np.bool_]"
    ) -> "NDArray[np.bool_]":
        """Return True for each hour that is measured, shape (m, h).

        Args:
            grid: the hours.
            ids: ids of meters or areas.
            is_covered: True for hours that are fully covered, shape (m, h). Nothing is read for a
                meter or an area without such an hour.
        """
        found = is_covered.copy()
        wanted = [number for number in range(len(ids)) if is_covered[number].any()]
        members = {number: self._members(ids[number], grid) for number in wanted}
        imports = await self._imports(grid) if wanted else {}
        known: dict[str, NDArray[np.bool_]] = {}
        for number, meters in members.items():
            for meter in meters:
                if meter.id not in known:
                    known[meter.id] = await self._of_meter(meter, grid, imports.get(meter.id))
                found[number] &= known[meter.id]
        return found

    def _members(self, subject: str, grid: HourGrid) -> list[Meter]:
        """Return the meters with readings that enter into the consumption of a meter or an area."""
        if subject in self._site.meters:
            return operands_read(self._site, [subject])
        key = subject, grid.days[0], grid.days[-1]
        if key not in self._known_members:
            flows = flows_of([one for one in self._site.meter if one.medium == "electricity"], ())
            weights = boundary_weights(self._areas[subject], flows, grid.days, self._counted)
            pairs = zip(flows, weights, strict=True)
            members = [flow.meter.id for flow, row in pairs if row.any()]
            self._known_members[key] = operands_read(self._site, members)
        return self._known_members[key]

    async def _imports(
        self, grid: HourGrid
    ) -> "dict[str, tuple[NDArray[np.int64], NDArray[np.int64]]]":
        """Return start and end of the imported intervals around the hours, by meter."""
        found = {}
        for series in await self._store.read(
            schema.INTERVAL,
            schema.INTERVAL_S,
            where={"site": self._site.id},
            start_ms=int(grid.edges_ms[0]) - _LONGEST_COVERED_MS,
            end_ms=int(grid.edges_ms[-1]),
        ):
            length_ms = np.round(series.values * 1000).astype(np.int64)
            found[series.tags["meter"]] = series.times_ms, series.times_ms + length_ms
        return found

    async def _of_meter(
        self,
        meter: Meter,
        grid: HourGrid,
        imported: "tuple[NDArray[np.int64], NDArray[np.int64]] | None",
    ) -> "NDArray[np.bool_]":
        is_often = meter.bus is not None and meter.interval_s <= _OFTEN_S
        measured = np.ones(len(grid.ends_ms), dtype=np.bool_)
        if not (self._trusts_polls and is_often):
            measured = await self._by_register(meter, grid)
        if imported is not None:
            start, end = imported
            is_long = end - start > _LONGEST_MS
            measured |= _overlapped(grid, start[~is_long], end[~is_long])
            measured &= ~_overlapped(grid, start[is_long], end[is_long])
        return measured

    async def _by_register(self, meter: Meter, grid: HourGrid) -> "NDArray[np.bool_]":
        """Return True for the hours around which readings are at most about an hour apart."""
        start_ms = int(grid.edges_ms[0]) - _LONGEST_MS
        end_ms = int(grid.edges_ms[-1]) + _LONGEST_MS
        found = await self._store.read(
            meter.medium,
            CONSUMPTION[meter.medium],
            where={"site": self._site.id, "meter": meter.id},
            start_ms=start_ms,
            end_ms=end_ms,
        )
        times = found[0].times_ms if found else np.zeros(0, dtype=np.int64)
        times = np.concatenate([[start_ms - 1], times, [end_ms + 1]])
        is_far = np.diff(times) > _LONGEST_MS
        return ~_overlapped(grid, times[:-1][is_far], times[1:][is_far])


def _overlapped(
    grid: HourGrid, start_ms: "NDArray[np.int64]", end_ms: "NDArray[np.int64]"
) -> "NDArray[np.bool_]":
    """Return True for the hours that overlap one of some spans of time."""
    hours = len(grid.ends_ms)
    first = np.searchsorted(grid.ends_ms, start_ms, side="right")
    following = np.searchsorted(grid.edges_ms[:-1], end_ms, side="left")
    is_inside = first < following
    changes = np.zeros(hours + 1, dtype=np.int64)
    np.add.at(changes, first[is_inside], 1)
    np.add.at(changes, following[is_inside], -1)
    found: NDArray[np.bool_] = np.cumsum(changes)[:-1] > 0
    return found
