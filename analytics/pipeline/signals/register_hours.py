"""Compute consumption by hour from the stored readings, for days that are not stored by hour.

Law: the result equals the hours that the analytics would have stored: for a meter, the consumption
from the believed register and from imports, or by its formula; for an area, the sum of its flows.
Hours that were not measured (`hour_resolution`) and hours that are not fully covered have coverage
0.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np

from analytics import periods
from analytics.alerts.signals.hours import FULL, HourConsumption, HourGrid
from analytics.figures.boundary.flows import CountedFlows, Flow
from analytics.figures.boundary.site_structure import SiteStructure
from analytics.figures.boundary.virtual_meters import operands_read
from analytics.figures.consumption_sums.scope_consumption import scope_consumption
from analytics.figures.consumption_sums.virtual_consumption import virtual_windows
from analytics.figures.roll_up import scopes
from analytics.pipeline.register_reader import MeterRecords, RegisterReader
from analytics.pipeline.signals.hour_resolution import HourResolution
from jieneng.site_folder import SiteFolder
from jieneng.storage import Store

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from analytics.counters.consumption import Consumption
    from analytics.periods import Interval


class RegisterHours:
    """Consumption by hour of some meters or areas.

    Args:
        folder: the site.
        store: the store, prepared.
        ids: ids of the meters or areas.
        is_area: True for areas; they count electricity.
    """

    def __init__(
        self, folder: SiteFolder, store: Store, ids: Sequence[str], *, is_area: bool
    ) -> None:
        self._site = folder.site
        self._structure = SiteStructure(folder.site)
        self._registers = RegisterReader(folder, store)
        self._is_area = is_area
        self._resolution = HourResolution(folder.site, store, trusts_polls=False)
        self._ids = ids
        self._records: list[MeterRecords] | None = None

    async def hours(self, grid: HourGrid) -> HourConsumption:
        """Return the consumption of whole days by hour."""
        if self._records is None:
            wanted = self._ids
            if self._is_area:
                wanted = [one.id for one in self._site.meter if one.medium == "electricity"]
            meters = operands_read(self._site, wanted)
            self._records = await self._registers.meter_records(meters)
        zone = self._site.zone
        start, end = grid.days[0], grid.days[-1]
        grids: dict[Interval, NDArray[np.int64]] = {
            "day": periods.edges_ms(start, end + timedelta(days=1), "day", zone),
            "hour": grid.edges_ms,
        }
        found = await self._hours(grids)
        shape = len(self._ids), len(grid.ends_ms)
        amounts, coverage = np.full(shape, np.nan), np.zeros(shape)
        for number, row in enumerate(map(found.get, self._ids)):
            if row is not None:
                amounts[number], coverage[number] = row.amount, row.coverage
        measured = await self._resolution.measured(grid, self._ids, coverage >= FULL)
        return HourConsumption(grid, amounts, np.where(measured, coverage, 0.0))

    async def _hours(
        self, grids: "Mapping[Interval, NDArray[np.int64]]"
    ) -> "dict[str, Consumption]":
        """Return the consumption by hour, by id of meter or area."""
        flows: list[Flow] = []
        amounts: list[Mapping[Interval, Consumption]] = []
        begins = {}
        for records in self._records or ():
            for flow, of_flow in records.flows():
                flows.append(flow)
                amounts.append((await self._registers.consumption(of_flow, grids))[0])
                first_ms = min((first for first, _ in of_flow.spans()), default=None)
                if first_ms is not None:
                    key = flow.series, flow.meter.id
                    begins[key] = periods.local_day(first_ms, self._site.zone)
        of_meters = {
            flow.meter.id: of_flow
            for flow, of_flow in zip(flows, amounts, strict=True)
            if not flow.is_export
        }
        for virtual in virtual_windows(self._structure, of_meters, grids, begins):
            of_meters[virtual.meter.id] = virtual.consumption
            flows.append(Flow(virtual.meter))
            amounts.append(virtual.consumption)
        if not self._is_area:
            return {meter: by_interval["hour"] for meter, by_interval in of_meters.items()}
        wanted = [one for one in scopes(self._site) if one.kind == "area" and one.id in self._ids]
        counted = CountedFlows.of(export_deducted=True, export_carbon_deducted=False).energy
        sums = scope_consumption(wanted, flows, amounts, grids, counted, begins) if wanted else ()
        return {
            tags["scope"]: by_interval["hour"]
            for tags, by_interval in sums
            if tags["medium"] == "electricity"
        }
