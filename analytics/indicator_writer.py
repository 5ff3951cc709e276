"""Publish the figures of periods to the store, and keep them up to date."""

from collections.abc import Callable, Collection, Sequence
from datetime import date, timedelta

from analytics import periods
from analytics.figures.figure import Figure
from analytics.pipeline.pipeline import Pipeline
from jieneng.clock import Clock
from jieneng.site_folder import SiteFolder


class IndicatorWriter:
    """Publishes figures in each round: those of running periods and of changed periods.

    Args:
        pipeline: the pipeline of the site.
        folder: the site.
        clock: clock of the service.
        show_coverage: called with the figures and the present local day.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        folder: SiteFolder,
        clock: Clock,
        show_coverage: Callable[[Sequence[Figure], date], None],
    ) -> None:
        self._pipeline = pipeline
        self._folder = folder
        self._clock = clock
        self._show_coverage = show_coverage
        self._has_published = False

    async def update(self, today: date, changed: Collection[date]) -> int:
        """Publish the years and months of today, yesterday and changed days.

        The first call publishes all periods that have stored consumption.

        Args:
            today: the present local day.
            changed: earlier days whose consumption was computed again.

        Returns:
            0: nothing is left for the next call.
        """
        running, replaced = _period_ids([today, today - timedelta(days=1)]), _period_ids(changed)
        wanted = running | replaced
        if not self._has_published:
            wanted |= set(await self._pipeline.stored_periods())
        figures = await publish(self._pipeline, self._folder, self._clock, sorted(wanted), replaced)
        self._has_published = True
        self._show_coverage(figures, today)
        return 0


def _period_ids(days: Collection[date]) -> set[str]:
    """Return the ids of the years and months that contain days."""
    return {f"{day:{form}}" for day in days for form in ("%Y", "%Y-%m")}


async def publish(
    pipeline: Pipeline,
    folder: SiteFolder,
    clock: Clock,
    period_ids: Sequence[str],
    replaced: Collection[str] = (),
) -> list[Figure]:
    """Publish the figures of periods, as of now; of periods that are over, as of their end.

    The argument `replaced` is passed on to `Pipeline.publish`.
    """
    now_ms, zone = clock.now_ms(), folder.site.zone
    return await pipeline.publish(
        {
            period: min(now_ms, periods.midnight_ms(periods.parse(period).end, zone))
            for period in period_ids
        },
        replaced,
    )
