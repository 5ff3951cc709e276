"""Compute the figures of a period, and return them. The commands print the results.

Law: all missing consumption is computed first, so that a command needs no running service.
"""

from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

import msgspec

from analytics import periods
from analytics.alerts.alert_files import load_alert_rules
from analytics.costs.cost_result import CostResult
from analytics.figure_service import local_today
from analytics.figures.balances.parent_balance import BalanceStep, ParentBalance
from analytics.figures.decomposition.carbon_split import CarbonSplit
from analytics.figures.figure import Figure
from analytics.figures.quotas.annual_quota_results import AnnualQuotaResult
from analytics.figures.quotas.quota_results import QuotaResult
from analytics.pipeline import report_reader
from analytics.pipeline.consumption_store import ConsumptionStore
from analytics.pipeline.metered_amounts import MeteredAmount, MeterPeriod, metered_amounts
from analytics.pipeline.quality.quality_reader import quality_report
from analytics.pipeline.unnamed_meters import with_unnamed_meters
from analytics.profiles.load_profile import LoadProfile
from analytics.publications.publication import Publication
from analytics.publications.published_differences import with_published
from analytics.publications.published_sums import sum_findings
from analytics.publications.recomputation import consumption_digest, figures_with, require_over
from analytics.quality.quality_score import QualityReport
from analytics.report.figure_json import json_elements
from analytics.report.report_data import PageData
from analytics.settings import AnalyticsSettings
from analytics.site_analytics import (
    compute_outdated,
    cost_reader,
    opened,
    opened_up_to_date,
    profile_reader,
)
from jieneng.clock import Clock
from jieneng.locale import translator
from jieneng.locale.finding_text import labels
from jieneng.metering.errors import NoData
from jieneng.site_folder import SiteFolder


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
    async with opened_up_to_date(folder, settings, clock) as (store, pipeline):
        if require_data:
            await pipeline.require_data(period)
        scopes = None if scope is None else [scope]
        figures = await pipeline.figures(period, scopes, clock.now_ms())
        figures = await with_unnamed_meters(figures, folder.site, store, period)
        return with_published(figures, folder.path, period)


async def report(
    folder: SiteFolder, settings: AnalyticsSettings, period: str, clock: Clock
) -> PageData:
    """Compute missing consumption, and return the data of the page of a year.

    Raises:
        NoData: the year has no stored consumption.
    """
    async with opened_up_to_date(folder, settings, clock) as (store, pipeline):
        await pipeline.require_data(period)
        now_ms = clock.now_ms()
        data = await report_reader.page_data(pipeline, store, period, now_ms)
        published = sum_findings(folder.path, int(period))
        site_id = folder.site.id
        rated = await quality_report(pipeline, store, period, [site_id], now_ms, published)
        figures = await with_unnamed_meters(data.figures, folder.site, store, period)
        figures = with_published(figures, folder.path, period)
        data = msgspec.structs.replace(data, quality=rated, figures=tuple(figures))
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
    async with opened_up_to_date(folder, settings, clock) as (_, pipeline):
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
    async with opened_up_to_date(folder, settings, clock) as (_, pipeline):
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
    async with opened(folder, settings) as (store, pipeline):
        reader = cost_reader(folder, store)
        if subject is not None:
            reader.require_subject(subject)
        today = local_today(folder, clock)
        await compute_outdated(pipeline, today)
        await pipeline.require_data(period)
        found = await reader.costs([periods.parse(period)], today)
        return [one for one in found if subject in (None, one.id)]


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
    async with opened_up_to_date(folder, settings, clock) as (store, pipeline):
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
    async with opened_up_to_date(folder, settings, clock) as (_, pipeline):
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
    async with opened(folder, settings) as (store, pipeline):
        reader = profile_reader(folder, pipeline, store)
        subjects = reader.scopes if scope is None else [reader.scope(scope)]
        if meter is not None:
            subjects = [reader.meter(meter)]
        today = local_today(folder, clock)
        complete = periods.parse(period).until(today)
        await compute_outdated(pipeline, today)
        await pipeline.require_data(period)
        if not complete.days:
            raise NoData("no day of {period} is complete yet.", period=period)
        return await reader.profiles(complete, subjects)


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
    async with opened_up_to_date(folder, settings, clock) as (store, pipeline):
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


async def metered(
    folder: SiteFolder, settings: AnalyticsSettings, wanted: Sequence[MeterPeriod], clock: Clock
) -> list[MeteredAmount]:
    """Compute missing consumption, and return the consumption of meters in periods."""
    async with opened_up_to_date(folder, settings, clock) as (store, _):
        consumption = ConsumptionStore(folder.site, store)
        return await metered_amounts(consumption, folder.site, wanted)
