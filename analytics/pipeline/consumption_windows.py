"""Compute and write the consumption of meters and scopes and the findings, window by window.

Laws:

1. Scopes are written before their meters. If the work is interrupted in between, the days of the
   meters are still missing or outdated, and `outdated_days` finds them in the next run.
2. For the latest days, values by hour and by quarter of an hour are stored, too. If older days
   still have such values, these are updated as well, so that they agree with the daily values.
3. Findings are written before the consumption of their days, for the same reason as scopes.
4. Sums of scopes rest on the values that the store holds for the meters. So they are the same
   whether a meter was just computed or read from the store.
5. The memory needed is limited: many meters are computed in shorter windows.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from itertools import chain
from typing import Final, TypeAlias

import numpy as np

from analytics import periods
from analytics.counters.consumption import Consumption
from analytics.counters.register_finding import RegisterFinding
from analytics.figures.boundary.flows import Flow, FlowKind
from analytics.figures.boundary.lifetime import Begins
from analytics.figures.consumption_sums.balance_consumption import balance_consumption
from analytics.figures.consumption_sums.scope_consumption import scope_consumption
from analytics.figures.consumption_sums.sub_item_consumption import sub_item_consumption
from analytics.figures.consumption_sums.virtual_consumption import VirtualWindow, virtual_windows
from analytics.figures.roll_up import Scope
from analytics.periods import Interval
from analytics.pipeline.consumption_store import ConsumptionStore, Grids
from analytics.pipeline.finding_store import FindingStore
from analytics.pipeline.registers.meter_records import MeterRecords, recorded_days
from analytics.pipeline.registers.register_reader import RegisterReader
from analytics.pipeline.store_points import as_stored, unknown_day_points
from jieneng.metering.site import Site

#: A flow, and its consumption by length of the intervals.
FlowAmounts: TypeAlias = tuple[Flow, Mapping[Interval, Consumption]]

#: Intervals of a day that are shorter than a day: hours and quarters of an hour.
_INTERVALS_BELOW_A_DAY: Final = 24 + 96
#: Values of consumption that are in memory at once, of all meters together (72 bytes each).
_VALUES_AT_ONCE: Final = 6_000_000


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

        Args:
            meters: records of all meters that are read.
            start: the first day.
            end: the day after the last one.
            progress: called with the finished share of the work, 0 to 1.

        Returns:
            The findings about registers, by meter, code and local day.
        """
        detail = self._detail_start(meters)
        windows = [
            (part, of_window)
            for window in periods.windows(start, end, self._window_months)
            for of_window in (await self._first_detailed(*window, detail),)
            for part in _parts(*window, of_window, len(meters))
        ]
        findings: list[RegisterFinding] = []
        for number, (window, of_window) in enumerate(windows):
            findings += await self._compute_window(
                meters,
                self._grids(*window, of_window),
                self._counted(window[0].year),
                lambda share, n=number: progress((n + share) / len(windows)),  # type: ignore[misc]  # bound now
            )
        return findings

    async def _compute_window(
        self,
        meters: Sequence[MeterRecords],
        grids: Grids,
        counted: frozenset[FlowKind],
        progress: Callable[[float], None],
    ) -> list[RegisterFinding]:
        """Compute and write a window; return its findings."""
        registers = [flow for meter in meters for flow in meter.flows()]
        found = await self._registers.consumption([one for _, one in registers], grids, progress)
        computed: list[FlowAmounts] = [
            (flow, one.consumption) for (flow, _), one in zip(registers, found, strict=True)
        ]
        begins = self._begins(meters)
        of_meters: dict[str, list[RegisterFinding]] = {}
        for (flow, _), one in zip(registers, found, strict=True):
            of_meters.setdefault(flow.meter.id, []).extend(one.findings)
        # Sums rest on the values that the store holds, also where these were just computed.
        known = [(flow, _as_stored(amounts)) for flow, amounts in computed]
        for virtual in self._virtual(known, grids, begins):
            computed.append((Flow(virtual.meter), virtual.consumption))
            known.append((Flow(virtual.meter), _as_stored(virtual.consumption)))
            of_meters[virtual.meter.id] = list(virtual.findings)
        edges = int(grids["day"][0]), int(grids["day"][-1])
        daily = await self._findings.rewrite(of_meters, edges, await self._findings.stored(*edges))
        await self._write(meters, computed, known, grids, counted, begins)
        return daily

    def _virtual(
        self, known: Sequence[FlowAmounts], grids: Grids, begins: Begins
    ) -> Iterator[VirtualWindow]:
        """Yield the virtual meters of a window; `known` has all meters that are read."""
        measured = {flow.meter.id: amounts for flow, amounts in known if not flow.is_export}
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
        computed: Sequence[FlowAmounts],
        known: Sequence[FlowAmounts],
        grids: Grids,
        counted: frozenset[FlowKind],
        begins: Begins,
    ) -> None:
        """Write a window: first the scopes, sub-items and rests, then the meters (law 1).

        Args:
            meters: records of the computed meters.
            computed: consumption of the flows to write.
            known: consumption of all flows, as the store holds it.
            grids: edges of the window's intervals.
            counted: kinds of flows that count.
            begins: first day with records of each flow.
        """
        stored = await self._consumption.stored_times(_unknown_spans(known, grids))
        flows, amounts = [flow for flow, _ in known], [amount for _, amount in known]
        sums = chain(
            scope_consumption(self._scopes, flows, amounts, grids, counted, begins),
            sub_item_consumption(self._scopes, flows, amounts, grids, counted, begins),
            balance_consumption(self._scopes[0].structure, flows, amounts, grids, begins),
        )
        await self._consumption.rewrite(sums, grids, stored)
        of_meters = (
            ({"kind": flow.series, "scope": flow.meter.id, "medium": flow.meter.medium}, amounts)
            for flow, amounts in computed
        )
        await self._consumption.rewrite(of_meters, grids, stored)
        midnights = grids["day"]
        recorded = recorded_days(self._site, meters, midnights)
        unknown_days = [
            point
            for flow, of_flow in computed
            if not flow.is_export
            for point in unknown_day_points(
                self._site.id, flow.meter, of_flow["day"], recorded[flow.meter.id], midnights
            )
        ]
        await self._consumption.write(unknown_days)
        exporting = {flow.meter.id for flow, _ in known if flow.is_export}
        await self._consumption.forget_exports(exporting, grids)

    def _detail_start(self, meters: Sequence[MeterRecords]) -> date:
        """Return the first day with values by hour, counted back from the latest reading."""
        newest_ms = max((end for meter in meters for _, end in meter.spans()), default=0)
        newest = periods.local_day(newest_ms, self._site.zone)
        return newest - timedelta(days=self._detail_days - 1)

    async def _first_detailed(self, start: date, end: date, detail: date) -> date:
        """Return the first day of a window with values by hour; `end` or later if there is none.

        Args:
            start: first day of the window.
            end: day after the last one.
            detail: first day for which values by hour are stored as a rule (law 2).
        """
        if start < detail:
            return await self._consumption.first_hourly_day(start, min(end, detail)) or detail
        return start

    def _grids(self, start: date, end: date, detail: date) -> Grids:
        """Return the edges of a window's intervals; intervals below a day begin at day `detail`."""
        zone = self._site.zone
        finer: tuple[Interval, ...] = ("hour", "15min") if end > detail else ()
        return {
            "day": periods.edges_ms(start, end, "day", zone),
            **{each: periods.edges_ms(max(start, detail), end, each, zone) for each in finer},
        }


def _parts(start: date, end: date, detail: date, meters: int) -> Iterator[tuple[date, date]]:
    """Yield the days of a window in parts that fit into memory, with values by hour from `detail`.

    Args:
        start: the first day.
        end: the day after the last one.
        detail: first day with values by hour.
        meters: number of meters.
    """
    days, detailed = (end - start).days, max((end - max(start, detail)).days, 0)
    if days == 1 or meters * (days + detailed * _INTERVALS_BELOW_A_DAY) <= _VALUES_AT_ONCE:
        yield start, end
        return
    middle = start + timedelta(days=days // 2)
    yield from _parts(start, middle, detail, meters)
    yield from _parts(middle, end, detail, meters)


def _as_stored(consumption: Mapping[Interval, Consumption]) -> dict[Interval, Consumption]:
    """Return consumption as it is read from the store after it was written."""
    return {interval: as_stored(amounts) for interval, amounts in consumption.items()}


def _unknown_spans(known: Iterable[FlowAmounts], grids: Grids) -> dict[Interval, tuple[int, int]]:
    """Return the span of the intervals in which any flow is unknown [UTC, ms], by their length.

    Sums are unknown only in these intervals.
    """
    spans: dict[Interval, tuple[int, int]] = {}
    is_unknown = {interval: np.zeros(len(edges) - 1, np.bool_) for interval, edges in grids.items()}
    for _, of_flow in known:
        for interval, amounts in of_flow.items():
            is_unknown[interval] |= np.isnan(amounts.amount)
    for interval, unknown in is_unknown.items():
        numbers = np.flatnonzero(unknown)
        if len(numbers):
            edges = grids[interval]
            spans[interval] = int(edges[numbers[0]]), int(edges[numbers[-1] + 1])
    return spans
