"""Sum the consumption of meters by sub-item, and what no sub-meter measures. Pure.

Laws:

1. A sub-item has what the meters of the item measure, without what a meter of another item below
   them measures. Each kilowatt-hour is in one sub-item at most.
2. The rest of a meter is its own consumption without that of the meters directly below it. It is
   unknown where that of any of them is unknown: the difference would be the missing meter's.
3. A meter that is removed has no rest and belongs to no item; what hung below it hangs higher.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final, Literal, get_args

import msgspec
import numpy as np

from analytics import periods
from analytics.counters.consumption import Consumption
from analytics.figures.lifetime import lifetime
from analytics.figures.roll_up import roll_up, stacked
from analytics.figures.site_structure import DayStructure, SiteStructure
from analytics.periods import Interval
from jieneng.metering.quantities import MEDIA, Medium
from jieneng.metering.site import Item, Meter

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
        indices: numbers of the meters that may take part, in the order of all meters.
    """

    kind: Literal["item", "rest"]
    id: str
    medium: Medium
    indices: tuple[int, ...]


def balance_consumption(
    structure: SiteStructure,
    meters: Sequence[Meter],
    consumption: Sequence[Mapping[Interval, Consumption]],
    grids: "Mapping[Interval, NDArray[np.int64]]",
) -> Iterator[tuple[dict[str, str], dict[Interval, Consumption]]]:
    """Yield tags and consumption of each sub-item and of the rest of each meter with sub-meters.

    Args:
        structure: structure of the site by day.
        meters: all meters of the site.
        consumption: consumption of each meter, in the order of `meters`.
        grids: edges of the intervals [UTC, ms].
    """
    days = {
        interval: periods.interval_days(edges, structure.site.zone)
        for interval, edges in grids.items()
    }
    for balance in _balances(structure, meters, days["day"]):
        members = [meters[index] for index in balance.indices]
        sums: dict[Interval, Consumption] = {}
        for interval, of_days in days.items():
            weights = _weights(balance, members, structure, of_days)
            of_members = stacked(
                [
                    lifetime(structure, meters[index], of_days).applied_to(
                        consumption[index][interval]
                    )
                    for index in balance.indices
                ]
            )
            sums[interval] = _sum(balance, weights, of_members)
        yield {"kind": balance.kind, "scope": balance.id, "medium": balance.medium}, sums


def _balances(
    structure: SiteStructure, meters: Sequence[Meter], days: "Sequence[date]"
) -> Iterator[Balance]:
    """Yield the sub-items and rests of which a meter takes part on any of the days."""
    numbers = {meter.id: index for index, meter in enumerate(meters)}
    children: dict[str, set[int]] = {}
    for _, on_days in structure.spans(days):
        for meter_id, place in on_days.places.items():
            if place.parent is not None and meter_id in numbers:
                children.setdefault(place.parent, set()).add(numbers[meter_id])
    for medium in MEDIA:
        items = {m.item for m in meters if m.medium == medium and m.item is not None}
        itemed = tuple(i for i, m in enumerate(meters) if m.medium == medium and m.item)
        for item in _ITEMS:
            if item in items:
                yield Balance("item", item, medium, itemed)
        for meter in meters:
            if meter.medium == medium and meter.role == "consumption" and meter.id in children:
                below = sorted(children[meter.id])
                yield Balance("rest", meter.id, medium, (numbers[meter.id], *below))


def _weights(
    balance: Balance, members: Sequence[Meter], structure: SiteStructure, days: "Sequence[date]"
) -> "NDArray[np.float64]":
    """Return the sign of each member on each day; shape (members, days)."""
    weight = np.zeros((len(members), len(days)))
    for span, on_days in structure.spans(days):
        for number, meter in enumerate(members):
            if balance.kind == "item":
                weight[number, span] = _item_sign(balance.id, meter, on_days, structure)
            else:
                weight[number, span] = _rest_sign(balance.id, meter, on_days)
    return weight


def _item_sign(item: str, meter: Meter, on_days: DayStructure, structure: SiteStructure) -> float:
    """Return +1 for a meter of the item, -1 for one of another item directly below such a meter."""
    above = on_days.places[meter.id].parent
    while above is not None and structure.site.meters[above].item is None:
        above = on_days.places[above].parent
    nearest = None if above is None else structure.site.meters[above].item
    return float(meter.item == item) - float(nearest == item)


def _rest_sign(top: str, meter: Meter, on_days: DayStructure) -> float:
    """Return +1 for the meter itself and -1 for one directly below it; generation adds to it."""
    if meter.id == top:
        return 1.0
    if on_days.places[meter.id].parent != top:
        return 0.0
    return 1.0 if meter.role == "generation" else -1.0


def _sum(balance: Balance, weights: "NDArray[np.float64]", members: Consumption) -> Consumption:
    total = roll_up(weights, members)
    if balance.kind == "item":
        return total
    is_unknown = (np.isnan(members.amount) & (weights != 0)).any(axis=0)
    return msgspec.structs.replace(total, amount=np.where(is_unknown, np.nan, total.amount))
