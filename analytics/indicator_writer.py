"""Publish the figures of periods to the store, and keep them up to date."""

from collections.abc import Collection, Sequence
from datetime import date, timedelta

from prometheus_client import Gauge

from analytics import periods
from analytics.figures.figure import Figure
from analytics.pipeline.pipeline import Pipeline
from jieneng.clock import Clock
from jieneng.site_folder import SiteFolder


class IndicatorWriter:
    """Publishes the figures of running periods in each round, and those of changed periods.

    Args:
        pipeline: the pipeline of the site.
        folder: the site.
        clock: clock of the service.
        coverage: metric of the lowest coverage of each scope's indicators in the running year.
    """

    def __init__(
        self, pipeline: Pipeline, folder: SiteFolder, clock: Clock, coverage: Gauge
    ) -> None:
        self._pipeline = pipeline
        self._folder = folder
        self._clock = clock
        self._coverage = coverage
        self._has_published = False

    async def update(self, today: date, changed: Collection[date]) -> None:
        """Publish the figures of today, yesterday and changed days; at first, those of all periods.

        Args:
            today: the present local day.
            changed: earlier days whose consumption was computed again.
        """
        days = {today, today - timedelta(days=1), *changed}
        period_ids = {f"{day:{form}}" for day in days for form in ("%Y", "%Y-%m")}
        if not self._has_published:
            period_ids.update(await self._pipeline.stored_periods())
        figures = await publish(self._pipeline, self._folder, self._clock, sorted(period_ids))
        self._has_published = True
        self._export_coverage(figures, f"{today:%Y}")

    def _export_coverage(self, figures: Sequence[Figure], year: str) -> None:
        """Export the lowest coverage of each scope's indicators in a year."""
        least: dict[str, float] = {}
        for figure in figures:
            if figure.coverage is not None and figure.period == year:
                least[figure.scope] = min(least.get(figure.scope, 1.0), figure.coverage)
        for scope, coverage in least.items():
            self._coverage.labels(scope).set(coverage)


async def publish(
    pipeline: Pipeline, folder: SiteFolder, clock: Clock, period_ids: Sequence[str]
) -> list[Figure]:
    """Publish the figures of periods: as of now, or as of the last day if the period is over."""
    now_ms, zone = clock.now_ms(), folder.site.zone
    return await pipeline.publish(
        {
            period: min(now_ms, periods.midnight_ms(periods.parse(period).end, zone))
            for period in period_ids
        }
    )
