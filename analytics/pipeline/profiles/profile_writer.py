"""Write the load profiles of a site's scopes and meters to the store, once a day.

Laws:

1. On a new day, the profiles of yesterday's month are written, the nights of the last eight weeks,
   and the usual week of these weeks for today and the seven days before.
2. Earlier months are written if days in them were computed again, or if they have no profiles and
   lie in the last year: one month in each call, so that a call stays short.
3. Stored points of the same time are deleted before points are written, so that no outdated points
   remain.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import date, timedelta
from typing import Final

from analytics import periods
from analytics.periods import Period, months_later
from analytics.pipeline.consumption_store import ConsumptionStore
from analytics.pipeline.profiles.profile_points import night_points, profile_point, week_points
from analytics.pipeline.profiles.profile_reader import ProfileReader
from jieneng.metering import schema
from jieneng.metering.schema import Point
from jieneng.storage import Store

#: Number of days from which the usual week is computed.
_RECENT_DAYS: Final = 56
#: Number of months before the present one for which profiles are written.
_MONTHS: Final = 12


class ProfileWriter:
    """Writes load profiles.

    Args:
        reader: reader of the site's profiles.
        store: the store, prepared before the first update.
    """

    def __init__(self, reader: ProfileReader, store: Store) -> None:
        self._site = reader.site
        self._reader = reader
        self._consumption = ConsumptionStore(reader.site, store)
        self._store = store
        self._written: date | None = None
        self._waiting: list[str] | None = None

    async def update(self, today: date, changed: Collection[date]) -> int:
        """Write the profiles of a new day, and those of an earlier month that is due (law 2).

        Args:
            today: the present local day.
            changed: earlier days whose consumption was computed again.

        Returns:
            The number of months that are still to be written.
        """
        if self._waiting is None:
            self._waiting = await self._months_without_profiles(today)
        months = sorted({f"{day:%Y-%m}" for day in changed})
        self._waiting = [*(one for one in self._waiting if one not in months), *months]
        if self._written != today:
            month = f"{today - timedelta(days=1):%Y-%m}"
            await self._write_month(month, today)
            await self._write_recent(today)
            self._written = today
            self._waiting = [one for one in self._waiting if one != month]
        if self._waiting:
            await self._write_month(self._waiting[-1], today)
            self._waiting.pop()
        return len(self._waiting)

    async def _months_without_profiles(self, today: date) -> list[str]:
        """Return the months of the last year with consumption and without profiles, ascending."""
        span = await self._consumption.day_span()
        if span is None:
            return []
        first = max(span[0], months_later(today, -_MONTHS))
        return [
            month
            for month in dict.fromkeys(f"{day:%Y-%m}" for day in periods.days(first, today))
            if await self._store.span(
                schema.PROFILE, where={"site": self._site.id, "period": month}
            )
            is None
        ]

    async def _write_month(self, month: str, today: date) -> None:
        """Write the profiles of the complete days of a month."""
        period = periods.parse(month).until(today)
        if not period.days:
            return
        found = await self._reader.profiles(period, [*self._reader.scopes, *self._reader.meters])
        zone = self._site.zone
        points = [profile_point(self._site.id, one, zone) for one in found]
        day = period.end - timedelta(days=1)
        await self._replace(
            schema.PROFILE, {"period": month}, (day, period.end), filter(None, points)
        )

    async def _write_recent(self, today: date) -> None:
        """Write the nights and the usual week of the last weeks."""
        period = Period("recent", today - timedelta(days=_RECENT_DAYS), today)
        subjects = [*self._reader.scopes, *self._reader.meters]
        found = await self._reader.profiles(period, subjects, with_peaks=False)
        site, zone = self._site.id, self._site.zone
        nights = [point for one in found for point in night_points(site, one, zone)]
        await self._replace(schema.NIGHT, {}, (period.start, today), nights)
        days = periods.days(today - timedelta(days=7), today + timedelta(days=1))
        hours = [point for one in found for point in week_points(site, one, days, zone)]
        await self._replace(schema.WEEK_PROFILE, {}, (days[0], today + timedelta(days=1)), hours)

    async def _replace(
        self,
        measurement: str,
        where: Mapping[str, str],
        days: tuple[date, date],
        points: Iterable[Point],
    ) -> None:
        """Replace the stored points of some days, of which the second one is not included."""
        start_ms, end_ms = (periods.midnight_ms(day, self._site.zone) for day in days)
        tags = {"site": self._site.id, **where}
        await self._store.delete(measurement, where=tags, start_ms=start_ms, end_ms=end_ms)
        await self._consumption.write_figures(list(points))
