"""Compute one medium's part of the inputs of a scope's indicators.

Laws:

1. A medium without any known consumption has no amounts; they are not set to 0.
2. Missing data lower the coverage of the medium, and a finding names the meter. The coverage is the
   share of the period that lies between readings. It does not depend on the number of readings.

Pure: structs in, structs out.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from analytics.counters.consumption import zero_where_unknown
from analytics.figures.boundary.flows import CarbonSource, Flow
from analytics.figures.boundary.formula_exports import export_weights
from analytics.figures.boundary.virtual_meters import operand_weights
from analytics.figures.inputs.medium_findings import (
    balance_findings,
    meter_findings,
    removed_findings,
    rest_findings,
    sub_item_findings,
)
from analytics.figures.inputs.site_period import PeriodMedium, SitePeriod
from analytics.figures.meter_doubts import confirmed_days, medium_doubts
from analytics.figures.period_totals import PeriodTotals, estimated_by_day, period_totals
from analytics.figures.roll_up import Scope, boundary_weights, supply_masks
from analytics.figures.site_consumption import MeterConsumption
from jieneng.metering.findings import Finding
from jieneng.metering.quantities import CARRIERS, Medium
from jieneng.metering.site import Supply

if TYPE_CHECKING:
    from numpy.typing import NDArray


class MediumAmounts(msgspec.Struct, frozen=True):
    """Known consumption of a medium in a scope, in arrays of shape (days,) [kWh, m3 or GJ].

    Attributes:
        amount: the consumption.
        estimated: estimated part of the consumption.
        doubt: largest amount by which the consumption may be wrong, the same on each day; NaN if no
            limit is known.
        missing: estimate of the missing consumption.
        purchased: consumption that counts for carbon, by source.
        estimated_purchased: estimated part of `purchased`.
    """

    amount: "NDArray[np.float64]"
    estimated: "NDArray[np.float64]"
    doubt: "NDArray[np.float64]"
    missing: "NDArray[np.float64]"
    purchased: "Mapping[CarbonSource, NDArray[np.float64]]"
    estimated_purchased: "Mapping[CarbonSource, NDArray[np.float64]]"


class MediumInputs(msgspec.Struct, frozen=True):
    """Part of the inputs of a scope that comes from one medium.

    Attributes:
        coverage: share of the meters' time for which consumption is known, 0 to 1.
        findings: findings about the meters.
        amounts: the amounts; None if nothing is known (law 1).
    """

    coverage: float
    findings: tuple[Finding, ...]
    amounts: MediumAmounts | None


class _Members(msgspec.Struct, frozen=True):
    """The meters of a medium that count in a scope, and those in their formulas.

    Attributes:
        metered: consumption of these meters.
        flows: the flow of each row.
        weight: shape (flows, days), weights in the scope.
    """

    metered: MeterConsumption
    flows: Sequence[Flow]
    weight: "NDArray[np.float64]"


def medium_inputs(of: SitePeriod, medium: Medium, scope: Scope) -> MediumInputs | None:
    """Return a medium's part of a scope's inputs; None if no meter counts in the scope."""
    members = _members(of, of.media[medium], scope)
    if members is None:
        return None
    metered, weight = members.metered, members.weight
    registers = metered.without_exports()
    totals = period_totals(weight, metered, of.media[medium].mean)
    doubt_weight = operand_weights(weight, members.flows, scope.structure.virtual_ranks)
    doubts = medium_doubts(
        of.found,
        registers,
        doubt_weight[: len(registers.meters)],
        totals.scope_amount,
        of.edges_ms,
    )
    findings = (
        *meter_findings(metered.meters, totals, of.coverage_floor),
        *removed_findings(medium, metered, weight),
        *sub_item_findings(scope, of.media[medium], of.days),
        *balance_findings(scope, medium, totals),
        *rest_findings(scope, of.media[medium], of.days[-1], totals.scope_amount),
        *doubts.findings,
    )
    amounts = None
    if np.isfinite(totals.scope_amount):
        amounts = _amounts(of, medium, scope, members, totals, doubts.amount)
    return MediumInputs(totals.scope_coverage, findings, amounts)


def _members(of: SitePeriod, medium: PeriodMedium, scope: Scope) -> _Members | None:
    """Return the meters that count in a scope, and those in their formulas; None for no meter."""
    near = np.array(medium.near[scope.id], dtype=np.int64)
    weight = boundary_weights(
        scope, [medium.flows[row] for row in near], of.days, of.counted.energy
    )
    counts = weight.any(axis=1)
    if not counts.any():
        return None
    own = near[counts]
    rows = _with_operands(own.tolist(), medium)
    of_rows = np.zeros((len(rows), len(of.days)))
    of_rows[np.searchsorted(rows, own)] = weight[counts]
    return _Members(medium.metered.rows(rows), [medium.flows[row] for row in rows], of_rows)


def _with_operands(rows: Sequence[int], medium: PeriodMedium) -> list[int]:
    """Return the given rows, and the rows of the meters in their formulas, ascending."""
    found = set(rows)
    waiting = [medium.flows[row].meter for row in rows]
    while waiting:
        for term in waiting.pop().terms:
            found.update(medium.registers[term.meter])
            waiting.append(medium.flows[medium.registers[term.meter][0]].meter)
    return sorted(found)


def _amounts(
    of: SitePeriod,
    medium: Medium,
    scope: Scope,
    members: _Members,
    totals: PeriodTotals,
    doubt: float,
) -> MediumAmounts:
    """Return the amounts of a medium in a scope."""
    metered, weight = members.metered, members.weight
    known = zero_where_unknown(metered.amount)
    purchased: dict[CarbonSource, NDArray[np.float64]] = {}
    estimated_purchased: dict[CarbonSource, NDArray[np.float64]] = {}
    if medium in CARRIERS:
        of_carbon = boundary_weights(scope, members.flows, of.days, of.counted.carbon)
        if "export" not in of.counted.carbon:
            of_carbon += export_weights(of_carbon, members.flows, of.days, scope.structure)
        for supply, mask in _supplies(scope, medium, members.flows, of.days).items():
            part = of_carbon * mask
            purchased[medium, supply] = (part * known).sum(axis=0)
            is_all = np.array_equal(part, weight)
            spread = totals.estimated if is_all else estimated_by_day(part, metered)
            estimated_purchased[medium, supply] = spread.sum(axis=0)
    in_order = confirmed_days(of.found, metered, of.edges_ms)
    return MediumAmounts(
        amount=(weight * known).sum(axis=0),
        estimated=totals.estimated.sum(axis=0),
        doubt=np.full(len(of.days), doubt / len(of.days)),
        missing=np.where(in_order, 0.0, totals.missing).sum(axis=0),
        purchased=purchased,
        estimated_purchased=estimated_purchased,
    )


def _supplies(
    scope: Scope, medium: Medium, flows: Sequence[Flow], period_days: Sequence[date]
) -> "Mapping[Supply, NDArray[np.bool_]] | Mapping[None, bool]":
    """Return a mask of shape (flows, days) for each class of supply.

    If the medium has no classes, the only key is None.
    """
    return supply_masks(scope, flows, period_days) if medium == "electricity" else {None: True}
