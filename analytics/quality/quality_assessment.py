"""Rate the data behind the energy and the water of each scope in a period.

Laws:

1. Findings of the figures are used as they are; only further findings are computed here.
2. A concern about a meter is an issue of every scope whose figure the meter measures.
3. Without consumption of the last year, there is no comparison with the last year.

Pure: structs in, structs out.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from itertools import chain
from typing import TYPE_CHECKING, Final, get_args

import msgspec

from analytics.figures.area_history.area_changes import area_changes
from analytics.figures.factors import daily_factor, factor_series
from analytics.figures.figure import Figure
from analytics.figures.quotas.quota_results import QuotaResult
from analytics.figures.roll_up import Scope
from analytics.figures.rule_files import Rules
from analytics.figures.site_consumption import MeterConsumption, SiteConsumption
from analytics.periods import Period, days, ordinals
from analytics.quality import (
    completeness,
    consistency_checks,
    meter_patterns,
    scope_checks,
    year_changes,
)
from analytics.quality.completeness import Completeness, PointReadings
from analytics.quality.concern import Concern
from analytics.quality.consistency_checks import BilledAmount
from analytics.quality.figure_meters import (
    ExpectedAmounts,
    FigureMeters,
    RatedFigure,
    expected_amounts,
    figure_meters,
)
from analytics.quality.month_amounts import month_amounts
from analytics.quality.quality_rules import MISSING
from analytics.quality.quality_score import (
    QualityReport,
    QualityResult,
    issue,
    part_scores,
    ranked,
)
from jieneng.metering.findings import Finding
from jieneng.metering.quantities import CARRIERS, Medium
from jieneng.metering.site import Site, descendants

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: Largest relative error of an estimated amount, as in the doubt of an indicator.
_ESTIMATE_DOUBT: Final = 0.5
#: Findings whose weight is an estimated share of the figure.
_ESTIMATES: Final = frozenset({"not_read", "spread_edge"})
#: Intensities whose findings are about missing denominators.
_INTENSITIES: Final[Mapping[RatedFigure, tuple[str, ...]]] = {
    "energy_total": ("energy_per_floor_area", "energy_per_capita"),
    "water_total": ("water_per_capita",),
}
#: Indicators of water.
_WATER: Final = ("water", "water_total")
_DENOMINATOR_CODES: Final = frozenset({"no_floor_area", "no_headcount"})


class QualityInputs(msgspec.Struct, frozen=True, kw_only=True):
    """Inputs of the rating of a period.

    Attributes:
        site: the site.
        rules: coal factors and counted flows.
        scopes: the scopes to rate.
        period: the complete days of the period.
        current: consumption on these days, at least.
        other_years: consumption on the same days of the last year and of the base year, as far as
            it is known, by year, the last year first.
        figures: figures of the scopes in the period.
        quotas: results of quotas in the period.
        rests: daily consumption behind a meter that no meter below it measures, by its id.
        points: expected and stored readings.
        bills: bills of the period.
        published: findings about published periods.
    """

    site: Site
    rules: Rules
    scopes: Sequence[Scope]
    period: Period
    current: SiteConsumption
    other_years: Mapping[int, SiteConsumption]
    figures: Sequence[Figure]
    quotas: Sequence[QuotaResult] = ()
    rests: "Mapping[str, NDArray[np.float64]]" = {}
    points: Sequence[PointReadings] = ()
    bills: Sequence[BilledAmount] = ()
    published: Sequence[Finding] = ()


def assess_quality(inputs: QualityInputs) -> QualityReport:
    """Return the quality of the data of each scope's energy and water."""
    period_days = days(inputs.period.start, inputs.period.end)
    media = inputs.current.days_of(inputs.period)
    last_year = _media_of(inputs, inputs.period.year - 1)
    expected = {
        medium: expected_amounts(metered, last_year.get(medium))
        for medium, metered in media.items()
    }
    shares = tuple(completeness.point_shares(inputs.points))
    amounts = {
        meter: amount
        for by_meter in expected.values()
        for meter, amount in zip(by_meter.meters, by_meter.expected.tolist(), strict=True)
    }
    concerns = [
        *_meter_concerns(inputs, media, period_days),
        *completeness.incomplete_points(shares, inputs.site, amounts),
        *consistency_checks.bill_differences(inputs.bills),
    ]
    by_day = {
        scope.id: completeness.day_shares(
            inputs.points, _meters_in(scope, inputs.site), scope.id, period_days
        )
        for scope in inputs.scopes
    }
    rating = _Rating(inputs, media, expected, concerns, by_day, period_days)
    results = [
        result
        for scope in inputs.scopes
        for figure in get_args(RatedFigure)
        if (result := rating.of(scope, figure)) is not None
    ]
    incomplete = (one for one in chain(*by_day.values()) if one.stored < one.expected)
    return QualityReport(tuple(results), shares, tuple(incomplete))


def _media_of(inputs: QualityInputs, year: int) -> Mapping[Medium, MeterConsumption]:
    """Return the consumption on the same days of another year; empty if it is not known."""
    if year not in inputs.other_years:
        return {}
    return inputs.other_years[year].days_of(inputs.period.in_year(year))


def _meters_in(scope: Scope, site: Site) -> frozenset[str]:
    return frozenset(meter.id for meter in site.meter if meter.last_area in scope.areas)


def _meter_concerns(
    inputs: QualityInputs,
    media: Mapping[Medium, MeterConsumption],
    period_days: Sequence[date],
) -> Iterator[Concern]:
    """Yield the concerns about consumption that are not findings of the figures."""
    site, last = inputs.site, inputs.period.year - 1
    past_days = days(*_span(inputs.period.in_year(last)))
    for medium, metered in media.items():
        registers = metered.without_exports()
        for year in inputs.other_years:
            past = _media_of(inputs, year)[medium]
            gone = _came_or_went(site, inputs.period.in_year(year), inputs.period)
            found = year_changes.year_changes(metered, past, year, medium)
            yield from (one for one in found if one.finding.subject not in gone)
        yield from meter_patterns.flat_lines(metered, period_days, medium)
        yield from meter_patterns.zero_lines(metered, period_days)
        months = month_amounts(registers, period_days)
        of_last = None
        if last in inputs.other_years:
            past = _media_of(inputs, last)[medium].without_exports()
            of_last = month_amounts(past, past_days)
        yield from meter_patterns.copied_months(months, of_last, registers.meters)
        yield from meter_patterns.copied_meters(months, registers.meters, site)
        yield from consistency_checks.meter_balance(inputs.rests, registers, period_days)


def _came_or_went(site: Site, before: Period, period: Period) -> frozenset[str]:
    """Return the ids of meters that were removed, or whose area joined or left, in two periods.

    The time between the two periods counts, too. Rows of `site.toml` explain why the consumption of
    these meters changed.
    """
    changed = [change.area for change in area_changes(site, [before, period])]
    areas = set(descendants(site.areas_below, changed))
    return frozenset(
        meter.id
        for meter in site.meter
        if not areas.isdisjoint(meter.areas)
        or (meter.removed is not None and before.start <= meter.removed < period.end)
    )


def _span(period: Period) -> tuple[date, date]:
    return period.start, period.end


class _Rating:
    """Rates the figures of scopes."""

    def __init__(
        self,
        inputs: QualityInputs,
        media: Mapping[Medium, MeterConsumption],
        expected: Mapping[Medium, ExpectedAmounts],
        concerns: Sequence[Concern],
        by_day: Mapping[str, Sequence[Completeness]],
        period_days: Sequence[date],
    ) -> None:
        self._inputs = inputs
        self._media = media
        self._expected = expected
        self._concerns = concerns
        self._by_day = by_day
        self._days = period_days
        self._past_days = days(*_span(inputs.period.in_year(inputs.period.year - 1)))
        self._figures = {(one.scope, one.indicator): one for one in inputs.figures}
        self._counted = inputs.rules.counted_flows(inputs.period.year).energy
        self._coal = _coal_factors(inputs)

    def of(self, scope: Scope, figure: RatedFigure) -> QualityResult | None:
        """Return the quality of a figure's data; None if the scope has no meter of the figure."""
        meters = figure_meters(
            scope, self._media, self._expected, self._days, self._counted, self._coal, figure
        )
        if not meters.factors:
            return None
        issues = ranked(
            found
            for finding, share in self._findings(scope, figure, meters)
            if (found := issue(finding, share, meters.expected)) is not None
        )
        parts = part_scores(issues)
        of_scope = completeness.whole(scope.id, self._by_day[scope.id])
        rated = self._figures.get((scope.id, figure))
        return QualityResult(
            scope=scope.id,
            figure=figure,
            period=self._inputs.period.id,
            score=round(sum(part.score for part in parts), 1) if meters.expected > 0 else None,
            parts=parts,
            coverage=None if rated is None else rated.coverage,
            readings=None if of_scope is None else of_scope.share,
            issues=issues,
        )

    def _findings(
        self, scope: Scope, figure: RatedFigure, meters: FigureMeters
    ) -> Iterator[tuple[Finding, float]]:
        """Yield each finding about a figure's data, with the share of the figure it concerns."""
        rated = self._figures.get((scope.id, figure))
        for finding in () if rated is None else rated.findings:
            if not finding.is_of_baseline:
                yield finding, _share(finding, meters)
        for concern in self._concerns:
            if concern.finding.subject in meters.factors:
                yield concern.finding, meters.share(concern.finding.subject, concern.amount)
        for intensity in _INTENSITIES[figure]:
            of_intensity = self._figures.get((scope.id, intensity))
            for finding in () if of_intensity is None else of_intensity.findings:
                if finding.code in _DENOMINATOR_CODES:
                    yield finding, finding.weight or 0.0
        is_water = figure == "water_total"
        quotas = [one for one in self._inputs.quotas if (one.quota.of == "water") == is_water]
        changes = scope_checks.denominator_changes(scope, self._days, self._past_days)
        others = chain(
            (one for one in changes if not (is_water and _is_of(one, "floor_area_m2"))),
            scope_checks.quota_findings(quotas),
            (one for one in self._inputs.published if _is_of(one, *_WATER) == is_water),
        )
        for finding in others:
            if finding.subject == scope.id:
                yield finding, finding.weight or 0.0


def _is_of(finding: Finding, *names: str) -> bool:
    """Return True if a finding about a denominator or an indicator is about one of these."""
    values = dict(finding.values)
    return values.get("denominator", values.get("indicator")) in names


def _coal_factors(inputs: QualityInputs) -> Mapping[Medium, float]:
    """Return the mean coal equivalent of each carrier in the period [kgce per kWh, m3 or GJ]."""
    found: dict[Medium, float] = {}
    for medium in CARRIERS:
        series = factor_series(
            inputs.rules.factors,
            "coal",
            medium,
            convention=inputs.rules.convention,
            division=inputs.site.site.division,
        )
        if series:
            on_days = ordinals(inputs.period.start, inputs.period.end)
            found[medium] = float(daily_factor(series, on_days).values.mean())
    return found


def _share(finding: Finding, meters: FigureMeters) -> float:
    """Return the share of the figure that is missing or wrong by a finding of the figure.

    A doubt without a known limit concerns the whole consumption of the meter.
    """
    if finding.code in MISSING:
        return meters.share(finding.subject, meters.missing.get(finding.subject, 0.0))
    if finding.doubt == 0:
        return 0.0
    if finding.code in _ESTIMATES:
        return _ESTIMATE_DOUBT * (finding.weight or 0.0)
    if finding.weight is not None:
        return finding.weight
    amount = dict(finding.values).get("amount") if finding.code == "after_removal" else None
    return meters.share(finding.subject, amount if isinstance(amount, float) else math.nan)
