"""Count the stored readings of each polled point by local day, and keep the counts.

Laws:

1. The store counts; no reading is transferred.
2. A count is kept in the measurement `completeness`, because readings may be deleted later and a
   year has many. The latest seven days are counted again each time: late readings may arrive.
3. If no reading of a quantity is stored in the whole period, the device does not have the quantity,
   so no readings are expected. This does not apply to the consumption.
4. Days before the first poll of the site are not counted: their readings were imported.
"""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np

from analytics import periods
from analytics.figures.site_consumption import align_to_grid, contiguous_ranges
from analytics.pipeline.consumption_store import ConsumptionStore
from analytics.quality.completeness import PointReadings, is_expected, polled_quantities
from jieneng.metering import schema
from jieneng.metering.quantities import CONSUMPTION
from jieneng.metering.schema import Point
from jieneng.site_folder import SiteFolder
from jieneng.storage import Store

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Number of latest days that are counted again.
_RECOUNTED_DAYS: Final = 7
_DAY_MS: Final = 86_400_000


class ReadingCounts:
    """The numbers of stored readings of a site.

    Args:
        folder: the site, with its meter models.
        store: the store, prepared.
    """

    def __init__(self, folder: SiteFolder, store: Store) -> None:
        self._site = folder.site
        self._store = store
        self._consumption = ConsumptionStore(folder.site, store)
        self._polled = {
            meter.id: polled_quantities(meter, folder.models) for meter in folder.site.meter
        }

    async def of_days(self, start: date, end: date) -> list[PointReadings]:
        """Return the readings of all polled points on the days from `start` up to `end`."""
        first = await self._first_polled_day()
        if first is None or end <= max(start, first):
            return []
        every = periods.days(start, end)
        edges = periods.edges_ms(start, end, "day", self._site.zone)
        stored = await self._stored(edges)
        is_kept = np.any([np.isfinite(row) for row in stored.values()], axis=0)
        is_recent = np.array([end - day <= timedelta(_RECOUNTED_DAYS) for day in every])
        is_new = np.array([first <= day for day in every]) & (is_recent | ~is_kept)
        counted = await self._counted(edges, is_new)
        hours = np.diff(edges) / _DAY_MS
        points = []
        for meter_id, quantities in self._polled.items():
            active = is_expected(self._site.meters[meter_id], every, first) * hours
            for quantity, per_day in quantities.items():
                key = meter_id, quantity
                known = np.nan_to_num(stored.get(key, np.zeros(len(every))))
                number = np.where(is_new, counted.get(key, 0.0), known)
                is_counter = quantity == CONSUMPTION[self._site.meters[meter_id].medium]
                if is_counter or number.any():
                    points.append(PointReadings(meter_id, quantity, per_day * active, number))
        await self._write(points, edges, is_new)
        return points

    async def _first_polled_day(self) -> date | None:
        """Return the first whole local day with polls; None if nothing was polled."""
        span = await self._store.span(schema.POLL, where={"site": self._site.id})
        if span is None:
            return None
        return periods.local_day(span[0] - 1, self._site.zone) + timedelta(days=1)

    async def _stored(
        self, edges: "NDArray[np.int64]"
    ) -> "dict[tuple[str, str], NDArray[np.float64]]":
        """Return the kept counts by meter and quantity; NaN on days that were not counted."""
        return {
            (series.tags["meter"], series.tags["quantity"]): align_to_grid(
                series.times_ms, series.values, edges
            )
            for series in await self._store.read(
                schema.COMPLETENESS,
                schema.STORED,
                where={"site": self._site.id},
                start_ms=int(edges[0]),
                end_ms=int(edges[-1]),
            )
        }

    async def _counted(
        self, edges: "NDArray[np.int64]", is_wanted: "NDArray[np.bool_]"
    ) -> "dict[tuple[str, str], NDArray[np.float64]]":
        """Return the counts of the wanted days by meter and quantity."""
        counted: dict[tuple[str, str], NDArray[np.float64]] = {}
        wanted = {
            (self._site.meters[meter].medium, quantity)
            for meter, quantities in self._polled.items()
            for quantity in quantities
        }
        for first, last in _equal_days(edges, is_wanted):
            for medium, quantity in sorted(wanted):
                for series in await self._store.count(
                    medium,
                    quantity,
                    where={"site": self._site.id},
                    start_ms=int(edges[first]),
                    end_ms=int(edges[last]),
                    step_ms=int(edges[first + 1] - edges[first]),
                ):
                    key = series.tags["meter"], quantity
                    row = counted.setdefault(key, np.zeros(len(is_wanted)))
                    row[np.searchsorted(edges, series.times_ms)] = series.values
        return counted

    async def _write(
        self,
        points: Sequence[PointReadings],
        edges: "NDArray[np.int64]",
        is_new: "NDArray[np.bool_]",
    ) -> None:
        """Write the counts of the days that were counted again."""
        found = [
            Point(
                schema.COMPLETENESS,
                (("meter", one.meter), ("quantity", one.quantity), ("site", self._site.id)),
                (schema.EXPECTED, schema.STORED, "share"),
                (
                    float(one.expected[day]),
                    float(one.stored[day]),
                    min(float(one.stored[day] / one.expected[day]), 1.0),
                ),
                int(edges[day]),
            )
            for one in points
            for day in np.flatnonzero(is_new & (one.expected > 0)).tolist()
        ]
        await self._consumption.write(found)


def _equal_days(
    edges: "NDArray[np.int64]", is_wanted: "NDArray[np.bool_]"
) -> Iterator[tuple[int, int]]:
    """Yield (first day, day after the last) of runs of wanted days of equal length.

    On a day with a clock change, the local day is shorter or longer.
    """
    lengths = np.diff(edges)
    for first, end in contiguous_ranges(is_wanted):
        changes = (np.flatnonzero(np.diff(lengths[first:end])) + first + 1).tolist()
        yield from pairwise([first, *changes, end])
