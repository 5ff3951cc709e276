"""Compute an indicator of a scope with its coverage, its estimated share, findings and doubt.

Laws:

1. The coverage of an indicator is the lowest coverage of its media. So a total has no verdict if
   the meters of one medium have no readings.
2. The doubt of an indicator is the largest amount by which it may be wrong: the doubts of the
   findings about its meters, plus half of the estimated consumption.
3. The missing consumption of an indicator is stated in addition to the doubt, because it can only
   make the indicator larger: consumption without readings is not a saving.
"""

import math
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from analytics.figures.boundary.flows import CarbonSource, CountedFlows
from analytics.figures.factors import DailyFactor
from analytics.figures.figure import FactorSeries
from analytics.figures.forecasts.year_end import (
    NO_SCOPE_FORECAST,
    NO_YEAR_END,
    ScopeForecast,
    YearEnd,
    year_end,
)
from analytics.figures.indicator_values import (
    IndicatorInputs,
    indicator_parts,
    indicator_value,
    series_needs,
)
from analytics.figures.inputs.period_factors import PeriodFactors
from analytics.figures.inputs.scope_inputs import ScopeInputs, scope_inputs
from analytics.figures.inputs.site_period import site_period
from analytics.figures.interval_series import IntervalSeries, SeriesNeed
from analytics.figures.period_totals import ESTIMATED_MAX
from analytics.figures.roll_up import Scope
from analytics.figures.rule_files import Rules
from analytics.figures.site_consumption import SiteConsumption
from analytics.figures.targets import Range
from analytics.periods import Period
from jieneng.metering.findings import Finding
from jieneng.metering.indicators import Indicator
from jieneng.metering.quantities import CONSUMPTION, QUANTITIES, Medium

#: Decimals of a finding's weight.
_WEIGHT_DECIMALS = 6
#: Decimals of a factor in a finding.
_FACTOR_DECIMALS = 6
#: Total weight up to which recurring findings are ignored.
_RECURRING_WEIGHT = 0.001
#: Largest relative error of an estimated amount.
_ESTIMATE_DOUBT = 0.5


class PeriodInputs(msgspec.Struct, frozen=True):
    """Inputs of the indicators of all scopes in a period.

    Attributes:
        period: the period, or the same days of the base year.
        factors: the factors on the days of the period.
        scopes: the inputs, by scope id.
        forecasts: forecasts for the rest of the year, by scope id; empty if the period is no
            running year.
        conversion_findings: the finding that the consumption was converted to another number of
            days (`of_days`); empty if it was not converted.
    """

    period: Period
    factors: PeriodFactors
    scopes: Mapping[str, ScopeInputs]
    forecasts: Mapping[str, ScopeForecast] = {}
    conversion_findings: tuple[Finding, ...] = ()


def period_inputs(
    rules: Rules,
    scopes: Sequence[Scope],
    period: Period,
    consumption: SiteConsumption,
    factors: PeriodFactors,
    counted: CountedFlows,
) -> PeriodInputs:
    """Return the inputs of the indicators of scopes in a period, without forecasts.

    Args:
        rules: the rules, for their coverage floor.
        scopes: the scopes.
        period: the period.
        consumption: consumption on the days of the period, at least.
        factors: the factors on the days of the period.
        counted: flows that enter into energy and into carbon.
    """
    if not scopes:
        return PeriodInputs(period, factors, {})
    of = site_period(scopes, consumption, period, factors, rules.coverage_floor, counted)
    return PeriodInputs(period, factors, {scope.id: scope_inputs(of, scope) for scope in scopes})


def of_days(inputs: PeriodInputs, days: int) -> PeriodInputs:
    """Return the inputs of a period, with the consumption converted to another number of days.

    This is needed for parts of a year with 29 February. Otherwise a February of 28 days would show
    a decrease of 3.4 % against one of 29 days, although nothing was saved.
    """
    if not inputs.period.days or inputs.period.days == days:
        return inputs
    whole = inputs.period
    scopes = {scope: one.times(days / whole.days) for scope, one in inputs.scopes.items()}
    finding = Finding.of("leap_day", whole.id, days=days, base_days=whole.days)
    return msgspec.structs.replace(inputs, scopes=scopes, conversion_findings=(finding,))


class IndicatorResult(msgspec.Struct, frozen=True):
    """An indicator of a scope in a period.

    Attributes:
        value: value in the indicator's unit; NaN if unknown.
        coverage: share of the meters' time for which consumption is known, 0 to 1; NaN if there is
            no meter.
        estimated: share of `value` that is estimated at the period's edges, 0 to 1.
        findings: doubts and remarks about `value`.
        doubt: largest amount by which `value` may be wrong; NaN if no limit is known.
        missing: amount by which `value` is too small, because consumption is missing. It is
            estimated from the mean rates of the meters, and negative if a deducted meter has gaps.
        applies: False if the scope can't have the denominator, e.g. a canteen has no headcount.
        year_end: the value that is expected for the whole of a running year.
        denominator_share: share of the days on which the denominator is known, 0 to 1.
    """

    value: float
    coverage: float
    estimated: float
    findings: tuple[Finding, ...]
    doubt: float = math.nan
    missing: float = 0.0
    applies: bool = True
    year_end: YearEnd = NO_YEAR_END
    denominator_share: float = 1.0

    @property
    def range(self) -> Range:
        """The value, with its smallest and its largest possible value."""
        return Range.around(self.value, self.doubt).widened(self.missing)

    @property
    def growth(self) -> float:
        """Ratio of the expected value of the year to that of its days so far; NaN if unknown.

        The estimate of the missing consumption so far counts in both values.
        """
        so_far = self.value + max(self.missing, 0.0)
        return self.year_end.value / so_far if so_far > 0 else math.nan

    def is_sufficient(self, coverage_floor: float) -> bool:
        """Return True if coverage and estimated share of the value allow a verdict."""
        return (
            math.isfinite(self.value)
            and min(self.coverage, self.denominator_share) >= coverage_floor
            and not self.estimated > ESTIMATED_MAX
        )

    def is_plausible(self, coverage_floor: float) -> bool:
        """Return True if the value agrees well enough with the past of its meters.

        Two kinds of amounts count as unknown until a person confirms them. The first kind
        contradicts the meter's past. The second kind comes from a register that is reset
        repeatedly, although `site.toml` declares no resets. A negative amount is never plausible.
        """
        if any(finding.code == "negative_balance" for finding in self.findings):
            return False
        doubted = sum(
            finding.weight or 0.0 for finding in self.findings if finding.contradicts_past
        )
        recurring = sum(finding.weight or 0.0 for finding in self.findings if finding.recurs)
        return doubted <= 1 - coverage_floor and recurring <= _RECURRING_WEIGHT


#: The result for the base year if there is no base year.
NO_RESULT = IndicatorResult(math.nan, math.nan, math.nan, ())


def indicator_result(
    period_inputs: PeriodInputs, scope: Scope, indicator: Indicator, series: FactorSeries | None
) -> IndicatorResult:
    """Return an indicator of a scope.

    Args:
        period_inputs: inputs of all scopes.
        scope: the scope.
        indicator: the indicator's row.
        series: series of the carbon factors; None if no carbon factor enters.
    """
    of_scope = period_inputs.scopes[scope.id]
    carbon = period_inputs.factors.carbon[series] if series else {}
    inputs, needed = of_scope.inputs, dict[SeriesNeed, IntervalSeries]()
    media = [medium for medium in indicator.media if medium in of_scope.coverage]
    if indicator.sum_of is None:
        needed = {
            need: of_scope.series[need]
            for need in series_needs(indicator)
            if need in of_scope.series
        }
        value = indicator_value(indicator, msgspec.structs.replace(inputs, series=needed), series)
        estimated = max((series.estimated_share() for series in needed.values()), default=0.0)
        shares = dict.fromkeys(media, 1.0) if len(media) == 1 else {}
        doubt, missing = _unlinear_doubt(of_scope.doubt_inputs, media), 0.0
    else:
        value = indicator_value(indicator, inputs, series)
        of_estimated = indicator_value(indicator, of_scope.estimated_inputs, series)
        estimated = min(abs(of_estimated / value), 1.0) if value else 0.0
        shares = _medium_shares(indicator_parts(indicator, inputs, series), media)
        doubt = abs(indicator_value(indicator, of_scope.doubt_inputs, series))
        missing = indicator_value(indicator, of_scope.missing_inputs, series)
    coverages = (
        *(series.mean_coverage() for series in needed.values()),
        *(of_scope.coverage[medium] for medium in media),
    )
    coal = period_inputs.factors.coal if indicator.has_convention else {}
    return IndicatorResult(
        value,
        min(coverages, default=math.nan),
        estimated,
        tuple(_findings(period_inputs, scope, indicator, shares, (coal, carbon))),
        doubt + _ESTIMATE_DOUBT * estimated * abs(value),
        missing,
        indicator.denominator is None or indicator.denominator in of_scope.denominators,
        year_end(
            indicator,
            inputs,
            series,
            period_inputs.forecasts.get(scope.id, NO_SCOPE_FORECAST),
            of_scope.missing_inputs.amounts,
        ),
        1.0
        if indicator.denominator is None
        else of_scope.denominator_shares[indicator.denominator],
    )


def _unlinear_doubt(doubts: IndicatorInputs, media: Sequence[Medium]) -> float:
    """Return the doubt of an indicator that is not linear: 0 without doubts, otherwise NaN."""
    has_doubt = any(
        doubts.consumption[medium].any() for medium in media if medium in doubts.consumption
    )
    return math.nan if has_doubt else 0.0


def _findings(
    period_inputs: PeriodInputs,
    scope: Scope,
    indicator: Indicator,
    shares: Mapping[Medium, float],
    factors: tuple[Mapping[Medium, DailyFactor], Mapping[CarbonSource, DailyFactor]],
) -> Iterator[Finding]:
    """Yield the findings about an indicator.

    Args:
        period_inputs: inputs of all scopes.
        scope: the scope.
        indicator: the indicator's row.
        shares: share of each medium in the indicator's value, as far as it is known.
        factors: the coal factors and the carbon factors that are used for the value.
    """
    of_scope = period_inputs.scopes[scope.id]
    if period_inputs.period.days == 0:
        yield Finding.of("not_begun", period_inputs.period.id)
        return
    media = [medium for medium in indicator.media if medium in of_scope.coverage]
    if not media:
        yield Finding.of("no_meter", scope.id, media=" ".join(indicator.media))
    for medium in media:
        for finding in of_scope.medium_findings[medium]:
            yield _with_weight(finding, shares.get(medium))
        if medium in factors[0] and medium in of_scope.inputs.consumption:
            yield from factors[0][medium].findings
        yield from _source_findings(of_scope.inputs, medium, factors[1])
    if indicator.denominator is not None:
        yield from of_scope.denominator_findings[indicator.denominator]
    yield from of_scope.scope_findings


def _source_findings(
    inputs: IndicatorInputs, medium: Medium, factors: Mapping[CarbonSource, DailyFactor]
) -> Iterator[Finding]:
    """Yield the findings about the carbon of a medium: its factors, and its classes of supply."""
    unit = QUANTITIES[CONSUMPTION[medium]].unit
    for source, purchased in inputs.purchased.items():
        if source[0] != medium or source not in factors:
            continue
        amount, daily = float(purchased.sum()), factors[source]
        if source[1] not in (None, "grid") and amount:
            factor = float(purchased @ daily.values) / amount
            yield Finding.of(
                "supply_class",
                source[1],
                amount=amount,
                unit=unit,
                value=round(factor, _FACTOR_DECIMALS),
                factor_unit=f"kgCO2/{unit}",
            )
        yield from daily.findings


def _with_weight(finding: Finding, share: float | None) -> Finding:
    """Return a finding about a medium, with its weight in an indicator.

    Args:
        finding: the finding.
        share: share of the medium in the indicator's value; None if it is unknown.
    """
    if finding.weight is None:
        return finding
    weight = None if share is None else round(finding.weight * share, _WEIGHT_DECIMALS)
    return msgspec.structs.replace(finding, weight=weight)


def _medium_shares(parts: Mapping[Medium, float], media: Sequence[Medium]) -> dict[Medium, float]:
    """Return the share of each medium in the value of a linear indicator, 0 to 1.

    Media whose share is unknown are left out.

    Args:
        parts: parts of the indicator's sum.
        media: the media whose shares are wanted.
    """
    total = math.fsum(parts.values())
    shares = {medium: abs(parts[medium] / total) for medium in media if medium in parts and total}
    return {medium: min(share, 1.0) for medium, share in shares.items() if math.isfinite(share)}
