"""Rate the data of the year until yesterday, and write scores and issues, once a day.

Law: of the issues only those of the latest rating are stored; the scores of earlier days are kept.
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

    async def update(self, today: date, changed: Collection[date]) -> None:  # noqa: ARG002 - what changed is rated on the next day
        """Rate the data, if this was not done on this day.

        Args:
            today: the present local day.
            changed: earlier days whose consumption was computed again.
        """
        if self._rated == today:
            return
        day = today - timedelta(days=1)
        start_ms, end_ms = (periods.midnight_ms(one, self._site.zone) for one in (day, today))
        published = self._published(day.year)
        report = await quality_report(
            self._pipeline, self._store, f"{day:%Y}", None, end_ms, published
        )
        await self._store.delete(
            schema.QUALITY_ISSUE, where={"site": self._site.id}, start_ms=0, end_ms=end_ms
        )
        points = quality_points(self._site.id, report, start_ms)
        await ConsumptionStore(self._site, self._store).write_figures(points)
        self._rated = today
