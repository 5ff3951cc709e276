"""Keep consumption and figures up to date, until cancelled. A task of the analytics service.

Law: a round that fails, or finds no store, is logged once and tried again.
"""

from collections.abc import Collection, Sequence
from datetime import date, timedelta
from typing import Final, Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from analytics import periods
from analytics.figures.figure import Figure
from analytics.pipeline.pipeline import Pipeline
from analytics.settings import AnalyticsSettings
from jieneng.clock import Clock
from jieneng.metering.errors import StoreUnavailable
from jieneng.observe import LoggedFault, log
from jieneng.site_folder import SiteFolder
from jieneng.storage import Store

#: A day before all readings.
BEGIN: Final = date(1980, 1, 1)


class FigureMetrics:
    """Metrics of the figures, for Prometheus."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.cycles = Counter(
            "jieneng_analytics_cycles", "Rounds of computing", ["outcome"], registry=registry
        )
        self.seconds = Histogram(
            "jieneng_analytics_cycle_seconds", "Duration of the last round", registry=registry
        )
        self.success = Gauge(
            "jieneng_analytics_last_success_timestamp_seconds",
            "Time of the last successful round, UTC",
            registry=registry,
        )
        self.coverage = Gauge(
            "jieneng_analytics_coverage_ratio",
            "Lowest coverage of the running year's indicators",
            ["scope"],
            registry=registry,
        )


class DailyWriter(Protocol):
    """A writer of figures that are computed once a day."""

    async def update(self, today: date, changed: Collection[date]) -> None:
        """Write the figures of a new day, and those in which changed days enter.

        Args:
            today: the present local day.
            changed: earlier days whose consumption was computed again.
        """


class FigureService:
    """Computes recent days at short intervals, and gaps of earlier days at longer intervals.

    Args:
        folder: the site.
        settings: settings of the analytics.
        clock: clock of the service.
        store: the store; the service prepares it once it is available.
        pipeline: the pipeline of the site on this store.
        metrics: the metrics.
        writers: writers of figures that are computed once a day.
    """

    def __init__(
        self,
        folder: SiteFolder,
        settings: AnalyticsSettings,
        clock: Clock,
        store: Store,
        pipeline: Pipeline,
        metrics: FigureMetrics,
        writers: Sequence[DailyWriter] = (),
    ) -> None:
        self._folder = folder
        self._settings = settings
        self._clock = clock
        self._store = store
        self._pipeline = pipeline
        self._metrics = metrics
        self._writers = writers
        self._log = log("analytics")
        self._failing = LoggedFault(self._log, "round failed")
        self._caught_up = False
        self._last_gap_check_s = float("-inf")

    async def run(self) -> None:
        """Compute and publish until cancelled."""
        down = False
        while True:
            begun = self._clock.monotonic()
            try:
                await self._run_cycle()
            except StoreUnavailable as error:
                self._metrics.cycles.labels("store_unavailable").inc()
                if not down:
                    self._log.error("store unavailable", reason=str(error))
                down = True
            except Exception as error:  # noqa: BLE001 - the outermost loop
                self._metrics.cycles.labels("failed").inc()
                self._failing.report(repr(error), exc_info=True)
            else:
                self._failing.clear()
                self._metrics.cycles.labels("ok").inc()
                self._metrics.success.set(self._clock.now_ms() / 1000)
                if down:
                    self._log.info("store available again")
                down = False
            self._metrics.seconds.observe(self._clock.monotonic() - begun)
            await self._clock.sleep(self._settings.every_s)

    async def _run_cycle(self) -> None:
        today = local_today(self._folder, self._clock)
        yesterday = today - timedelta(days=1)
        period_ids = {f"{day:{form}}" for day in (yesterday, today) for form in ("%Y", "%Y-%m")}
        first = today - timedelta(days=self._settings.late_days)
        since_s = self._clock.monotonic() - self._last_gap_check_s
        is_gap_check_due = since_s >= self._settings.late_every_s
        if not self._caught_up:
            await self._store.prepare()
            await self._pipeline.compute_missing_days(today, ignore_progress)
            period_ids.update(await self._pipeline.stored_periods())
        marked = await self._pipeline.recompute_marked(BEGIN if is_gap_check_due else first, today)
        period_ids.update(f"{day:{form}}" for day in marked for form in ("%Y", "%Y-%m"))
        await self._pipeline.backfill(yesterday, today, ignore_progress)
        if is_gap_check_due:
            await self._pipeline.recompute_gaps(first, yesterday - timedelta(days=1))
            self._last_gap_check_s = self._clock.monotonic()
            period_ids.add(f"{first:%Y}")
        figures = await publish(self._pipeline, self._folder, self._clock, sorted(period_ids))
        self._caught_up = True
        self._export_coverage(figures, f"{today:%Y}")
        for writer in self._writers:
            await writer.update(today, marked)

    def _export_coverage(self, figures: Sequence[Figure], year: str) -> None:
        """Export the lowest coverage of each scope's indicators in a year."""
        least: dict[str, float] = {}
        for figure in figures:
            if figure.coverage is not None and figure.period == year:
                least[figure.scope] = min(least.get(figure.scope, 1.0), figure.coverage)
        for scope, coverage in least.items():
            self._metrics.coverage.labels(scope).set(coverage)


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


def local_today(folder: SiteFolder, clock: Clock) -> date:
    """Return the present local day of a site."""
    return periods.local_day(clock.now_ms(), folder.site.zone)


def ignore_progress(_: float) -> None:
    """Discard the progress."""
