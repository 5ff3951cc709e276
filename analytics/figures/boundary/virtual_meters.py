"""Compute the consumption of virtual meters from that of the meters in their formulas. Pure.

Laws:

1. Amount = sum of factor x amount. If the amount of a meter in the formula is unknown, so is the
   result: unknown is never 0. The amount of a bidirectional meter is its net energy: what came in
   less what went out.
2. Coverage and the known share of the time are the smallest of the meters in the formula. Estimated
   amounts are added without their signs, because errors do not cancel.
3. A meter in the formula that does not exist on a day has the consumption 0 (`lifetime`).
4. A result below 0 is kept, and there is a finding for its day if it is known throughout and is not
   explained by estimated amounts or by exported energy: a meter, its ratio or the formula is wrong.
5. The doubts about a meter in a formula are doubts about the result, multiplied by the factor.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from graphlib import TopologicalSorter
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from analytics.counters.consumption import Consumption
from analytics.counters.register_finding import RegisterFinding
from analytics.figures.boundary.flows import Flow
from jieneng.metering.findings import Finding
from jieneng.metering.site import Meter, Site

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Smallest negative amount that is a finding, as a share of the amounts in the formula. Smaller
#: ones come from the registers' last digits.
_LEAST_NEGATIVE: Final = 0.001


def virtual_meters(site: Site) -> list[Meter]:
    """Return the virtual meters of a site, each after those in its own formula."""
    terms = {
        meter.id: [term.meter for term in meter.terms] for meter in site.meter if meter.formula
    }
    order = TopologicalSorter(terms).static_order()
    return [site.meters[meter_id] for meter_id in order if meter_id in terms]


def operands_read(site: Site, meter_ids: Iterable[str]) -> list[Meter]:
    """Return the meters that are read and from which some meters are computed, each once.

    A meter that is read itself is among them.
    """
    found: dict[str, Meter] = {}
    waiting = list(meter_ids)
    while waiting:
        meter = site.meters[waiting.pop(0)]
        if meter.formula is None:
            found[meter.id] = meter
        waiting += [term.meter for term in meter.terms]
    return list(found.values())


def virtual_consumption(meter: Meter, operands: Mapping[str, Consumption]) -> Consumption:
    """Return the consumption of a virtual meter (laws 1 and 2).

    Args:
        meter: the virtual meter.
        operands: consumption of the meters in its formula, by id, on the days on which they exist.
    """
    return _weighted_sum(
        [term.factor for term in meter.terms], [operands[term.meter] for term in meter.terms]
    )


def net_consumption(entering: Consumption, leaving: Consumption) -> Consumption:
    """Return what a bidirectional meter measured: what came in less what went out (law 1)."""
    return _weighted_sum([1.0, -1.0], [entering, leaving])


def exported_amount(
    meter: Meter, exported: "Mapping[str, NDArray[np.float64]]"
) -> "NDArray[np.float64] | None":
    """Return the exported energy that a virtual meter contains; None if it contains none.

    Args:
        meter: the virtual meter.
        exported: exported energy of the meters in its formula that have any.
    """
    parts = [
        term.factor * exported[term.meter]
        for term in meter.terms
        if term.meter in exported and term.factor > 0
    ]
    return np.sum(parts, axis=0) if parts else None


def _weighted_sum(weights: Sequence[float], members: Sequence[Consumption]) -> Consumption:
    """Return the sum of consumption with weights, by interval (laws 1 and 2)."""
    factors = np.array(weights)
    columns = zip(*map(msgspec.structs.astuple, members), strict=True)
    amount, coverage, estimated, bounded, spread_start, spread_end = map(np.array, columns)
    size = np.abs(factors)
    return Consumption(
        factors @ amount,
        coverage.min(axis=0),
        size @ estimated,
        bounded.min(axis=0),
        size @ spread_start,
        size @ spread_end,
    )


def negative_findings(
    meter: Meter,
    by_day: Consumption,
    operands: Mapping[str, Consumption],
    exported: "NDArray[np.float64] | None",
    midnights_ms: "NDArray[np.int64]",
) -> Iterator[RegisterFinding]:
    """Yield a finding for each day on which a virtual meter is below 0 (law 4).

    Args:
        meter: the virtual meter.
        by_day: its consumption by day.
        operands: consumption by day of the meters in its formula.
        exported: exported energy that it contains, by day; None if there is none.
        midnights_ms: shape (days + 1,), edges of the days [UTC, ms].
    """
    whole = sum(abs(term.factor) * np.abs(operands[term.meter].amount) for term in meter.terms)
    room = by_day.estimated + by_day.spread_start + by_day.spread_end + _LEAST_NEGATIVE * whole
    if exported is not None:
        room = room + exported
    is_negative = (by_day.amount < -room) & (by_day.bounded >= 1)
    for day in np.flatnonzero(is_negative).tolist():
        amount = float(by_day.amount[day])
        yield RegisterFinding(
            Finding.of("negative_formula", meter.id, amount=amount),
            int(midnights_ms[day]),
            int(midnights_ms[day + 1]),
            doubt=-amount,
        )


def operand_weights(
    weight: "NDArray[np.float64]", flows: Sequence[Flow], ranks: Mapping[str, int]
) -> "NDArray[np.float64]":
    """Return the weights with which doubts about the flows count in a scope (law 5).

    The weight of a virtual meter is passed on to the meters in its formula.

    Args:
        weight: shape (flows, days), weights of flows in a scope.
        flows: the flows.
        ranks: ranks of the virtual meters (`SiteStructure.virtual_ranks`).
    """
    rows = {flow.meter.id: row for row, flow in enumerate(flows) if not flow.is_export}
    passed_on = weight.copy()
    virtual = [flow.meter for flow in flows if flow.meter.id in ranks]
    for meter in sorted(virtual, key=lambda one: ranks[one.id], reverse=True):
        for term in meter.terms:
            passed_on[rows[term.meter]] += term.factor * passed_on[rows[meter.id]]
    return passed_on
