"""Read the data of a report: figures of a period, their history, and the latest readings."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec

from analytics import periods
from analytics.alerts.alert_rule import AlertRules
from analytics.pipeline.alerting.current_alerts import current_alerts
from analytics.pipeline.period_figures import WantedFigures
from analytics.pipeline.pipeline import Pipeline
from analytics.report.report_data import LatestReading, NamedScope, PageData
from jieneng.locale.finding_text import labels
from jieneng.metering.quantities import CONSUMPTION, QUANTITIES, Medium
from jieneng.metering.site import Site
from jieneng.storage import Store

#: Momentary quantity that is shown together with the register, by medium.
_RATE: Final[dict[Medium, str]] = {
    "electricity": "power_kw",
    "water": "flow_m3_h",
    "gas": "flow_m3_h",
    "heat": "power_kw",
}
#: Readings older than this are not shown [ms].
_LATEST_MS: Final = 15 * 60 * 1000


def local_time(time_ms: int, site: Site) -> datetime:
    """Return a time [UTC, ms] in the site's zone."""
    return datetime.fromtimestamp(time_ms / 1000, site.zone)


def report_scopes(site: Site) -> tuple[NamedScope, ...]:
    """Return the scopes of a report: the site, areas with a floor area, institutions."""
    return (
        NamedScope(site.id, site.site.name, "site"),
        *(NamedScope(area.id, area.name, "area") for area in site.area if area.floor_area_m2),
        *(NamedScope(one.id, one.name, "institution") for one in site.institution),
    )


async def page_data(
    pipeline: Pipeline, store: Store, period: str, now_ms: int, *, readings: bool = True
) -> PageData:
    """Return the data for the page of a year.

    Args:
        pipeline: analytics of the site.
        store: store of the site.
        period: a year, such as `2025`.
        now_ms: time of the report [UTC, ms].
        readings: True to include the latest readings.
    """
    site = pipeline.folder.site
    shown = report_scopes(site)
    ids = tuple(scope.id for scope in shown)
    months = [f"{period}-{month:02d}" for month in range(1, 13)]
    years = report_years(pipeline, period)  # the last one is the period
    history = await pipeline.figures_of(
        [
            *(WantedFigures(year, now_ms, ids) for year in years),
            *(WantedFigures(month, now_ms, ids[:1]) for month in months),
        ]
    )
    return PageData(
        site_name=site.site.name,
        period=period,
        generated=local_time(now_ms, site),
        scopes=shown,
        figures=tuple(history[len(years) - 1]),
        history=tuple(figure for of_period in history for figure in of_period),
        carbon=tuple(await pipeline.carbon(period, None, ids, now_ms)),
        labels=labels(site),
        readings=await latest_readings(store, site, now_ms) if readings else (),
        coverage_floor=pipeline.rules.coverage_floor,
        sources=pipeline.rules.sources,
    )


async def with_alerts(
    data: PageData, site: Site, rules: AlertRules, store: Store, now_ms: int
) -> PageData:
    """Return the data of a page with the alerts, if these were evaluated within the last day."""
    found = await current_alerts(site, rules, store, now_ms)
    if found.evaluated_ms is None:
        return data
    return msgspec.structs.replace(data, alerts=found.alerts, alert_rules=rules)


def report_years(pipeline: Pipeline, period: str) -> Sequence[str]:
    """Return the years from the base year to the period; only the period's year without a plan."""
    last = periods.parse(period)
    base = pipeline.rules.base_year(last) or last
    return [str(year) for year in range(base.year, last.year + 1)]


async def latest_readings(store: Store, site: Site, now_ms: int) -> tuple[LatestReading, ...]:
    """Return the latest reading of each meter that is read, from the last quarter of an hour."""
    found: dict[tuple[str, str], tuple[int, float]] = {}
    for medium in {meter.medium for meter in site.meter}:
        for field in (CONSUMPTION[medium], _RATE[medium]):
            for series in await store.read(
                medium,
                field,
                where={"site": site.id},
                start_ms=now_ms - _LATEST_MS,
                end_ms=now_ms + 1,
            ):
                last = (int(series.times_ms[-1]), float(series.values[-1]))
                found[series.tags["meter"], field] = last
    return tuple(_reading(site, meter_id, found) for meter_id in site.read_meters)


def _reading(
    site: Site, meter_id: str, found: dict[tuple[str, str], tuple[int, float]]
) -> LatestReading:
    meter = site.meters[meter_id]
    counter, rate = CONSUMPTION[meter.medium], _RATE[meter.medium]
    register, flow = found.get((meter.id, counter)), found.get((meter.id, rate))
    return LatestReading(
        meter=meter.name,
        medium=meter.medium,
        time=None if register is None else local_time(register[0], site),
        register=None if register is None else register[1],
        unit=QUANTITIES[counter].unit,
        rate=None if flow is None else flow[1],
        rate_unit=QUANTITIES[rate].unit,
    )
