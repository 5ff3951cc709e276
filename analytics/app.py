"""Run the analytics, as a service and as commands."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import date, timedelta
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import msgspec
from prometheus_client import CollectorRegistry

from analytics import periods
from analytics.alert_service import AlertService
from analytics.alerts.alert_files import load_alert_rules
from analytics.alerts.alert_rule import Hours
from analytics.alerts.working_calendar import WorkingCalendar
from analytics.costs.cost_result import CostResult
from analytics.figure_service import (
    BEGIN,
    DailyWriter,
    FigureMetrics,
    FigureService,
    ignore_progress,
    local_today,
    publish,
)
from analytics.figures.balances.parent_balance import BalanceStep, ParentBalance
from analytics.figures.decomposition.carbon_split import CarbonSplit
from analytics.figures.figure import Figure
from analytics.figures.quotas.annual_quota_results import AnnualQuotaResult
from analytics.figures.quotas.quota_results import QuotaResult
from analytics.figures.rule_files import Rules, merge_rules
from analytics.pipeline import report_reader
from analytics.pipeline.consumption_store import ConsumptionStore
from analytics.pipeline.costs.cost_reader import CostReader
from analytics.pipeline.costs.cost_writer import CostWriter
from analytics.pipeline.metered_amounts import MeteredAmount, MeterPeriod, metered_amounts
from analytics.pipeline.pipeline import Pipeline, Progress
from analytics.pipeline.profiles.profile_reader import ProfileReader
from analytics.pipeline.profiles.profile_writer import ProfileWriter
from analytics.pipeline.quality.quality_reader import quality_report
from analytics.pipeline.quality.quality_writer import QualityWriter
from analytics.pipeline.quotas.quota_writer import QuotaWriter
from analytics.profiles.load_profile import LoadProfile
from analytics.publications.publication import Publication
from analytics.publications.published_sums import sum_findings
from analytics.publications.recomputation import consumption_digest, figures_with, require_over
from analytics.quality.quality_score import QualityReport
from analytics.report.figure_json import json_elements
from analytics.report.report_data import PageData
from analytics.rule_documents import rule_documents
from analytics.settings import AnalyticsSettings
from analytics.tariffs.tariff_files import load_tariffs
from jieneng.clock import Clock
from jieneng.locale import translator
from jieneng.locale.finding_text import labels
from jieneng.metering.errors import ConfigError, NoData, Problem
from jieneng.metering.findings import Finding
from jieneng.metering.site import Site
from jieneng.observe import log, serving_metrics
from jieneng.site_folder import SiteFolder
from jieneng.storage import Store, open_store

_DEFAULTS: Final = AnalyticsSettings()


def load_rules(
    path: Path, settings: AnalyticsSettings = _DEFAULTS, site: Site | None = None
) -> Rules:
    """Return the packaged rules; rows in the site's folder replace packaged rows of the same id.

    Args:
        path: folder of the site.
        settings: settings of the analytics.
        site: the site, to check the ids of scopes in the rules; None to accept any id.

    Raises:
        ConfigError: lists all mistakes in `factors.toml`, `plan.toml` and `quotas.toml`.
    """
    problems = list[Problem]()
    try:
        loaded = merge_rules(
            rule_documents(path, "factors.toml", problems),
            rule_documents(path, "plan.toml", problems),
            rule_documents(path, "quotas.toml", problems),
            convention=settings.convention,
            coverage_floor=settings.coverage_floor,
            scope_ids=None if site is None else _scope_ids(site),
        )
    except ConfigError as error:
        problems += error.problems
    if problems:
        raise ConfigError(problems)
    return loaded


def _scope_ids(site: Site) -> tuple[str, ...]:
    """Return the ids of the site, its areas and its institutions."""
    return (site.id, *(one.id for one in site.area), *(one.id for one in site.institution))


@asynccontextmanager
async def _open(
    folder: SiteFolder, settings: AnalyticsSettings
) -> AsyncIterator[tuple[Store, Pipeline]]:
    async with _open_unprepared(folder, settings) as (store, pipeline):
        await store.prepare()
        yield store, pipeline


@asynccontextmanager
async def _open_unprepared(
    folder: SiteFolder, settings: AnalyticsSettings
) -> AsyncIterator[tuple[Store, Pipeline]]:
    """Open a store without preparing it. The service prepares it once it is available."""
    loaded = load_rules(folder.path, settings, folder.site)
    store = open_store(settings.store, folder.path)
    try:
        yield store, Pipeline(folder, loaded, store, detail_days=settings.detail_days)
    finally:
        await store.close()


async def indicators(
    folder: SiteFolder,
    settings: AnalyticsSettings,
    period: str,
    scope: str | None,
    clock: Clock,
    *,
    require_data: bool = False,
) -> list[Figure]:
    """Compute missing consumption, and return the figures of a period.

    Args:
        folder: the site.
        settings: settings of the analytics.
        period: id of the period.
        scope: id of a scope; None for all scopes.
        clock: the clock.
        require_data: True to raise an error if there is no consumption in the period.

    Raises:
        NoData: `require_data` is True, and the period has no stored consumption.
    """
    async with _open(folder, settings) as (_, pipeline):
        await _catch_up(pipeline, local_today(folder, clock))
        if require_data:
            await pipeline.require_data(period)
        return await pipeline.figures(period, None if scope is None else [scope], clock.now_ms())


async def report(
    folder: SiteFolder, settings: AnalyticsSettings, period: str, clock: Clock
) -> PageData:
    """Compute missing consumption, and return the data of the page of a year.

    Raises:
        NoData: the year has no stored consumption.
    """
    async with _open(folder, settings) as (store, pipeline):
        await _catch_up(pipeline, local_today(folder, clock))
        await pipeline.require_data(period)
        now_ms = clock.now_ms()
        data = await report_reader.page_data(pipeline, store, period, now_ms)
        published = sum_findings(folder.path, int(period))
        site_id = folder.site.id
        rated = await quality_report(pipeline, store, period, [site_id], now_ms, published)
        data = msgspec.structs.replace(data, quality=rated)
        rules = load_alert_rules(folder.path, folder.site)
        return await report_reader.with_alerts(data, folder.site, rules, store, now_ms)


async def carbon(
    folder: SiteFolder,
    settings: AnalyticsSettings,
    period: str,
    base: str | None,
    scope: str | None,
    clock: Clock,
) -> list[CarbonSplit]:
    """Compute missing consumption, and return the change of carbon by source and cause.

    Args:
        folder: the site.
        settings: settings of the analytics.
        period: id of the period.
        base: a calendar year; None for the base year of the period's plan.
        scope: id of a scope; None for all scopes.
        clock: the clock.

    Raises:
        NoData: the period has no stored consumption.
    """
    async with _open(folder, settings) as (_, pipeline):
        await _catch_up(pipeline, local_today(folder, clock))
        await pipeline.require_data(period)
        return await pipeline.carbon(
            period, base, None if scope is None else [scope], clock.now_ms()
        )


async def balances(
    folder: SiteFolder,
    settings: AnalyticsSettings,
    period: str,
    step: BalanceStep,
    tolerance_pct: float,
    scope: str | None,
    clock: Clock,
) -> list[ParentBalance]:
    """Compute missing consumption, and return the balance of each meter with sub-meters.

    Args:
        folder: the site.
        settings: settings of the analytics.
        period: id of the period.
        step: length of the parts of the period.
        tolerance_pct: greatest rest that agrees, as a share of the meter above [%].
        scope: id of a scope whose meters are compared; None for all meters.
        clock: the clock.

    Raises:
        NoData: the period has no stored consumption.
    """
    async with _open(folder, settings) as (_, pipeline):
        await _catch_up(pipeline, local_today(folder, clock))
        await pipeline.require_data(period)
        return await pipeline.balances(period, step, tolerance_pct, scope, clock.now_ms())


async def costs(
    folder: SiteFolder, settings: AnalyticsSettings, period: str, subject: str | None, clock: Clock
) -> list[CostResult]:
    """Compute missing consumption, and return the costs of a period.

    Args:
        folder: the site.
        settings: settings of the analytics.
        period: id of the period.
        subject: id of an account or a scope; None for all of them.
        clock: the clock.

    Raises:
        NoData: the period has no stored consumption.
        UsageError: the subject does not exist.
    """
    async with _open(folder, settings) as (store, pipeline):
        reader = _cost_reader(folder, store)
        if subject is not None:
            reader.require_subject(subject)
        today = local_today(folder, clock)
        await _catch_up(pipeline, today)
        await pipeline.require_data(period)
        found = await reader.costs([periods.parse(period)], today)
        return [one for one in found if subject in (None, one.id)]


def cost_writer(folder: SiteFolder, store: Store) -> CostWriter:
    """Return the writer of a site's costs.

    Raises:
        ConfigError: lists all mistakes in `tariffs.toml` or `alerts.toml`.
    """
    return CostWriter(folder.site, _cost_reader(folder, store), store)


def _cost_reader(folder: SiteFolder, store: Store) -> CostReader:
    """Return the reader of a site's costs. A site without accounts needs no working calendar."""
    tariffs = load_tariffs(folder.path, folder.site)
    hours = load_alert_rules(folder.path, folder.site).hours if tariffs.accounts else Hours()
    return CostReader(folder, tariffs, WorkingCalendar(hours, folder.site.zone), store)


async def quality(
    folder: SiteFolder, settings: AnalyticsSettings, period: str, scope: str | None, clock: Clock
) -> QualityReport:
    """Compute missing consumption, and return the quality of the data of a period.

    Args:
        folder: the site.
        settings: settings of the analytics.
        period: id of the period.
        scope: id of a scope; None for all scopes.
        clock: the clock.

    Raises:
        NoData: the period has no stored consumption.
    """
    async with _open(folder, settings) as (store, pipeline):
        await _catch_up(pipeline, local_today(folder, clock))
        await pipeline.require_data(period)
        whole = periods.parse(period)
        published = sum_findings(folder.path, whole.year) if whole.whole_year else ()
        scopes = None if scope is None else [scope]
        return await quality_report(pipeline, store, period, scopes, clock.now_ms(), published)


async def quotas(
    folder: SiteFolder, settings: AnalyticsSettings, year: str, scope: str | None, clock: Clock
) -> tuple[list[QuotaResult], list[AnnualQuotaResult]]:
    """Compute missing consumption, and return levels of buildings and annual quotas of a year.

    Args:
        folder: the site.
        settings: settings of the analytics.
        year: id of the year.
        scope: id of a scope; None for all scopes.
        clock: the clock.

    Raises:
        NoData: the year has no stored consumption.
        UsageError: the year or the scope does not exist.
    """
    async with _open(folder, settings) as (_, pipeline):
        await _catch_up(pipeline, local_today(folder, clock))
        await pipeline.require_data(year)
        now_ms = clock.now_ms()
        levels = await pipeline.quotas.levels(year, now_ms, scope)
        return levels, await pipeline.quotas.annual(year, now_ms, scope)


async def profiles(
    folder: SiteFolder,
    settings: AnalyticsSettings,
    period: str,
    clock: Clock,
    *,
    scope: str | None = None,
    meter: str | None = None,
) -> list[LoadProfile]:
    """Compute missing consumption, and return the load profiles of a period.

    Args:
        folder: the site.
        settings: settings of the analytics.
        period: id of the period; if it is not over, its complete days count.
        clock: the clock.
        scope: id of a scope; None for all scopes, or for `meter`.
        meter: id of a meter; None for scopes.

    Raises:
        NoData: the period has no stored consumption, or no complete day.
        UsageError: there is no such period, scope or meter.
    """
    async with _open(folder, settings) as (store, pipeline):
        reader = _profile_reader(folder, pipeline, store)
        subjects = reader.scopes if scope is None else [reader.scope(scope)]
        if meter is not None:
            subjects = [reader.meter(meter)]
        today = local_today(folder, clock)
        complete = periods.parse(period).until(today)
        await _catch_up(pipeline, today)
        await pipeline.require_data(period)
        if not complete.days:
            raise NoData("no day of {period} is complete yet.", period=period)
        return await reader.profiles(complete, subjects)


def _profile_reader(folder: SiteFolder, pipeline: Pipeline, store: Store) -> ProfileReader:
    hours = load_alert_rules(folder.path, folder.site).hours
    return ProfileReader(folder, pipeline.rules, hours, store)


async def publication(
    folder: SiteFolder,
    settings: AnalyticsSettings,
    period: str,
    clock: Clock,
    published: Publication | None = None,
) -> tuple[Publication, tuple[dict[str, Any], ...]]:
    """Compute missing consumption, and return a publication of the figures of a period.

    Args:
        folder: the site.
        settings: settings of the analytics.
        period: id of a period that is over.
        clock: the clock.
        published: the publication of the period, if there is one.

    Returns:
        Two results: the publication, still without the name of a person; and figures with the
            consumption of today, as elements of their JSON form. The second are computed with the
            site and rules of `published`, or with those of today if there is no `published`.

    Raises:
        NoData: the period has no stored consumption.
        UsageError: the period is not over.
    """
    whole = require_over(period, local_today(folder, clock))
    translate, names = translator(folder.site.site.language), labels(folder.site)
    async with _open(folder, settings) as (store, pipeline):
        await _catch_up(pipeline, local_today(folder, clock))
        await pipeline.require_data(period)
        site, rules = folder.site, pipeline.rules
        figures = json_elements(await figures_with(folder, rules, store, whole), translate, names)
        now = Publication(
            period=period,
            by="",
            version=version("jieneng"),
            consumption=await consumption_digest(site, rules, store, whole),
            site=site,
            rules=rules,
            figures=figures,
        )
        if published is None:
            return now, figures
        then = msgspec.structs.replace(folder, site=published.site)
        again = await figures_with(then, published.rules, store, whole)
        return now, json_elements(again, translate, names)


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
    async with _open(folder, settings) as (store, pipeline):
        findings = await pipeline.backfill(start, end, progress)
        await publish(pipeline, folder, clock, await pipeline.stored_periods())
        await QuotaWriter(pipeline.quotas, folder.site, store).update(
            local_today(folder, clock), ()
        )
        months = sorted({f"{day:%Y-%m}" for day in periods.days(start, end + timedelta(days=1))})
        await cost_writer(folder, store).write(months, local_today(folder, clock))
        return findings


async def metered(
    folder: SiteFolder, settings: AnalyticsSettings, wanted: Sequence[MeterPeriod], clock: Clock
) -> list[MeteredAmount]:
    """Compute missing consumption, and return the consumption of meters in periods."""
    async with _open(folder, settings) as (store, pipeline):
        await _catch_up(pipeline, local_today(folder, clock))
        consumption = ConsumptionStore(folder.site, store)
        return await metered_amounts(consumption, folder.site, wanted)


async def _catch_up(pipeline: Pipeline, today: date) -> None:
    """Compute the days up to today that are missing or marked for computing.

    Missing days come first, because they are mostly consecutive. This also handles the marks on
    these days.
    """
    await pipeline.compute_missing_days(today, ignore_progress)
    await pipeline.recompute_marked(BEGIN, today)


async def once(folder: SiteFolder, settings: AnalyticsSettings, clock: Clock) -> list[Figure]:
    """Bring consumption and indicators up to date, once."""
    async with _open(folder, settings) as (store, pipeline):
        today = local_today(folder, clock)
        await _catch_up(pipeline, today)
        await pipeline.backfill(today - timedelta(days=1), today, ignore_progress)
        await QuotaWriter(pipeline.quotas, folder.site, store).update(today, ())
        await cost_writer(folder, store).update(today, ())
        return await publish(pipeline, folder, clock, await pipeline.stored_periods())


async def run(folder: SiteFolder, settings: AnalyticsSettings, clock: Clock) -> None:
    """Keep consumption and indicators up to date, until cancelled."""
    registry = CollectorRegistry()
    metrics = FigureMetrics(registry)
    async with (
        serving_metrics(settings.metrics, registry, log("analytics")),
        _open_unprepared(folder, settings) as (store, pipeline),
        _alert_service(folder, settings, clock, registry) as alerts,
        asyncio.TaskGroup() as tasks,
    ):
        writers: list[DailyWriter] = [
            ProfileWriter(_profile_reader(folder, pipeline, store), store),
            cost_writer(folder, store),
            QuotaWriter(pipeline.quotas, folder.site, store),
            QualityWriter(pipeline, store, partial(sum_findings, folder.path)),
        ]
        service = FigureService(folder, settings, clock, store, pipeline, metrics, writers)
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
