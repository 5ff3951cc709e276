"""Rate the data of the year until yesterday, and write scores and issues, once a day.

Laws:

1. Only the issues of the latest rating are stored. The scores of earlier days are kept.
2. The scores of a past year are those of its last day. If they exist, they are written again after
   the year's consumption was computed again. Each call writes one year, to keep the call short.
"""

from collections.abc import Callable, Collection, Sequence
from datetime import date, timedelta

from analytics import periods
from analytics.pipeline.consumption_store import ConsumptionStore
from analytics.pipeline.pipeline import Pipeline
from analytics.pipeline.quality.quality_points import quality_points
from analytics.pipeline.quality.quality_reader import quality_report
from jieneng.metering import schema
from jieneng.metering.findings import Finding
from jieneng.storage import Store


class QualityWriter:
    """Writes the rating of the data.

    Args:
        pipeline: the analytics of the site.
        store: the store of the site, prepared before the first update.
        published: returns the findings about the published periods of a year.
    """

    def __init__(
        self, pipeline: Pipeline, store: Store, published: Callable[[int], Sequence[Finding]]
    ) -> None:
        self._pipeline = pipeline
        self._site = pipeline.folder.site
        self._store = store
        self._published = published
        self._rated: date | None = None
        self._waiting: set[int] = set()

    async def update(self, today: date, changed: Collection[date]) -> int:
        """Rate the data of a new day, or an earlier year that is due (law 2).

        Args:
            today: the present local day.
            changed: earlier days whose consumption was computed again; the next daily rating covers
                those of the running year.

        Returns:
            The number of earlier years that are still to be rated.
        """
        day = today - timedelta(days=1)
        self._waiting |= {one.year for one in changed if one.year < day.year}
        if self._rated != today:
            await self._rate(day, is_latest=True)
            self._rated = today
        elif self._waiting:
            year = max(self._waiting)
            if await self._was_rated(year):
                await self._rate(date(year, 12, 31), is_latest=False)
            self._waiting.remove(year)
        return len(self._waiting)

    async def _was_rated(self, year: int) -> bool:
        """Return True if there are scores of the last day of a year."""
        span = await self._store.span(
            schema.DATA_QUALITY, where={"site": self._site.id, "period": f"{year}"}
        )
        last_ms = periods.midnight_ms(date(year, 12, 31), self._site.zone)
        return span is not None and span[1] == last_ms

    async def _rate(self, day: date, *, is_latest: bool) -> None:
        """Write the rating of a year until a day; issues only for the latest rating (law 1)."""
        site, end = self._site, day + timedelta(days=1)
        start_ms, end_ms = (periods.midnight_ms(one, site.zone) for one in (day, end))
        published = self._published(day.year)
        report = await quality_report(
            self._pipeline, self._store, f"{day:%Y}", None, end_ms, published
        )
        points = quality_points(site.id, report, start_ms)
        replaced = {schema.DATA_QUALITY: start_ms}
        if is_latest:
            replaced[schema.QUALITY_ISSUE] = 0
        for measurement, first_ms in replaced.items():
            await self._store.delete(
                measurement, where={"site": site.id}, start_ms=first_ms, end_ms=end_ms
            )
        await ConsumptionStore(site, self._store).write_figures(
            [one for one in points if one.measurement in replaced]
        )
