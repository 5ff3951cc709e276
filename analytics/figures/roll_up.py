"""Add up the consumption of meters by scope: the site, areas and institutions.

Laws:

1. A scope is a set of areas. Energy that enters through its boundary is added, and energy that
   leaves through it is deducted. A meter in the scope has the weight +1 if its parent is outside. A
   meter outside has the weight -1 if its parent is in the scope (for example a shop that is let
   out). All other meters have the weight 0, because another meter also measures their consumption.
   A meter that does not count, and a virtual meter that is only shown, is outside of every scope.
   A meter has no weight on days on which the meter that it was to replace was still in its place.
2. Energy generated in a scope is consumed there, unless it is exported. A meter of generation or
   export belongs to the scope of its parent, if it has one, because the energy is fed in or taken
   out there.
3. The boundary is determined for each day, because meters and areas are added and removed over time
   (`site_structure`).
4. The floor area and the headcount of an area include those of its sub-areas. If an area states
   none, it has the sum of its sub-areas. Sub-areas outside the scope are deducted.
"""

from collections.abc import Iterable, Mapping, Sequence
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

#: Kinds of areas that may lack a denominator, by denominator.
_KINDS_WITHOUT: Final[Mapping[Denominator, frozenset[AreaKind]]] = {
    "headcount": frozenset(("canteen", "data_room", "plant", "other")),
    "floor_area_m2": frozenset(("plant", "other")),
}

ScopeKind = Literal["site", "area", "institution"]

#: Smallest weight of a meter in its scope's coverage, as a share of the average meter's
#: consumption. Gaps of a meter without consumption must lower the coverage, too.
_MIN_COVERAGE_WEIGHT: Final = 0.1
#: Sign with which a meter of generated or exported energy counts in the consumption of its scope.
_ROLE_SIGNS: Final = {"generation": 1.0, "export": -1.0}
#: Sign with which the export register of a consumption meter counts.
_EXPORT_SIGN: Final = -1.0


class Scope(msgspec.Struct, frozen=True):
    """Subject of figures: the site, an area with all areas below it, or an institution.

    Attributes:
        id: id of the site, area or institution.
        kind: kind of the scope: site, area or institution.
        areas: ids of all areas in the scope.
        structure: the structure of the site by day.
    """

    id: str
    kind: ScopeKind
    areas: frozenset[str]
    structure: SiteStructure


def scopes(site: Site) -> tuple[Scope, ...]:
    """Return the site, then its areas, then its institutions, in the order of `site.toml`."""
    structure = SiteStructure(site)
    areas_of: dict[str, list[str]] = {}
    for area in site.area:
        for institution_id in _responsible_institutions(area, site.areas):
            areas_of.setdefault(institution_id, []).append(area.id)
    return (
        Scope(site.id, "site", frozenset(site.areas), structure),
        *(
            Scope(area.id, "area", frozenset(descendants(site.areas_below, [area.id])), structure)
            for area in site.area
        ),
        *(
            Scope(
                institution.id,
                "institution",
                frozenset(areas_of.get(institution.id, ())),
                structure,
            )
            for institution in site.institution
        ),
    )


def _responsible_institutions(area: Area, areas: Mapping[str, Area]) -> tuple[str, ...]:
    """Return the institutions of an area; if it states none, those of the nearest area above it."""
    nearest: Area | None = area
    while nearest is not None and not nearest.institutions:
        nearest = areas.get(nearest.parent or "")
    return nearest.institutions if nearest is not None else ()


def shared_areas(scope: Scope, site: Site) -> list[str]:
    """Return the areas that an institution shares with others; each counts the whole area."""
    if scope.kind != "institution":
        return []
    return [
        area
        for area in scope.structure.in_order(scope.areas)
        if len(_responsible_institutions(site.areas[area], site.areas)) > 1
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
        near = structure.near_areas(areas)
        for number, flow in enumerate(flows):
            # Only consumption meters have export registers that count.
            if flow.meter.id in near and flow.kind in counted:
                sign = _EXPORT_SIGN if flow.is_export else 1.0
                weight[number, span] = sign * _boundary_weight(flow.meter, areas, structure)
    return weight


def supply_masks(
    scope: Scope, flows: Sequence[Flow], days: Sequence["date"]
) -> "dict[Supply, NDArray[np.bool_]]":
    """Return a mask (flows, days) for each class of supply: True if the flow has this class."""
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
        return place is not None and place.is_counted and place.area in areas

    if structure.places[meter.id].is_awaited:
        return 0.0
    parent = structure.places[meter.id].parent
    if meter.role == "consumption":
        return float(is_inside(meter.id)) - is_inside(parent)
    fed_in = is_inside(parent or meter.id) and structure.places[meter.id].is_counted
    return _ROLE_SIGNS[meter.role] * fed_in


def counted_areas(scope: Scope, structure: DayStructure) -> frozenset[str]:
    """Return the areas of a scope on a day, without areas that are let out.

    An area that is let out counts only in its own figures, and in those of the areas inside it.
    """
    around = structure.let_around
    own = frozenset() if scope.kind == "site" else around.get(scope.id, frozenset())
    return frozenset(area for area in scope.areas if around.get(area, own) <= own)


def scope_rows(
    scopes: Sequence[Scope], flows: Sequence[Flow], days: Sequence["date"]
) -> list[list[int]]:
    """Return the numbers of the flows that may have a weight in each scope on any of the days.

    These are the flows whose meter, or its parent, is in an area of the scope. For many scopes this
    takes far less time than the weights of all flows in each scope.
    """
    rows: dict[str, list[int]] = {}
    for number, flow in enumerate(flows):
        rows.setdefault(flow.meter.id, []).append(number)
    structures = [structure for _, structure in scopes[0].structure.spans(days)]
    found = []
    for scope in scopes:
        near = set().union(*(structure.near_areas(scope.areas) for structure in structures))
        found.append(sorted(number for meter in near for number in rows.get(meter, ())))
    return found


def mean_amount(meters: Iterable[Consumption], size: int) -> "NDArray[np.float64]":
    """Return the mean consumption of the known meters by interval, shape (size,); 1 if it is 0."""
    total, known = np.zeros(size), np.zeros(size)
    for meter in meters:
        is_known = np.isfinite(meter.amount)
        total += np.where(is_known, meter.amount, 0.0)
        known += is_known
    mean = total / np.maximum(known, 1)
    return np.where(mean > 0, mean, 1.0)


def roll_up(
    weight: "NDArray[np.float64]",
    meters: Consumption,
    mean: "NDArray[np.float64] | None" = None,
) -> Consumption:
    """Return the consumption of one scope by interval.

    A meter with unknown consumption adds nothing to the scope's amount, and lowers its coverage.
    The coverage is the mean of the meters' coverages, weighted by their consumption in the
    interval. A meter with unknown consumption has the weight of an average meter.

    Args:
        weight: shape (meters, 1) or (meters, intervals), result of `boundary_weights`.
        meters: the meters' consumption, in arrays of shape (meters, intervals).
        mean: shape (intervals,), result of `mean_amount` for more meters than these; None for the
            mean of these meters.

    Returns:
        Arrays of shape (intervals,): the amount is NaN if no meter of the scope is known, and the
        coverage is NaN if the scope has no meter.
    """
    is_known = np.isfinite(meters.amount)
    amount = np.where(is_known, meters.amount, 0.0)
    if mean is None:
        mean = _column_sums(amount) / np.maximum(is_known.sum(axis=0), 1)
        mean = np.where(mean > 0, mean, 1.0)
    size = np.abs(weight)
    importance = size * np.where(is_known, np.maximum(amount, _MIN_COVERAGE_WEIGHT * mean), mean)
    total = _column_sums(importance)

    def mean_share(share: "NDArray[np.float64]") -> "NDArray[np.float64]":
        weighted = _column_sums(importance * share) / np.where(total > 0, total, 1.0)
        return np.where(total > 0, np.minimum(weighted, 1.0), np.nan)

    return Consumption(
        np.where((size * is_known).any(axis=0), _column_sums(weight * amount), np.nan),
        mean_share(meters.coverage),
        _column_sums(size * meters.estimated),
        mean_share(meters.bounded),
        _column_sums(size * zero_where_unknown(meters.spread_start)),
        _column_sums(size * zero_where_unknown(meters.spread_end)),
    )


def _column_sums(rows: "NDArray[np.float64]") -> "NDArray[np.float64]":
    """Return the sums over the rows, which are added one after the other.

    numpy adds a single column in another order, so a window of one day would get other last digits.
    """
    if rows.shape[1] == 1 and len(rows):
        last: NDArray[np.float64] = np.cumsum(rows, axis=0)[-1]
        return last
    total: NDArray[np.float64] = rows.sum(axis=0)
    return total


def stacked(meters: Sequence[Consumption]) -> Consumption:
    """Return the consumption of meters in arrays of shape (meters, intervals)."""
    columns = zip(*map(msgspec.structs.astuple, meters), strict=True)
    return Consumption(*(np.array(column) for column in columns))


def has_denominator(scope: Scope, name: Denominator) -> bool:
    """Return False if a scope can't have this denominator.

    This is the case if no area of the scope states it, and all areas are of kinds that may lack it.
    For example, a canteen has no headcount, because its users are counted elsewhere. An office
    without a headcount lacks data; then the result is True.
    """
    return not scope.areas or any(
        getattr(area, name) or area.kind not in _KINDS_WITHOUT[name]
        for area in (scope.structure.site.areas[area_id] for area_id in scope.areas)
    )


def daily_denominator(
    scope: Scope, name: Denominator, days: Sequence["date"]
) -> "NDArray[np.float64]":
    """Return the floor area [m2] or headcount of a scope on each day; NaN if none is stated.

    A closed area has 0. An area that is let out is deducted.

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
    """Return the denominator on days with the same structure."""
    site, inside = scope.structure.site, counted_areas(scope, structure)
    ordinals = np.array([day.toordinal() for day in days], dtype=np.int64)
    below = site.areas_below

    def of_area(area_id: str) -> "NDArray[np.float64]":
        if area_id in structure.closed_areas:
            return np.zeros(len(days))
        own = dated_values(getattr(site.areas[area_id], name), ordinals)
        below_it = _sum_known(list(map(of_area, below.get(area_id, ()))), own)
        return np.where(np.isnan(own), below_it, own)

    unknown = np.full(len(days), np.nan)
    tops = (area for area in inside if site.areas[area].parent not in inside)
    excluded = (one for area in inside for one in below.get(area, ()) if one not in inside)
    total = _sum_known(list(map(of_area, scope.structure.in_order(tops))), unknown)
    deducted = _sum_known(list(map(of_area, scope.structure.in_order(excluded))), unknown)
    return total - zero_where_unknown(deducted)


def _sum_known(
    parts: "Sequence[NDArray[np.float64]]", like: "NDArray[np.float64]"
) -> "NDArray[np.float64]":
    """Return the daily sum of the known parts, in the shape of `like`; NaN if none is known."""
    if not parts:
        return np.full_like(like, np.nan)
    stack = np.array(parts)
    total = zero_where_unknown(stack).sum(axis=0)
    return np.where(np.isnan(stack).all(axis=0), np.nan, total)


def dated_values(
    dated: Sequence[DatedValue], ordinals: "NDArray[np.int64]"
) -> "NDArray[np.float64]":
    """Return the value valid on each day; NaN before the first value.

    Args:
        dated: the values, in order of time.
        ordinals: proleptic Gregorian ordinals of the days.
    """
    values = np.array([np.nan, *(row.value for row in dated)])
    starts = np.array([row.from_.toordinal() for row in dated], dtype=np.int64)
    in_force: NDArray[np.float64] = values[starts.searchsorted(ordinals, side="right")]
    return in_force
