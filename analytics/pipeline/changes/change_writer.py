"""Write carbon changes by cause and further comparisons of years to the store, once a day.

Laws:

1. On the first day, all years with stored consumption are written. Later, the years of yesterday
   and today are written. A year is also written if its consumption, or that of a year with which it
   is compared, was computed again.
2. Only the latest points of each year are stored. The points of a year are deleted before they are
   written, so outdated comparisons disappear.
3. The time of the points is the start of the local day for which they were computed. The points of
   a year that is over have the time of its last day.
"""

from collections.abc import Collection, Iterable
from datetime import date, timedelta
from typing import Final

from analytics import periods
from analytics.periods import calendar_year
from analytics.pipeline.changes.carbon_points import carbon_points
from analytics.pipeline.changes.comparison_points import comparison_points, left_out_points
from analytics.pipeline.consumption_store import ConsumptionStore
from analytics.pipeline.pipeline import Pipeline
from jieneng.metering import schema
from jieneng.storage import Store

_MEASUREMENTS: Final = (
    schema.CARBON_CHANGE,
    schema.CARBON_STEP,
    schema.COMPARISON,
    schema.LEFT_OUT_AREA,
)


class ChangeWriter:
    """Writes the changes against base years, and their causes.

    Args:
        pipeline: the analytics of the site.
        store: the store of the site, prepared before the first update.
    """

    def __init__(self, pipeline: Pipeline, store: Store) -> None:
        self._pipeline = pipeline
        self._site = pipeline.folder.site
        self._store = store
        self._consumption = ConsumptionStore(self._site, store)
        self._written: date | None = None
        self._changed: set[int] = set()

    async def update(self, today: date, changed: Collection[date]) -> int:
        """Write the points of a new day.

        Args:
            today: the present local day.
            changed: earlier days whose consumption was computed again; the years that rest on them
                are written with the next new day.

        Returns:
            0: nothing is left for the next call of this day.
        """
        self._changed |= {day.year for day in changed}
        if self._written == today:
            return 0
        stored = await self._stored_years()
        years = {today.year, (today - timedelta(days=1)).year}
        years |= {
            year for year in stored if self._written is None or self._changed & self._used(year)
        }
        await self.write(years, today)
        self._written, self._changed = today, set()
        return 0

    async def write(self, years: Iterable[int], today: date) -> None:
        """Write the points of years, from the data of the complete days before `today`."""
        zone = self._site.zone
        for year in sorted(years):
            whole = calendar_year(year)
            start_ms, end_ms = (periods.midnight_ms(day, zone) for day in (whole.start, whole.end))
            # Just after midnight: it is already the new day, but no hour of this day counts yet.
            as_of_ms = min(periods.midnight_ms(today, zone) + 1, end_ms)
            day_ms = periods.midnight_ms(periods.local_day(as_of_ms - 1, zone), zone)
            figures = await self._pipeline.figures(whole.id, None, as_of_ms)
            splits = await self._pipeline.carbon(whole.id, None, None, as_of_ms)
            points = [
                *carbon_points(self._site.id, splits, day_ms),
                *comparison_points(self._site.id, figures, day_ms),
                *left_out_points(self._site.id, zone, figures, day_ms),
            ]
            where = {"site": self._site.id, "period": whole.id}
            for measurement in _MEASUREMENTS:
                await self._store.delete(measurement, where=where, start_ms=start_ms, end_ms=end_ms)
            await self._consumption.write_figures(points)

    def _used(self, year: int) -> set[int]:
        """Return a year and the years with which it is compared."""
        compared = self._pipeline.rules.compared_years(calendar_year(year))
        return {year, *(one.year for one in compared)}

    async def _stored_years(self) -> set[int]:
        span = await self._consumption.day_span()
        return set() if span is None else set(range(span[0].year, span[1].year + 1))
