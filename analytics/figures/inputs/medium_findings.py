"""Find doubts and remarks about the meters of a medium in a scope. Pure."""

from collections.abc import Iterator, Sequence
from datetime import date
from typing import TYPE_CHECKING, Final

import numpy as np

from analytics.counters.consumption import zero_where_unknown
from analytics.figures.balances.parent_balance import rest_finding
from analytics.figures.inputs.site_period import PeriodMedium
from analytics.figures.period_totals import PeriodTotals
from analytics.figures.roll_up import Scope, counted_areas
from analytics.figures.site_consumption import MeterConsumption
from jieneng.metering.findings import Finding
from jieneng.metering.quantities import CONSUMPTION, QUANTITIES, Medium

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Smallest estimated share of a meter's consumption for which there is a finding.
_LEAST_ESTIMATED: Final = 0.005
#: Smallest share of a meter's time without known consumption for which there is a finding.
_LEAST_MISSING: Final = 0.005


def meter_findings(
    meters: Sequence[str], totals: PeriodTotals, coverage_floor: float
) -> Iterator[Finding]:
    """Yield the findings about missing readings of each meter of the scope.

    Unknown consumption gives a warning. Known consumption that was distributed over a gap gives
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


def removed_findings(
    medium: Medium, metered: MeterConsumption, weight: "NDArray[np.float64]"
) -> Iterator[Finding]:
    """Yield a finding for each meter of the scope with consumption after its removal."""
    left_out = (np.abs(weight) * np.abs(metered.left_out)).sum(axis=1)
    unit = QUANTITIES[CONSUMPTION[medium]].unit
    for index in np.flatnonzero(left_out).tolist():
        amount = float(left_out[index])
        yield Finding.of("after_removal", metered.meters[index], amount=amount, unit=unit)


def sub_item_findings(
    scope: Scope, medium: PeriodMedium, period_days: Sequence[date]
) -> Iterator[Finding]:
    """Yield a finding for each sub-item meter without a parent, if the scope has a main meter."""
    found: dict[str, str] = {}
    near = [medium.flows[row] for row in medium.near[scope.id]]
    for _, structure in scope.structure.spans(period_days):
        areas = counted_areas(scope, structure)
        for meter in (flow.meter.id for flow in near if not flow.is_export):
            place = structure.places[meter]
            main = structure.places.get(place.parent or "")
            if place.is_implied and place.area in areas and main and main.area in areas:
                found[meter] = str(place.parent)
    for meter_id, main_id in found.items():
        yield Finding.of("sub_item_not_added", meter_id, main=main_id)


def balance_findings(scope: Scope, medium: Medium, totals: PeriodTotals) -> Iterator[Finding]:
    """Yield a finding if the deducted meters measured more than the meters above them."""
    balance = totals.scope_amount
    if balance < 0:
        unit = QUANTITIES[CONSUMPTION[medium]].unit
        yield Finding.of(
            "negative_balance", scope.id, weight=1.0, medium=medium, amount=balance, unit=unit
        )


def rest_findings(
    scope: Scope, medium: PeriodMedium, last_day: date, scope_amount: float
) -> Iterator[Finding]:
    """Yield a finding for each meter of the scope whose sub-meters measure more than the meter."""
    areas = counted_areas(scope, scope.structure.on(last_day))
    balances = sorted(one for area in areas for one in medium.negative.get(area, ()))
    for _, balance in balances:
        finding = rest_finding(balance, scope_amount)
        if finding is not None:
            yield finding
