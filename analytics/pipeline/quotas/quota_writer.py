"""Write the results of quotas to the measurements `quota_level` and `annual_quota`, once a day.

Laws:

1. On the first day, all years with stored consumption are written. Later, the years of yesterday
   and today are written, and the years whose consumption was computed again.
2. The time of the points is the start of the local day for which the results were computed. The
   results of a year that is over have the time of its last day.
3. Results of the same day are replaced. Those of a quota that is no longer in the files disappear.
"""

from collections.abc import Collection, Iterable
from datetime import date, timedelta

from analytics import periods
from analytics.periods import calendar_year
from analytics.pipeline.consumption_store import ConsumptionStore
from analytics.pipeline.quotas.quota_figures import QuotaFigures
from analytics.pipeline.quotas.quota_points import annual_quota_points, quota_level_points
from jieneng.metering import schema
from jieneng.metering.site import Site
from jieneng.storage import Store


class QuotaWriter:
    """Writes the results of the quotas of a site.

    Args:
        figures: computes the results.
        site: the site.
        store: the store, prepared before the first update.
    """

    def __init__(self, figures: QuotaFigures, site: Site, store: Store) -> None:
        self._figures = figures
        self._site = site
        self._store = store
        self._consumption = ConsumptionStore(site, store)
        self._written: date | None = None
        self._changed: set[int] = set()

    async def update(self, today: date, changed: Collection[date]) -> int:
        """Write the results of a new day.

        Args:
            today: the present local day.
            changed: earlier days whose consumption was computed again; their years are written with
                the next new day.

        Returns:
            0: nothing is left for the next call of this day.
        """
        self._changed |= {day.year for day in changed}
        if self._written == today:
            return 0
        years = {today.year, (today - timedelta(days=1)).year, *self._changed}
        if self._written is None:
            years |= await self._stored_years()
        await self.write(years, today)
        self._written, self._changed = today, set()
        return 0

    async def write(self, years: Iterable[int], today: date) -> None:
        """Write the results of years, from the complete days before `today`."""
        for year in sorted(years):
            # A moment after midnight belongs to the new day, of which no hour counts yet.
            now_ms = periods.midnight_ms(today, self._site.zone) + 1
            as_of_ms = min(now_ms, self._end_ms(year))
            day = periods.local_day(as_of_ms - 1, self._site.zone)
            await self._write_year(f"{year:04}", as_of_ms, day)

    async def _write_year(self, year_id: str, as_of_ms: int, day: date) -> None:
        site, day_ms = self._site, periods.midnight_ms(day, self._site.zone)
        levels = await self._figures.levels(year_id, as_of_ms)
        annual = await self._figures.annual(year_id, as_of_ms)
        # Delete points first: a point that is only written again keeps fields that are now unknown.
        for measurement in (schema.QUOTA_LEVEL, schema.ANNUAL_QUOTA):
            await self._store.delete(
                measurement, where={"site": site.id}, start_ms=day_ms, end_ms=day_ms + 1
            )
        await self._consumption.write_figures(
            [
                *quota_level_points(site.id, levels, day_ms),
                *annual_quota_points(site.id, annual, day_ms, site.zone),
            ]
        )

    def _end_ms(self, year: int) -> int:
        return periods.midnight_ms(calendar_year(year).end, self._site.zone)

    async def _stored_years(self) -> set[int]:
        span = await self._consumption.day_span()
        return set() if span is None else set(range(span[0].year, span[1].year + 1))
