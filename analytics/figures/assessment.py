"""Compute the figures of scopes in a period: compare indicators with base year, targets and caps.

Laws:

1. If a period is not over, its figures contain only its complete days, and are compared with the
   same days of the base year.
2. The same consumption, rules and site give the same digits. Figures are rounded to six decimals,
   and only at the end.
"""

import math
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import Final

import msgspec

from analytics.figures import targets
from analytics.figures.figure import FactorSeries, Figure, Status
from analytics.figures.indicator_results import (
    NO_RESULT,
    IndicatorResult,
    PeriodInputs,
    indicator_result,
)
from analytics.figures.meter_doubts import period_findings
from analytics.figures.roll_up import Scope
from analytics.figures.rule_files import Rules
from analytics.figures.scope_inputs import period_factors, scope_inputs
from analytics.figures.site_consumption import SiteConsumption
from analytics.figures.targets import Cap, Plan, Range, Target
from analytics.periods import Period, calendar_year
from jieneng.metering import indicators
from jieneng.metering.findings import Finding
from jieneng.metering.indicators import Indicator
from jieneng.metering.site import Site

_DECIMALS: Final = 6
#: A value below this share of the base value is more likely a mistake than a saving.
_FAR_BELOW: Final = 0.4


class _Comparison(msgspec.Struct, frozen=True):
    """Inputs for the figures of a period, and for the base year.

    Attributes:
        rules: factors, plans, targets and caps.
        period: the whole period, including its future days.
        plan: the plan valid in the period; None if there is none.
        current: inputs from the complete days of the period.
        same_days: inputs from the same days of the base year; None if there is no base year.
        base_year: inputs from the whole base year, for scopes with a cap; None if there is none.
    """

    rules: Rules
    period: Period
    plan: Plan | None
    current: PeriodInputs
    same_days: PeriodInputs | None
    base_year: PeriodInputs | None

    @property
    def is_complete(self) -> bool:
        """True if the period is over."""
        return self.current.period.end == self.period.end

    @property
    def until(self) -> date | None:
        """The last complete day if the period is not over; None if it has no complete day yet."""
        is_running = not self.is_complete and self.current.period.days > 0
        return self.current.period.end - timedelta(days=1) if is_running else None

    @property
    def is_final(self) -> bool:
        """True if the period is the plan's last year and is over; targets are met or missed."""
        is_last = self.plan is not None and self.plan.to == self.period.year
        return is_last and self.period.whole_year and self.is_complete


def assess(
    site: Site,
    rules: Rules,
    scopes: Sequence[Scope],
    period: Period,
    today: date,
    current: SiteConsumption,
    base_year: SiteConsumption | None,
) -> list[Figure]:
    """Return the figures of scopes in a period, by scope and indicator.

    Args:
        site: the site.
        rules: factors, plans, targets and caps.
        scopes: the scopes, in the order of the figures.
        period: the whole period.
        today: the present local day; only days before it are complete.
        current: consumption on the complete days of the period; may contain more days.
        base_year: consumption in all of `rules.base_year`; None if there is no base year.
    """
    elapsed = period.until(today)
    year = rules.base_year(period)
    counted = rules.counted_flows(period.year)
    fixed_on = elapsed.start if year is None else year.start

    def inputs(
        part: Period, consumption: SiteConsumption, scopes: Sequence[Scope] = scopes
    ) -> PeriodInputs:
        factors = period_factors(rules, site, part, fixed_on)
        floor = rules.coverage_floor
        found = period_findings(consumption.findings, part, site)
        return PeriodInputs(
            part,
            factors,
            {
                scope.id: scope_inputs(consumption, part, scope, factors, floor, found, counted)
                for scope in scopes
            },
        )

    same_days = whole_base_year = None
    if year is not None and base_year is not None:
        same_days = inputs(elapsed.in_year(year.year), base_year)
        capped = [one for one in scopes if any(_applies_to(cap, one) for cap in rules.caps)]
        whole_base_year = inputs(year, base_year, capped)
    plan = rules.plan_for(period.year)
    comparison = _Comparison(
        rules,
        period,
        plan if plan is not None and plan.covers(period.year) else None,
        inputs(elapsed, current),
        same_days,
        whole_base_year,
    )
    return [
        _figure(comparison, scope, indicator, series)
        for scope in scopes
        for indicator in indicators.INDICATORS.values()
        for series in _factor_series(indicator)
    ]


def _factor_series(indicator: Indicator) -> tuple[FactorSeries | None, ...]:
    return ("fixed", "current") if indicator.has_factor_series else (None,)


def _figure(
    comparison: _Comparison, scope: Scope, indicator: Indicator, series: FactorSeries | None
) -> Figure:
    def result(inputs: PeriodInputs | None) -> IndicatorResult:
        return NO_RESULT if inputs is None else indicator_result(inputs, scope, indicator, series)

    current, baseline = result(comparison.current), result(comparison.same_days)
    change = 100 * (current.value / baseline.value - 1) if baseline.value > 0 else math.nan
    same_days = comparison.same_days
    figure = Figure(
        scope=scope.id,
        indicator=indicator.id,
        period=comparison.period.id,
        until=comparison.until,
        value=_rounded(current.value),
        unit=indicator.unit,
        baseline=_rounded(baseline.value),
        baseline_period=None if same_days is None else same_days.period.id,
        change_pct=_rounded(change),
        decrease_pct=_rounded(-change),
        coverage=_rounded(current.coverage),
        estimated=_rounded(current.estimated),
        convention=comparison.rules.convention if indicator.has_convention else None,
        factor_series=series,
        findings=(
            *current.findings,
            *_baseline_findings(same_days, current, baseline),
            *_far_below(scope, current.value, baseline.value),
        ),
        status="no_target" if current.applies else "not_applicable",
    )
    plan = comparison.plan
    # Carbon with each year's factor is for the emission inventory, and has no verdict. Only with
    # the fixed factor does a change show the institution's own performance.
    if plan is None or not current.applies or series == "current":
        return figure
    for target in comparison.rules.targets:
        if (target.plan, target.indicator) == (plan.id, indicator.id):
            return _with_target(figure, target, plan, comparison, current, baseline)
    for cap in comparison.rules.caps:
        if (cap.plan, cap.indicator) == (plan.id, indicator.id) and _applies_to(cap, scope):
            base_year = result(comparison.base_year)
            return _with_cap(figure, cap, comparison, current, baseline, base_year)
    return figure


def _far_below(scope: Scope, value: float, base: float) -> Iterator[Finding]:
    """Yield a finding if a value is too far below the base value to be a saving."""
    if base > 0 and 0 <= value < _FAR_BELOW * base:
        yield Finding.of("far_below_base", scope.id, share=value / base)


def _with_target(
    figure: Figure,
    target: Target,
    plan: Plan,
    comparison: _Comparison,
    current: IndicatorResult,
    baseline: IndicatorResult,
) -> Figure:
    """Return a figure with the plan's target, the glide path and the verdict."""
    year, floor = comparison.period.year, comparison.rules.coverage_floor
    status: Status = "doubtful"
    if not (current.is_sufficient(floor) and baseline.is_sufficient(floor) and baseline.value > 0):
        status = "insufficient_data"
    elif current.is_plausible(floor) and baseline.is_plausible(floor):
        ratio = current.range.per(baseline.range)
        status = targets.certain_verdict(
            lambda ratio: targets.decrease_status(
                plan, target, year, 100 * (ratio - 1), is_final=comparison.is_final
            ),
            [ratio.value],
            [ratio.least],
            [ratio.greatest],
        )
    path_share = targets.glide_path_share(plan, target.decrease_pct, year)
    return msgspec.structs.replace(
        figure,
        findings=(*figure.findings, *_plan_findings(plan)),
        target_pct=target.decrease_pct,
        operator=target.operator,
        target=_rounded(baseline.value * (1 - target.decrease_pct / 100)),
        path=_rounded(baseline.value * path_share),
        status=status,
    )


def _baseline_findings(
    same_days: PeriodInputs | None, current: IndicatorResult, baseline: IndicatorResult
) -> Iterator[Finding]:
    """Yield the findings about a baseline; if it is unknown, only a finding that says so."""
    if same_days is None:
        return
    if same_days.period.days and not baseline.coverage > 0 and current.coverage > 0:
        yield Finding.of("no_baseline", f"{same_days.period.year}")
        return
    for finding in baseline.findings:
        # The finding about a medium without a meter is given for the current period only.
        if finding.code != "no_meter" or finding not in current.findings:
            yield finding.as_baseline()


def _plan_findings(plan: Plan) -> Iterator[Finding]:
    """Yield a finding if the plan's targets are known only from reports about the plan."""
    if plan.confidence == "reported":
        yield Finding.of("reported_plan", plan.id)


def _with_cap(
    figure: Figure,
    cap: Cap,
    comparison: _Comparison,
    current: IndicatorResult,
    same_days: IndicatorResult,
    base_year: IndicatorResult,
) -> Figure:
    """Return a figure with a cap, with its part for the period's days, and with the verdict."""
    floor = comparison.rules.coverage_floor
    if comparison.period.whole_year and comparison.is_complete:
        share = Range.exact(1.0)
    elif same_days.is_sufficient(floor) and base_year.is_sufficient(floor) and base_year.value > 0:
        share = same_days.range.per(base_year.range)
    else:
        year = calendar_year(comparison.period.year)
        share = Range.exact(comparison.current.period.days / year.days)
    status: Status = "doubtful"
    if not current.is_sufficient(floor):
        status = "insufficient_data"
    elif current.is_plausible(floor):
        allowed = share.times(cap.value)
        status = targets.certain_verdict(
            lambda value, part: targets.cap_status(cap, value, part, is_final=comparison.is_final),
            [current.value, allowed.value],
            [current.range.least, allowed.greatest],
            [current.range.greatest, allowed.least],
        )
    return msgspec.structs.replace(
        figure,
        operator=cap.operator,
        target=cap.value,
        path=_rounded(cap.value * share.value),
        status=status,
    )


def _applies_to(cap: Cap, scope: Scope) -> bool:
    """Return True if a cap applies to a scope. A cap for the whole city applies to no scope."""
    return cap.scope == scope.id or (cap.scope == "site" and scope.kind == "site")


def _rounded(value: float) -> float | None:
    """Return a value rounded for a figure, with -0.0 changed to 0.0; None if it is unknown."""
    return round(value, _DECIMALS) + 0.0 if math.isfinite(value) else None
