"""Compute and write the consumption of meters and scopes and the findings, window by window.

Laws:

1. Scopes are written before their meters. If the work is interrupted in between, the days of the
   meters are still missing or outdated, and `outdated_days` finds them in the next run.
2. For the latest days, values by hour and by quarter of an hour are stored, too. If older days
   still have such values, these are updated as well, so that they agree with the daily values.
3. Findings are written before the consumption of their days, for the same reason as scopes.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import date, timedelta
from itertools import chain

import numpy as np

from analytics import periods
from analytics.counters.consumption import Consumption
from analytics.counters.register_finding import RegisterFinding
from analytics.figures.boundary.flows import Flow, FlowKind
from analytics.figures.boundary.lifetime import Begins
from analytics.figures.consumption_sums.balance_consumption import balance_consumption
from analytics.figures.consumption_sums.scope_consumption import scope_consumption
from analytics.figures.consumption_sums.virtual_consumption import VirtualWindow, virtual_windows
from analytics.figures.roll_up import Scope
from analytics.periods import Interval
from analytics.pipeline.consumption_store import ConsumptionStore, Grids, StoredTimes
from analytics.pipeline.finding_store import FindingStore
from analytics.pipeline.register_reader import MeterRecords, RegisterReader, recorded_days
from analytics.pipeline.store_points import unknown_day_points
from jieneng.metering.site import Site


class ConsumptionWindows:
    """Computes and writes the consumption of a site, window by window.

    Args:
        site: the site.
        scopes: scopes of the site.
        consumption: stored consumption of the site.
        registers: reader of the registers.
        findings: stored findings of the site.
        counted: function that returns the kinds of flows that count in a year.
        detail_days: number of latest days for which values by hour and by quarter of an hour are
            stored, too.
        window_months: length of a window.
    """

    def __init__(
        self,
        site: Site,
        scopes: Sequence[Scope],
        consumption: ConsumptionStore,
        registers: RegisterReader,
        findings: FindingStore,
        counted: Callable[[int], frozenset[FlowKind]],
        *,
        detail_days: int,
        window_months: int,
    ) -> None:
        self._site = site
        self._scopes = scopes
        self._consumption = consumption
        self._registers = registers
        self._findings = findings
        self._counted = counted
        self._detail_days = detail_days
        self._window_months = window_months

    async def compute(
        self,
        meters: Sequence[MeterRecords],
        start: date,
        end: date,
        progress: Callable[[float], None],
    ) -> list[RegisterFinding]:
        """Compute and write the local days from `start` up to, not including, `end`.

        `progress` is called with the finished share of the work, 0 to 1.

        Returns:
            The findings about registers, by meter, code and local day.
        """
        detail = self._detail_start(meters)
        windows = list(periods.windows(start, end, self._window_months))
        findings: list[RegisterFinding] = []
        for number, window in enumerate(windows):
            grids = await self._grids(*window, detail)
            stored = await self._consumption.stored_times(grids)
            edges = int(grids["day"][0]), int(grids["day"][-1])
            stored_findings = await self._findings.stored(*edges)
            computed: list[tuple[Flow, Mapping[Interval, Consumption]]] = []
            for index, meter in enumerate(meters):
                of_meter: list[RegisterFinding] = []
                for flow, records in meter.flows():
                    consumption, found = await self._registers.consumption(records, grids)
                    computed.append((flow, consumption))
                    of_meter += found
                findings += await self._findings.rewrite(
                    meter.meter.id, of_meter, edges, stored_findings
                )
                progress((number + (index + 1) / len(meters)) / len(windows))
            begins = self._begins(meters)
            for virtual in self._virtual(computed, grids, begins):
                computed.append((Flow(virtual.meter), virtual.consumption))
                findings += await self._findings.rewrite(
                    virtual.meter.id, virtual.findings, edges, stored_findings
                )
            counted = self._counted(window[0].year)
            await self._write(meters, computed, grids, stored, counted, begins)
        return findings

    def _virtual(
        self,
        computed: Sequence[tuple[Flow, Mapping[Interval, Consumption]]],
        grids: Grids,
        begins: Begins,
    ) -> Iterator[VirtualWindow]:
        """Yield the virtual meters of a window; `computed` has all meters that are read."""
        measured = {flow.meter.id: amounts for flow, amounts in computed if not flow.is_export}
        return virtual_windows(self._scopes[0].structure, measured, grids, begins)

    def _begins(self, meters: Sequence[MeterRecords]) -> Begins:
        """Return the first day with records of each flow."""
        return {
            (flow.series, flow.meter.id): periods.local_day(first_ms, self._site.zone)
            for meter in meters
            for flow, of_flow in meter.flows()
            if (first_ms := min((first for first, _ in of_flow.spans()), default=None)) is not None
        }

    async def _write(
        self,
        meters: Sequence[MeterRecords],
        computed: Sequence[tuple[Flow, Mapping[Interval, Consumption]]],
        grids: Grids,
        stored: StoredTimes,
        counted: frozenset[FlowKind],
        begins: Begins,
    ) -> None:
        """Write a window: first the scopes, sub-items and rests, then the meters (law 1)."""
        flows, amounts = [flow for flow, _ in computed], [amount for _, amount in computed]
        sums = chain(
            scope_consumption(self._scopes, flows, amounts, grids, counted, begins),
            balance_consumption(self._scopes[0].structure, flows, amounts, grids, begins),
        )
        for tags, consumption in sums:
            await self._consumption.rewrite(tags, consumption, grids, stored)
        midnights = grids["day"]
        recorded = recorded_days(self._site, meters, midnights)
        for flow, of_flow in computed:
            meter = flow.meter
            series = {"kind": flow.series, "scope": meter.id, "medium": meter.medium}
            await self._consumption.rewrite(series, of_flow, grids, stored)
            if not flow.is_export:
                points = unknown_day_points(
                    self._site.id, meter, of_flow["day"], recorded[meter.id], midnights
                )
                await self._consumption.write(points)
        exporting = {flow.meter.id for flow in flows if flow.is_export}
        await self._forget_exports(exporting, grids, stored)

    async def _forget_exports(
        self, exporting: Collection[str], grids: Grids, stored: StoredTimes
    ) -> None:
        """Delete the stored export of meters that no longer have an export register."""
        for meter in self._site.meter:
            series = {"kind": "export", "scope": meter.id, "medium": meter.medium}
            is_stored = any(series.items() <= dict(tags).items() for tags in stored)
            if is_stored and meter.id not in exporting:
                nothing = {interval: _unknown(len(edges) - 1) for interval, edges in grids.items()}
                await self._consumption.rewrite(series, nothing, grids, stored)

    def _detail_start(self, meters: Sequence[MeterRecords]) -> date:
        """Return the first day with values by hour, counted back from the latest reading."""
        newest_ms = max((end for meter in meters for _, end in meter.spans()), default=0)
        newest = periods.local_day(newest_ms, self._site.zone)
        return newest - timedelta(days=self._detail_days - 1)

    async def _grids(self, start: date, end: date, detail: date) -> Grids:
        """Return the edges of a window's intervals; intervals below a day begin at day `detail`."""
        if start < detail:
            detail = await self._consumption.first_hourly_day(start, detail) or detail
        zone = self._site.zone
        finer: tuple[Interval, ...] = ("hour", "15min") if end > detail else ()
        return {
            "day": periods.edges_ms(start, end, "day", zone),
            **{each: periods.edges_ms(max(start, detail), end, each, zone) for each in finer},
        }


def _unknown(size: int) -> Consumption:
    """Return a consumption of `size` intervals in which nothing is known."""
    unknown, nothing = np.full(size, np.nan), np.zeros(size)
    return Consumption(unknown, nothing, nothing, nothing, nothing, nothing)
