"""Compare the consumption of a year with an annual quota, by month, and forecast its use.

Laws:

1. The used share is computed from known consumption; missing consumption does not count. The share
   that is certainly used (`least_used_pct`) also excludes the doubt. Alerts use this share.
2. The verdict on a running year depends on its forecast, if last year is known. Without a forecast,
   the days so far are compared with their part of the quota. A year that is over is `met` or
   `missed`.

Pure: structs in, structs out.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from analytics.counters.consumption import zero_where_unknown
from analytics.figures import targets
from analytics.figures.figure import Status, rounded
from analytics.figures.forecasts.year_end import ScopeForecast, scope_forecasts
from analytics.figures.indicator_results import IndicatorResult
from analytics.figures.quota_rows.annual_quota import AnnualQuota, all_annual_quotas
from analytics.figures.quotas.quota_amounts import QuotaAmounts, QuotaInputs
from analytics.figures.quotas.quota_months import MonthParts, QuotaMonth
from analytics.figures.roll_up import Scope, daily_denominator
from analytics.figures.rule_files import Rules
from analytics.figures.site_consumption import SiteConsumption
from analytics.periods import Period, calendar_year, days
from jieneng.metering.findings import Finding
from jieneng.metering.indicators import INDICATORS
from jieneng.metering.site import Site

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Shares of an annual quota [%]; the result states the day on which each one is used.
STEPS_PCT: Final = (80, 90, 100)


class QuotaStep(msgspec.Struct, frozen=True, kw_only=True):
    """The day on which a share of an annual quota is used.

    Attributes:
        share_pct: the share [%].
        day: the local day on which it is used; None if it is not used within the year, or unknown.
        is_forecast: True if the day is still to come.
        is_known: False if it is unknown whether the share is used within the year, because readings
            are missing or there is no forecast.
    """

    share_pct: int
    day: date | None
    is_forecast: bool
    is_known: bool


class AnnualQuotaResult(msgspec.Struct, frozen=True, kw_only=True):
    """The use of an annual quota in a year. Amounts are in `unit`.

    Attributes:
        quota: the annual quota.
        period: id of the year.
        until: last day that `used` contains; None if the year is over or has not begun.
        unit: unit of the amounts: that of the indicator.
        amount: the annual quota.
        allowed: part of `amount` for the days so far.
        used: consumption of the days so far.
        used_pct: share of `amount` that is used [%].
        least_used_pct: share of `amount` that is certainly used, despite doubtful and missing data
            [%].
        remains: amount that remains for the rest of the year; negative if the quota is exceeded.
        remains_per_day: amount that remains for each future day of the year, at least 0; None if
            there is no such day.
        forecast: consumption that is expected for the whole of a running year.
        forecast_least: lower end of the band that is expected to contain 80 % of outcomes.
        forecast_greatest: upper end of the band.
        forecast_pct: share of `amount` that is expected to be used at the end of the year [%].
        short_days: days at the end of the year for which the quota is not expected to last; 0 if it
            lasts for the whole year, None if that is unknown.
        status: the verdict.
        coverage: share of meter-time of which the consumption is known, 0 to 1.
        steps: days on which 80, 90 and 100 % are used.
        months: the twelve months.
        findings: doubts and remarks about the value and the months.
    """

    quota: AnnualQuota
    period: str
    until: date | None
    unit: str
    amount: float | None
    allowed: float | None
    used: float | None
    used_pct: float | None
    least_used_pct: float | None
    remains: float | None
    remains_per_day: float | None
    forecast: float | None
    forecast_least: float | None
    forecast_greatest: float | None
    forecast_pct: float | None
    short_days: float | None
    status: Status
    coverage: float | None
    steps: tuple[QuotaStep, ...]
    months: tuple[QuotaMonth, ...]
    findings: tuple[Finding, ...] = ()


def annual_quota_results(
    site: Site,
    rules: Rules,
    scopes: Iterable[Scope],
    year: Period,
    today: date,
    current: SiteConsumption,
    earlier: Mapping[int, SiteConsumption],
    history: Sequence[SiteConsumption] = (),
) -> list[AnnualQuotaResult]:
    """Return the use of all annual quotas and caps in force in a year.

    Args:
        site: the site.
        rules: the quotas, caps, factors and coverage floor.
        scopes: scopes of the site; annual quotas of others are left out.
        year: the year.
        today: the present local day; only days before it are complete.
        current: consumption on the complete days of the year, at least.
        earlier: consumption of `reference_years`, as far as it is known, by year.
        history: consumption of the calendar years before a running year, the oldest first.
    """
    by_id = {scope.id: scope for scope in scopes}
    quotas = [quota for quota in _in_force(rules, site, year) if quota.scope in by_id]
    limited = [by_id[scope_id] for scope_id in dict.fromkeys(quota.scope for quota in quotas)]
    counted, base_year = rules.counted_flows(year.year), _base_year(rules, year)
    shared = QuotaInputs(limited, site, rules, counted, base_year.start)
    elapsed = year.until(today)
    forecasts: dict[str, ScopeForecast] = {}
    if 0 < elapsed.days < year.days:
        forecasts = scope_forecasts(limited, history, elapsed, current, counted)
    return [
        _Use(quota, by_id[quota.scope], rules, year, elapsed, shared).result(
            current, earlier, history, forecasts
        )
        for quota in quotas
    ]


def reference_years(rules: Rules, site: Site, year: Period) -> set[int]:
    """Return the earlier years by whose months the annual quotas of a year are divided."""
    by_rule = {"last_year": year.year - 1, "base_year": _base_year(rules, year).year}
    quotas = _in_force(rules, site, year)
    return {by_rule[quota.by_month] for quota in quotas if quota.by_month in by_rule}


def _in_force(rules: Rules, site: Site, year: Period) -> list[AnnualQuota]:
    """Return the annual quotas and caps in force in a year."""
    quotas = all_annual_quotas(rules.annual_quotas, rules.caps, rules.plans, site.id)
    return [quota for quota in quotas if quota.covers(year.year)]


def _base_year(rules: Rules, year: Period) -> Period:
    """Return the base year of a year's plan; the year before if there is no plan."""
    return rules.base_year(year) or calendar_year(year.year - 1)


class _Use:
    """Computes the use of one annual quota in one year."""

    def __init__(
        self,
        quota: AnnualQuota,
        scope: Scope,
        rules: Rules,
        year: Period,
        elapsed: Period,
        shared: QuotaInputs,
    ) -> None:
        self._quota = quota
        self._year = year
        self._elapsed = elapsed
        self._floor = rules.coverage_floor
        self._base_year = _base_year(rules, year)
        self._amounts = QuotaAmounts(quota, scope, self._floor, shared)
        self._limit = _limit(quota, scope, year)

    def result(
        self,
        current: SiteConsumption,
        earlier: Mapping[int, SiteConsumption],
        history: Sequence[SiteConsumption],
        forecasts: Mapping[str, ScopeForecast],
    ) -> AnnualQuotaResult:
        elapsed, limit = self._elapsed, self._limit
        is_running = 0 < elapsed.days < self._year.days
        inputs = self._amounts.inputs(elapsed, current)
        found = self._amounts.result(msgspec.structs.replace(inputs, forecasts=forecasts))
        shares, findings = self._amounts.month_shares(
            self._year.year, self._base_year.year, earlier
        )
        parts = MonthParts(self._year, elapsed, limit * shares)
        allowed = float(parts.allowed.sum())
        remains = limit - found.value
        days_left = self._year.days - elapsed.days
        steps = self._steps(self._amounts.by_day(inputs), found, history)
        return AnnualQuotaResult(
            quota=self._quota,
            period=self._year.id,
            until=elapsed.end - timedelta(days=1) if is_running else None,
            unit=INDICATORS[self._quota.indicator].unit,
            amount=rounded(limit),
            allowed=rounded(allowed),
            used=rounded(found.value),
            used_pct=rounded(100 * found.value / limit),
            least_used_pct=rounded(100 * found.range.least / limit),
            remains=rounded(remains),
            remains_per_day=rounded(max(remains, 0.0) / days_left) if days_left else None,
            forecast=rounded(found.year_end.value),
            forecast_least=rounded(found.year_end.least),
            forecast_greatest=rounded(found.year_end.greatest),
            forecast_pct=rounded(100 * found.year_end.value / limit),
            short_days=self._short_days(steps[-1].day, found),
            status=self._status(found, allowed),
            coverage=rounded(found.coverage),
            steps=steps,
            months=tuple(parts.months(self._amounts.by_month(elapsed, current), remains)),
            findings=(*found.findings, *findings),
        )

    def _status(self, found: IndicatorResult, allowed: float) -> Status:
        """Return the verdict on the year, or on its forecast (law 2)."""
        is_over = self._elapsed.end == self._year.end
        if not found.is_sufficient(self._floor) or not math.isfinite(self._limit):
            return "insufficient_data"
        if not found.is_plausible(self._floor):
            return "doubtful"
        value, limit = found.range, self._limit if is_over else allowed
        if math.isfinite(found.growth):
            value, limit = value.times(found.growth), self._limit
        return targets.certain_verdict(
            lambda amount: targets.limit_status(
                self._quota.operator, amount, limit, is_final=is_over
            ),
            [value.value],
            [value.least],
            [value.greatest],
        )

    def _steps(
        self,
        by_day: "NDArray[np.float64]",
        found: IndicatorResult,
        history: Sequence[SiteConsumption],
    ) -> tuple[QuotaStep, ...]:
        """Return the day on which each share of `STEPS_PCT` is used."""
        expected = self._expected_by_day(found, history)
        used = np.cumsum(zero_where_unknown(np.concatenate([by_day, expected])))
        steps = []
        for share_pct in STEPS_PCT:
            is_used = used >= self._limit * share_pct / 100
            number = int(is_used.argmax()) if is_used.any() else None
            day = None if number is None else self._year.start + timedelta(days=number)
            is_forecast = number is not None and number >= len(by_day)
            is_known = number is not None or self._stays_below(share_pct, found)
            steps.append(
                QuotaStep(share_pct=share_pct, day=day, is_forecast=is_forecast, is_known=is_known)
            )
        return tuple(steps)

    def _stays_below(self, share_pct: int, found: IndicatorResult) -> bool:
        """Return True if a share that is not yet used will not be used within the year."""
        if self._elapsed.end < self._year.end:
            return math.isfinite(found.year_end.value)
        is_below = found.range.greatest < self._limit * share_pct / 100
        return is_below and found.is_sufficient(self._floor)

    def _expected_by_day(
        self, found: IndicatorResult, history: Sequence[SiteConsumption]
    ) -> "NDArray[np.float64]":
        """Return the expected amount of each day to come; empty without a forecast.

        The forecast is spread over the days to come in proportion to the last days of last year.
        """
        days_left = self._year.days - self._elapsed.days
        remainder = found.year_end.value - found.value
        if not math.isfinite(remainder) or not history:
            return np.zeros(0)
        last_year = calendar_year(self._year.year - 1)
        inputs = self._amounts.inputs(last_year, history[-1])
        profile = zero_where_unknown(self._amounts.by_day(inputs)[-days_left:])
        if not profile.sum() > 0:
            return np.full(days_left, remainder / days_left)
        expected: NDArray[np.float64] = remainder * profile / profile.sum()
        return expected

    def _short_days(self, used_up: date | None, found: IndicatorResult) -> float | None:
        if used_up is not None:
            return float((self._year.end - used_up).days - 1)
        return 0.0 if self._stays_below(STEPS_PCT[-1], found) else None


def _limit(quota: AnnualQuota, scope: Scope, year: Period) -> float:
    """Return the amount of a year's quota, in the unit of its indicator; NaN if unknown."""
    if quota.per is None:
        return quota.value
    by_day = daily_denominator(scope, quota.per, days(year.start, year.end))
    known = by_day[np.isfinite(by_day)]
    mean = float(known.mean()) if len(known) else math.nan
    return quota.value * mean * INDICATORS[quota.indicator].scale if mean > 0 else math.nan
