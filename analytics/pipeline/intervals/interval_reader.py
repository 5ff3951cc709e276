"""Read consumption by hour or quarter of an hour for any days.

The analytics stores such values for the latest days only. For other days they are computed from the
stored readings.

Laws:

1. Computed values equal those that the analytics would have stored.
2. The memory needed is limited: one month of the wanted meters at a time.
3. An interval of a virtual meter is measured if it is measured for all meters in its formula. If it
   is not measured, its longer time contains the longer times of all these meters.
4. Days that are not stored, and whose readings were deleted, are unknown: NaN, with coverage 0.
5. A covered interval without consumption is always measured, however far apart the readings are: a
   register that did not grow between them stood still all the time. So the intervals of a scope
   stay measured if one of its meters was removed.
"""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from datetime import date, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from analytics import periods
from analytics.counters.consumption import Consumption
from analytics.figures.boundary.flows import Flow
from analytics.figures.boundary.lifetime import Begins, lifetime
from analytics.figures.boundary.site_structure import SiteStructure
from analytics.figures.boundary.virtual_meters import operands_read
from analytics.figures.consumption_sums.virtual_consumption import virtual_windows
from analytics.figures.interval_series import MeterIntervals
from analytics.figures.roll_up import stacked
from analytics.periods import Interval
from analytics.pipeline.consumption_store import ConsumptionStore
from analytics.pipeline.intervals.measured_intervals import MeasuredIntervals
from analytics.pipeline.registers.meter_records import MeterRecords
from analytics.pipeline.registers.register_reader import RegisterReader
from jieneng.metering import schema
from jieneng.metering.quantities import Medium
from jieneng.site_folder import SiteFolder
from jieneng.storage import Store

if TYPE_CHECKING:
    from numpy.typing import NDArray


class IntervalReader:
    """Reads a site's consumption by interval.

    Args:
        folder: the site.
        store: the store, prepared.
    """

    def __init__(self, folder: SiteFolder, store: Store) -> None:
        self._site = folder.site
        self._structure = SiteStructure(folder.site)
        self._consumption = ConsumptionStore(folder.site, store)
        self._registers = RegisterReader(folder, store)
        self._measured = MeasuredIntervals(folder.site, store, trusts_polls=False)

    async def windows(
        self,
        medium: Medium,
        interval: Interval,
        start: date,
        end: date,
        meter_ids: Collection[str] | None = None,
    ) -> AsyncIterator[MeterIntervals]:
        """Yield the consumption by interval of the days from `start` to before `end`.

        Each window has at most one month. The windows follow each other without gaps, but their
        flows may differ. Meters are in the order of the site, so that sums over them have the same
        digits in every run.

        Args:
            medium: medium of the meters.
            interval: length of the intervals.
            start: the first local day.
            end: the local day after the last one.
            meter_ids: ids of the wanted meters; None for all meters of the medium.
        """
        meters = [
            meter
            for meter in self._site.meter
            if meter.medium == medium and (meter_ids is None or meter.id in meter_ids)
        ]
        wanted = {meter.id: meter for meter in meters}
        records: list[MeterRecords] | None = None
        for first, following in periods.windows(start, end, months=1):
            for (low, high), is_stored in await self._parts(medium, interval, first, following):
                if is_stored:
                    rows = await self._stored(wanted, medium, interval, low, high)
                else:
                    if records is None:
                        read = operands_read(self._site, wanted)
                        records = await self._registers.meter_records(read)
                    computed = await self._computed(records, interval, low, high)
                    rows = [row for row in computed if row[0].meter.id in wanted]
                edges = periods.edges_ms(low, high, interval, self._site.zone)
                yield await self._intervals(edges, rows)

    async def _parts(
        self, medium: Medium, interval: Interval, start: date, end: date
    ) -> list[tuple[tuple[date, date], bool]]:
        """Divide days into parts that are stored, and parts that are not.

        Returns:
            (first day, day after the last one) of each part, and True if it is stored.
        """
        midnights = periods.edges_ms(start, end, "day", self._site.zone)
        edges = periods.edges_ms(start, end, interval, self._site.zone)
        tags = {"kind": "meter", "medium": medium, "interval": interval}
        is_stored = np.zeros(len(midnights) - 1, dtype=np.bool_)
        for row in (
            await self._consumption.aligned_rows(edges, [schema.COVERAGE], **tags)
        ).values():
            is_stored[np.searchsorted(midnights, edges[:-1][np.isfinite(row)], "right") - 1] = True
        changes = (np.flatnonzero(np.diff(is_stored)) + 1).tolist()
        return [
            ((start + timedelta(days=low), start + timedelta(days=high)), bool(is_stored[low]))
            for low, high in pairwise([0, *changes, len(is_stored)])
        ]

    async def _stored(
        self, wanted: Collection[str], medium: Medium, interval: Interval, start: date, end: date
    ) -> list[tuple[Flow, Consumption]]:
        """Return the stored consumption of wanted meters by flow."""
        stored = await self._consumption.interval_consumption(start, end, medium, interval)
        columns = msgspec.structs.astuple(stored.consumption)
        return [
            (flow, Consumption(*(column[number] for column in columns)))
            for number, flow in enumerate(stored.flows(self._site))
            if flow.meter.id in wanted
        ]

    async def _computed(
        self, records: Sequence[MeterRecords], interval: Interval, start: date, end: date
    ) -> list[tuple[Flow, Consumption]]:
        """Return the consumption that is computed from readings, by flow.

        Virtual meters follow, if the records of all meters in their formulas are given.
        """
        zone = self._site.zone
        grids: Mapping[Interval, NDArray[np.int64]] = {
            "day": periods.edges_ms(start, end, "day", zone),
            interval: periods.edges_ms(start, end, interval, zone),
        }
        days = periods.interval_days(grids[interval], zone)
        begins = self._begins(records)
        flows = [flow for meter in records for flow in meter.flows()]
        found = await self._registers.consumption([register for _, register in flows], grids)
        computed: list[tuple[Flow, Mapping[Interval, Consumption]]] = [
            (flow, one.consumption) for (flow, _), one in zip(flows, found, strict=True)
        ]
        computed += [
            (Flow(virtual.meter), virtual.consumption)
            for virtual in virtual_windows(self._structure, computed, grids, begins)
        ]
        return [
            (flow, lifetime(self._structure, flow, days, begins).applied_to(amounts[interval]))
            for flow, amounts in computed
        ]

    def _begins(self, records: Sequence[MeterRecords]) -> Begins:
        """Return the first day with readings of each flow."""
        return {
            (flow.series, flow.meter.id): periods.local_day(first_ms, self._site.zone)
            for meter in records
            for flow, of_flow in meter.flows()
            if (first_ms := min((first for first, _ in of_flow.spans()), default=None)) is not None
        }

    async def _intervals(
        self, edges_ms: "NDArray[np.int64]", rows: Sequence[tuple[Flow, Consumption]]
    ) -> MeterIntervals:
        """Return the consumption of flows, with the intervals that are measured."""
        flows = tuple(flow for flow, _ in rows)
        members = {flow.meter.id: operands_read(self._site, [flow.meter.id]) for flow in flows}
        read = operands_read(self._site, members)
        times = await self._measured.times(edges_ms, read)
        is_measured = np.ones((len(flows), len(edges_ms) - 1), dtype=np.bool_)
        from_ms = np.tile(edges_ms[:-1], (len(flows), 1))
        until_ms = np.tile(edges_ms[1:], (len(flows), 1))
        for number, flow in enumerate(flows):
            for meter in members[flow.meter.id]:
                is_measured[number] &= times[meter.id].is_measured
                from_ms[number] = np.minimum(from_ms[number], times[meter.id].from_ms)
                until_ms[number] = np.maximum(until_ms[number], times[meter.id].until_ms)
        nothing = Consumption(*[np.zeros(is_measured.shape)] * 6)
        amounts = stacked([row for _, row in rows]) if rows else nothing
        is_real = np.array([flow.meter.formula is None for flow in flows], dtype=np.bool_)
        stands_still = (amounts.amount == 0.0) & (amounts.coverage >= 1.0)
        is_measured |= is_real[:, None] & stands_still
        return MeterIntervals(edges_ms, flows, amounts, is_measured, from_ms, until_ms)
