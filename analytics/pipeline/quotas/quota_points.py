"""Convert the results of quotas to points of the store. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING

from analytics import periods
from jieneng.metering import schema
from jieneng.metering.schema import Point, Value

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from analytics.figures.quotas.annual_quota_results import AnnualQuotaResult
    from analytics.figures.quotas.quota_results import QuotaResult


def quota_level_points(
    site: str, results: "Sequence[QuotaResult]", time_ms: int
) -> Iterator[Point]:
    """Yield a point for the level of each building.

    Args:
        site: id of the site.
        results: the results.
        time_ms: time of the points: start of the day for which they were computed [UTC, ms].
    """
    for one in results:
        tags = {"site": site, "scope": one.scope, "quota": one.quota.id, "period": one.period}
        fields: dict[str, Value | None] = {
            "value": one.value,
            "constraint": one.quota.constraint,
            "benchmark": one.quota.benchmark,
            "guide": one.quota.guide,
            "level": one.level,
            "rank": one.rank,
            "ranked": float(one.ranked),
            "percentile": one.percentile,
            "peers": float(one.peers),
            "is_forecast": float(one.is_forecast),
            schema.COVERAGE: one.coverage,
        }
        yield from _points(schema.QUOTA_LEVEL, tags, fields, time_ms)


def annual_quota_points(
    site: str, results: "Sequence[AnnualQuotaResult]", time_ms: int, zone: "ZoneInfo"
) -> Iterator[Point]:
    """Yield a point for each annual quota, and for each of its months.

    Args:
        site: id of the site.
        results: the results.
        time_ms: time of the points: start of the day for which they were computed [UTC, ms].
        zone: time zone of the site.
    """
    for one in results:
        tags = {
            "site": site,
            "scope": one.quota.scope,
            "indicator": one.quota.indicator,
            "quota": one.quota.id,
        }
        used_by: dict[str, Value | None] = {
            f"used_{step.share_pct}_ms": _midnight_ms(step.day, zone) for step in one.steps
        }
        of_year: dict[str, Value | None] = {
            "amount": one.amount,
            "allowed": one.allowed,
            "used": one.used,
            "used_pct": one.used_pct,
            "least_used_pct": one.least_used_pct,
            "remains": one.remains,
            "remains_per_day": one.remains_per_day,
            "forecast": one.forecast,
            "forecast_least": one.forecast_least,
            "forecast_greatest": one.forecast_greatest,
            "forecast_pct": one.forecast_pct,
            "short_days": one.short_days,
            **used_by,
            schema.COVERAGE: one.coverage,
            "status": one.status,
        }
        yield from _points(schema.ANNUAL_QUOTA, {**tags, "period": one.period}, of_year, time_ms)
        for month in one.months:
            of_month: dict[str, Value | None] = {
                "amount": month.amount,
                "allowed": month.allowed,
                "used": month.used,
                "used_pct": month.used_pct,
                "remains": month.remains,
                "remains_per_day": month.remains_per_day,
                schema.COVERAGE: month.coverage,
            }
            yield from _points(
                schema.ANNUAL_QUOTA, {**tags, "period": month.period}, of_month, time_ms
            )


def _points(
    measurement: str, tags: Mapping[str, str], fields: Mapping[str, Value | None], time_ms: int
) -> Iterator[Point]:
    point = schema.point(measurement, tags, fields, time_ms)
    if point is not None:
        yield point


def _midnight_ms(day: date | None, zone: "ZoneInfo") -> float:
    """Return the start of a local day [UTC, ms]; 0 without a day.

    A field that is left out would not replace the day of an earlier forecast on boards.
    """
    return 0.0 if day is None else float(periods.midnight_ms(day, zone))
