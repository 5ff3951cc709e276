"""Read the consumption by hour of some meters or areas, for days that need not be stored by hour.

Law: hours that were not measured (`measured_intervals`) have coverage 0.
"""

from collections.abc import Iterator, Sequence
from datetime import timedelta

import numpy as np

from analytics.calendar.hour_grid import HourConsumption, HourGrid
from analytics.figures.boundary.flows import CountedFlows
from analytics.figures.interval_series import IntervalSeries, MeterIntervals
from analytics.figures.roll_up import scopes
from analytics.pipeline.intervals.interval_reader import IntervalReader
from jieneng.metering.quantities import Medium
from jieneng.site_folder import SiteFolder
from jieneng.storage import Store


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
        self._zone = folder.site.zone
        self._intervals = IntervalReader(folder, store)
        self._ids = ids
        self._areas = [
            scope
            for scope in scopes(folder.site)
            if is_area and scope.kind == "area" and scope.id in ids
        ]
        self._meters: dict[Medium, list[str]] = {}
        for meter in folder.site.meter:
            if meter.medium == "electricity" if is_area else meter.id in ids:
                self._meters.setdefault(meter.medium, []).append(meter.id)
        self._counted = CountedFlows.of(export_deducted=True, export_carbon_deducted=False).energy

    async def hours(self, grid: HourGrid) -> HourConsumption:
        """Return the consumption of whole days by hour."""
        shape = len(self._ids), len(grid.ends_ms)
        amounts, coverage = np.full(shape, np.nan), np.zeros(shape)
        rows = {subject: number for number, subject in enumerate(self._ids)}
        start, end = grid.days[0], grid.days[-1] + timedelta(days=1)
        for medium, wanted in self._meters.items():
            async for window in self._intervals.windows(medium, "hour", start, end, wanted):
                hours = slice(*np.searchsorted(grid.edges_ms, window.edges_ms[[0, -1]]).tolist())
                for subject, series in self._series(window):
                    amounts[rows[subject], hours] = series.amount
                    coverage[rows[subject], hours] = np.where(
                        series.is_measured, series.coverage, 0.0
                    )
        return HourConsumption(grid, amounts, coverage)

    def _series(self, window: MeterIntervals) -> Iterator[tuple[str, IntervalSeries]]:
        """Yield (id, consumption by hour) of the areas, or of the meters' consumption registers."""
        for scope in self._areas:
            yield scope.id, window.of_scope(scope, self._counted, self._zone)
        if not self._areas:
            for flow in window.flows:
                if not flow.is_export:
                    yield flow.meter.id, window.of_flow(flow)
