"""Divide the daily consumption of scopes into sub-items, and a part without a sub-item. Pure.

Laws:

1. The consumption of a scope is the sum of its sub-items and of the part without one. So each
   kilowatt-hour of a scope is in exactly one of them.
2. A meter without a sub-item has the sub-item of the nearest meter above it that has one.
3. Energy that leaves a scope through a meter, for example to a shop that is let out, is deducted
   from the sub-item of the meter above that meter. Generation and export have no sub-item.
4. A virtual meter that is only shown adds to its sub-item. The same amount is deducted from the
   part without a sub-item, which contains the meters of its formula.
5. If a meter of the part without a sub-item is unknown, the part is unknown.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final, get_args

import msgspec
import numpy as np

from analytics import periods
from analytics.counters.consumption import Consumption
from analytics.figures.boundary.flows import Flow, FlowKind
from analytics.figures.boundary.lifetime import Begins, lifetime
from analytics.figures.boundary.site_structure import DayStructure, SiteStructure
from analytics.figures.roll_up import (
    Scope,
    boundary_weights,
    counted_areas,
    roll_up,
    scope_rows,
    stacked,
)
from analytics.periods import Interval
from jieneng.metering import schema
from jieneng.metering.quantities import MEDIA
from jieneng.metering.site import Item

if TYPE_CHECKING:
    from datetime import date

    from numpy.typing import NDArray

_ITEMS: Final[tuple[Item, ...]] = get_args(Item)


def sub_item_consumption(
    scopes: Sequence[Scope],
    flows: Sequence[Flow],
    consumption: Sequence[Mapping[Interval, Consumption]],
    grids: "Mapping[Interval, NDArray[np.int64]]",
    counted: frozenset[FlowKind],
    begins: Begins,
) -> Iterator[tuple[dict[str, str], dict[Interval, Consumption]]]:
    """Yield (tags, consumption) of the sub-items of each scope by day, and of the part without one.

    For scopes without a sub-item, there are no such series.

    Args:
        scopes: scopes of the site.
        flows: flows that the registers of all meters of the site count.
        consumption: consumption of each flow, in the order of `flows`.
        grids: edges of the intervals [UTC, ms]; only the days are used.
        counted: kinds of flows that count.
        begins: first days of generation and export.
    """
    structure = scopes[0].structure
    days = periods.interval_days(grids["day"], structure.site.zone)
    for medium in MEDIA:
        indices = [index for index, flow in enumerate(flows) if flow.meter.medium == medium]
        of_medium = [flows[index] for index in indices]
        if not any(flow.meter.item for flow in of_medium):
            continue
        by_day = [
            lifetime(structure, flow, days, begins).applied_to(consumption[index]["day"])
            for index, flow in zip(indices, of_medium, strict=True)
        ]
        for scope, rows in zip(scopes, scope_rows(scopes, of_medium, days), strict=True):
            weights = sub_item_weights(scope, [of_medium[row] for row in rows], days, counted)
            if any(weights[item].any() for item in _ITEMS):
                for kind, weight in weights.items():
                    if weight.any():
                        tags = {"kind": kind, "scope": scope.id, "medium": medium}
                        yield tags, {"day": _sum(kind, weight, [by_day[row] for row in rows])}


def sub_item_weights(
    scope: Scope, flows: Sequence[Flow], days: "Sequence[date]", counted: frozenset[FlowKind]
) -> "dict[str, NDArray[np.float64]]":
    """Return the weight of each flow in each sub-item of a scope, and in the part without one.

    Args:
        scope: the scope.
        flows: flows of the registers of one medium.
        days: ascending local days.
        counted: kinds of flows that count; others have weight 0.

    Returns:
        Arrays of shape (flows, days), by `Item` and `schema.NO_ITEM`.
    """
    weights = {item: np.zeros((len(flows), len(days))) for item in _ITEMS}
    for span, on_days in scope.structure.spans(days):
        areas = counted_areas(scope, on_days)
        for number, flow in enumerate(flows):
            if flow.kind != "purchase" or flow.kind not in counted:
                continue
            place = on_days.places[flow.meter.id]
            own = _item_inside(flow.meter.id, areas, scope.structure, on_days)
            above = _item_inside(place.parent, areas, scope.structure, on_days)
            if own is not None:
                weights[own][number, span] += 1.0
            if above is not None:
                weights[above][number, span] -= 1.0
    whole = boundary_weights(scope, flows, days, counted)
    without: NDArray[np.float64] = whole - sum(weights.values())
    return {**{str(item): weight for item, weight in weights.items()}, schema.NO_ITEM: without}


def _item_inside(
    meter_id: str | None, areas: frozenset[str], structure: SiteStructure, on_days: DayStructure
) -> Item | None:
    """Return the sub-item of a meter (law 2); None if it has none, or lies outside of the areas."""
    place = on_days.places.get(meter_id or "")
    if meter_id is None or place is None or place.area not in areas or not place.counts:
        return None
    above: str | None = meter_id
    while above is not None and structure.site.meters[above].item is None:
        above = on_days.places[above].parent
    return None if above is None else structure.site.meters[above].item


def _sum(kind: str, weight: "NDArray[np.float64]", by_day: Sequence[Consumption]) -> Consumption:
    """Return the sum of flows with their weights (law 5)."""
    rows = np.flatnonzero(weight.any(axis=1)).tolist()
    members, weight = stacked([by_day[row] for row in rows]), weight[rows]
    total = roll_up(weight, members)
    if kind != schema.NO_ITEM:
        return total
    is_unknown = (np.isnan(members.amount) & (weight != 0)).any(axis=0)
    return msgspec.structs.replace(total, amount=np.where(is_unknown, np.nan, total.amount))
