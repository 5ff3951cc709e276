"""Find the level of a quota that each building reaches in a year.

Laws:

1. A quota applies to a whole year. For a running year its forecast is compared with the quota; a
   year without a forecast is not compared.
2. A level counts as reached only if the greatest value that the intensity may have reaches it too;
   otherwise the result is `doubtful`. Without enough data there is no result.
3. The buildings of a quota are ranked, the lowest value first. A building without a value has no
   rank.
4. The percentile compares a building with those of the same use: the same kind of area, or other
   institutions. With fewer than `FEWEST_PEERS` of them there is no percentile.

Pure: structs in, structs out.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import Final, Literal

import msgspec

from analytics.figures.figure import FactorSeries, rounded
from analytics.figures.forecasts.year_end import ScopeForecast, scope_forecasts
from analytics.figures.indicator_results import (
    IndicatorResult,
    PeriodInputs,
    indicator_result,
    period_inputs,
)
from analytics.figures.inputs.period_factors import period_factors
from analytics.figures.quota_rows.quota import Quota
from analytics.figures.quotas.own_factors import own_factors
from analytics.figures.roll_up import Scope
from analytics.figures.rule_files import Rules
from analytics.figures.site_consumption import SiteConsumption
from analytics.figures.targets import Range
from analytics.periods import Period
from jieneng.metering.findings import Finding
from jieneng.metering.indicators import INDICATORS, Indicator
from jieneng.metering.site import Site

Level = Literal[
    "guide",
    "benchmark",
    "constraint",
    "above",
    "doubtful",
    "insufficient_data",
    "not_applicable",
]
#: Levels from the best to the worst.
LEVELS: Final[tuple[Level, ...]] = ("guide", "benchmark", "constraint", "above")

#: Smallest number of buildings of one use, with a value, for which percentiles are stated.
FEWEST_PEERS: Final = 5
#: Row from which the rows of quota intensities are copied. Its names and definition are not used.
_TEMPLATE: Final = INDICATORS["energy_per_floor_area"]


class QuotaResult(msgspec.Struct, frozen=True, kw_only=True):
    """A building in a year, compared with a quota.

    Attributes:
        quota: the quota.
        scope: id of the area or institution.
        period: id of the year.
        value: the intensity, in the quota's unit, for a running year its forecast; None if unknown.
        level: the best level that is reached; `above` if the constraint is exceeded.
        is_forecast: True if `value` is a forecast.
        coverage: share of the meters' time for which consumption is known, 0 to 1.
        rank: place among the scopes of the quota, 1 for the lowest value; None without a value.
        ranked: number of scopes with a rank.
        percentile: percentile rank among the buildings of the same use, 0 to 100; small for a low
            value. None without a value, or with fewer than `FEWEST_PEERS` buildings.
        peers: number of buildings of the same use with a value, this one included.
        findings: doubts and remarks about the value.
    """

    quota: Quota
    scope: str
    period: str
    value: float | None
    level: Level
    is_forecast: bool
    coverage: float | None
    rank: int | None = None
    ranked: int = 0
    percentile: float | None = None
    peers: int = 0
    findings: tuple[Finding, ...] = ()


def quota_results(
    site: Site,
    rules: Rules,
    scopes: Sequence[Scope],
    period: Period,
    today: date,
    current: SiteConsumption,
    history: Sequence[SiteConsumption] = (),
) -> list[QuotaResult]:
    """Return the results of all quotas that are in force in a year, by quota and rank.

    Args:
        site: the site.
        rules: the quotas, factors and coverage floor.
        scopes: all scopes of the site.
        period: the year.
        today: the present local day; only days before it are complete.
        current: consumption on the complete days of the year, at least.
        history: consumption of the calendar years before a running year, the oldest first.
    """
    elapsed = period.until(today)
    is_running = 0 < elapsed.days < period.days
    counted = rules.counted_flows(period.year)
    wanted = {
        quota.id: [scope for scope in scopes if _applies(quota, scope, site)]
        for quota in rules.quotas
        if quota.covers(period.year)
    }
    forecasts: dict[str, ScopeForecast] = {}
    if is_running:
        concerned = {scope.id: scope for of_quota in wanted.values() for scope in of_quota}
        forecasts = scope_forecasts([*concerned.values()], history, elapsed, current, counted)
    year = rules.base_year(period)
    factors = period_factors(rules, site, elapsed, elapsed.start if year is None else year.start)
    results: list[QuotaResult] = []
    for quota in rules.quotas:
        if quota.id not in wanted:
            continue
        own = own_factors(factors, quota.coal, quota.carbon, elapsed.days)
        inputs = msgspec.structs.replace(
            period_inputs(rules, wanted[quota.id], elapsed, current, own, counted),
            forecasts=forecasts,
        )
        uses = {scope.id: _use(scope, site) for scope in wanted[quota.id]}
        results += _with_percentiles(
            _ranked(
                _result(quota, scope, period, inputs, rules.coverage_floor, is_running=is_running)
                for scope in wanted[quota.id]
            ),
            uses,
        )
    return results


def _applies(quota: Quota, scope: Scope, site: Site) -> bool:
    return scope.id in quota.scope or (
        scope.kind == "area" and site.areas[scope.id].kind in quota.kind
    )


def _use(scope: Scope, site: Site) -> str:
    """Return the use of a building: its kind of area; for other scopes, the kind of the scope."""
    return site.areas[scope.id].kind if scope.kind == "area" else scope.kind


def _result(
    quota: Quota,
    scope: Scope,
    period: Period,
    inputs: PeriodInputs,
    coverage_floor: float,
    *,
    is_running: bool,
) -> QuotaResult:
    """Return the result of a scope, without its rank."""
    series: FactorSeries | None = "fixed" if quota.of == "carbon" else None
    found = indicator_result(inputs, scope, _indicator(quota), series)
    expected = found.range
    if is_running:
        growth = found.growth
        expected = Range(
            found.year_end.value, found.range.least * growth, found.range.greatest * growth
        )
    return QuotaResult(
        quota=quota,
        scope=scope.id,
        period=period.id,
        value=rounded(expected.value),
        level=_level(quota, found, expected, coverage_floor),
        is_forecast=is_running and math.isfinite(expected.value),
        coverage=rounded(found.coverage),
        findings=found.findings,
    )


def _indicator(quota: Quota) -> Indicator:
    """Return the row of an indicator that computes a quota's intensity."""
    return msgspec.structs.replace(
        _TEMPLATE, id=quota.id, unit=quota.unit, sum_of=quota.of, denominator=quota.per
    )


def _level(quota: Quota, found: IndicatorResult, expected: Range, coverage_floor: float) -> Level:
    """Return the level of a value; `doubtful` if its possible values have several levels."""
    if not found.applies:
        return "not_applicable"
    if not found.is_sufficient(coverage_floor) or not math.isfinite(expected.value):
        return "insufficient_data"
    reached = _reached(quota, expected.value)
    if not found.is_plausible(coverage_floor) or {
        _reached(quota, expected.least),
        _reached(quota, expected.greatest),
    } != {reached}:
        return "doubtful"
    return reached


def _reached(quota: Quota, value: float) -> Level:
    """Return the best level that a value reaches; value and levels are rounded as shown."""
    shown = rounded(value)
    limits = (quota.guide, quota.benchmark, quota.constraint)
    reached = (
        level
        for level, limit in zip(LEVELS, limits, strict=False)
        if limit is not None and shown is not None and shown <= (rounded(limit) or 0.0)
    )
    return next(reached, "above")


def _ranked(results: Iterable[QuotaResult]) -> list[QuotaResult]:
    """Return results with their ranks, the lowest value first, results without a value last."""
    ordered = sorted(results, key=lambda one: math.inf if one.value is None else one.value)
    known = [one.value for one in ordered if one.value is not None]
    return [
        msgspec.structs.replace(
            one, rank=None if one.value is None else 1 + known.index(one.value), ranked=len(known)
        )
        for one in ordered
    ]


def _with_percentiles(
    results: Sequence[QuotaResult], uses: Mapping[str, str]
) -> Iterator[QuotaResult]:
    """Yield results with their percentile rank among the buildings of the same use.

    The percentile rank is the share of values that are lower, plus half of those that are equal,
    the own one included.
    """
    values: dict[str, list[float]] = {}
    for one in results:
        if one.value is not None:
            values.setdefault(uses[one.scope], []).append(one.value)
    for one in results:
        peers = values.get(uses[one.scope], [])
        percentile = None
        if one.value is not None and len(peers) >= FEWEST_PEERS:
            lower = sum(value < one.value for value in peers)
            percentile = rounded(100 * (lower + 0.5 * peers.count(one.value)) / len(peers))
        yield msgspec.structs.replace(one, percentile=percentile, peers=len(peers))
