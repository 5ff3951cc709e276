"""Compute the consumption of sub-items, and the consumption that no sub-meter measures. Pure.

Laws:

1. The consumption of a sub-item (for example lighting) is the sum of its meters, minus the meters
   of other sub-items directly below them. So each kilowatt-hour is counted in at most one sub-item.
2. The rest of a meter is the energy behind it that no meter directly below it measures. Counted as
   inflow are the meter itself, generation behind it, and export of meters below it. Counted as
   outflow are the meters below it and its own export. If any of these is unknown, the rest is
   unknown.
3. A removed meter has no rest and belongs to no sub-item. The meters below it then belong to the
   meter above it.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final, Literal, get_args

import msgspec
import numpy as np

from analytics import periods
from analytics.counters.consumption import Consumption
from analytics.figures.boundary.flows import Flow
from analytics.figures.boundary.lifetime import Begins, living_consumption
from analytics.figures.boundary.site_structure import DayStructure, SiteStructure
from analytics.figures.roll_up import roll_up, stacked
from analytics.periods import Interval
from jieneng.metering.quantities import MEDIA, Medium
from jieneng.metering.site import Item

if TYPE_CHECKING:
    from datetime import date

    from numpy.typing import NDArray

_ITEMS: Final[tuple[Item, ...]] = get_args(Item)


class Balance(msgspec.Struct, frozen=True):
    """A sub-item or a rest: a sum of flows with signs that follow from the meter tree.

    Attributes:
        kind: `item` or `rest`.
        id: id of the sub-item, or of the meter to which the rest belongs.
        medium: the medium.
        indices: indices of the flows that may be part of the sum.
    """

    kind: Literal["item", "rest"]
    id: str
    medium: Medium
    indices: tuple[int, ...]


def balance_consumption(
    structure: SiteStructure,
    flows: Sequence[Flow],
    consumption: Sequence[Mapping[Interval, Consumption]],
    grids: "Mapping[Interval, NDArray[np.int64]]",
    begins: Begins,
) -> Iterator[tuple[dict[str, str], dict[Interval, Consumption]]]:
    """Yield (tags, consumption) of each sub-item, and of the rest of each meter with sub-meters.

    Args:
        structure: structure of the site by day.
        flows: flows that the registers of all meters of the site count.
        consumption: consumption of each flow, in the order of `flows`.
        grids: edges of the intervals [UTC, ms].
        begins: first days of generation and export.
    """
    days = {
        interval: periods.interval_days(edges, structure.site.zone)
        for interval, edges in grids.items()
    }
    living = living_consumption(structure, flows, consumption, days, begins)
    for balance in _balances(structure, flows, days["day"]):
        members = [flows[index] for index in balance.indices]
        sums: dict[Interval, Consumption] = {}
        for interval, of_days in days.items():
            weights = _weights(balance, members, structure, of_days)
            of_members = stacked([living[index][interval] for index in balance.indices])
            sums[interval] = _sum(balance, weights, of_members)
        yield {"kind": balance.kind, "scope": balance.id, "medium": balance.medium}, sums


def _balances(
    structure: SiteStructure, flows: Sequence[Flow], days: "Sequence[date]"
) -> Iterator[Balance]:
    """Yield the sub-items and rests that have at least one meter on any of the days."""
    numbers: dict[str, list[int]] = {}
    for index, flow in enumerate(flows):
        numbers.setdefault(flow.meter.id, []).append(index)
    below: dict[str, set[int]] = {}
    for _, on_days in structure.spans(days):
        for meter_id, place in on_days.places.items():
            if place.parent is not None:
                below.setdefault(place.parent, set()).update(numbers.get(meter_id, ()))
    purchases = [(index, flow.meter) for index, flow in enumerate(flows) if flow.kind == "purchase"]
    for medium in MEDIA:
        itemed = [(index, m) for index, m in purchases if m.medium == medium and m.item]
        for item in _ITEMS:
            if any(meter.item == item for _, meter in itemed):
                yield Balance("item", item, medium, tuple(index for index, _ in itemed))
        for _, meter in purchases:
            if meter.medium == medium and below.get(meter.id):
                indices = (*numbers[meter.id], *sorted(below[meter.id]))
                yield Balance("rest", meter.id, medium, indices)


def _weights(
    balance: Balance, members: Sequence[Flow], structure: SiteStructure, days: "Sequence[date]"
) -> "NDArray[np.float64]":
    """Return the sign of each flow on each day, shape (members, days); 0 if it is not part."""
    weight = np.zeros((len(members), len(days)))
    for span, on_days in structure.spans(days):
        for number, flow in enumerate(members):
            if balance.kind == "item":
                weight[number, span] = _item_sign(balance.id, flow, on_days, structure)
            else:
                weight[number, span] = rest_sign(balance.id, flow, on_days)
    return weight


def _item_sign(item: str, flow: Flow, on_days: DayStructure, structure: SiteStructure) -> float:
    """Return +1 for a meter of the item, -1 for a meter of another item directly below one."""
    above = on_days.places[flow.meter.id].parent
    while above is not None and structure.site.meters[above].item is None:
        above = on_days.places[above].parent
    nearest = None if above is None else structure.site.meters[above].item
    return float(flow.meter.item == item) - float(nearest == item)


def rest_sign(top: str, flow: Flow, on_days: DayStructure) -> float:
    """Return +1 for an inflow behind the meter `top`, -1 for an outflow, 0 for others (law 2)."""
    if flow.meter.id == top:
        return -1.0 if flow.is_export else 1.0
    if on_days.places[flow.meter.id].parent != top:
        return 0.0
    return 1.0 if flow.is_export or flow.kind == "generation" else -1.0


def _sum(balance: Balance, weights: "NDArray[np.float64]", members: Consumption) -> Consumption:
    """Return the sum of the flows; a rest is unknown if one of its flows is unknown (law 2)."""
    total = roll_up(weights, members)
    if balance.kind == "item":
        return total
    is_unknown = (np.isnan(members.amount) & (weights != 0)).any(axis=0)
    return msgspec.structs.replace(total, amount=np.where(is_unknown, np.nan, total.amount))
