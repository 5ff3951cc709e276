"""Compute the figures of scopes in a period: compare indicators with base year, targets and caps.

Laws:

1. If a period is not over, its figures contain only its complete days, and are compared with the
   same days of the base year.
2. The same consumption, rules and site give the same digits. Figures are rounded to six decimals,
   and only at the end.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Final

import msgspec

from analytics.figures.area_history.area_changes import (
    AreaChange,
    area_changes,
    like_for_like_scopes,
    own_changes,
)
from analytics.figures.comparisons.baselines import BaselineInputs
from analytics.figures.comparisons.further_comparisons import FurtherInputs, with_comparisons
from analytics.figures.comparisons.like_for_like import LikeForLike
from analytics.figures.figure import FactorSeries, Figure, relative_change_pct, rounded
from analytics.figures.forecasts.year_end import ScopeForecast, scope_forecasts
from analytics.figures.indicator_results import (
    NO_RESULT,
    IndicatorResult,
    PeriodInputs,
    indicator_result,
    of_days,
    period_inputs,
)
from analytics.figures.inputs.period_factors import period_factors
from analytics.figures.plan_comparison import (
    Comparison,
    applies_to,
    with_cap,
    with_target,
)
from analytics.figures.roll_up import Scope
from analytics.figures.rule_files import Rules
from analytics.figures.site_consumption import SiteConsumption
from analytics.periods import Period
from jieneng.metering import indicators
from jieneng.metering.findings import Finding
from jieneng.metering.indicators import Indicator
from jieneng.metering.site import Site

#: A value below this share of the base value is more likely a mistake than a saving.
_FAR_BELOW: Final = 0.4


def assess(
    site: Site,
    rules: Rules,
    scopes: Sequence[Scope],
    period: Period,
    today: date,
    current: SiteConsumption,
    compared: Mapping[int, SiteConsumption],
    history: Sequence[SiteConsumption] = (),
) -> list[Figure]:
    """Return the figures of scopes in a period, by scope and indicator.

    Args:
        site: the site.
        rules: factors, plans, targets and caps.
        scopes: the scopes, in the order of the figures.
        period: the whole period.
        today: the present local day; only days before it are complete.
        current: consumption on the complete days of the period; may contain more days.
        compared: consumption in all of each year of `rules.compared_years`, by year.
        history: consumption of the calendar years before a running year, the oldest first, without
            a gap; empty for no forecast.
    """
    elapsed = period.until(today)
    is_running_year = period.whole_year and 0 < elapsed.days < period.days
    year = rules.base_year(period)
    counted = rules.counted_flows(period.year)
    fixed_on = elapsed.start if year is None else year.start

    def inputs(part: Period, scopes: Sequence[Scope] = scopes) -> PeriodInputs:
        consumption = current if part.year == period.year else compared[part.year]
        factors = period_factors(rules, site, part, fixed_on)
        return period_inputs(rules, scopes, part, consumption, factors, counted)

    def same_days_of(base_year: int, scopes: Sequence[Scope] = scopes) -> PeriodInputs:
        part = elapsed.in_year(base_year)
        found = inputs(part, scopes)
        return found if period.whole_year and elapsed == period else of_days(found, elapsed.days)

    same_days = whole_base_year = alike = None
    own: Mapping[str, tuple[AreaChange, ...]] = {}
    if year is not None and year.year in compared:
        base_days = elapsed.in_year(year.year)
        same_days = same_days_of(year.year)
        own = own_changes(site, scopes, [base_days, elapsed])
        capped = [one for one in scopes if any(applies_to(cap, one) for cap in rules.caps)]
        whole_base_year = inputs(year, scopes if is_running_year else capped)
        changes, remaining = like_for_like_scopes(
            site, scopes, area_changes(site, [base_days, elapsed])
        )
        if changes:
            alike = LikeForLike(
                changes, inputs(elapsed, remaining), same_days_of(year.year, remaining)
            )
    forecasts: dict[str, ScopeForecast] = {}
    if history and is_running_year:
        forecasts = scope_forecasts(scopes, history, elapsed, current, counted)
    plan = rules.plan_for(period.year)
    comparison = Comparison(
        rules,
        period,
        plan if plan is not None and plan.covers(period.year) else None,
        msgspec.structs.replace(inputs(elapsed), forecasts=forecasts),
        same_days,
        whole_base_year,
        frozenset(own),
    )
    baselines = (
        BaselineInputs(row, tuple(same_days_of(one) for one in row.years))
        for row in rules.baselines_of(period)
    )
    further = FurtherInputs(alike, tuple(baselines), own, rules.coverage_floor)
    return [
        _figure(comparison, further, scope, indicator, series)
        for scope in scopes
        for indicator in indicators.INDICATORS.values()
        for series in _factor_series(indicator)
    ]


def _factor_series(indicator: Indicator) -> tuple[FactorSeries | None, ...]:
    return ("fixed", "current") if indicator.has_factor_series else (None,)


def _figure(
    comparison: Comparison,
    further: FurtherInputs,
    scope: Scope,
    indicator: Indicator,
    series: FactorSeries | None,
) -> Figure:
    def result(inputs: PeriodInputs | None) -> IndicatorResult:
        return NO_RESULT if inputs is None else indicator_result(inputs, scope, indicator, series)

    current, baseline = result(comparison.current), result(comparison.same_days)
    change = relative_change_pct(current.value, baseline.value)
    if baseline.coverage < comparison.rules.coverage_floor:
        change = math.nan  # it would mostly show what is missing in the base year
    same_days = comparison.same_days
    figure = Figure(
        scope=scope.id,
        indicator=indicator.id,
        period=comparison.period.id,
        until=comparison.until,
        forecast=rounded(current.year_end.value),
        forecast_least=rounded(current.year_end.least),
        forecast_greatest=rounded(current.year_end.greatest),
        value=rounded(current.value),
        unit=indicator.unit,
        baseline=rounded(baseline.value),
        baseline_period=None if same_days is None else same_days.period.id,
        change_pct=rounded(change),
        decrease_pct=rounded(-change),
        coverage=rounded(current.coverage),
        estimated=rounded(current.estimated),
        convention=comparison.rules.convention if indicator.has_convention else None,
        factor_series=series,
        findings=(
            *current.findings,
            *_baseline_findings(same_days, current, baseline),
            *_far_below(scope, current.value, baseline.value),
        ),
        status="no_target" if current.applies else "not_applicable",
    )
    figure = with_comparisons(figure, further, scope, indicator, current)
    plan = comparison.plan
    # Carbon with each year's factor is for the emission inventory, and has no verdict. Only with
    # the fixed factor does a change show the institution's own performance.
    if plan is None or not current.applies or series == "current":
        return figure
    for target in comparison.rules.targets:
        if (target.plan, target.indicator) == (plan.id, indicator.id):
            base_year = result(comparison.base_year if comparison.is_running_year else None)
            return with_target(figure, target, plan, comparison, current, baseline, base_year)
    for cap in comparison.rules.caps:
        if (cap.plan, cap.indicator) == (plan.id, indicator.id) and applies_to(cap, scope):
            base_year = result(comparison.base_year)
            return with_cap(figure, cap, comparison, current, baseline, base_year)
    return figure


def _far_below(scope: Scope, value: float, base: float) -> Iterator[Finding]:
    """Yield a finding if a value is too far below the base value to be a saving."""
    if base > 0 and 0 <= value < _FAR_BELOW * base:
        yield Finding.of("far_below_base", scope.id, share=value / base)


def _baseline_findings(
    same_days: PeriodInputs | None, current: IndicatorResult, baseline: IndicatorResult
) -> Iterator[Finding]:
    """Yield the findings about a baseline; if it is unknown, only a finding that says so."""
    if same_days is None or not same_days.period.days:
        return
    is_known = baseline.coverage > 0 or math.isfinite(baseline.value)
    if not is_known and current.coverage > 0:
        yield Finding.of("no_baseline", f"{same_days.period.year}")
        return
    yield from same_days.conversion_findings
    for finding in baseline.findings:
        # The finding about a medium without a meter is given for the current period only.
        if finding.code != "no_meter" or finding not in current.findings:
            yield finding.as_baseline()
