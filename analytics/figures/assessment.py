"""A scope in a period and in its base year -> figures with verdicts.

Laws:

1. A period that goes on is told by its complete days, and compared with the same days of the
   base year.
2. The coverage of an indicator is that of its worst covered medium, so that a total is not judged
   while one carrier's meters are silent.
3. The same consumption, rules and site give the same digits. Figures are rounded to six decimals
   after everything is computed, never before.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Final

import msgspec

from analytics.figures import indicator_values, targets
from analytics.figures.factors import Applied
from analytics.figures.figure import FactorSeries, Figure, Status
from analytics.figures.indicator_values import Basis
from analytics.figures.roll_up import Scope
from analytics.figures.rule_files import Rules
from analytics.figures.scope_basis import FactorDays, Measured, View, factor_days, view
from analytics.figures.targets import Cap, Plan, Target
from analytics.periods import Period, of_year
from jieneng.metering import indicators
from jieneng.metering.findings import Finding
from jieneng.metering.indicators import Indicator
from jieneng.metering.quantities import Medium
from jieneng.metering.site import Site

_DECIMALS: Final = 6


class _Side(msgspec.Struct, frozen=True):
    """A period, or its days in the base year: what is known there of all scopes."""

    period: Period
    factors: FactorDays
    views: dict[str, View]


class _Case(msgspec.Struct, frozen=True):
    """Input of the figures of a single scope and period.

    Attributes:
        period: the whole period, days to come included.
        plan: the plan that holds in the period; None if there is none.
        now: the complete days of the period.
        base: the same days of the base year.
        whole: the whole base year.
    """

    scope: Scope
    rules: Rules
    period: Period
    plan: Plan | None
    now: _Side
    base: _Side | None
    whole: _Side | None

    @property
    def final(self) -> bool:
        """Return True if the period is the plan's end year, and complete.

        Only then is a target met or missed.
        """
        ends = self.plan is not None and self.plan.to == self.period.year
        return ends and self.period.whole_year and self.now.period.end == self.period.end


class _Told(msgspec.Struct, frozen=True):
    """An indicator's value with its doubts; NaN where not known."""

    value: float
    coverage: float
    estimated: float
    findings: tuple[Finding, ...]

    def enough(self, floor: float) -> bool:
        """Return True if a verdict may be based on the value: known, and covered enough."""
        return math.isfinite(self.value) and self.coverage >= floor


def assess(
    site: Site,
    rules: Rules,
    scopes: Sequence[Scope],
    period: Period,
    today: date,
    now: Measured,
    base: Measured | None,
) -> list[Figure]:
    """All figures of some scopes in a period.

    Args:
        site: whose scopes they are.
        rules: factors, plans, targets.
        scopes: in the order in which figures are wanted.
        period: the whole of it.
        today: the local day that goes on: days before it are complete.
        now: at least the period's complete days.
        base: the whole of `rules.base_year`; None where there is none.
    """
    elapsed = period.until(today)
    plan = rules.plan_of(period.year)
    year = rules.base_year(period)
    locked = elapsed.start if year is None else year.start

    def side(part: Period, measured: Measured) -> _Side:
        factors = factor_days(rules, site, part, locked)
        floor = rules.coverage_floor
        return _Side(
            part,
            factors,
            {scope.id: view(measured, part, scope, site, factors, floor) for scope in scopes},
        )

    compared: tuple[_Side | None, _Side | None] = (None, None)
    if year is not None and base is not None:
        compared = side(elapsed.in_year(year.year), base), side(year, base)
    here = side(elapsed, now)
    in_force = plan if plan is not None and plan.holds(period.year) else None
    return [
        _figure(_Case(scope, rules, period, in_force, here, *compared), indicator, series)
        for scope in scopes
        for indicator in indicators.INDICATORS.values()
        for series in _series(indicator)
    ]


def _series(indicator: Indicator) -> tuple[FactorSeries | None, ...]:
    return ("fixed", "current") if indicator.has_factor_series else (None,)


def _figure(case: _Case, indicator: Indicator, series: FactorSeries | None) -> Figure:
    now = _told(case.now, case.scope, indicator, series)
    base = _told(case.base, case.scope, indicator, series)
    change = 100 * (now.value / base.value - 1) if base.value > 0 else math.nan
    figure = Figure(
        scope=case.scope.id,
        indicator=indicator.id,
        period=case.period.id,
        value=_number(now.value),
        unit=indicator.unit,
        baseline=_number(base.value),
        baseline_period=None if case.base is None else case.base.period.id,
        change_pct=_number(change),
        decrease_pct=_number(-change),
        coverage=_number(now.coverage),
        estimated=_number(now.estimated),
        convention=case.rules.convention if indicator.has_convention else None,
        factor_series=series,
        findings=now.findings + _of_baseline(base),
    )
    if case.plan is None:
        return figure
    for target in case.rules.targets:
        if (target.plan, target.indicator) == (case.plan.id, indicator.id):
            return _against_target(figure, target, case.plan, case, (now, base, change))
    for cap in case.rules.caps:
        if (cap.plan, cap.indicator) == (case.plan.id, indicator.id) and _is_of(cap, case.scope):
            whole = _told(case.whole, case.scope, indicator, series)
            return _against_cap(figure, cap, case, (now, base, whole))
    return figure


def _against_target(
    figure: Figure, target: Target, plan: Plan, case: _Case, told: tuple[_Told, _Told, float]
) -> Figure:
    now, base, change = told
    year, floor = case.period.year, case.rules.coverage_floor
    status: Status = "insufficient_data"
    if now.enough(floor) and base.enough(floor) and math.isfinite(change):
        status = targets.decrease_status(plan, target, year, change, final=case.final)
    share = targets.path_share(plan, target.decrease_pct, year)
    return msgspec.structs.replace(
        figure,
        target_pct=target.decrease_pct,
        operator=target.operator,
        target=_number(base.value * (1 - target.decrease_pct / 100)),
        path=_number(base.value * share),
        status=status,
    )


def _against_cap(figure: Figure, cap: Cap, case: _Case, told: tuple[_Told, _Told, _Told]) -> Figure:
    now, same, whole = told
    floor = case.rules.coverage_floor
    status: Status = "insufficient_data"
    if case.period.whole_year and case.now.period.end == case.period.end:
        part = 1.0
    elif same.enough(floor) and whole.enough(floor) and whole.value > 0:
        part = same.value / whole.value
    else:
        part = case.now.period.days / of_year(case.period.year).days
    if now.enough(floor):
        status = targets.cap_status(cap, now.value, cap.value * part, final=case.final)
    return msgspec.structs.replace(
        figure,
        operator=cap.operator,
        target=cap.value,
        path=_number(cap.value * part),
        status=status,
    )


def _is_of(cap: Cap, scope: Scope) -> bool:
    """A cap of the whole division is of no scope here: a site is a small part of it."""
    return cap.scope == scope.id or (cap.scope == "site" and scope.kind == "site")


def _told(
    side: _Side | None, scope: Scope, indicator: Indicator, series: FactorSeries | None
) -> _Told:
    if side is None:
        return _Told(math.nan, math.nan, math.nan, ())
    seen = side.views[scope.id]
    carbon = side.factors.carbon[series] if series else {}
    used = {**side.factors.coal, **carbon} if indicator.has_convention else carbon
    factors = {medium: applied.values for medium, applied in carbon.items()}
    needs = indicator_values.needs(indicator)
    series_needed = {need: seen.series[need] for need in needs if need in seen.series}
    basis = msgspec.structs.replace(seen.basis, carbon=factors, series=series_needed)
    value = indicator_values.value(indicator, basis)
    media = [medium for medium in indicator.media if medium in seen.coverage]
    coverages = [needed.mean_coverage() for needed in series_needed.values()]
    if indicator.sum_of is None:
        estimated = max(
            (needed.estimated_share() for needed in series_needed.values()), default=0.0
        )
        shares = dict.fromkeys(media, 1.0) if len(media) == 1 else {}
    else:
        spread_basis = msgspec.structs.replace(seen.spread, carbon=factors)
        spread = indicator_values.value(indicator, spread_basis)
        estimated = min(abs(spread / value), 1.0) if value else 0.0
        shares = _medium_shares(basis, indicator, media, value)
    return _Told(
        value,
        min((*coverages, *(seen.coverage[medium] for medium in media)), default=math.nan),
        estimated,
        tuple(_findings(side, seen, scope, indicator, shares, used)),
    )


def _findings(
    side: _Side,
    seen: View,
    scope: Scope,
    indicator: Indicator,
    shares: Mapping[Medium, float],
    used: Mapping[Medium, Applied],
) -> Iterator[Finding]:
    media = [medium for medium in indicator.media if medium in seen.coverage]
    if side.period.days == 0:
        yield Finding.of("not_begun", side.period.id)
        return
    if not media:
        yield Finding.of("no_meter", scope.id, media=" ".join(indicator.media))
    for medium in media:
        share = shares.get(medium)
        for finding in seen.by_medium[medium]:
            yield _weighed(finding, share)
        if medium in used and medium in seen.basis.amount:
            yield from used[medium].findings
    if indicator.per is not None:
        yield from seen.by_denominator[indicator.per]
    yield from seen.of_scope


def _weighed(finding: Finding, share: float | None) -> Finding:
    """Return a finding about a medium with its weight in an indicator.

    `share` is the medium's share of the indicator's value; None where that is not known.
    """
    if finding.weight is None:
        return finding
    weight = None if share is None else round(finding.weight * share, _DECIMALS)
    return msgspec.structs.replace(finding, weight=weight)


def _medium_shares(
    basis: Basis, indicator: Indicator, media: Sequence[Medium], whole: float
) -> dict[Medium, float]:
    """Return each medium's share of an indicator's value, as far as both are known.

    A function of daily sums is linear in the consumption, so its value of one medium alone is that
    medium's part.
    """
    shares: dict[Medium, float] = {}
    for medium in media:
        if medium in basis.amount and whole:
            alone = msgspec.structs.replace(basis, amount={medium: basis.amount[medium]})
            share = abs(indicator_values.value(indicator, alone) / whole)
            if math.isfinite(share):
                shares[medium] = min(share, 1.0)
    return shares


def _of_baseline(base: _Told) -> tuple[Finding, ...]:
    """Return the findings of a baseline, marked as such."""
    return tuple(finding.as_baseline() for finding in base.findings)


def _number(value: float) -> float | None:
    """Return a value as figures have it: rounded, never -0.0; None where it is not known."""
    return round(value, _DECIMALS) + 0.0 if math.isfinite(value) else None
