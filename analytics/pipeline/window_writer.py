"""Compute and write the consumption of a window: of meters, scopes, sub-items and rests.

Laws:

1. Scopes are written before their meters. If the work is interrupted in between, the days of the
   meters are still missing or outdated, and `outdated_days` finds them in the next run.
2. Findings are written before the consumption of their days, for the same reason.
3. Sums are computed from the meters' stored values. So they are the same whether a meter was just
   computed or read from the store.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from itertools import chain
from typing import TypeAlias

import msgspec
import numpy as np

from analytics import periods
from analytics.counters.consumption import Consumption
from analytics.counters.register_finding import RegisterFinding
from analytics.figures.boundary.flows import Flow, FlowKind
from analytics.figures.boundary.lifetime import Begins
from analytics.figures.boundary.virtual_meters import operands_read
from analytics.figures.consumption_sums.balance_consumption import balance_consumption
from analytics.figures.consumption_sums.scope_consumption import scope_consumption
from analytics.figures.consumption_sums.sub_item_consumption import sub_item_consumption
from analytics.figures.consumption_sums.virtual_consumption import virtual_windows
from analytics.figures.roll_up import Scope, scope_rows
from analytics.periods import Interval
from analytics.pipeline.consumption_store import ConsumptionStore, Grids
from analytics.pipeline.finding_store import FindingStore
from analytics.pipeline.registers.meter_records import MeterRecords, recorded_days
from analytics.pipeline.registers.register_reader import RegisterReader
from analytics.pipeline.store_points import as_stored, unknown_day_points
from jieneng.metering.site import Site

#: A flow, and its consumption by length of the intervals.
FlowAmounts: TypeAlias = tuple[Flow, Mapping[Interval, Consumption]]


class Window(msgspec.Struct, frozen=True):
    """A window of local days.

    Attributes:
        grids: edges of the intervals [UTC, ms].
        counted: kinds of flows that count.
        begins: first days of generation and export.
        meters: records of the meters to compute.
        operands: records of further meters in formulas with these meters.
        others: stored consumption of all other flows of the same media.
        is_whole: True to write all sums and virtual meters, and to delete stored sums that the site
            no longer has. False to write only those that depend on the meters.
    """

    grids: Grids
    counted: frozenset[FlowKind]
    begins: Begins
    meters: Sequence[MeterRecords]
    operands: Sequence[MeterRecords] = ()
    others: Sequence[FlowAmounts] = ()
    is_whole: bool = False


class WindowWriter:
    """Computes and writes windows of a site.

    Args:
        site: the site.
        scopes: scopes of the site.
        consumption: stored consumption of the site.
        registers: reader of the registers.
        findings: stored findings of the site.
    """

    def __init__(
        self,
        site: Site,
        scopes: Sequence[Scope],
        consumption: ConsumptionStore,
        registers: RegisterReader,
        findings: FindingStore,
    ) -> None:
        self._site = site
        self._scopes = scopes
        self._consumption = consumption
        self._registers = registers
        self._findings = findings

    async def compute(
        self, window: Window, progress: Callable[[float], None]
    ) -> list[RegisterFinding]:
        """Compute and write the meters of a window, and all sums in which they can count.

        Args:
            window: the window.
            progress: called with the finished share of the work, 0 to 1.

        Returns:
            The findings about registers, by meter, code and local day.
        """
        registers = [flow for meter in window.meters for flow in meter.flows()]
        found = await self._registers.consumption(
            [register for _, register in registers], window.grids, progress
        )
        findings: dict[str, list[RegisterFinding]] = {}
        computed: list[FlowAmounts] = []
        for (flow, _), one in zip(registers, found, strict=True):
            findings.setdefault(flow.meter.id, []).extend(one.findings)
            computed.append((flow, one.consumption))
        known = self._known(window, computed)
        ids = {meter.meter.id for meter in window.meters}
        for virtual, amounts, of_virtual in self._virtual(window, known):
            known.append((virtual, _as_stored(amounts)))
            if self._depends_on(window, ids, virtual):
                computed.append((virtual, amounts))
                findings[virtual.meter.id] = list(of_virtual)
        edges = int(window.grids["day"][0]), int(window.grids["day"][-1])
        stored = await self._findings.stored(*edges)
        daily = await self._findings.rewrite(findings, edges, stored)
        await self._write(window, computed, known)
        return daily

    def _known(self, window: Window, computed: Sequence[FlowAmounts]) -> list[FlowAmounts]:
        """Return all flows as the store holds them, in the order of the site's meters (law 3)."""
        known = [*window.others, *((flow, _as_stored(amounts)) for flow, amounts in computed)]
        places = {meter: place for place, meter in enumerate(self._site.read_meters)}
        return sorted(known, key=lambda one: (places[one[0].meter.id], one[0].is_export))

    def _virtual(
        self, window: Window, known: Sequence[FlowAmounts]
    ) -> list[tuple[Flow, Mapping[Interval, Consumption], tuple[RegisterFinding, ...]]]:
        """Return flow, consumption and findings of the virtual meters with known formulas."""
        structure = self._scopes[0].structure
        return [
            (Flow(one.meter), one.consumption, one.findings)
            for one in virtual_windows(structure, known, window.grids, window.begins)
        ]

    def _depends_on(self, window: Window, computed: Collection[str], virtual: Flow) -> bool:
        """Return True if a virtual meter depends on a computed meter, or if all are wanted."""
        if window.is_whole:
            return True
        operands = operands_read(self._site, [virtual.meter.id])
        return any(meter.id in computed for meter in operands)

    def _affected_scopes(self, window: Window, computed: Sequence[FlowAmounts]) -> Sequence[Scope]:
        """Return the scopes whose sums the computed meters can change.

        These are the scopes in which they count, and those with a meter that is not fully covered:
        its weight in the coverage depends on the mean of all meters.
        """
        if window.is_whole or not window.others:
            return self._scopes
        incomplete = [flow for flow, amounts in window.others if not _is_complete(amounts)]
        flows = [*(flow for flow, _ in computed), *incomplete]
        days = periods.interval_days(window.grids["day"], self._site.zone)
        rows = scope_rows(self._scopes, flows, days)
        return [scope for scope, of_scope in zip(self._scopes, rows, strict=True) if of_scope]

    async def _write(
        self, window: Window, computed: Sequence[FlowAmounts], known: Sequence[FlowAmounts]
    ) -> None:
        """Write a window: first the scopes, sub-items and rests, then the meters (law 1).

        Args:
            window: the window.
            computed: consumption of the flows to write.
            known: consumption of all flows, as the store holds it.
        """
        grids, begins = window.grids, window.begins
        stored = await self._consumption.stored_times(_unknown_spans(known, grids))
        flows, amounts = [flow for flow, _ in known], [amount for _, amount in known]
        scopes = self._affected_scopes(window, computed)
        sums = chain(
            scope_consumption(scopes, flows, amounts, grids, window.counted, begins),
            sub_item_consumption(scopes, flows, amounts, grids, window.counted, begins),
            balance_consumption(self._scopes[0].structure, flows, amounts, grids, begins),
        )
        written = await self._consumption.rewrite(sums, grids, stored)
        if window.is_whole:
            await self._consumption.forget_sums_except(written, grids)
        of_meters = (
            ({"kind": flow.series, "scope": flow.meter.id, "medium": flow.meter.medium}, amounts)
            for flow, amounts in computed
        )
        await self._consumption.rewrite(of_meters, grids, stored)
        midnights = grids["day"]
        recorded = recorded_days(self._site, [*window.meters, *window.operands], midnights)
        unknown_days = [
            point
            for flow, of_flow in computed
            if not flow.is_export
            for point in unknown_day_points(
                self._site.id, flow.meter, of_flow["day"], recorded[flow.meter.id], midnights
            )
        ]
        await self._consumption.write(unknown_days)
        exporting = {flow.meter.id for flow, _ in computed if flow.is_export}
        await self._consumption.forget_exports(
            {flow.meter.id for flow, _ in computed} - exporting, grids
        )


def _as_stored(consumption: Mapping[Interval, Consumption]) -> dict[Interval, Consumption]:
    """Return consumption as it is read from the store after it was written."""
    return {interval: as_stored(amounts) for interval, amounts in consumption.items()}


def _is_complete(consumption: Mapping[Interval, Consumption]) -> bool:
    """Return True if all intervals are known and fully covered."""
    return all(
        bool(np.isfinite(amounts.amount).all())
        and bool((amounts.coverage == 1).all())
        and bool((amounts.bounded == 1).all())
        for amounts in consumption.values()
    )


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
