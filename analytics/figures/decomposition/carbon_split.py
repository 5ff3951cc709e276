"""Split the change of a scope's carbon against a base year, by source and cause.

Carbon of a source = activity x supply x factor, and for carbon per floor area also x 1 / floor
area. Activity is the purchased amount of the energy carrier, supply is the share of the source in
this amount (electricity has three classes of supply, gas and heat have one source), and factor is
the emission factor of the source in each year (series `current`).

Laws:

1. The effects of all sources and causes add up to the change (`product_effects`).
2. Self-generated electricity is not purchased: if photovoltaics replace purchased electricity, this
   is an effect of activity. If direct green power replaces the grid's, this is an effect of supply.
3. Without enough data in either year there are no effects, because missing consumption would look
   like an effect of activity.

Pure: structs in, structs out.
"""

import math
from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, Final, Literal

import msgspec
import numpy as np

from analytics.figures.boundary.flows import CarbonSource
from analytics.figures.decomposition.product_effects import product_effects
from analytics.figures.figure import rounded
from analytics.figures.indicator_results import (
    NO_RESULT,
    IndicatorResult,
    PeriodInputs,
    indicator_result,
    of_days,
    period_inputs,
)
from analytics.figures.inputs.period_factors import period_factors
from analytics.figures.roll_up import Scope
from analytics.figures.rule_files import Rules
from analytics.figures.site_consumption import SiteConsumption
from analytics.periods import Period
from jieneng.metering.findings import Finding
from jieneng.metering.indicators import INDICATORS, Indicator
from jieneng.metering.quantities import Medium
from jieneng.metering.site import Site, Supply

if TYPE_CHECKING:
    from numpy.typing import NDArray

SplitStatus = Literal[
    "split", "no_baseline", "insufficient_data", "not_comparable", "not_applicable"
]

#: The indicators whose changes are split.
SPLIT_INDICATORS: Final = ("carbon_per_floor_area", "carbon_total")


class Effects(msgspec.Struct, frozen=True):
    """Parts of a change, in the unit of the indicator; None if unknown.

    Attributes:
        activity: effect of the purchased amounts.
        supply: effect of the shares of the classes of supply in the purchased electricity.
        factor: effect of the emission factors.
        area: effect of the floor area; None for a total.
    """

    activity: float | None = None
    supply: float | None = None
    factor: float | None = None
    area: float | None = None


class CarbonPart(msgspec.Struct, frozen=True, kw_only=True):
    """Carbon of a source in both years.

    Attributes:
        medium: the energy carrier.
        supply: class of purchased electricity; None for gas and heat.
        amount_base: purchased amount in the base year [kWh, m3 or GJ].
        amount: purchased amount in the period.
        factor_base: mean emission factor in the base year [kgCO2 per unit of the amount].
        factor: mean emission factor in the period.
        base: carbon in the base year, in the unit of the indicator.
        value: carbon in the period.
        effects: parts of `value - base`.
    """

    medium: Medium
    supply: Supply | None
    amount_base: float | None
    amount: float | None
    factor_base: float | None
    factor: float | None
    base: float | None
    value: float | None
    effects: Effects


class CarbonSplit(msgspec.Struct, frozen=True, kw_only=True):
    """The change of an indicator of carbon against the base year, by cause.

    Attributes:
        scope: id of the area, institution or site.
        indicator: `carbon_total` or `carbon_per_floor_area`.
        unit: unit of the indicator.
        period: id of the period.
        base_period: id of the same days of the base year; None if there is no base year.
        base: value in the base year, with the emission factors of that year.
        value: value in the period, with the emission factors of that year.
        change: `value - base`; None without effects.
        effects: sums of the effects of all sources.
        parts: the sources of carbon.
        coverage: share of meter-time of which the consumption is known, 0 to 1, in the period or in
            the base year, whichever is less.
        status: `split`, or the reason why there are no effects.
        findings: remarks about the emission factors and meters of both years.
    """

    scope: str
    indicator: str
    unit: str
    period: str
    base_period: str | None
    base: float | None
    value: float | None
    change: float | None
    effects: Effects
    parts: tuple[CarbonPart, ...]
    coverage: float | None
    status: SplitStatus
    findings: tuple[Finding, ...]


def carbon_splits(
    site: Site,
    rules: Rules,
    scopes: Sequence[Scope],
    period: Period,
    today: date,
    current: SiteConsumption,
    base: tuple[Period, SiteConsumption] | None,
) -> list[CarbonSplit]:
    """Return the split of each scope's carbon, by scope and indicator.

    Args:
        site: the site.
        rules: the emission factors and the coverage floor.
        scopes: the scopes.
        period: the whole period; if it is not over, its complete days are compared.
        today: the present local day; only days before it are complete.
        current: consumption on the complete days of the period, at least.
        base: the base year and its consumption; None if there is no base year.
    """
    counted = rules.counted_flows(period.year)

    def inputs(part: Period, consumption: SiteConsumption) -> PeriodInputs:
        factors = period_factors(rules, site, part, part.start)
        return period_inputs(rules, scopes, part, consumption, factors, counted)

    elapsed = period.until(today)
    now = inputs(elapsed, current)
    before = None if base is None else inputs(elapsed.in_year(base[0].year), base[1])
    if before is not None and not (period.whole_year and elapsed == period):
        before = of_days(before, elapsed.days)
    return [
        _split(scope, INDICATORS[name], before, now, rules.coverage_floor)
        for scope in scopes
        for name in SPLIT_INDICATORS
    ]


def _split(
    scope: Scope, indicator: Indicator, before: PeriodInputs | None, now: PeriodInputs, floor: float
) -> CarbonSplit:
    value = indicator_result(now, scope, indicator, "current")
    base = NO_RESULT if before is None else indicator_result(before, scope, indicator, "current")
    status = _status(base, value, floor)
    parts: tuple[CarbonPart, ...] = ()
    effects = Effects()
    if before is not None and status == "split":
        parts, effects = _parts(scope, indicator, before, now)
    coverages = [one.coverage for one in (base, value) if math.isfinite(one.coverage)]
    return CarbonSplit(
        scope=scope.id,
        indicator=indicator.id,
        unit=indicator.unit,
        period=now.period.id,
        base_period=None if before is None else before.period.id,
        base=rounded(base.value),
        value=rounded(value.value),
        change=rounded(value.value - base.value) if status == "split" else None,
        effects=effects,
        parts=parts,
        coverage=rounded(min(coverages, default=math.nan)),
        status=status,
        findings=(*value.findings, *_base_findings(before, base)),
    )


def _status(base: IndicatorResult, value: IndicatorResult, floor: float) -> SplitStatus:
    if not value.applies:
        return "not_applicable"
    if not value.is_sufficient(floor):
        return "insufficient_data"
    if not (base.coverage > 0 or math.isfinite(base.value)):
        return "no_baseline"
    if base.coverage >= floor and not math.isfinite(base.value):
        return "not_comparable"  # the data are known, but the scope had no floor area then
    return "split" if base.is_sufficient(floor) else "insufficient_data"


def _base_findings(before: PeriodInputs | None, base: IndicatorResult) -> list[Finding]:
    """Return the findings about the base year; if it has no data, only a finding that says so."""
    if before is None:
        return []
    if before.period.days and not (base.coverage > 0 or math.isfinite(base.value)):
        return [Finding.of("no_baseline", f"{before.period.year}")]
    of_meters = [one.as_baseline() for one in base.findings if one.code != "no_meter"]
    return [*before.conversion_findings, *of_meters]


def _parts(
    scope: Scope, indicator: Indicator, before: PeriodInputs, now: PeriodInputs
) -> tuple[tuple[CarbonPart, ...], Effects]:
    """Return the carbon of each source, and the sums of the effects of all sources."""
    years = (before, now)
    sources = list(dict.fromkeys(s for one in years for s in one.scopes[scope.id].inputs.purchased))
    amounts = np.array([_amounts(one, scope, sources) for one in years])
    factors = np.array([_mean_factors(one, scope, sources) for one in years])
    activity, shares = _activity_and_shares(amounts, sources)
    columns = [activity, shares, factors]
    scale = np.full_like(activity, indicator.scale)
    if indicator.denominator is not None:
        areas = [one.scopes[scope.id].inputs.floor_area_m2 for one in years]
        columns.append(scale / np.array(areas)[:, None])
        scale = np.ones_like(activity)
    of_years = np.array(columns)
    effects = product_effects(of_years[:, 0], of_years[:, 1]) * scale[0]
    carbon = of_years.prod(axis=0) * scale
    parts = [
        CarbonPart(
            medium=medium,
            supply=supply,
            amount_base=amount[0],
            amount=amount[1],
            factor_base=factor[0],
            factor=factor[1],
            base=of_source[0],
            value=of_source[1],
            effects=_effects(effects[:, column]),
        )
        for column, (medium, supply) in enumerate(sources)
        for amount, factor, of_source in [
            [list(map(rounded, one[:, column].tolist())) for one in (amounts, factors, carbon)]
        ]
        if amounts[:, column].any()
    ]
    return tuple(parts), _effects(effects.sum(axis=1))


def _effects(of_causes: "NDArray[np.float64]") -> Effects:
    return Effects(*map(rounded, of_causes.tolist()))


def _amounts(inputs: PeriodInputs, scope: Scope, sources: Sequence[CarbonSource]) -> list[float]:
    """Return the purchased amount of each source; 0 if the scope has no meter of the source."""
    purchased = inputs.scopes[scope.id].inputs.purchased
    return [float(purchased[one].sum()) if one in purchased else 0.0 for one in sources]


def _mean_factors(
    inputs: PeriodInputs, scope: Scope, sources: Sequence[CarbonSource]
) -> list[float]:
    """Return the mean emission factor of each source, weighted by its amount on each day.

    The mean of a source that is not used is that of all days.
    """
    purchased = inputs.scopes[scope.id].inputs.purchased
    found = []
    for source in sources:
        daily = inputs.factors.carbon["current"][source].values
        amount = purchased.get(source)
        if amount is None or amount.sum() == 0:
            amount = np.ones_like(daily)
        found.append(float(amount @ daily) / float(amount.sum()))
    return found


def _activity_and_shares(
    amounts: "NDArray[np.float64]", sources: Sequence[CarbonSource]
) -> "tuple[NDArray[np.float64], NDArray[np.float64]]":
    """Return the amount of each source's carrier, and the share of the source in this amount.

    A carrier that is not used in one of the years has the shares of the other year, so that its
    whole change is an effect of activity.

    Args:
        amounts: shape (years, sources) [kWh, m3 or GJ].
        sources: the sources.
    """
    activity = np.empty_like(amounts)
    for medium in {medium for medium, _ in sources}:
        columns = [column for column, source in enumerate(sources) if source[0] == medium]
        activity[:, columns] = amounts[:, columns].sum(axis=1, keepdims=True)
    shares = np.divide(amounts, activity, out=np.full_like(amounts, np.nan), where=activity != 0)
    shares = np.where(np.isnan(shares), shares[::-1], shares)
    return activity, np.where(np.isnan(shares), 0.0, shares)
