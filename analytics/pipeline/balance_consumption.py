"""Sum the consumption of meters by sub-item, and what no sub-meter measures. Pure.

Laws:

1. A sub-item has what the meters of the item measure, without what a meter of another item below
   them measures. Each kilowatt-hour is in one sub-item at most.
2. The rest of a meter is what enters behind it and no meter directly below it measures: what it
   measures, and what is generated there or comes back from below, less what goes out. The rest is
   unknown where any of these is unknown: the difference would be the missing meter's.
3. A meter that is removed has no rest and belongs to no item; what hung below it hangs higher.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final, Literal, get_args

import msgspec
import numpy as np

from analytics import periods
from analytics.counters.consumption import Consumption
from analytics.figures.boundary.flows import Flow
from analytics.figures.boundary.lifetime import Begins, lifetime
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
    """A sum of meters with signs that follow from the meter tree.

    Attributes:
        kind: `item` or `rest`.
        id: id of the sub-item, or of the meter whose rest it is.
        medium: the medium.
        indices: numbers of the flows that may take part, in the order of all flows.
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
    """Yield tags and consumption of each sub-item and of the rest of each meter with sub-meters.

    Args:
        structure: structure of the site by day.
        flows: what the registers of all meters of the site count.
        consumption: consumption of each flow, in the order of `flows`.
        grids: edges of the intervals [UTC, ms].
        begins: first days of generation and export.
    """
    days = {
        interval: periods.interval_days(edges, structure.site.zone)
        for interval, edges in grids.items()
    }
    for balance in _balances(structure, flows, days["day"]):
        members = [flows[index] for index in balance.indices]
        sums: dict[Interval, Consumption] = {}
        for interval, of_days in days.items():
            weights = _weights(balance, members, structure, of_days)
            of_members = stacked(
                [
                    lifetime(structure, flows[index], of_days, begins).applied_to(
                        consumption[index][interval]
                    )
                    for index in balance.indices
                ]
            )
            sums[interval] = _sum(balance, weights, of_members)
        yield {"kind": balance.kind, "scope": balance.id, "medium": balance.medium}, sums


def _balances(
    structure: SiteStructure, flows: Sequence[Flow], days: "Sequence[date]"
) -> Iterator[Balance]:
    """Yield the sub-items and rests of which a meter takes part on any of the days."""
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
    """Return the sign of each member on each day; shape (members, days)."""
    weight = np.zeros((len(members), len(days)))
    for span, on_days in structure.spans(days):
        for number, flow in enumerate(members):
            if balance.kind == "item":
                weight[number, span] = _item_sign(balance.id, flow, on_days, structure)
            else:
                weight[number, span] = _rest_sign(balance.id, flow, on_days)
    return weight


def _item_sign(item: str, flow: Flow, on_days: DayStructure, structure: SiteStructure) -> float:
    """Return +1 for a meter of the item, -1 for one of another item directly below such a meter."""
    above = on_days.places[flow.meter.id].parent
    while above is not None and structure.site.meters[above].item is None:
        above = on_days.places[above].parent
    nearest = None if above is None else structure.site.meters[above].item
    return float(flow.meter.item == item) - float(nearest == item)


def _rest_sign(top: str, flow: Flow, on_days: DayStructure) -> float:
    """Return +1 for what enters behind the meter `top`, -1 for what leaves to below or outside."""
    if flow.meter.id == top:
        return -1.0 if flow.is_export else 1.0
    if on_days.places[flow.meter.id].parent != top:
        return 0.0
    return 1.0 if flow.is_export or flow.kind == "generation" else -1.0


def _sum(balance: Balance, weights: "NDArray[np.float64]", members: Consumption) -> Consumption:
    """Return the sum of the members; a rest is unknown where a member is (law 2)."""
    total = roll_up(weights, members)
    if balance.kind == "item":
        return total
    is_unknown = (np.isnan(members.amount) & (weights != 0)).any(axis=0)
    return msgspec.structs.replace(total, amount=np.where(is_unknown, np.nan, total.amount))
