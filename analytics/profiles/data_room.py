"""Compute the PUE of data rooms: total electricity, divided by that of the IT equipment. Pure.

Laws:

1. An IT meter is an electricity meter with the sub-item `special` in the data room, below another
   meter of the data room. If such a meter is below another one, only the upper one counts.
2. Without an IT meter, the PUE is unknown.
3. Only days count on which the consumption of all these meters is known from readings.

Source: GB/T 32910.3-2016, which defines the ratio (EEUE) over a year and measures the IT equipment
at the output of the UPS or closer to it.
"""

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from analytics.calendar.hour_grid import FULL
from jieneng.metering.site import Meter

if TYPE_CHECKING:
    from datetime import date

    from analytics.counters.consumption import Consumption
    from analytics.figures.roll_up import Scope


def is_data_room(scope: "Scope") -> bool:
    """Return True for an area of the kind `data_room`."""
    areas = scope.structure.site.areas
    return scope.kind == "area" and areas[scope.id].kind == "data_room"


def it_meters(scope: "Scope", day: "date") -> list[Meter]:
    """Return the IT meters of a data room on a day (law 1)."""
    inside = {one.id: one for one in scope.structure.site.meter if one.area_on(day) in scope.areas}
    places = scope.structure.on(day).places

    def above(meter: Meter) -> Iterator[Meter]:
        """Yield the meters of the data room above a meter, nearest first."""
        seen = {meter.id}
        while (parent := inside.get(places[meter.id].parent or "")) and parent.id not in seen:
            seen.add(parent.id)
            yield parent
            meter = parent

    def is_it(meter: Meter) -> bool:
        kind = meter.medium, meter.role, meter.item
        return kind == ("electricity", "consumption", "special") and any(above(meter))

    return [one for one in inside.values() if is_it(one) and not any(map(is_it, above(one)))]


def pue(total: "Consumption", equipment: "Consumption") -> tuple[float, float]:
    """Return the PUE and its coverage, the share of days that count.

    Args:
        total: consumption of the data room by day, shape (days,) [kWh].
        equipment: consumption of its IT meters by day, shape (days,) [kWh].

    Returns:
        The PUE, NaN if the IT meters counted nothing; and the coverage, 0 to 1.
    """
    is_known = np.isfinite(total.amount) & np.isfinite(equipment.amount)
    is_known &= (total.bounded >= FULL) & (equipment.bounded >= FULL)
    if not is_known.any():
        return math.nan, 0.0
    of_it = float(equipment.amount[is_known].sum())
    ratio = float(total.amount[is_known].sum()) / of_it if of_it > 0 else math.nan
    return ratio, float(is_known.mean())
