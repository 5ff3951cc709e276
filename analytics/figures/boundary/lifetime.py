"""Find the days on which a meter has no consumption, because it or its area does not exist.

Laws:

1. Before a building and its meter exist, consumption that is not stored is 0. If the building
   exists and the meter does not, consumption is unknown, except on days on which the meter that it
   replaced was in its place (`MeterSuccessors`): this one has the consumption. Generation and
   export are 0 before their meter is installed or first read, because a generating plant always
   gets a meter when it is built.
2. After a meter was removed, its consumption is 0. If consumption is stored for this time, there is
   a finding: the readings are wrong, or the date of removal is.
3. After an area was closed, consumption that is not stored is 0. Stored consumption counts, because
   an empty building may still consume energy.
4. On the day of a removal or closing, readings end during the day, and those of a successor begin.
   If any consumption is stored for this day, the day counts as fully covered.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

import msgspec
import numpy as np

from analytics.counters.consumption import Consumption
from analytics.figures.boundary.flows import Flow
from analytics.figures.boundary.site_structure import SiteStructure
from jieneng.metering.site import Meter

if TYPE_CHECKING:
    from datetime import date

    from numpy.typing import NDArray

    from analytics.periods import Interval


class Lifetime(msgspec.Struct, frozen=True):
    """The days on which a meter exists, as masks of shape (days,).

    Attributes:
        is_zero_if_unknown: True if consumption that is not stored is 0.
        is_removed: True if the meter is removed.
        is_last_day: True on the day of the removal, on the day on which the area is closed, and on
            the first day of a meter that took the place of another.
    """

    is_zero_if_unknown: "NDArray[np.bool_]"
    is_removed: "NDArray[np.bool_]"
    is_last_day: "NDArray[np.bool_]"

    def on(self, days: "NDArray[np.int64]") -> "Lifetime":
        """Return the masks for days of the given numbers, which may occur several times."""
        return Lifetime(
            self.is_zero_if_unknown[days], self.is_removed[days], self.is_last_day[days]
        )

    def applied_to(self, stored: Consumption) -> Consumption:
        """Return the stored consumption, corrected by laws 1 to 4."""
        if not (self.is_zero_if_unknown.any() or self.is_removed.any() or self.is_last_day.any()):
            return stored
        is_zero = self.is_removed | (self.is_zero_if_unknown & np.isnan(stored.amount))
        is_whole = is_zero | (self.is_last_day & np.isfinite(stored.amount))

        def nothing(column: "NDArray[np.float64]") -> "NDArray[np.float64]":
            return np.where(is_zero, 0.0, column)

        return Consumption(
            nothing(stored.amount),
            np.where(is_whole, 1.0, stored.coverage),
            nothing(stored.estimated),
            np.where(is_whole, 1.0, stored.bounded),
            nothing(stored.spread_start),
            nothing(stored.spread_end),
        )


#: First day with stored consumption of a flow, by `Flow.series` and meter id.
Begins: TypeAlias = "Mapping[tuple[str, str], date]"


def lifetime(
    structure: SiteStructure, flow: Flow, days: Sequence["date"], begins: Begins
) -> Lifetime:
    """Return the days on which a register exists.

    Args:
        structure: the structure of the site.
        flow: the flow that the register measures.
        days: ascending local days; a day may occur several times.
        begins: first days of flows.
    """
    areas, meter = structure.site.areas, flow.meter
    ordinals = np.array([day.toordinal() for day in days], dtype=np.int64)
    floor_areas = areas[meter.areas[0]].floor_area_m2
    not_begun = np.zeros(len(days), dtype=np.bool_)
    if meter.installed is not None and floor_areas:
        not_begun = ordinals < min(meter.installed, floor_areas[0].from_).toordinal()
    if flow.kind != "purchase":
        begin = begins.get((flow.series, meter.id))
        if meter.installed is not None and not flow.is_export:
            begin = meter.installed
        if begin is not None:
            not_begun = ordinals < begin.toordinal()
    is_closed, is_last = not_begun.copy(), np.zeros(len(days), dtype=np.bool_)
    if meter.installed is not None:
        for before in structure.successors.before(meter.id):
            is_closed |= existing_days(before, ordinals) & (ordinals < meter.installed.toordinal())
            is_last |= ordinals == meter.installed.toordinal()
    for span, of_days in structure.spans(days):
        is_closed[span] |= of_days.places[meter.id].area in of_days.closed_areas
    last_days = [meter.removed, *(areas[area].closed for area in meter.areas)]
    for day in last_days:
        if day is not None:
            is_last |= ordinals == day.toordinal()
    removed = meter.removed
    is_removed = ordinals > removed.toordinal() if removed else np.zeros_like(is_last)
    return Lifetime(is_closed | is_removed, is_removed, is_last)


def existing_days(meter: Meter, ordinals: "NDArray[np.int64]") -> "NDArray[np.bool_]":
    """Return True for each day from the installation of a meter to its last day.

    Args:
        meter: the meter.
        ordinals: shape (days,), proleptic Gregorian ordinals of local days.
    """
    first = np.iinfo(np.int64).min if meter.installed is None else meter.installed.toordinal()
    last = np.iinfo(np.int64).max if meter.removed is None else meter.removed.toordinal()
    return (ordinals >= first) & (ordinals <= last)


def living_consumption(
    structure: SiteStructure,
    flows: Sequence[Flow],
    consumption: "Sequence[Mapping[Interval, Consumption]]",
    days: "Mapping[Interval, Sequence[date]]",
    begins: Begins,
) -> "list[dict[Interval, Consumption]]":
    """Return the consumption of flows by interval length, corrected by laws 1 to 4.

    Args:
        structure: the structure of the site.
        flows: the flows.
        consumption: stored or computed consumption of each flow.
        days: local day of each interval, ascending; the days are those of `days["day"]`.
        begins: first days of flows.
    """
    every_day = days["day"]
    first = every_day[0].toordinal()
    numbers = {
        interval: np.array([day.toordinal() for day in of_days], dtype=np.int64) - first
        for interval, of_days in days.items()
    }
    found = []
    for flow, by_interval in zip(flows, consumption, strict=True):
        life = lifetime(structure, flow, every_day, begins)
        found.append(
            {
                interval: life.on(numbers[interval]).applied_to(of_interval)
                for interval, of_interval in by_interval.items()
            }
        )
    return found
