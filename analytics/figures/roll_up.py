"""Meters -> areas, institutions, the site: one rule for consumption, floor area and headcount.

Law, the boundary rule: a scope is a set of areas. What enters through its boundary counts, what
leaves through it is deducted. So of the meters, one in the scope whose parent is not in it has
weight +1; one outside whose parent is in it has weight -1 (a let shop behind its own meter); every
other one has weight 0, as it measures a part of what another one measures.

An area's floor area and headcount include its sub-areas'; where an area states none, it has what
its sub-areas have together. Of a sub-area outside the scope they are deducted.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final, Literal

import msgspec
import numpy as np

from analytics.counters.consumption import Consumption
from jieneng.metering.indicators import Denominator
from jieneng.metering.site import Area, DatedValue, Meter, Site, below

if TYPE_CHECKING:
    from datetime import date

    from numpy.typing import NDArray

ScopeKind = Literal["site", "area", "institution"]

#: A meter weighs in its scope's coverage by its consumption, but not less than this share of the
#: average meter: a meter that stands still must be read, too.
_WEIGHT_AT_LEAST: Final = 0.1


class Scope(msgspec.Struct, frozen=True):
    """Subject of figures: the site, an area with all areas below it, or an institution.

    Attributes:
        areas: ids of all areas in it.
    """

    id: str
    kind: ScopeKind
    areas: frozenset[str]


def scopes(site: Site) -> tuple[Scope, ...]:
    """The site, then its areas, then its institutions, as they stand in `site.toml`."""
    parents = {area.id: area.parent for area in site.area}
    holders = {area.id: _holders(area, site.areas) for area in site.area}
    return (
        Scope(site.id, "site", frozenset(site.areas)),
        *(Scope(area.id, "area", frozenset(below(parents, [area.id]))) for area in site.area),
        *(
            Scope(one.id, "institution", frozenset(a for a in parents if one.id in holders[a]))
            for one in site.institution
        ),
    )


def _holders(area: Area, areas: Mapping[str, Area]) -> tuple[str, ...]:
    """The institutions that an area answers to: its own, or those of the nearest area above."""
    at: Area | None = area
    while at is not None and not at.institutions:
        at = areas.get(at.parent or "")
    return at.institutions if at is not None else ()


def shared_areas(scope: Scope, site: Site) -> list[str]:
    """The areas of an institution that answer to others, too; each counts them in full."""
    if scope.kind != "institution":
        return []
    return [
        area.id
        for area in site.area
        if area.id in scope.areas and len(_holders(area, site.areas)) > 1
    ]


def weights(scope: Scope, meters: Sequence[Meter], site: Site) -> "NDArray[np.float64]":
    """The weight of each meter: +1, -1 or 0, by the boundary rule."""

    def inside(meter: Meter | None) -> bool:
        return meter is not None and meter.area in scope.areas

    return np.array(
        [float(inside(meter)) - inside(site.meters.get(meter.parent or "")) for meter in meters]
    )


def not_there_yet(site: Site, meter: Meter, days: Sequence["date"]) -> "NDArray[np.bool_]":
    """On which days neither a meter nor its area was there: nothing can have flowed.

    A meter that was fitted late in an old building is another matter: what flowed before is
    unknown. So both the meter's `installed` and the area's first floor area have to lie ahead.
    """
    built = site.areas[meter.area].floor_area_m2
    if meter.installed is None or not built:
        return np.zeros(len(days), dtype=np.bool_)
    first = min(meter.installed, built[0].from_)
    return np.array([day < first for day in days], dtype=np.bool_)


class Rolled(msgspec.Struct, frozen=True):
    """By scope and interval, shape (scopes, intervals) each.

    Attributes:
        amount: what is known, in the medium's unit; NaN where no meter of the scope is known.
        coverage: share of meter-time with accepted readings, 0 to 1, the meters weighted by what
            they consume; NaN where the scope has no meter.
        estimated: the part of the meters' amounts that was spread over gaps.
    """

    amount: "NDArray[np.float64]"
    coverage: "NDArray[np.float64]"
    estimated: "NDArray[np.float64]"


def roll_up(
    weight: "NDArray[np.float64]",
    amount: "NDArray[np.float64]",
    coverage: "NDArray[np.float64]",
    estimated: "NDArray[np.float64]",
) -> Rolled:
    """Meters -> scopes.

    An unknown meter leaves the scope's amount at what is known, and its coverage lower. How much
    lower goes by what the meter consumed in the interval; an unknown one is taken for an average.

    Args:
        weight: shape (scopes, meters).
        amount: shape (meters, intervals); NaN where unknown.
        coverage: the same shape, 0 to 1.
        estimated: the same shape.
    """
    known = np.isfinite(amount)
    counted = np.where(known, amount, 0.0)
    takes_part = np.abs(weight)
    mean = counted.sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    mean = np.where(mean > 0, mean, 1.0)
    heavy = np.where(known, np.maximum(counted, _WEIGHT_AT_LEAST * mean), mean)
    whole = takes_part @ heavy
    some = takes_part @ known > 0
    has_meter = takes_part.sum(axis=1, keepdims=True) > 0
    covered = (takes_part @ (heavy * coverage)) / np.where(whole > 0, whole, 1.0)
    return Rolled(
        np.where(some, weight @ counted, np.nan),
        np.where(has_meter, np.minimum(covered, 1.0), np.nan),
        takes_part @ estimated,
    )


def of_scope(weight: "NDArray[np.float64]", consumed: Sequence[Consumption]) -> Consumption:
    """The consumption of one scope: `roll_up` of its meters, by interval."""
    rolled = roll_up(
        weight[None, :],
        np.array([one.amount for one in consumed]),
        np.array([one.coverage for one in consumed]),
        np.array([one.estimated for one in consumed]),
    )
    return Consumption(rolled.amount[0], rolled.coverage[0], rolled.estimated[0])


def denominator(
    scope: Scope, which: Denominator, site: Site, days: Sequence["date"]
) -> "NDArray[np.float64]":
    """Floor area or headcount of a scope on each day; NaN where nobody states one."""
    children: dict[str | None, list[str]] = {}
    for area in site.area:
        children.setdefault(area.parent, []).append(area.id)

    def of(area_id: str) -> "NDArray[np.float64]":
        own = daily(getattr(site.areas[area_id], which), days)
        return np.where(np.isnan(own), _total(list(map(of, children.get(area_id, []))), own), own)

    nothing = np.full(len(days), np.nan)
    tops = [a.id for a in site.area if a.id in scope.areas and a.parent not in scope.areas]
    outside = [a.id for a in site.area if a.id not in scope.areas and a.parent in scope.areas]
    entering = _total([of(area_id) for area_id in tops], nothing)
    return entering - np.nan_to_num(_total([of(area_id) for area_id in outside], nothing))


def _total(
    parts: "Sequence[NDArray[np.float64]]", nothing: "NDArray[np.float64]"
) -> "NDArray[np.float64]":
    """The sum of what is known by day; NaN on days on which nothing is."""
    if not parts:
        return np.full_like(nothing, np.nan)
    stack = np.array(parts)
    return np.where(np.isnan(stack).all(axis=0), np.nan, np.nansum(stack, axis=0))


def daily(dated: Sequence[DatedValue], days: Sequence["date"]) -> "NDArray[np.float64]":
    """The dated value in force on each day; NaN before the first one."""
    values = np.array([np.nan, *(row.value for row in dated)])
    since = np.array([row.from_.toordinal() for row in dated])
    found: NDArray[np.float64] = values[
        np.searchsorted(since, [day.toordinal() for day in days], side="right")
    ]
    return found
