"""Compute the inputs of one scope's indicators from the consumption of its meters.

Laws:

1. A medium without any known consumption is left out of the inputs; it is not set to 0.
2. A denominator (floor area, headcount) is a mean over the period's days, of the values valid on
   these days. Before a scope begins, denominator and consumption are both 0.
3. Some scopes can't have a denominator: a canteen has no headcount. This is not missing data.
"""

import math
from collections.abc import Iterable, Mapping
from datetime import date
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from analytics.counters.consumption import zero_where_unknown
from analytics.figures.boundary.flows import CarbonSource
from analytics.figures.indicator_values import IndicatorInputs
from analytics.figures.inputs.medium_inputs import medium_inputs
from analytics.figures.inputs.period_factors import PeriodFactors
from analytics.figures.inputs.site_period import SitePeriod
from analytics.figures.interval_series import IntervalSeries, SeriesNeed
from analytics.figures.roll_up import (
    Scope,
    daily_denominator,
    has_denominator,
    shared_areas,
)
from jieneng.metering.findings import Finding
from jieneng.metering.indicators import Denominator
from jieneng.metering.quantities import CARRIERS, Medium

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MISSING_DENOMINATOR: Final[Mapping[Denominator, str]] = {
    "floor_area_m2": "no_floor_area",
    "headcount": "no_headcount",
}


class ScopeInputs(msgspec.Struct, frozen=True, kw_only=True):
    """Inputs of the indicators of a single scope and period, with coverage and findings.

    Attributes:
        inputs: inputs of the indicators, without series.
        estimated_inputs: inputs with only the estimated part of the consumption.
        doubt_inputs: inputs that have, instead of the consumption, the largest amount by which the
            consumption may be wrong. This amount is distributed evenly over the days; NaN if no
            limit is known.
        missing_inputs: inputs with the estimate of the missing consumption.
        series: series that indicators need in addition to the daily sums, if the scope has a meter.
        coverage: share of the meters' time for which consumption is known, 0 to 1, by medium; only
            media with a meter.
        medium_findings: findings about a medium's meters.
        denominator_findings: findings about floor area and headcount.
        scope_findings: findings about the scope itself.
        denominators: the denominators that the scope has.
        denominator_shares: share of the days on which each denominator is known, 0 to 1.
    """

    inputs: IndicatorInputs
    estimated_inputs: IndicatorInputs
    doubt_inputs: IndicatorInputs
    missing_inputs: IndicatorInputs
    series: Mapping[SeriesNeed, IntervalSeries]
    coverage: Mapping[Medium, float]
    medium_findings: Mapping[Medium, tuple[Finding, ...]]
    denominator_findings: Mapping[Denominator, tuple[Finding, ...]]
    scope_findings: tuple[Finding, ...]
    denominators: frozenset[Denominator]
    denominator_shares: Mapping[Denominator, float]

    def denominator_share(self, name: Denominator | None) -> float:
        """Return the share of the days on which a denominator is known; 1 if there is none."""
        return 1.0 if name is None else self.denominator_shares[name]

    def times(self, ratio: float) -> "ScopeInputs":
        """Return the inputs with all amounts of consumption multiplied by a ratio."""
        return msgspec.structs.replace(
            self,
            inputs=self.inputs.times(ratio),
            estimated_inputs=self.estimated_inputs.times(ratio),
            doubt_inputs=self.doubt_inputs.times(ratio),
            missing_inputs=self.missing_inputs.times(ratio),
        )

    def with_factors(self, factors: PeriodFactors) -> "ScopeInputs":
        """Return the inputs with other factors."""
        coal, carbon = factors.coal_values, factors.carbon_values

        def other(inputs: IndicatorInputs) -> IndicatorInputs:
            return msgspec.structs.replace(inputs, coal_factors=coal, carbon_factors=carbon)

        return msgspec.structs.replace(
            self,
            inputs=other(self.inputs),
            estimated_inputs=other(self.estimated_inputs),
            doubt_inputs=other(self.doubt_inputs),
            missing_inputs=other(self.missing_inputs),
        )


def scope_inputs(of: SitePeriod, scope: Scope) -> ScopeInputs:
    """Return the inputs of a scope's indicators on the days of a period."""
    parts = {
        medium: part
        for medium in of.media
        if (part := medium_inputs(of, medium, scope)) is not None
    }
    known = {medium: part.amounts for medium, part in parts.items() if part.amounts is not None}
    floor_area, floor_area_share, floor_area_findings = _mean_denominator(
        of, scope, "floor_area_m2"
    )
    headcount, headcount_share, headcount_findings = _mean_denominator(of, scope, "headcount")
    inputs = IndicatorInputs(
        consumption={medium: one.amount for medium, one in known.items()},
        coal_factors=of.factors.coal_values,
        purchased=_joined(one.purchased for one in known.values()),
        carbon_factors=of.factors.carbon_values,
        floor_area_m2=floor_area,
        headcount=headcount,
    )

    def other(
        amounts: "Mapping[Medium, NDArray[np.float64]]",
        purchased: "Mapping[CarbonSource, NDArray[np.float64]]",
    ) -> IndicatorInputs:
        return msgspec.structs.replace(inputs, consumption=amounts, purchased=purchased)

    doubt = {medium: one.doubt for medium, one in known.items()}
    missing = {medium: one.missing for medium, one in known.items()}
    return ScopeInputs(
        inputs=inputs,
        estimated_inputs=other(
            {medium: one.estimated for medium, one in known.items()},
            _joined(one.estimated_purchased for one in known.values()),
        ),
        doubt_inputs=other(doubt, _purchased_doubt(doubt)),
        missing_inputs=other(missing, _purchased_doubt(missing)),
        series=_scope_series(of, scope),
        coverage={medium: part.coverage for medium, part in parts.items()},
        medium_findings={medium: part.findings for medium, part in parts.items()},
        denominator_findings={
            "floor_area_m2": floor_area_findings,
            "headcount": headcount_findings,
        },
        scope_findings=tuple(
            Finding.of("shared_area", area) for area in shared_areas(scope, scope.structure.site)
        ),
        denominators=frozenset(
            name
            for name in _MISSING_DENOMINATOR
            if has_denominator(scope, name) and getattr(inputs, name) != 0  # 0: closed, or let out
        ),
        denominator_shares={"floor_area_m2": floor_area_share, "headcount": headcount_share},
    )


def _joined(
    parts: "Iterable[Mapping[CarbonSource, NDArray[np.float64]]]",
) -> "dict[CarbonSource, NDArray[np.float64]]":
    """Return the amounts of all sources."""
    return {source: by_day for part in parts for source, by_day in part.items()}


def _purchased_doubt(
    doubt: "Mapping[Medium, NDArray[np.float64]]",
) -> "dict[CarbonSource, NDArray[np.float64]]":
    """Return the doubt by source of carbon; all doubtful electricity counts as from the grid."""
    return {
        (medium, "grid" if medium == "electricity" else None): by_day
        for medium, by_day in doubt.items()
        if medium in CARRIERS
    }


def _scope_series(of: SitePeriod, scope: Scope) -> dict[SeriesNeed, IntervalSeries]:
    """Return the series of a scope within a period."""
    return {
        need: by_scope[scope.id].between(int(of.edges_ms[0]), int(of.edges_ms[-1]))
        for need, by_scope in of.consumption.series.items()
        if scope.id in by_scope
    }


def _mean_denominator(
    of: SitePeriod, scope: Scope, name: Denominator
) -> tuple[float, float, tuple[Finding, ...]]:
    """Return the mean of a denominator over the days on which it is known, with findings.

    There is no finding if the scope can't have this denominator.

    Returns:
        The mean, the share of the days on which it is known, and the findings.
    """
    by_day = daily_denominator(scope, name, of.days)
    begin = _begin(of, scope)
    if begin is not None:
        before = slice(max((begin - of.period.start).days, 0))
        by_day[before] = zero_where_unknown(by_day[before])
    is_known = np.isfinite(by_day)
    mean = float(by_day[is_known].mean()) if is_known.any() else math.nan
    share = float(is_known.mean()) if len(is_known) else 0.0
    if (is_known.any() and is_known.all()) or not has_denominator(scope, name):
        return mean, 1.0, ()
    finding = Finding.of(
        _MISSING_DENOMINATOR[name],
        scope.id,
        weight=1 - share if len(is_known) else None,
        known=int(is_known.sum()),
        days=len(is_known),
    )
    return mean, share, (finding,)


def _begin(of: SitePeriod, scope: Scope) -> date | None:
    """Return the day on which the first area of a scope begins; None if one exists before."""
    begins = [of.begins[area] for area in scope.areas]
    known = [begin for begin in begins if begin is not None]
    return min(known) if known and len(known) == len(begins) else None
