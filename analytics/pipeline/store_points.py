"""Convert consumption, findings and figures to points of the store. Pure."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from jieneng.metering import schema
from jieneng.metering.quantities import CONSUMPTION, Medium
from jieneng.metering.schema import Point
from jieneng.storage import SeriesColumns

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from analytics.counters.consumption import Consumption
    from analytics.counters.register_finding import RegisterFinding
    from analytics.figures.figure import Figure
    from jieneng.metering.site import Meter


def consumption_columns(
    tags: Mapping[str, str], consumption: "Consumption", starts_ms: "NDArray[np.int64]"
) -> SeriesColumns:
    """Return the points of a series: one for each interval with known consumption.

    `estimated` is stored as a share of the amount, 0 to 1. `spread_start`, `spread_end` and
    `bounded` are stored only for days, because figures are computed from days.

    Args:
        tags: all tags of the series.
        consumption: consumption by interval.
        starts_ms: shape (n,), starts of the intervals [UTC, ms].
    """
    amount = consumption.amount
    medium: Medium = tags["medium"]  # type: ignore[assignment]  # one of MEDIA
    columns = {
        CONSUMPTION[medium]: amount,
        schema.COVERAGE: consumption.coverage,
        schema.ESTIMATED: estimated_share(consumption),
    }
    if tags["interval"] == "day":
        columns[schema.BOUNDED] = consumption.bounded
        columns[schema.SPREAD_START] = consumption.spread_start
        columns[schema.SPREAD_END] = consumption.spread_end
    known = np.isfinite(amount)  # NaN is unknown; unknown values have no point
    return SeriesColumns(
        tags, starts_ms[known], {name: column[known] for name, column in columns.items()}
    )


def estimated_share(consumption: "Consumption") -> "NDArray[np.float64]":
    """Return the estimated share of each amount, 0 to 1."""
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.minimum(np.abs(consumption.estimated / consumption.amount), 1.0)
    found: NDArray[np.float64] = np.where(consumption.amount == 0, 0.0, share)
    return found


def as_stored(consumption: "Consumption") -> "Consumption":
    """Return consumption as it is read from the store after it was written."""
    known = np.isfinite(consumption.amount)
    estimated = np.abs(consumption.amount) * estimated_share(consumption)
    return msgspec.structs.replace(
        consumption,
        coverage=np.where(known, consumption.coverage, 0.0),
        estimated=np.where(known, estimated, 0.0),
        bounded=np.where(known, consumption.bounded, 0.0),
        spread_start=np.where(known, consumption.spread_start, np.nan),
        spread_end=np.where(known, consumption.spread_end, np.nan),
    )


def unknown_day_points(
    site: str,
    meter: "Meter",
    by_day: "Consumption",
    is_recorded: "NDArray[np.bool_]",
    midnights_ms: "NDArray[np.int64]",
) -> list[Point]:
    """Return a point with coverage 0 for each recorded day of a meter without known consumption.

    The point marks the day as computed, so that `compute_missing_days` skips it.

    Args:
        site: id of the site.
        meter: the meter.
        by_day: consumption of the meter by day.
        is_recorded: shape (days,), True for days that may contain readings or imports.
        midnights_ms: shape (days + 1,), edges of the days [UTC, ms].
    """
    series = (
        ("interval", "day"),
        ("kind", "meter"),
        ("medium", meter.medium),
        ("scope", meter.id),
        ("site", site),
    )
    return [
        Point.of(
            schema.CONSUMPTION, series, ((schema.COVERAGE, 0.0), (schema.BOUNDED, 0.0)), start_ms
        )
        for start_ms in midnights_ms[:-1][np.isnan(by_day.amount) & is_recorded].tolist()
    ]


def finding_point(site: str, found: "RegisterFinding") -> Point:
    """Return the point of a finding. If the doubt has no known limit, its field is left out."""
    numbers = {
        **{name: value for name, value in found.finding.values if isinstance(value, int | float)},
        schema.UNTIL_MS: found.until_ms,
        schema.DOUBT: found.doubt,
        schema.COUNT: found.count,
    }
    return Point.of(
        schema.FINDING,
        (("code", found.finding.code), ("scope", found.finding.subject), ("site", site)),
        [(name, float(value)) for name, value in numbers.items() if math.isfinite(value)],
        found.first_ms,
    )


def indicator_points(site: str, figures: "Sequence[Figure]", time_ms: int) -> list[Point]:
    """Return a point for each figure.

    Args:
        site: id of the site.
        figures: the figures.
        time_ms: time of the points: start of the day for which the figures were computed [UTC, ms].
    """
    return [
        point
        for figure in figures
        if (point := _indicator_point(site, figure, time_ms)) is not None
    ]


def _indicator_point(site: str, figure: "Figure", time_ms: int) -> Point | None:
    return schema.point(
        schema.INDICATOR,
        {
            "site": site,
            "scope": figure.scope,
            "indicator": figure.indicator,
            "period": figure.period,
            "series": figure.factor_series or schema.NO_SERIES,
        },
        {
            "value": figure.value,
            "baseline": figure.baseline,
            "target": figure.target,
            "path": figure.path,
            "change_pct": figure.change_pct,
            "decrease_pct": figure.decrease_pct,
            "forecast": figure.forecast,
            "forecast_least": figure.forecast_least,
            "forecast_greatest": figure.forecast_greatest,
            "year_limit": figure.year_limit,
            schema.COVERAGE: figure.coverage,
            schema.ESTIMATED: figure.estimated,
            "status": figure.status,
        },
        time_ms,
    )
