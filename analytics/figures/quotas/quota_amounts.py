"""Compute the amount that an annual quota limits: of a period, by month and by day.

Laws:

1. The amount is the quota's indicator, computed with the quota's own factors. Carbon is computed
   with the base year's factors where the quota has none of its own.
2. The share of a month in the reference year is known only if each month of that year has enough
   data. Otherwise each month has the same share, and a finding says so.

Pure: structs in, structs out.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING

import numpy as np

from analytics import periods
from analytics.figures.boundary.flows import CountedFlows
from analytics.figures.figure import FactorSeries
from analytics.figures.indicator_results import (
    IndicatorResult,
    PeriodInputs,
    indicator_result,
    period_inputs,
)
from analytics.figures.indicator_values import total_by_day
from analytics.figures.inputs.period_factors import period_factors
from analytics.figures.quota_rows.annual_quota import MONTHS, AnnualQuota
from analytics.figures.quotas.own_factors import own_factors
from analytics.figures.roll_up import Scope
from analytics.figures.rule_files import Rules
from analytics.figures.site_consumption import SiteConsumption
from analytics.periods import Period
from jieneng.metering.findings import Finding
from jieneng.metering.indicators import INDICATORS
from jieneng.metering.site import Site

if TYPE_CHECKING:
    from numpy.typing import NDArray


class QuotaInputs:
    """Inputs of the scopes of all annual quotas, computed once for each period.

    Args:
        scopes: the scopes, each once.
        site: the site.
        rules: the factors and the coverage floor.
        counted: flows that count in energy and in carbon.
        fixed_on: day whose carbon factors are used.
    """

    def __init__(
        self,
        scopes: Sequence[Scope],
        site: Site,
        rules: Rules,
        counted: CountedFlows,
        fixed_on: date,
    ) -> None:
        self._scopes = scopes
        self._site = site
        self._rules = rules
        self._counted = counted
        self._fixed_on = fixed_on
        self._found: dict[Period, PeriodInputs] = {}

    def inputs(self, part: Period, consumption: SiteConsumption) -> PeriodInputs:
        """Return the inputs of a period, with the factors of the rules.

        Args:
            part: the period.
            consumption: consumption on the days of the period, and possibly on more days. Each call
                for a period must give the same consumption.
        """
        if part not in self._found:
            factors = period_factors(self._rules, self._site, part, self._fixed_on)
            self._found[part] = period_inputs(
                self._rules, self._scopes, part, consumption, factors, self._counted
            )
        return self._found[part]


class QuotaAmounts:
    """The amount that an annual quota limits, in any period.

    Args:
        quota: the annual quota.
        scope: its scope.
        coverage_floor: smallest coverage of a month for a share of its own, 0 to 1.
        shared: inputs of all scopes.
    """

    def __init__(
        self, quota: AnnualQuota, scope: Scope, coverage_floor: float, shared: QuotaInputs
    ) -> None:
        self._quota = quota
        self._scope = scope
        self._floor = coverage_floor
        self._shared = shared
        self._indicator = INDICATORS[quota.indicator]
        self._series: FactorSeries | None = "fixed" if self._indicator.has_factor_series else None

    def inputs(self, part: Period, consumption: SiteConsumption) -> PeriodInputs:
        """Return the inputs of the amount in a period, with the factors of the quota."""
        shared = self._shared.inputs(part, consumption)
        factors = own_factors(shared.factors, self._quota.coal, self._quota.carbon, part.days)
        of_scope = shared.scopes[self._scope.id].with_factors(factors)
        return PeriodInputs(part, factors, {self._scope.id: of_scope})

    def result(self, inputs: PeriodInputs) -> IndicatorResult:
        """Return the amount of a period, with its coverage, doubt and forecast."""
        return indicator_result(inputs, self._scope, self._indicator, self._series)

    def by_day(self, inputs: PeriodInputs) -> "NDArray[np.float64]":
        """Return the amount of each day, shape (days,); NaN if nothing is measured."""
        of_scope = inputs.scopes[self._scope.id].inputs
        return total_by_day(self._indicator, of_scope, self._series, inputs.period.days)

    def by_month(self, year: Period, consumption: SiteConsumption) -> list[IndicatorResult]:
        """Return the amount of each month of a year.

        Args:
            year: the year, or its days so far. A month that has not begun has an unknown amount.
            consumption: consumption on the days of the year, at least.
        """
        return [
            self.result(self.inputs(month.until(year.end), consumption)) for month in months(year)
        ]

    def month_shares(
        self, year: int, base_year: int, earlier: Mapping[int, SiteConsumption]
    ) -> "tuple[NDArray[np.float64], tuple[Finding, ...]]":
        """Return the share of each month in the annual quota, shape (12,), with findings.

        Args:
            year: the year of the quota.
            base_year: base year of the plan.
            earlier: consumption of the earlier years that are known, by year.
        """
        equal = np.full(MONTHS, 1 / MONTHS)
        match self._quota.by_month:
            case "equal":
                return equal, ()
            case "stated":
                stated = np.array(self._quota.shares)
                return stated / stated.sum(), ()
            case "last_year":
                reference = year - 1
            case "base_year":
                reference = base_year
        if reference in earlier:
            whole = periods.calendar_year(reference)
            found = self.by_month(whole, earlier[reference])
            amounts = np.array([month.value for month in found])
            is_known = all(month.is_sufficient(self._floor) for month in found)
            if is_known and (amounts >= 0).all() and amounts.sum() > 0:
                return amounts / amounts.sum(), ()
        return equal, (Finding.of("equal_months", f"{reference}"),)


def months(year: Period) -> list[Period]:
    """Return the months of the calendar year in which a period begins."""
    return [periods.parse(f"{year.year:04}-{month:02}") for month in range(1, MONTHS + 1)]
