"""Determine the meter tree and the areas of a site on a given day.

Laws:

1. A meter that was removed measures nothing. Its children move to the meter that took its place
   (`MeterSuccessors`), or else to the nearest meter above it that is still installed. Before this
   other meter was installed, its own children were below the removed one.
2. A sub-item meter without a parent becomes a child of the main meter of its area, because a main
   usually measures the sub-items, too. If the area has no main, the main of the nearest enclosing
   area is used. A sub-item with `counts = true` stays without a parent: no main measures it. A
   meter below a sub-item is not a main.
3. A meter with `counts = false` does not count, and the meters below it do not count either. For
   example, energy measured by a meter of resold energy stays resold if a second meter measures a
   part of it.
4. If a meter does not state its class of electricity, it has the class of the meter above it.
5. A virtual meter (`formula`) without a parent is only shown, because the meters of its formula
   count already. With `counts = true` it counts as a main. With a parent it is a meter like others.
6. The structure changes only on three kinds of days: on the first day of a dated row of an area or
   a meter, on the day after an area is closed or a meter is removed, and on the day on which a
   meter takes the place of another.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from functools import cached_property
from typing import TypeAlias

import msgspec

from analytics.figures.boundary.virtual_meters import virtual_meters
from jieneng.metering.quantities import Medium
from jieneng.metering.site import Area, Meter, Site, Supply, descendants
from jieneng.metering.site_rules.meter_successors import MeterSuccessors

#: The main of an area and medium.
_Mains: TypeAlias = Mapping[tuple[str, Medium], Meter]


class MeterPlace(msgspec.Struct, frozen=True):
    """The place of a meter on a day.

    Attributes:
        area: id of the meter's area.
        parent: id of the meter above it; None for a main.
        is_implied: True if the parent is not stated, but follows from the area (law 2).
        counts: False if its energy is resold, or used in an area that is let out.
        supply: class of the electricity that it measures.
        is_only_shown: True if it is a virtual meter that counts in no sum (law 5).
        is_awaited: True if it is not yet installed, and the meter that it will replace is there.
    """

    area: str
    parent: str | None
    is_implied: bool
    counts: bool
    supply: Supply
    is_only_shown: bool = False
    is_awaited: bool = False

    @property
    def is_counted(self) -> bool:
        """True if its consumption counts in the sums of its scope."""
        return self.counts and not self.is_only_shown


class DayStructure(msgspec.Struct, frozen=True):
    """The structure of a site on a day.

    Attributes:
        places: the place of each meter, by id.
        let_around: ids of the let areas that contain an area, by the id of this area. Only areas
            that are let out, or inside a let area, have an entry. An area that is let out counts
            only in its own figures.
        closed_areas: ids of closed areas, and of all areas inside them.
        near: for each area with meters, ids of the meters in the area, and of those whose parent is
            in the area.
    """

    places: dict[str, MeterPlace]
    let_around: dict[str, frozenset[str]]
    closed_areas: frozenset[str]
    near: dict[str, frozenset[str]]

    def near_areas(self, areas: Iterable[str]) -> set[str]:
        """Return the ids of the meters that are in any of the areas, or whose parent is."""
        return set().union(*(self.near.get(area, ()) for area in areas))


class SiteStructure:
    """The structure of a site by day.

    Attributes:
        site: the site.
        successors: the meters that took the place of others.

    Args:
        site: the site.
    """

    def __init__(self, site: Site) -> None:
        self.site = site
        self._area_numbers = {area.id: number for number, area in enumerate(site.area)}
        self.successors = MeterSuccessors(site)
        self._changes = sorted(_changes(site, self.successors))
        self._found: dict[int, DayStructure] = {}

    @cached_property
    def virtual_ranks(self) -> Mapping[str, int]:
        """Rank of each virtual meter by id, above the ranks of the meters in its formula."""
        return {meter.id: rank for rank, meter in enumerate(virtual_meters(self.site))}

    def in_order(self, areas: Iterable[str]) -> list[str]:
        """Return ids of areas in the order of `site.toml`."""
        return sorted(areas, key=self._area_numbers.__getitem__)

    def on(self, day: date) -> DayStructure:
        """Return the structure on a local day."""
        number = bisect_right(self._changes, day)
        if number not in self._found:
            self._found[number] = self._structure(day)
        return self._found[number]

    def spans(self, days: Sequence[date]) -> Iterator[tuple[slice, DayStructure]]:
        """Yield (slice, structure) for each sequence of days with the same structure."""
        first = 0
        while first < len(days):
            number = bisect_right(self._changes, days[first])
            end = len(days)
            if number < len(self._changes):
                end = bisect_right(days, self._changes[number] - timedelta(days=1))
            yield slice(first, end), self.on(days[first])
            first = end

    def _structure(self, day: date) -> DayStructure:
        closed = [area.id for area in self.site.area if area.closed and area.closed < day]
        mains = self._mains(day)
        places = {meter.id: self._place(meter, day, mains) for meter in self.site.meter}
        near: dict[str, set[str]] = {}
        for meter, place in places.items():
            for one in (place, places.get(place.parent or "")):
                if one is not None:
                    near.setdefault(one.area, set()).add(meter)
        return DayStructure(
            places,
            self._let_around(day),
            frozenset(descendants(self.site.areas_below, closed)),
            {area: frozenset(meters) for area, meters in near.items()},
        )

    def _let_around(self, day: date) -> dict[str, frozenset[str]]:
        """Return the ids of the let areas that contain an area, for each area inside one."""
        found: dict[str, set[str]] = {}
        for area in self.site.area:
            if not area.counts_on(day):
                for inside in descendants(self.site.areas_below, [area.id]):
                    found.setdefault(inside, set()).add(area.id)
        return {area: frozenset(around) for area, around in found.items()}

    def _place(self, meter: Meter, day: date, mains: _Mains) -> MeterPlace:
        above = list(self._above(meter, day))
        parent = next((one for one in above if not is_removed(one, day)), None)
        main = self._main_around(meter, day, mains) if parent is None else None
        is_implied = main is not None and meter.counts_on(day) is not True
        if main is not None and is_implied:
            parent, above = main, [main, *self._above(main, day)]
        counts = all(one.counts_on(day) is not False for one in (meter, *above))
        stated = (one.supply for one in (meter, *above) if one.supply is not None)
        supply: Supply = next(stated, "grid")
        parent_id = None if parent is None else parent.id
        is_only_shown = parent is None and _is_only_shown(meter, day)
        is_awaited = not is_removed(meter, day) and self.successors.present(meter, day) is not meter
        return MeterPlace(
            meter.area_on(day), parent_id, is_implied, counts, supply, is_only_shown, is_awaited
        )

    def _above(self, meter: Meter, day: date) -> Iterator[Meter]:
        """Yield the meters above a meter on a day, nearest first.

        A meter whose place another one has on this day is replaced by the other one. Stop if the
        parents form a cycle.
        """
        seen = {meter.id}
        while (parent := self.site.meters.get(meter.parent or "")) and parent.id not in seen:
            seen.add(parent.id)
            yield self.successors.present(parent, day)
            meter = parent

    def _mains(self, day: date) -> _Mains:
        """Return the first main of each area and medium that is below no other main of the area."""
        found: dict[tuple[str, Medium], dict[str, Meter]] = {}
        for meter in self.site.meter:
            if (
                _may_be_main(meter, day)
                and self.successors.present(meter, day) is meter
                and all(above.item is None for above in self._above(meter, day))
            ):
                found.setdefault((meter.area_on(day), meter.medium), {})[meter.id] = meter
        tops = {
            place: next((main for main in mains.values() if main.parent not in mains), None)
            for place, mains in found.items()
        }
        return {place: top for place, top in tops.items() if top is not None}

    def _main_around(self, meter: Meter, day: date, mains: _Mains) -> Meter | None:
        """Return the main that becomes the parent of a sub-item (law 2); None if there is none."""
        if meter.item is None or meter.role != "consumption" or meter.formula is not None:
            return None
        area: Area | None = self.site.areas[meter.area_on(day)]
        while area is not None:
            main = mains.get((area.id, meter.medium))
            if main is not None:
                return main
            area = self.site.areas.get(area.parent or "")
        return None


def is_removed(meter: Meter, day: date) -> bool:
    """Return True if a meter was removed before a day."""
    return meter.removed is not None and meter.removed < day


def _is_only_shown(meter: Meter, day: date) -> bool:
    """Return True if a meter without a parent is virtual and does not count as a main (law 5)."""
    return meter.formula is not None and meter.counts_on(day) is not True


def _may_be_main(meter: Meter, day: date) -> bool:
    """Return True if a meter may measure the whole consumption of its area, sub-items included."""
    return (
        (meter.role, meter.item) == ("consumption", None)
        and not is_removed(meter, day)
        and not (meter.parent is None and _is_only_shown(meter, day))
    )


def _changes(site: Site, successors: MeterSuccessors) -> set[date]:
    """Return each day on which the structure may differ from that of the day before."""
    after = [area.closed for area in site.area] + [meter.removed for meter in site.meter]
    dated = [
        rows
        for rows in (
            *(area.counts for area in site.area),
            *(meter.counts for meter in site.meter),
            *(meter.area for meter in site.meter),
        )
        if isinstance(rows, tuple)
    ]
    return {
        *(day + timedelta(days=1) for day in after if day is not None),
        *(row.from_ for rows in dated for row in rows),
        *(
            meter.installed
            for meter in site.meter
            if meter.installed is not None and successors.before(meter.id)
        ),
    }
