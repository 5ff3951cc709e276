"""Compare a scope with its base period by the areas that existed throughout both. Pure.

Laws:

1. An area joins or leaves when it is built, closed, let out or taken back. Without these areas, and
   all areas inside them, both sides of a comparison consist of the same areas.
2. An area that joined or left within either period, or between them, is treated in both as if it
   were let out: the consumption of its meters is deducted, with its floor area and headcount.
3. An area begins with its first floor area, or with the installation of its first meter if that is
   earlier. If one of its meters states no installation, the first day of the area is unknown.
4. Meters that are replaced or added within an area are no reason to leave the area out, because its
   use goes on.
5. If an area that is left out has no meter of its own for a medium, its consumption of the medium
   stays in the comparison, and a finding says so.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Literal

import msgspec

from analytics.figures.figure import FigureComparison, relative_change_pct, rounded
from analytics.figures.indicator_results import IndicatorResult, PeriodInputs
from analytics.figures.roll_up import Scope, scopes
from analytics.periods import Period
from jieneng.metering import schema
from jieneng.metering.findings import Finding
from jieneng.metering.indicators import BINDING_INDICATORS, Indicator
from jieneng.metering.quantities import Medium
from jieneng.metering.site import Area, Site, descendants

#: Id of the comparison, in JSON and CSV.
LIKE_FOR_LIKE = schema.LIKE_FOR_LIKE


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


class LikeForLike(msgspec.Struct, frozen=True):
    """Two periods by the areas that existed throughout both.

    Attributes:
        changes: for each scope with a comparison, by its id: its areas that joined or left.
        current: the complete days of the period.
        same_days: the same days of the base year.
    """

    changes: Mapping[str, tuple[AreaChange, ...]]
    current: PeriodInputs
    same_days: PeriodInputs


def area_changes(site: Site, periods: Sequence[Period]) -> list[AreaChange]:
    """Return the areas that existed in a part of the periods, but not in all of their time."""
    found = []
    for area in site.area:
        change = _change(site, area, periods)
        if change is not None:
            kind, day = change
            found.append(AreaChange(area.id, kind, day, _unmetered_media(site, area.id)))
    return found


def like_for_like_scopes(
    site: Site, wanted: Sequence[Scope], changes: Sequence[AreaChange]
) -> tuple[dict[str, tuple[AreaChange, ...]], list[Scope]]:
    """Return the scopes, reduced to the areas that existed throughout.

    Only scopes in which an area joined or left are returned. Areas that joined or left themselves,
    and areas inside them, are not.

    Returns:
        The changes by scope id, and the scopes with these ids.
    """
    changed = {change.area for change in changes}
    parents = {area.id: area.parent for area in site.area}
    gone = set(descendants(parents, changed))
    of_scope = {
        scope.id: tuple(change for change in changes if change.area in scope.areas)
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


def like_for_like_comparison(
    changes: Sequence[AreaChange],
    same_days: PeriodInputs,
    current: IndicatorResult,
    baseline: IndicatorResult,
) -> FigureComparison:
    """Return the comparison of an indicator by the areas that existed throughout both periods.

    Args:
        changes: the areas of the scope that are left out.
        same_days: inputs of the base period.
        current: the indicator without these areas.
        baseline: the indicator without these areas in the base period.
    """
    change = relative_change_pct(current.value, baseline.value)
    return FigureComparison(
        id=LIKE_FOR_LIKE,
        name=LIKE_FOR_LIKE,
        reason="",
        value=rounded(current.value),
        baseline=rounded(baseline.value),
        baseline_period=same_days.period.id,
        change_pct=rounded(change),
        decrease_pct=rounded(-change),
        coverage=rounded(min(current.coverage, baseline.coverage)),
        left_out=tuple(one.area for one in changes),
    )


def like_for_like_findings(
    scope: Scope, indicator: Indicator, changes: Sequence[AreaChange], compared: FigureComparison
) -> Iterator[Finding]:
    """Yield a finding for each area that joined or left, and one with the result.

    The result is a finding for the indicators of binding targets only: a scope has many others.
    """
    for change in changes:
        yield Finding.of(f"area_{change.kind}", change.area, day=change.day)
        media = [medium for medium in indicator.media if medium in change.unmetered]
        if media:
            yield Finding.of("left_out_unmetered", change.area, media=" ".join(media))
    if compared.change_pct is not None and indicator.id in BINDING_INDICATORS:
        yield Finding.of(
            LIKE_FOR_LIKE, scope.id, indicator=indicator.id, change=compared.change_pct
        )


def _change(
    site: Site, area: Area, periods: Sequence[Period]
) -> tuple[Literal["joined", "left"], date] | None:
    """Return how and when an area joined or left; None if it existed in all periods or in none."""
    first = min(period.start for period in periods)
    last = max(period.end for period in periods)
    begin = _first_day(site, area, first) or date.min
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


def _first_day(site: Site, area: Area, first: date) -> date | None:
    """Return the first day of an area (law 3); None if it has no beginning known after `first`."""
    if not area.floor_area_m2 or area.floor_area_m2[0].from_ <= first:
        return None
    inside = _inside(site, area.id)
    meters = [meter for meter in site.read_meters.values() if meter.areas[0] in inside]
    if any(meter.installed is None for meter in meters):
        return None
    installed = [meter.installed for meter in meters if meter.installed is not None]
    return min([area.floor_area_m2[0].from_, *installed])


def _unmetered_media(site: Site, area_id: str) -> frozenset[Medium]:
    """Return the media of the site for which no meter lies in an area or in its sub-areas."""
    inside = _inside(site, area_id)
    return frozenset(
        {meter.medium for meter in site.meter}
        - {meter.medium for meter in site.meter if not inside.isdisjoint(meter.areas)}
    )


def _inside(site: Site, area_id: str) -> set[str]:
    parents = {area.id: area.parent for area in site.area}
    return set(descendants(parents, [area_id]))
