"""Roll meters up to scopes: areas, institutions and the site, by one boundary rule.

Laws:

1. A scope is a set of areas. What enters through its boundary counts, and what leaves through it
   is deducted. A meter in the scope whose parent is outside has weight +1. A meter outside whose
   parent is in the scope has weight -1 (a let shop behind its own meter). Every other meter has
   weight 0, because another meter measures its consumption too. A meter that does not count is
   outside of every scope.
2. Energy generated in a scope is consumed there, unless it is exported. A meter of generation or
   export with a parent belongs to the scope of its parent: energy is fed in or taken out there.
3. The boundary is that of the day: meters and areas come and go (`site_structure`).
4. The floor area and headcount of an area include those of its sub-areas. An area that states none
   has the sum of its sub-areas. A sub-area outside the scope is deducted.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final, Literal

import msgspec
import numpy as np

from analytics.counters.consumption import Consumption, zero_where_unknown
from analytics.figures.boundary.flows import Flow, FlowKind
from analytics.figures.boundary.site_structure import DayStructure, SiteStructure
from jieneng.metering.indicators import Denominator
from jieneng.metering.site import Area, AreaKind, DatedValue, Meter, Site, Supply, descendants

if TYPE_CHECKING:
    from datetime import date

    from numpy.typing import NDArray

#: Kinds of areas that need not state the denominator.
_KINDS_WITHOUT: Final[Mapping[Denominator, frozenset[AreaKind]]] = {
    "headcount": frozenset(("canteen", "data_room", "plant", "other")),
    "floor_area_m2": frozenset(("plant", "other")),
}

ScopeKind = Literal["site", "area", "institution"]

#: Least weight of a meter in its scope's coverage, as a share of the average meter's consumption.
#: A meter without consumption must be read too.
_MIN_COVERAGE_WEIGHT: Final = 0.1
#: What a meter of generated or exported energy adds to the consumption of its scope.
_ROLE_SIGNS: Final = {"generation": 1.0, "export": -1.0}
#: Energy that leaves through an export register is deducted from the energy that entered.
_EXPORT_SIGN: Final = -1.0


class Scope(msgspec.Struct, frozen=True):
    """Subject of figures: the site, an area with all areas below it, or an institution.

    Attributes:
        id: id of the site, area or institution.
        kind: which of the three it is.
        areas: ids of all areas in the scope.
        structure: the structure of the site by day.
    """

    id: str
    kind: ScopeKind
    areas: frozenset[str]
    structure: SiteStructure


def scopes(site: Site) -> tuple[Scope, ...]:
    """Return the site, then its areas, then its institutions, in the order of `site.toml`."""
    parents = {area.id: area.parent for area in site.area}
    structure = SiteStructure(site)
    institutions = {area.id: _responsible_institutions(area, site.areas) for area in site.area}
    return (
        Scope(site.id, "site", frozenset(site.areas), structure),
        *(
            Scope(area.id, "area", frozenset(descendants(parents, [area.id])), structure)
            for area in site.area
        ),
        *(
            Scope(
                institution.id,
                "institution",
                frozenset(area for area in parents if institution.id in institutions[area]),
                structure,
            )
            for institution in site.institution
        ),
    )


def _responsible_institutions(area: Area, areas: Mapping[str, Area]) -> tuple[str, ...]:
    """Return the institutions of an area: its own, or those of the nearest area above."""
    nearest: Area | None = area
    while nearest is not None and not nearest.institutions:
        nearest = areas.get(nearest.parent or "")
    return nearest.institutions if nearest is not None else ()


def shared_areas(scope: Scope, site: Site) -> list[str]:
    """Return the areas that an institution shares with others. Each counts them completely."""
    if scope.kind != "institution":
        return []
    return [
        area.id
        for area in site.area
        if area.id in scope.areas and len(_responsible_institutions(area, site.areas)) > 1
    ]


def boundary_weights(
    scope: Scope,
    flows: Sequence[Flow],
    days: Sequence["date"],
    counted: frozenset[FlowKind],
) -> "NDArray[np.float64]":
    """Return the weight of each flow in a scope on each day: +1, -1 or 0 (law 1).

    Args:
        scope: the scope.
        flows: flows of the registers.
        days: ascending local days; a day may occur several times.
        counted: kinds of flows that count; others have weight 0.

    Returns:
        Shape (flows, days).
    """
    weight = np.zeros((len(flows), len(days)))
    for span, structure in scope.structure.spans(days):
        areas = counted_areas(scope, structure)
        for number, flow in enumerate(flows):
            if flow.kind in counted:  # only meters of consumption have export registers that count
                sign = _EXPORT_SIGN if flow.is_export else 1.0
                weight[number, span] = sign * _boundary_weight(flow.meter, areas, structure)
    return weight


def supply_masks(
    scope: Scope, flows: Sequence[Flow], days: Sequence["date"]
) -> "dict[Supply, NDArray[np.bool_]]":
    """Return for each class of supply a mask of shape (flows, days): True where a flow has it."""
    masks: dict[Supply, NDArray[np.bool_]] = {}
    for span, structure in scope.structure.spans(days):
        for number, flow in enumerate(flows):
            supply = structure.places[flow.meter.id].supply
            nowhere = np.zeros((len(flows), len(days)), dtype=np.bool_)
            masks.setdefault(supply, nowhere)[number, span] = True
    return masks


def _boundary_weight(meter: Meter, areas: frozenset[str], structure: DayStructure) -> float:
    """Return the weight of a meter in the scope of some areas on a day."""

    def is_inside(meter_id: str | None) -> bool:
        place = structure.places.get(meter_id or "")
        return place is not None and place.counts and place.area in areas

    parent = structure.places[meter.id].parent
    if meter.role == "consumption":
        return float(is_inside(meter.id)) - is_inside(parent)
    fed_in = is_inside(parent or meter.id) and structure.places[meter.id].counts
    return _ROLE_SIGNS[meter.role] * fed_in


def counted_areas(scope: Scope, structure: DayStructure) -> frozenset[str]:
    """Return the areas of a scope on a day, without those that are let out.

    An area that is let out counts in its own figures, and in those of the areas within it.
    """
    own = "" if scope.kind == "site" else scope.id
    let = [areas for areas in structure.let_areas.values() if own not in areas]
    return scope.areas.difference(*let)


def roll_up(weight: "NDArray[np.float64]", meters: Consumption) -> Consumption:
    """Return the consumption of one scope by interval.

    A meter with unknown consumption adds nothing to the scope's amount, and lowers its coverage.
    The coverage is weighted by the consumption of each meter in the interval. An unknown meter has
    the weight of an average one.

    Args:
        weight: shape (meters, 1) or (meters, intervals), of `boundary_weights`.
        meters: the meters' consumption, in arrays of shape (meters, intervals).

    Returns:
        Arrays of shape (intervals,): the amount is NaN if no meter of the scope is known, and the
        coverage is NaN if the scope has no meter.
    """
    is_known = np.isfinite(meters.amount)
    amount = np.where(is_known, meters.amount, 0.0)
    mean = amount.sum(axis=0) / np.maximum(is_known.sum(axis=0), 1)
    mean = np.where(mean > 0, mean, 1.0)
    size = np.abs(weight)
    importance = size * np.where(is_known, np.maximum(amount, _MIN_COVERAGE_WEIGHT * mean), mean)
    total = importance.sum(axis=0)

    def mean_share(share: "NDArray[np.float64]") -> "NDArray[np.float64]":
        weighted = (importance * share).sum(axis=0) / np.where(total > 0, total, 1.0)
        return np.where(total > 0, np.minimum(weighted, 1.0), np.nan)

    return Consumption(
        np.where((size * is_known).any(axis=0), (weight * amount).sum(axis=0), np.nan),
        mean_share(meters.coverage),
        (size * meters.estimated).sum(axis=0),
        mean_share(meters.bounded),
        (size * zero_where_unknown(meters.spread_start)).sum(axis=0),
        (size * zero_where_unknown(meters.spread_end)).sum(axis=0),
    )


def stacked(meters: Sequence[Consumption]) -> Consumption:
    """Return the consumption of meters in arrays of shape (meters, intervals)."""
    columns = zip(*map(msgspec.structs.astuple, meters), strict=True)
    return Consumption(*(np.array(column) for column in columns))


def has_denominator(scope: Scope, name: Denominator) -> bool:
    """Return False if a scope has no floor area or no headcount by its nature.

    That is so if none of its areas states one, and all of them are of kinds that may have none: a
    canteen is used by people who are counted elsewhere. An office without one lacks data instead.
    """
    return not scope.areas or any(
        getattr(area, name) or area.kind not in _KINDS_WITHOUT[name]
        for area in scope.structure.site.area
        if area.id in scope.areas
    )


def daily_denominator(
    scope: Scope, name: Denominator, days: Sequence["date"]
) -> "NDArray[np.float64]":
    """Return the floor area [m2] or headcount of a scope on each day; NaN where none is stated.

    An area that is closed has 0. One that is let out is deducted.

    Returns:
        Shape (days,).
    """
    found = [
        _denominator(scope, name, structure, days[span])
        for span, structure in scope.structure.spans(days)
    ]
    return np.concatenate([np.zeros(0), *found])


def _denominator(
    scope: Scope, name: Denominator, structure: DayStructure, days: Sequence["date"]
) -> "NDArray[np.float64]":
    """Return the denominator on days of one structure."""
    site, inside = scope.structure.site, counted_areas(scope, structure)
    ordinals = np.array([day.toordinal() for day in days], dtype=np.int64)
    children: dict[str | None, list[str]] = {}
    for area in site.area:
        children.setdefault(area.parent, []).append(area.id)

    def of_area(area_id: str) -> "NDArray[np.float64]":
        if area_id in structure.closed_areas:
            return np.zeros(len(days))
        own = dated_values(getattr(site.areas[area_id], name), ordinals)
        below_it = _sum_known(list(map(of_area, children.get(area_id, []))), own)
        return np.where(np.isnan(own), below_it, own)

    unknown = np.full(len(days), np.nan)
    tops = [a.id for a in site.area if a.id in inside and a.parent not in inside]
    excluded = [a.id for a in site.area if a.id not in inside and a.parent in inside]
    total = _sum_known([of_area(area_id) for area_id in tops], unknown)
    deducted = _sum_known([of_area(area_id) for area_id in excluded], unknown)
    return total - zero_where_unknown(deducted)


def _sum_known(
    parts: "Sequence[NDArray[np.float64]]", like: "NDArray[np.float64]"
) -> "NDArray[np.float64]":
    """Return the daily sum of the known parts, of the shape of `like`; NaN where none is known."""
    if not parts:
        return np.full_like(like, np.nan)
    stack = np.array(parts)
    total = zero_where_unknown(stack).sum(axis=0)
    return np.where(np.isnan(stack).all(axis=0), np.nan, total)


def dated_values(
    dated: Sequence[DatedValue], ordinals: "NDArray[np.int64]"
) -> "NDArray[np.float64]":
    """Return the value in force on each day; NaN before the first one.

    Args:
        dated: the values, in order of time.
        ordinals: proleptic Gregorian ordinals of the days.
    """
    values = np.array([np.nan, *(row.value for row in dated)])
    starts = np.array([row.from_.toordinal() for row in dated], dtype=np.int64)
    in_force: NDArray[np.float64] = values[starts.searchsorted(ordinals, side="right")]
    return in_force
