"""Define the figure: an indicator's value with its coverage, convention and findings.

Laws: an unknown value is None, never 0. Without enough data, the verdict is `insufficient_data`. If
findings could change the verdict, it is `doubtful`. If an indicator does not apply to a scope, for
example an indicator per capita to a canteen, it is `not_applicable`.
`analytics.report.figure_json` writes figures as the JSON of `jieneng indicators --format json`.
"""

import math
from datetime import date
from typing import Final, Literal

import msgspec

from jieneng.metering.findings import Finding

Status = Literal[
    "met",
    "on_track",
    "at_risk",
    "missed",
    "doubtful",
    "insufficient_data",
    "not_applicable",
    "no_target",
]
Convention = Literal["equivalent", "coal_consumption"]
FactorSeries = Literal["fixed", "current"]

#: Decimals of a figure's numbers.
_DECIMALS: Final = 6


class FigureComparison(msgspec.Struct, frozen=True, kw_only=True):
    """A comparison of a figure other than that of the plan. It has no target and no verdict.

    Attributes:
        id: id of a further baseline of `plan.toml`, or `like_for_like`.
        name: name of the baseline for people.
        reason: reason for the baseline.
        value: value of the figure, without the areas in `left_out`. baseline: value of the
            baseline, for the same days.
        baseline_period: id of the period of `baseline`; `2017..2019` for a mean of years.
        change_pct: change of `value` against `baseline` [%]; negative for a decrease.
        decrease_pct: the negative of `change_pct`.
        coverage: lowest coverage of the compared values, 0 to 1.
        left_out: ids of the areas that are left out, because they joined or left.
    """

    id: str
    name: str
    reason: str
    value: float | None
    baseline: float | None
    baseline_period: str
    change_pct: float | None
    decrease_pct: float | None
    coverage: float | None
    left_out: tuple[str, ...] = ()


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """Value of an indicator for a scope and a period, with target and verdict.

    Attributes:
        scope: id of an area, an institution or the site.
        indicator: id of a row of `jieneng.metering.indicators`.
        period: id of the period: `2025`, `2025-06`.
        value: the indicator's value, in `unit`; for the elapsed days if the period is not over.
        unit: unit of `value`, `baseline`, `target` and `path`.
        baseline: value for the same days of the base year.
        baseline_period: id of the period of `baseline`.
        change_pct: change of `value` against `baseline` [%]; negative for a decrease.
        decrease_pct: the negative of `change_pct`. `operator` compares it with `target_pct`.
        target_pct: decrease that the plan requires in its last year [%]; None for a cap.
        operator: comparison operator of the plan: `>` or `>=` for a decrease, `<=` or `<` for a
            cap.
        target: value that the plan requires in its last year, or the cap.
        path: value that the glide path allows in this period.
        status: the verdict.
        coverage: share of the meters' time for which consumption is known, 0 to 1.
        estimated: share of `value` that is estimated at the period's edges, 0 to 1.
        convention: convention of electricity's coal equivalent; None if it is not used.
        factor_series: series of the grid's carbon factor; None if it is not used.
        findings: doubts and remarks about the value and its baseline.
        until: last day that `value` contains, if the period is not over; None if the period is
            over, or has not begun.
        forecast: value that is expected for the whole of a running year; None for other periods, or
            if last year is not known.
        forecast_least: lower end of the band that is expected to contain 80 % of outcomes; None if
            the band can't be computed.
        forecast_greatest: upper end of the band.
        year_limit: value that the plan allows for the whole of a running year: by the glide path,
            or the cap.
        to_save: amount by which the forecast exceeds `year_limit`, as an amount of a medium to save
            until the end of the year [`to_save_unit`]; 0 if the forecast is below the limit.
        to_save_unit: unit of `to_save`: that of a medium; kWh of electricity for energy and carbon.
        comparisons: comparisons other than that with the plan's base year: by the areas that
            existed in both periods (`like_for_like`), if an area joined or left, and with further
            baselines.
    """

    scope: str
    indicator: str
    period: str
    value: float | None
    unit: str
    baseline: float | None = None
    baseline_period: str | None = None
    change_pct: float | None = None
    decrease_pct: float | None = None
    target_pct: float | None = None
    operator: str | None = None
    target: float | None = None
    path: float | None = None
    status: Status = "no_target"
    coverage: float | None = None
    estimated: float | None = None
    convention: Convention | None = None
    factor_series: FactorSeries | None = None
    findings: tuple[Finding, ...] = ()
    until: date | None = None
    forecast: float | None = None
    forecast_least: float | None = None
    forecast_greatest: float | None = None
    year_limit: float | None = None
    to_save: float | None = None
    to_save_unit: str | None = None
    comparisons: tuple[FigureComparison, ...] = ()


def relative_change_pct(value: float, base: float) -> float:
    """Return the change of a value against a base [%]; NaN without a base above 0."""
    return 100 * (value / base - 1) if base > 0 else math.nan


def rounded(value: float) -> float | None:
    """Return the rounded value for a figure, never -0.0; None if the value is unknown."""
    return round(value, _DECIMALS) + 0.0 if math.isfinite(value) else None
