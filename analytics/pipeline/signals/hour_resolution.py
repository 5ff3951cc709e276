"""Find the hours whose consumption was measured, of meters and of areas.

Law: an hour of an area is measured if it is measured for all meters that enter into the consumption
of the area. For a meter, `measured_intervals` says when an hour is measured.
"""

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING

from analytics.calendar.hour_grid import HourGrid
from analytics.figures.boundary.flows import CountedFlows, flows_of
from analytics.figures.boundary.virtual_meters import operands_read
from analytics.figures.roll_up import boundary_weights, scopes
from analytics.pipeline.intervals.measured_intervals import MeasuredIntervals
from jieneng.metering.site import Meter, Site
from jieneng.storage import Store

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class HourResolution:
    """Finds the measured hours of meters and areas.

    Args:
        site: the site.
        store: the store, prepared.
        trusts_polls: see `MeasuredIntervals`.
    """

    def __init__(self, site: Site, store: Store, *, trusts_polls: bool) -> None:
        self._site = site
        self._measured = MeasuredIntervals(site, store, trusts_polls=trusts_polls)
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
        every = {meter.id: meter for meters in members.values() for meter in meters}
        measured = await self._measured.measured(grid.edges_ms, list(every.values()))
        for number, meters in members.items():
            for meter in meters:
                found[number] &= measured[meter.id]
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
