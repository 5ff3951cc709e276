"""Find the areas that joined or left between periods. Pure.

Laws:

1. An area joins or leaves when it is built, closed, let out or taken back.
2. An area begins with its first floor area, or with the installation of its first meter if that is
   earlier. If one of its meters states no installation, the first day of the area is unknown.
"""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import Literal

import msgspec

from analytics.figures.roll_up import Scope, scopes
from analytics.periods import Period
from jieneng.metering.quantities import Medium
from jieneng.metering.site import Area, Meter, Site, descendants


class AreaChange(msgspec.Struct, frozen=True):
    """An area that joined or left.

    Attributes:
        area: id of the area.
        kind: `joined` or `left`.
        day: first day with the area, or first day without it.
        unmetered: media of the site for which the area has no meter.
    """

    area: str
    kind: Literal["joined", "left"]
    day: date
    unmetered: frozenset[Medium]


def area_changes(site: Site, periods: Sequence[Period]) -> list[AreaChange]:
    """Return the areas that existed only in a part of the time of the periods."""
    found = []
    meters = AreaMeters(site)
    for area in site.area:
        change = _change(meters, area, periods)
        if change is not None:
            kind, day = change
            found.append(AreaChange(area.id, kind, day, meters.unmetered_media(area.id)))
    return found


def like_for_like_scopes(
    site: Site, wanted: Sequence[Scope], changes: Sequence[AreaChange]
) -> tuple[dict[str, tuple[AreaChange, ...]], list[Scope]]:
    """Return the scopes, reduced to the areas that existed throughout.

    Only scopes in which an area joined or left are returned. A scope that joined or left itself is
    not returned.

    Returns:
        The changes by scope id, and the scopes with these ids.
    """
    changed = {change.area: change for change in changes}
    gone = set(descendants(site.areas_below, changed))
    of_scope = {
        scope.id: tuple(
            changed[area]
            for area in scope.structure.in_order(area for area in scope.areas if area in changed)
        )
        for scope in wanted
        if not (scope.kind == "area" and scope.id in gone) and not scope.areas <= gone
    }
    of_scope = {scope_id: found for scope_id, found in of_scope.items() if found}
    areas = tuple(
        msgspec.structs.replace(area, counts=False) if area.id in changed else area
        for area in site.area
    )
    alike = scopes(msgspec.structs.replace(site, area=areas)) if of_scope else ()
    return of_scope, [scope for scope in alike if scope.id in of_scope]


def own_changes(
    site: Site, wanted: Sequence[Scope], periods: Sequence[Period]
) -> dict[str, tuple[AreaChange, ...]]:
    """Return the changes of scopes that consist only of areas that were built or closed, by id.

    An area that is let out still has figures of its own, so it does not count as closed.
    """
    always = tuple(msgspec.structs.replace(area, counts=True) for area in site.area)
    changes = area_changes(msgspec.structs.replace(site, area=always), periods)
    inside = {change: set(descendants(site.areas_below, [change.area])) for change in changes}
    gone = set().union(*inside.values())
    return {
        scope.id: tuple(change for change in changes if not inside[change].isdisjoint(scope.areas))
        for scope in wanted
        if scope.areas and scope.areas <= gone
    }


class AreaMeters:
    """The meters of a site by area.

    Args:
        site: the site.
    """

    def __init__(self, site: Site) -> None:
        self._areas_below = site.areas_below
        self._media = {meter.medium for meter in site.meter}
        self._media_of: dict[str, set[Medium]] = {}
        for meter in site.meter:
            for area in meter.areas:
                self._media_of.setdefault(area, set()).add(meter.medium)
        self._began_in: dict[str, list[Meter]] = {}
        for meter in site.read_meters.values():
            self._began_in.setdefault(meter.areas[0], []).append(meter)

    def began_inside(self, area_id: str) -> list[Meter]:
        """Return the meters that were at first in an area or in its sub-areas."""
        return [one for area in self._inside(area_id) for one in self._began_in.get(area, ())]

    def unmetered_media(self, area_id: str) -> frozenset[Medium]:
        """Return the media of the site for which no meter lies in an area or in its sub-areas."""
        metered = (self._media_of.get(area, set()) for area in self._inside(area_id))
        return frozenset(self._media.difference(*metered))

    def _inside(self, area_id: str) -> Iterator[str]:
        return descendants(self._areas_below, [area_id])


def _change(
    meters_of: AreaMeters, area: Area, periods: Sequence[Period]
) -> tuple[Literal["joined", "left"], date] | None:
    """Return how and when an area joined or left; None if it existed in all periods or in none."""
    first = min(period.start for period in periods)
    last = max(period.end for period in periods)
    begin = first_day(meters_of, area, first) or date.min
    end = area.closed + timedelta(days=1) if area.closed is not None else date.max
    switches = area.counts if isinstance(area.counts, tuple) else ()
    steps = sorted({begin, end, *(row.from_ for row in switches)})

    def exists(day: date) -> bool:
        return begin <= day < end and area.counts_on(day)

    inside = [
        exists(day)
        for period in periods
        if period.days
        for day in (period.start, *(d for d in steps if period.start < d < period.end))
    ]
    if all(inside) or not any(inside):
        return None
    turns = [day for day in steps if first < day < last and exists(day) != exists(_before(day))]
    return ("joined" if exists(turns[0]) else "left"), turns[0]


def _before(day: date) -> date:
    return day - timedelta(days=1)


def first_day(meters_of: AreaMeters, area: Area, first: date) -> date | None:
    """Return the first day of an area (law 2); None if no beginning after `first` is known."""
    if not area.floor_area_m2 or area.floor_area_m2[0].from_ <= first:
        return None
    meters = meters_of.began_inside(area.id)
    if any(meter.installed is None for meter in meters):
        return None
    installed = [meter.installed for meter in meters if meter.installed is not None]
    return min([area.floor_area_m2[0].from_, *installed])
