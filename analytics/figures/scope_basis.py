"""Consumption by meter and day -> what one scope's indicators are computed from.

Laws:

1. A medium of which nothing is known is not in the basis: it is not 0.
2. What is missing is said: the coverage of its medium falls, and a finding names the meter.
3. Before a building and its meter were there nothing flowed: what is unknown then is 0, and
   covered. What flowed in an old building before its meter was fitted stays unknown.
4. Denominators are means over the period's days, of the values in force on each.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from analytics.figures.factors import Applied, Kind, by_day
from analytics.figures.figure import FactorSeries
from analytics.figures.indicator_values import Basis
from analytics.figures.interval_series import IntervalSeries, Need
from analytics.figures.roll_up import (
    Scope,
    denominator,
    not_there_yet,
    roll_up,
    shared_areas,
    weights,
)
from analytics.figures.rule_files import Rules
from analytics.periods import Period, days, midnight_ms
from jieneng.metering import schema
from jieneng.metering.findings import Finding
from jieneng.metering.indicators import Denominator
from jieneng.metering.quantities import CARRIERS, CONSUMPTION, MEDIA, QUANTITIES, Medium
from jieneng.metering.site import Site

if TYPE_CHECKING:
    from numpy.typing import NDArray

_NOT_STATED: Final[Mapping[Denominator, str]] = {
    "floor_area_m2": "no_floor_area",
    "headcount": "no_headcount",
}


class Metered(msgspec.Struct, frozen=True):
    """Consumption of a single medium by meter and day, in arrays of shape (meters, days).

    Attributes:
        meters: their ids.
        amount: in the medium's unit; NaN where nothing is known.
        coverage: 0 to 1; 0 where nothing is known.
        estimated: the part of `amount` that was spread over gaps.
    """

    meters: tuple[str, ...]
    amount: "NDArray[np.float64]"
    coverage: "NDArray[np.float64]"
    estimated: "NDArray[np.float64]"


class Measured(msgspec.Struct, frozen=True):
    """The consumption of all meters on the days from `start` on.

    Attributes:
        start: the first local day.
        media: by day, of all meters.
        series: what indicators need beside that, by scope.
    """

    start: date
    media: Mapping[Medium, Metered]
    series: Mapping[Need, Mapping[str, IntervalSeries]] = {}

    def on(self, period: Period) -> "Measured":
        """Only the days of a period, all of which must be there."""
        first = (period.start - self.start).days
        part = slice(first, first + period.days)
        return Measured(
            period.start,
            {
                medium: Metered(
                    of.meters, of.amount[:, part], of.coverage[:, part], of.estimated[:, part]
                )
                for medium, of in self.media.items()
            },
        )


def on_grid(
    times_ms: "NDArray[np.int64]", values: "NDArray[np.float64]", midnights: "NDArray[np.int64]"
) -> "NDArray[np.float64]":
    """A series by day; NaN where it has no point, or one that is of no day of this zone."""
    where = np.searchsorted(midnights, times_ms)
    exact = midnights[where] == times_ms
    column = np.full(len(midnights) - 1, np.nan)
    column[where[exact]] = values[exact]
    return column


def from_rows(
    site: Site, start: date, end: date, rows: "Mapping[tuple[str, str], NDArray[np.float64]]"
) -> Measured:
    """Return the stored consumption of all media on the days from `start` up to `end`.

    Args:
        site: whose meters they are.
        start: the first local day.
        end: the local day after the last.
        rows: stored values by day, by meter and field.
    """
    each = days(start, end)
    media = {
        medium: of_medium(site, medium, each, rows)
        for medium in MEDIA
        if any(meter.medium == medium for meter in site.meter)
    }
    return Measured(start, media)


def of_medium(
    site: Site,
    medium: Medium,
    interval_days: Sequence[date],
    rows: "Mapping[tuple[str, str], NDArray[np.float64]]",
) -> Metered:
    """Return one medium's stored consumption by meter and interval.

    Args:
        site: whose meters they are.
        medium: of the meters.
        interval_days: the local day in which each interval lies.
        rows: stored values by interval, NaN where nothing is, by meter and field.
    """
    nothing = np.full(len(interval_days), np.nan)
    meters = [meter for meter in site.meter if meter.medium == medium]
    amount, coverage, share = (
        np.array([rows.get((meter.id, field), nothing) for meter in meters])
        for field in (CONSUMPTION[medium], schema.COVERAGE, schema.ESTIMATED)
    )
    absent = np.isnan(amount) & np.array(
        [not_there_yet(site, meter, interval_days) for meter in meters]
    )
    amount, coverage = np.where(absent, 0.0, amount), np.where(absent, 1.0, coverage)
    return Metered(
        tuple(meter.id for meter in meters),
        amount,
        np.nan_to_num(coverage),
        np.nan_to_num(np.abs(amount) * share),
    )


def blocks(wanted: "NDArray[np.bool_]") -> list[tuple[int, int]]:
    """Return the runs of wanted neighbours: index of the first, and one past the last."""
    steps = np.diff(wanted.astype(np.int8), prepend=0, append=0)
    return list(
        zip(np.flatnonzero(steps > 0).tolist(), np.flatnonzero(steps < 0).tolist(), strict=True)
    )


class FactorDays(msgspec.Struct, frozen=True):
    """The factors on the days of a period.

    Attributes:
        coal: by energy carrier.
        carbon: by series and energy carrier.
    """

    coal: Mapping[Medium, Applied]
    carbon: Mapping[FactorSeries, Mapping[Medium, Applied]]


def factor_days(rules: Rules, site: Site, period: Period, locked: date) -> FactorDays:
    """The factors of a period: `fixed` is locked at those of one day, `current` is each day's."""
    every = days(period.start, period.end)

    def of(kind: Kind, on: Sequence[date]) -> dict[Medium, Applied]:
        found = {
            medium: by_day(
                rules.factors,
                kind,
                medium,
                convention=rules.convention,
                division=site.site.division,
                days=on,
            )
            for medium in CARRIERS
        }
        return {medium: applied for medium, applied in found.items() if applied is not None}

    fixed = {
        medium: Applied(np.full(len(every), applied.values[0]), applied.findings)
        for medium, applied in of("carbon", [locked]).items()
    }
    return FactorDays(of("coal", every), {"fixed": fixed, "current": of("carbon", every)})


class View(msgspec.Struct, frozen=True, kw_only=True):
    """Basis, coverage and findings of a single scope and period.

    Attributes:
        basis: what its indicators are computed from, carbon factors and series aside.
        spread: the same of the part of the consumption that was spread over gaps.
        series: what indicators need beside the daily sums, as far as the scope has a meter.
        coverage: by medium that has a meter there, 0 to 1.
        by_medium: findings about a medium's meters.
        by_denominator: findings about floor area and headcount.
        of_scope: findings about the scope itself.
    """

    basis: Basis
    spread: Basis
    series: Mapping[Need, IntervalSeries]
    coverage: Mapping[Medium, float]
    by_medium: Mapping[Medium, tuple[Finding, ...]]
    by_denominator: Mapping[Denominator, tuple[Finding, ...]]
    of_scope: tuple[Finding, ...]


def view(
    measured: Measured, period: Period, scope: Scope, site: Site, factors: FactorDays, floor: float
) -> View:
    """A scope on the days of a period; meters covered less than `floor` are named."""
    amount: dict[Medium, NDArray[np.float64]] = {}
    spread: dict[Medium, NDArray[np.float64]] = {}
    coverage: dict[Medium, float] = {}
    by_medium: dict[Medium, tuple[Finding, ...]] = {}
    for medium, metered in measured.on(period).media.items():
        weight = weights(scope, [site.meters[one] for one in metered.meters], site)
        if not weight.any() or period.days == 0:
            continue
        total = _total(metered)
        rolled = roll_up(weight[None, :], *(column[:, None] for column in total))
        coverage[medium] = float(rolled.coverage[0, 0])
        by_medium[medium] = tuple(_meter_findings(metered.meters, weight, total, floor))
        if np.isfinite(rolled.amount[0, 0]):
            amount[medium] = weight @ np.nan_to_num(metered.amount)
            spread[medium] = np.abs(weight) @ metered.estimated
        if rolled.amount[0, 0] < 0:
            balance = float(rolled.amount[0, 0])
            by_medium[medium] += (
                Finding.of(
                    "negative_balance",
                    scope.id,
                    weight=1.0,
                    medium=medium,
                    amount=balance,
                    unit=QUANTITIES[CONSUMPTION[medium]].unit,
                ),
            )
    floor_area, floor_area_findings = _mean(scope, "floor_area_m2", site, period)
    headcount, headcount_findings = _mean(scope, "headcount", site, period)
    coal = {medium: applied.values for medium, applied in factors.coal.items()}
    basis = Basis(
        amount=amount, coal=coal, carbon={}, floor_area_m2=floor_area, headcount=headcount
    )
    return View(
        basis=basis,
        spread=msgspec.structs.replace(basis, amount=spread),
        series={
            need: by_scope[scope.id].between(
                midnight_ms(period.start, site.zone), midnight_ms(period.end, site.zone)
            )
            for need, by_scope in measured.series.items()
            if scope.id in by_scope
        },
        coverage=coverage,
        by_medium=by_medium,
        by_denominator={"floor_area_m2": floor_area_findings, "headcount": headcount_findings},
        of_scope=tuple(Finding.of("shared_area", area) for area in shared_areas(scope, site)),
    )


def _total(
    metered: Metered,
) -> "tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]":
    """Amount, coverage and estimated part of each meter over all days."""
    known = np.isfinite(metered.amount)
    amount = np.where(known, metered.amount, 0.0).sum(axis=1)
    return (
        np.where(known.any(axis=1), amount, np.nan),
        metered.coverage.mean(axis=1),
        metered.estimated.sum(axis=1),
    )


def _meter_findings(
    meters: Sequence[str],
    weight: "NDArray[np.float64]",
    total: "tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]",
    floor: float,
) -> Iterator[Finding]:
    amount, coverage, _ = total
    part = np.abs(weight) * np.abs(np.nan_to_num(amount))
    whole = float(part.sum())
    doubted = (weight != 0) & ((coverage < floor) | np.isnan(amount))
    for number in np.flatnonzero(doubted).tolist():
        if np.isnan(amount[number]):
            yield Finding.of("no_readings", meters[number])
        else:
            share = float(part[number]) / whole if whole > 0 else None
            covered = float(coverage[number])
            yield Finding.of("gap", meters[number], weight=share, coverage=covered)


def _mean(
    scope: Scope, which: Denominator, site: Site, period: Period
) -> tuple[float, tuple[Finding, ...]]:
    """The mean of a denominator over the days on which it is known."""
    by_days = denominator(scope, which, site, days(period.start, period.end))
    known = np.isfinite(by_days)
    mean = float(by_days[known].mean()) if known.any() else math.nan
    if known.any() and known.all():
        return mean, ()
    count = int(known.sum())
    finding = Finding.of(
        _NOT_STATED[which],
        scope.id,
        weight=1 - count / len(known) if len(known) else None,
        known=count,
        days=len(known),
    )
    return mean, (finding,)
