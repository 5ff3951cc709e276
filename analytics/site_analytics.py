"""Open the analytics of a site: its rules, its store and its pipeline."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import date
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Final

from analytics.alerts.alert_files import load_alert_rules
from analytics.calendar.working_calendar import WorkingCalendar
from analytics.calendar.working_hours import Hours
from analytics.figure_service import BEGIN, ignore_progress, local_today
from analytics.figures.rule_files import Rules, merge_rules
from analytics.pipeline.basis.recorded_writer import RecordedWriter
from analytics.pipeline.basis.row_digests import figure_digests
from analytics.pipeline.changes.change_writer import ChangeWriter
from analytics.pipeline.costs.cost_reader import CostReader
from analytics.pipeline.costs.cost_writer import CostWriter
from analytics.pipeline.pipeline import Pipeline
from analytics.pipeline.profiles.profile_reader import ProfileReader
from analytics.pipeline.profiles.profile_writer import ProfileWriter
from analytics.pipeline.quality.quality_writer import QualityWriter
from analytics.pipeline.quotas.quota_writer import QuotaWriter
from analytics.publications.published_sums import sum_findings
from analytics.round_step import DailyWriter
from analytics.rule_documents import rule_documents
from analytics.settings import AnalyticsSettings
from analytics.tariffs.tariff import Tariffs
from analytics.tariffs.tariff_files import load_tariffs
from jieneng.clock import Clock
from jieneng.metering.errors import ConfigError, Problem
from jieneng.metering.site import Site
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
async def opened(
    folder: SiteFolder, settings: AnalyticsSettings, *, prepare: bool = True
) -> AsyncIterator[tuple[Store, Pipeline]]:
    """Open the store and the pipeline of a site.

    Args:
        folder: the site.
        settings: settings of the analytics.
        prepare: False for the service, which prepares the store once it is available.

    Raises:
        ConfigError: lists all mistakes in the rules.
    """
    rules = load_rules(folder.path, settings, folder.site)
    store = open_store(settings.store, folder.path)
    try:
        if prepare:
            await store.prepare()
        yield store, Pipeline(folder, rules, store, detail_days=settings.detail_days)
    finally:
        await store.close()


@asynccontextmanager
async def opened_up_to_date(
    folder: SiteFolder, settings: AnalyticsSettings, clock: Clock
) -> AsyncIterator[tuple[Store, Pipeline]]:
    """Open the store and the pipeline of a site, with all consumption computed up to today.

    Raises:
        ConfigError: lists all mistakes in the rules.
    """
    async with opened(folder, settings) as (store, pipeline):
        await compute_outdated(pipeline, local_today(folder, clock))
        yield store, pipeline


async def compute_outdated(pipeline: Pipeline, today: date) -> None:
    """Compute the days up to today that are missing, marked, or rest on changed rows.

    Missing days come first, because they are mostly consecutive. Marks on these days are then done,
    too.
    """
    await pipeline.compute_missing_days(today, ignore_progress)
    await pipeline.recompute_changed(today, ignore_progress)
    await pipeline.recompute_marked(BEGIN, today)


def daily_writers(
    folder: SiteFolder,
    pipeline: Pipeline,
    store: Store,
    first: Mapping[str, DailyWriter] = MappingProxyType({}),
) -> dict[str, DailyWriter]:
    """Return the writers of a site's daily figures, by the names of their steps.

    Each writer also writes the figures of all days again if rows of the site's files have changed.

    Args:
        folder: the site.
        pipeline: the analytics of the site.
        store: the store of the site.
        first: further writers, which come before the others.

    Raises:
        ConfigError: lists all mistakes in `tariffs.toml` or `alerts.toml`.
    """
    site, hours = folder.site, load_alert_rules(folder.path, folder.site).hours
    tariffs = load_tariffs(folder.path, site)
    digests = figure_digests(site, folder.models, pipeline.rules, hours, tariffs)
    writers: dict[str, DailyWriter] = {
        **first,
        "profiles": ProfileWriter(ProfileReader(folder, pipeline.rules, hours, store), store),
        "costs": CostWriter(site, _cost_reader(folder, tariffs, hours, store), store),
        "quotas": QuotaWriter(pipeline.quotas, site, store),
        "changes": ChangeWriter(pipeline, store),
        "quality": QualityWriter(pipeline, store, partial(sum_findings, folder.path)),
    }
    return {
        name: RecordedWriter(name, writer, digests[name], site, store)
        for name, writer in writers.items()
    }


def cost_reader(folder: SiteFolder, store: Store) -> CostReader:
    """Return the reader of a site's costs. A site without accounts needs no working calendar."""
    tariffs = load_tariffs(folder.path, folder.site)
    hours = load_alert_rules(folder.path, folder.site).hours if tariffs.accounts else Hours()
    return _cost_reader(folder, tariffs, hours, store)


def _cost_reader(folder: SiteFolder, tariffs: Tariffs, hours: Hours, store: Store) -> CostReader:
    return CostReader(folder, tariffs, WorkingCalendar(hours, folder.site.zone), store)


def cost_writer(folder: SiteFolder, store: Store) -> CostWriter:
    """Return the writer of a site's costs.

    Raises:
        ConfigError: lists all mistakes in `tariffs.toml` or `alerts.toml`.
    """
    return CostWriter(folder.site, cost_reader(folder, store), store)


def profile_reader(folder: SiteFolder, pipeline: Pipeline, store: Store) -> ProfileReader:
    """Return the reader of a site's load profiles."""
    hours = load_alert_rules(folder.path, folder.site).hours
    return ProfileReader(folder, pipeline.rules, hours, store)
