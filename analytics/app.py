"""Run the analytics, as a service and as the commands that write."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, timedelta

from prometheus_client import CollectorRegistry

from analytics import periods
from analytics.alert_service import AlertService
from analytics.figure_service import (
    INDICATORS,
    FigureMetrics,
    FigureService,
    ignore_progress,
    local_today,
)
from analytics.figures.figure import Figure
from analytics.indicator_writer import IndicatorWriter, publish
from analytics.pipeline.changes.change_writer import ChangeWriter
from analytics.pipeline.pipeline import Progress
from analytics.pipeline.quotas.quota_writer import QuotaWriter
from analytics.settings import AnalyticsSettings
from analytics.site_analytics import compute_outdated, cost_writer, daily_writers, opened
from jieneng.clock import Clock
from jieneng.metering.findings import Finding
from jieneng.observe import log, serving_metrics
from jieneng.site_folder import SiteFolder
from jieneng.storage import open_store


async def backfill(
    folder: SiteFolder,
    settings: AnalyticsSettings,
    start: date,
    end: date,
    clock: Clock,
    progress: Progress,
) -> list[Finding]:
    """Compute consumption from local day `start` to `end`, both included, and publish figures.

    Returns:
        The findings about registers.
    """
    async with opened(folder, settings) as (store, pipeline):
        today = local_today(folder, clock)
        await pipeline.recompute_changed(today, ignore_progress)
        findings = await pipeline.backfill(start, end, progress)
        await publish(pipeline, folder, clock, await pipeline.stored_periods())
        await QuotaWriter(pipeline.quotas, folder.site, store).update(today, ())
        await ChangeWriter(pipeline, store).update(today, ())
        months = sorted({f"{day:%Y-%m}" for day in periods.days(start, end + timedelta(days=1))})
        await cost_writer(folder, store).write(months, today)
        return findings


async def once(folder: SiteFolder, settings: AnalyticsSettings, clock: Clock) -> list[Figure]:
    """Bring consumption and indicators up to date, once."""
    async with opened(folder, settings) as (store, pipeline):
        today = local_today(folder, clock)
        await compute_outdated(pipeline, today)
        await pipeline.backfill(today - timedelta(days=1), today, ignore_progress)
        writers = daily_writers(folder, pipeline, store)
        for name in ("quotas", "changes", "costs"):
            while await writers[name].update(today, ()):
                pass
        return await publish(pipeline, folder, clock, await pipeline.stored_periods())


async def run(folder: SiteFolder, settings: AnalyticsSettings, clock: Clock) -> None:
    """Keep consumption and indicators up to date, until cancelled."""
    registry = CollectorRegistry()
    metrics = FigureMetrics(registry)
    async with (
        opened(folder, settings, prepare=False) as (store, pipeline),
        _alert_service(folder, settings, clock, registry) as alerts,
    ):
        indicators = IndicatorWriter(pipeline, folder, clock, metrics.show_coverage)
        writers = daily_writers(folder, pipeline, store, {INDICATORS: indicators})
        service = FigureService(folder, settings, clock, store, pipeline, metrics, writers)
        async with (
            serving_metrics(settings.metrics, registry, log("analytics"), service.faults),
            asyncio.TaskGroup() as tasks,
        ):
            tasks.create_task(service.run(), name="figures")
            if alerts is not None:
                tasks.create_task(alerts.run(), name="alerts")


@asynccontextmanager
async def _alert_service(
    folder: SiteFolder, settings: AnalyticsSettings, clock: Clock, registry: CollectorRegistry
) -> AsyncIterator[AlertService | None]:
    """Make the service of the alerts, if it is enabled.

    It has a connection to the store of its own: alerts need not wait while figures are computed.
    """
    if not settings.alerts.enabled:
        yield None
        return
    store = open_store(settings.store, folder.path)
    try:
        yield AlertService(folder, settings.alerts, clock, store, registry)
    finally:
        await store.close()
