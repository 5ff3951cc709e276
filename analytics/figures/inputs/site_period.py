"""Prepare the consumption of a period once for all scopes. Pure."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from analytics.figures.area_history.area_changes import AreaMeters, first_day
from analytics.figures.balances.parent_balance import (
    TOLERANCE_PCT,
    ParentBalance,
    parent_balances,
)
from analytics.figures.boundary.flows import CountedFlows, Flow
from analytics.figures.boundary.site_structure import SiteStructure
from analytics.figures.inputs.period_factors import PeriodFactors
from analytics.figures.meter_doubts import PeriodFindings, period_findings
from analytics.figures.period_totals import mean_of_meters
from analytics.figures.roll_up import Scope, scope_rows
from analytics.figures.site_consumption import MeterConsumption, SiteConsumption
from analytics.periods import Period, days, edges_ms
from jieneng.metering.quantities import Medium

if TYPE_CHECKING:
    from datetime import date

    import numpy as np
    from numpy.typing import NDArray


class PeriodMedium(msgspec.Struct, frozen=True):
    """The meters of a medium in a period.

    Attributes:
        metered: consumption of all meters on the days of the period.
        flows: the flow of each row.
        registers: rows of each meter's registers, by meter id.
        near: rows that may count in a scope, ascending, by scope id.
        mean: mean consumption of the known meters.
        negative: balances with a negative rest, each with its place in the order of the meters, by
            area.
    """

    metered: MeterConsumption
    flows: Sequence[Flow]
    registers: Mapping[str, Sequence[int]]
    near: Mapping[str, Sequence[int]]
    mean: float
    negative: Mapping[str, Sequence[tuple[int, ParentBalance]]]


class SitePeriod(msgspec.Struct, frozen=True):
    """Inputs that all scopes have in common in a period.

    Attributes:
        period: the period.
        consumption: consumption of all meters, on the period's days and possibly on more days.
        media: consumption on the period's days, by medium.
        days: the days of the period.
        edges_ms: shape (days + 1,), midnights of the period [UTC, ms].
        factors: factors on the days of the period.
        coverage_floor: coverage below which there is a finding about a meter, 0 to 1.
        found: findings about the meters in the period.
        counted: flows that count as energy, and flows that count for carbon.
        begins: day on which each area begins, by id; None if it exists on the first day.
    """

    period: Period
    consumption: SiteConsumption
    media: Mapping[Medium, PeriodMedium]
    days: "Sequence[date]"
    edges_ms: "NDArray[np.int64]"
    factors: PeriodFactors
    coverage_floor: float
    found: PeriodFindings
    counted: CountedFlows
    begins: "Mapping[str, date | None]"


def site_period(
    scopes: Sequence[Scope],
    consumption: SiteConsumption,
    period: Period,
    factors: PeriodFactors,
    coverage_floor: float,
    counted: CountedFlows,
) -> SitePeriod:
    """Return a period of a site.

    Args:
        scopes: the scopes whose inputs are wanted; at least one.
        consumption: consumption of all meters, on the period's days and possibly on more days.
        period: the period.
        factors: factors on the days of the period.
        coverage_floor: coverage below which there is a finding about a meter, 0 to 1.
        counted: flows that count as energy, and flows that count for carbon.
    """
    structure = scopes[0].structure
    period_days = days(period.start, period.end)
    negative = _negative_balances(structure, consumption, period, coverage_floor)
    media = {}
    for medium, metered in consumption.days_of(period).items():
        flows = metered.flows(structure.site)
        near = scope_rows(scopes, flows, period_days)
        registers: dict[str, list[int]] = {}
        for row, flow in enumerate(flows):
            registers.setdefault(flow.meter.id, []).append(row)
        media[medium] = PeriodMedium(
            metered,
            flows,
            registers,
            {scope.id: rows for scope, rows in zip(scopes, near, strict=True)},
            mean_of_meters(metered),
            negative.get(medium, {}),
        )
    meters = AreaMeters(structure.site)
    return SitePeriod(
        period,
        consumption,
        media,
        period_days,
        edges_ms(period.start, period.end, "day", structure.site.zone),
        factors,
        coverage_floor,
        period_findings(consumption.findings, period, structure.site),
        counted,
        {area.id: first_day(meters, area, period.start) for area in structure.site.area},
    )


def _negative_balances(
    structure: SiteStructure, consumption: SiteConsumption, period: Period, coverage_floor: float
) -> dict[Medium, dict[str, list[tuple[int, ParentBalance]]]]:
    """Return the balances with a negative rest, by medium and by the last area of the meter."""
    if not period.days:
        return {}
    found: dict[Medium, dict[str, list[tuple[int, ParentBalance]]]] = {}
    balances = parent_balances(structure, consumption, period, TOLERANCE_PCT, coverage_floor)
    for number, balance in enumerate(balances):
        if balance.status == "negative":
            area = structure.site.meters[balance.meter].last_area
            found.setdefault(balance.medium, {}).setdefault(area, []).append((number, balance))
    return found
