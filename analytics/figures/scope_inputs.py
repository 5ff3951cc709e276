"""Compute the inputs of one scope's indicators from the consumption of its meters.

Laws:

1. A medium without any known consumption is left out of the inputs; it is not set to 0.
2. Missing data lower the coverage of the medium, and a finding names the meter. The coverage is the
   share of the period that lies between readings. It does not depend on the number of readings.
3. A denominator (floor area, headcount) is the mean, over the period's days, of the value valid on
   each day. Before a scope begins, it is 0, as its consumption is.
4. If a scope can't have a denominator (a canteen has no headcount), this is not missing data.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, get_args

import msgspec
import numpy as np

from analytics.counters.consumption import zero_where_unknown
from analytics.figures.area_history.area_changes import first_day
from analytics.figures.balances.parent_balance import ParentBalance, rest_finding
from analytics.figures.boundary.flows import CarbonSource, CountedFlows, Flow
from analytics.figures.boundary.virtual_meters import operand_weights
from analytics.figures.factors import DailyFactor, FactorKind, daily_factor
from analytics.figures.figure import FactorSeries
from analytics.figures.indicator_values import IndicatorInputs
from analytics.figures.interval_series import IntervalSeries, SeriesNeed
from analytics.figures.meter_doubts import PeriodFindings, confirmed_days, medium_doubts
from analytics.figures.period_totals import (
    PeriodTotals,
    estimated_by_day,
    mean_of_meters,
    period_totals,
)
from analytics.figures.roll_up import (
    Scope,
    boundary_weights,
    counted_areas,
    daily_denominator,
    has_denominator,
    shared_areas,
    supply_masks,
)
from analytics.figures.rule_files import Rules
from analytics.figures.site_consumption import MeterConsumption, SiteConsumption
from analytics.periods import Period, days, edges_ms, midnight_ms, ordinals
from jieneng.metering.findings import Finding
from jieneng.metering.indicators import Denominator
from jieneng.metering.quantities import CARRIERS, CONSUMPTION, QUANTITIES, Carrier, Medium
from jieneng.metering.site import Site, Supply

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MISSING_DENOMINATOR: Final[Mapping[Denominator, str]] = {
    "floor_area_m2": "no_floor_area",
    "headcount": "no_headcount",
}


#: The sources of carbon. For electricity, each class of supply is a source with its own factor.
_CARBON_SOURCES: Final[tuple[tuple[Carrier, Supply | None], ...]] = (
    *(("electricity", supply) for supply in get_args(Supply)),
    ("gas", None),
    ("heat", None),
)
#: Smallest estimated share of a meter's consumption for which there is a finding.
_LEAST_ESTIMATED: Final = 0.005
#: Smallest share of a meter's time without known consumption for which there is a finding.
_LEAST_MISSING: Final = 0.005
#: Balances of a period for which no findings about them are wanted.
_NO_BALANCES: Final[Mapping[Medium, Sequence[ParentBalance]]] = MappingProxyType({})


class PeriodFactors(msgspec.Struct, frozen=True):
    """The factors on the days of a period.

    Attributes:
        coal: coal equivalent factors by energy carrier.
        carbon: carbon factors by series and source.
    """

    coal: Mapping[Medium, DailyFactor]
    carbon: Mapping[FactorSeries, Mapping[CarbonSource, DailyFactor]]


def period_factors(rules: Rules, site: Site, period: Period, fixed_on: date) -> PeriodFactors:
    """Return the factors on the days of a period.

    Args:
        rules: rules; their factor rows and convention are used.
        site: site; its division code is used.
        period: the period.
        fixed_on: day whose carbon factors are used on all days in the series `fixed`; findings are
            about the rest of its year. The series `current` uses the factors of each day.
    """
    period_days = ordinals(period.start, period.end)

    def found(
        kind: FactorKind,
        medium: Carrier,
        on_days: "NDArray[np.int64]",
        supply: Supply | None = None,
    ) -> DailyFactor | None:
        return daily_factor(
            rules.factors,
            kind,
            medium,
            convention=rules.convention,
            division=site.site.division,
            ordinals=on_days,
            supply=supply,
        )

    def carbon_on(on_days: "NDArray[np.int64]") -> dict[CarbonSource, DailyFactor]:
        factors = {
            (medium, supply): found("carbon", medium, on_days, supply)
            for medium, supply in _CARBON_SOURCES
        }
        return {source: factor for source, factor in factors.items() if factor is not None}

    coal = {medium: found("coal", medium, period_days) for medium in CARRIERS}
    fixed = {
        source: DailyFactor(np.full(len(period_days), factor.values[0]), factor.findings)
        for source, factor in carbon_on(ordinals(fixed_on, date(fixed_on.year + 1, 1, 1))).items()
    }
    return PeriodFactors(
        {medium: factor for medium, factor in coal.items() if factor is not None},
        {"fixed": fixed, "current": carbon_on(period_days)},
    )


class ScopeInputs(msgspec.Struct, frozen=True, kw_only=True):
    """Inputs of the indicators of a single scope and period, with coverage and findings.

    Attributes:
        inputs: inputs of the indicators, without carbon factors and series.
        estimated_inputs: inputs with only the estimated part of the consumption.
        doubt_inputs: inputs with the largest amount by which the consumption may be wrong, instead
            of the consumption. It is distributed evenly over the days; NaN if no limit is known.
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


def scope_inputs(
    consumption: SiteConsumption,
    period: Period,
    scope: Scope,
    factors: PeriodFactors,
    coverage_floor: float,
    found: PeriodFindings,
    counted: CountedFlows,
    balances: Mapping[Medium, Sequence[ParentBalance]] = _NO_BALANCES,
) -> ScopeInputs:
    """Return the inputs of a scope's indicators on the days of a period.

    Args:
        consumption: consumption of all meters, on the period's days and possibly more days.
        period: the period.
        scope: the scope.
        factors: factors on the days of the period.
        coverage_floor: coverage below which there is a finding about a meter, 0 to 1.
        found: findings about the meters in the period.
        counted: flows that count as energy, and flows that count for carbon.
        balances: balances of the site's meters in the period, by medium, for findings.
    """
    site, period_days = scope.structure.site, days(period.start, period.end)
    amount: dict[Medium, NDArray[np.float64]] = {}
    estimated: dict[Medium, NDArray[np.float64]] = {}
    coverage: dict[Medium, float] = {}
    doubt: dict[Medium, NDArray[np.float64]] = {}
    missing: dict[Medium, NDArray[np.float64]] = {}
    medium_findings: dict[Medium, tuple[Finding, ...]] = {}
    purchased: dict[CarbonSource, NDArray[np.float64]] = {}
    estimated_purchased: dict[CarbonSource, NDArray[np.float64]] = {}
    edges = edges_ms(period.start, period.end, "day", site.zone)
    for medium, all_meters in consumption.days_of(period).items():
        whole = boundary_weights(scope, all_meters.flows(site), period_days, counted.energy)
        if not whole.any():
            continue
        rows = _rows_that_count(whole, all_meters, site)
        weight, metered = whole[rows], all_meters.rows(rows)
        flows, registers = metered.flows(site), metered.without_exports()
        totals = period_totals(weight, metered, mean_of_meters(all_meters))
        doubt_weight = operand_weights(weight, flows, site)[: len(registers.meters)]
        doubts = medium_doubts(found, registers, doubt_weight, totals.scope_amount, edges)
        coverage[medium] = totals.scope_coverage
        medium_findings[medium] = (
            *_meter_findings(metered.meters, totals, coverage_floor),
            *_removed_findings(medium, metered, weight),
            *_sub_item_findings(scope, all_meters.without_exports().meters, period_days),
            *_balance_findings(scope, medium, totals),
            *_rest_findings(scope, balances.get(medium, ()), period_days[-1], totals.scope_amount),
            *doubts.findings,
        )
        if np.isfinite(totals.scope_amount):
            known = zero_where_unknown(metered.amount)
            amount[medium] = (weight * known).sum(axis=0)
            estimated[medium] = totals.estimated.sum(axis=0)
            doubt[medium] = np.full(period.days, doubts.amount / period.days)
            in_order = confirmed_days(found, metered, edges)
            missing[medium] = np.where(in_order, 0.0, totals.missing).sum(axis=0)
            if medium in CARRIERS:
                of_carbon = boundary_weights(scope, flows, period_days, counted.carbon)
                for supply, mask in _supplies(scope, medium, flows, period_days).items():
                    part = of_carbon * mask
                    purchased[medium, supply] = (part * known).sum(axis=0)
                    is_all = np.array_equal(part, weight)
                    spread = totals.estimated if is_all else estimated_by_day(part, metered)
                    estimated_purchased[medium, supply] = spread.sum(axis=0)
    floor_area, floor_area_share, floor_area_findings = _mean_denominator(
        scope, "floor_area_m2", period
    )
    headcount, headcount_share, headcount_findings = _mean_denominator(scope, "headcount", period)
    inputs = IndicatorInputs(
        consumption=amount,
        coal_factors={medium: factor.values for medium, factor in factors.coal.items()},
        purchased=purchased,
        carbon_factors={},
        floor_area_m2=floor_area,
        headcount=headcount,
    )
    return ScopeInputs(
        inputs=inputs,
        estimated_inputs=msgspec.structs.replace(
            inputs, consumption=estimated, purchased=estimated_purchased
        ),
        doubt_inputs=msgspec.structs.replace(
            inputs, consumption=doubt, purchased=_purchased_doubt(doubt)
        ),
        missing_inputs=msgspec.structs.replace(
            inputs, consumption=missing, purchased=_purchased_doubt(missing)
        ),
        series=_scope_series(consumption, period, scope, site),
        coverage=coverage,
        medium_findings=medium_findings,
        denominator_findings={
            "floor_area_m2": floor_area_findings,
            "headcount": headcount_findings,
        },
        scope_findings=tuple(Finding.of("shared_area", area) for area in shared_areas(scope, site)),
        denominators=frozenset(
            name
            for name in _MISSING_DENOMINATOR
            if has_denominator(scope, name) and getattr(inputs, name) != 0  # 0: closed, or let out
        ),
        denominator_shares={"floor_area_m2": floor_area_share, "headcount": headcount_share},
    )


def _rows_that_count(
    weight: "NDArray[np.float64]", metered: MeterConsumption, site: Site
) -> list[int]:
    """Return the rows with a weight in a scope, and those of the meters in their formulas."""
    rows = set(np.flatnonzero(weight.any(axis=1)).tolist())
    numbers = {meter: number for number, meter in enumerate(metered.without_exports().meters)}
    waiting = [metered.meters[row] for row in rows]
    while waiting:
        terms = [term.meter for term in site.meters[waiting.pop()].terms]
        waiting += terms
        rows.update(numbers[meter] for meter in terms)
    return sorted(rows)


def _supplies(
    scope: Scope, medium: Medium, flows: Sequence[Flow], period_days: Sequence[date]
) -> "Mapping[Supply, NDArray[np.bool_]] | Mapping[None, bool]":
    """Return a mask (flows, days) for each class of supply; only the key None without classes."""
    return supply_masks(scope, flows, period_days) if medium == "electricity" else {None: True}


def _purchased_doubt(
    doubt: "Mapping[Medium, NDArray[np.float64]]",
) -> "dict[CarbonSource, NDArray[np.float64]]":
    """Return the doubt by source of carbon, as if all doubtful electricity were from the grid."""
    return {
        (medium, "grid" if medium == "electricity" else None): by_day
        for medium, by_day in doubt.items()
        if medium in CARRIERS
    }


def _scope_series(
    consumption: SiteConsumption, period: Period, scope: Scope, site: Site
) -> dict[SeriesNeed, IntervalSeries]:
    """Return the series of a scope within a period."""
    start_ms, end_ms = (midnight_ms(day, site.zone) for day in (period.start, period.end))
    return {
        need: by_scope[scope.id].between(start_ms, end_ms)
        for need, by_scope in consumption.series.items()
        if scope.id in by_scope
    }


def _meter_findings(
    meters: Sequence[str], totals: PeriodTotals, coverage_floor: float
) -> Iterator[Finding]:
    """Yield the findings about missing readings of each meter of the scope.

    Unknown consumption is a warning. Consumption that is known and was distributed over a gap is
    only a remark.
    """
    parts = np.abs(zero_where_unknown(totals.amount))
    total = float(parts.sum())
    for index in np.flatnonzero(totals.importance > 0).tolist():
        meter, part = meters[index], float(parts[index])
        weight = part / total if total > 0 else None
        bounded, coverage = float(totals.bounded[index]), float(totals.coverage[index])
        if np.isnan(totals.amount[index]):
            yield Finding.of("no_readings", meter)
        elif 1 - bounded >= _LEAST_MISSING:
            yield Finding.of("gap", meter, weight=weight, coverage=bounded)
        elif coverage < coverage_floor:
            yield Finding.of("spread_gap", meter, weight=weight, coverage=coverage)
        unread = float(totals.unread[index].sum())
        at_edges = float(totals.estimated[index].sum()) - unread
        for code, estimated in (("spread_edge", at_edges), ("not_read", unread)):
            if estimated >= _LEAST_ESTIMATED * part > 0:
                share = estimated / part
                share_weight = None if weight is None else weight * share
                yield Finding.of(code, meter, weight=share_weight, estimated=share)


def _removed_findings(
    medium: Medium, metered: MeterConsumption, weight: "NDArray[np.float64]"
) -> Iterator[Finding]:
    """Yield a finding for each meter of the scope with consumption after its removal."""
    left_out = (np.abs(weight) * np.abs(metered.left_out)).sum(axis=1)
    unit = QUANTITIES[CONSUMPTION[medium]].unit
    for index in np.flatnonzero(left_out).tolist():
        amount = float(left_out[index])
        yield Finding.of("after_removal", metered.meters[index], amount=amount, unit=unit)


def _sub_item_findings(
    scope: Scope, meters: Sequence[str], period_days: Sequence[date]
) -> Iterator[Finding]:
    """Yield a finding for each sub-item meter without a parent, if the scope has a main meter."""
    found: dict[str, str] = {}
    for _, structure in scope.structure.spans(period_days):
        areas = counted_areas(scope, structure)
        for meter in meters:
            place = structure.places[meter]
            main = structure.places.get(place.parent or "")
            if place.is_implied and place.area in areas and main and main.area in areas:
                found[meter] = str(place.parent)
    for meter_id, main_id in found.items():
        yield Finding.of("sub_item_not_added", meter_id, main=main_id)


def _balance_findings(scope: Scope, medium: Medium, totals: PeriodTotals) -> Iterator[Finding]:
    """Yield a finding if the deducted meters measured more than the meters above them."""
    balance = totals.scope_amount
    if balance < 0:
        unit = QUANTITIES[CONSUMPTION[medium]].unit
        yield Finding.of(
            "negative_balance", scope.id, weight=1.0, medium=medium, amount=balance, unit=unit
        )


def _rest_findings(
    scope: Scope, balances: Sequence[ParentBalance], last_day: date, scope_amount: float
) -> Iterator[Finding]:
    """Yield a finding for each meter of the scope below which meters measure more than it does."""
    areas = counted_areas(scope, scope.structure.on(last_day))
    for balance in balances:
        finding = rest_finding(balance, scope_amount)
        if finding is not None and scope.structure.site.meters[balance.meter].last_area in areas:
            yield finding


def _mean_denominator(
    scope: Scope, name: Denominator, period: Period
) -> tuple[float, float, tuple[Finding, ...]]:
    """Return the mean of a denominator over the days on which it is known, with findings.

    There is no finding if the scope can't have this denominator.

    Returns:
        The mean, the share of the days on which it is known, and the findings.
    """
    by_day = daily_denominator(scope, name, days(period.start, period.end))
    begin = _begin(scope, period.start)
    if begin is not None:
        before = slice(max((begin - period.start).days, 0))
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


def _begin(scope: Scope, first: date) -> date | None:
    """Return the day on which the first area of a scope begins; None if one exists on `first`."""
    site = scope.structure.site
    begins = [first_day(site, site.areas[area], first) for area in scope.areas]
    known = [begin for begin in begins if begin is not None]
    return min(known) if known and len(known) == len(begins) else None
