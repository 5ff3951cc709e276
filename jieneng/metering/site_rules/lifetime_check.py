"""Check the first and last days of meters and areas, and the roles of meters. Pure.

Laws:

1. A meter or area must not end before it begins, and must have no events after its end.
2. Only energy can be generated or exported, and only electricity has classes of supply.
"""

from collections.abc import Iterator, Mapping

from jieneng.metering.catalog.meter_model import Model
from jieneng.metering.errors import Problem, UnreadKeys
from jieneng.metering.site import Meter, Site
from jieneng.metering.site_rules.meter_successors import MeterSuccessors


def lifetime_problems(site: Site, _: Mapping[str, Model], unread: UnreadKeys) -> Iterator[Problem]:
    """Yield a problem for each end before the start, and each event after the end."""
    for number, area in enumerate(site.area):
        keys = ("closed", "floor_area_m2")
        if area.closed is None or unread.covers_row("area", number, *keys):
            continue
        if area.floor_area_m2 and area.closed < area.floor_area_m2[0].from_:
            yield Problem(
                text="area {area} was closed on {closed}, but its first floor area is dated"
                " later: {first}.",
                fix="Correct one of the dates.",
                values={
                    "area": area.id,
                    "closed": area.closed,
                    "first": area.floor_area_m2[0].from_,
                },
                path=("area", number, "closed"),
            )
    for number, meter in enumerate(site.meter):
        if not unread.covers_row("meter", number, "installed", "removed", "replaced", "area"):
            yield from _after_its_end(site, number, meter)


def _after_its_end(site: Site, number: int, meter: Meter) -> Iterator[Problem]:
    """Yield a problem for each event of a meter after its end, or after the end of its area."""
    moves = [] if isinstance(meter.area, str) else list(meter.area)
    if meter.removed is not None:
        events = {
            "installed": [meter.installed] if meter.installed else [],
            "replaced": [row.at.date() for row in meter.replaced],
            "area": [row.from_ for row in moves],
        }
        for key, days in events.items():
            late = [day for day in days if day > meter.removed]
            if late:
                yield Problem(
                    text="meter {meter} was removed on {removed}, but its {key} is dated"
                    " later: {day}.",
                    fix="Correct one of the dates.",
                    values={
                        "meter": meter.id,
                        "removed": meter.removed,
                        "key": key,
                        "day": late[0],
                    },
                    path=("meter", number, key),
                )
    for row in moves:
        area = site.areas.get(row.value)
        if area is not None and area.closed is not None and area.closed < row.from_:
            yield Problem(
                text="meter {meter} is in {area} from {day} on, but {area} was closed on {closed}.",
                fix="Correct one of the dates.",
                values={
                    "meter": meter.id,
                    "area": area.id,
                    "day": row.from_,
                    "closed": area.closed,
                },
                path=("meter", number, "area"),
            )


def role_problems(site: Site, _: Mapping[str, Model], unread: UnreadKeys) -> Iterator[Problem]:
    """Yield a problem for each role or class of supply that a meter's medium can't have."""
    for number, meter in enumerate(site.meter):
        if unread.covers_row("meter", number, "medium", "role", "supply"):
            continue
        if meter.role != "consumption" and meter.medium == "water":
            yield Problem(
                text='meter {meter} measures water, for which role = "{role}" is not possible.',
                fix="Only energy is generated or exported. For water that is resold, write "
                "counts = false.",
                values={"meter": meter.id, "role": meter.role},
                path=("meter", number, "role"),
            )
        if meter.supply is not None and (meter.medium, meter.role) != (
            "electricity",
            "consumption",
        ):
            yield Problem(
                text="meter {meter} has the key supply, which is for purchased electricity only.",
                fix="Remove supply.",
                values={"meter": meter.id},
                path=("meter", number, "supply"),
            )


def removed_parents(site: Site, unread: UnreadKeys) -> Iterator[Problem]:
    """Yield a warning for each meter that still exists after the meter above it was removed.

    If a successor took the place of the meter above it, the successor is its parent.
    """
    if any(unread.covers("meter", number, "area") for number in range(len(site.meter))):
        return
    successors = MeterSuccessors(site)
    for number, meter in enumerate(site.meter):
        parent = site.meters.get(meter.parent or "")
        if parent is None or unread.covers_row("meter", number, "parent", "removed"):
            continue
        outlives = parent.removed is not None and (
            meter.removed is None or meter.removed > parent.removed
        )
        if outlives and not successors.after(parent.id):
            yield Problem(
                text="the parent {parent} of meter {meter} was removed on {removed}: from"
                " then on, {above} is its parent.",
                fix="If another meter has taken the place of {parent}, add it to site.toml, with"
                " the date on which it was installed.",
                values={
                    "meter": meter.id,
                    "parent": parent.id,
                    "removed": parent.removed,
                    "above": parent.parent or site.id,
                },
                path=("meter", number, "parent"),
            )


def unmetered_let_areas(site: Site, unread: UnreadKeys) -> Iterator[Problem]:
    """Yield a warning for each area that is let out and has no meter of its own."""
    if unread.covers("area") or unread.hides_ids("meter"):
        return
    measured = {area_id for meter in site.meter for area_id in meter.areas}
    parents = {area.id: area.parent for area in site.area}
    for number, area in enumerate(site.area):
        is_let = area.counts is False or (
            isinstance(area.counts, tuple) and any(not row.value for row in area.counts)
        )
        inside = {one for one in parents if one == area.id or area.id in _around(parents, one)}
        if is_let and not inside & measured:
            yield Problem(
                text="area {area} is let out, but no meter measures it: its floor area and"
                " headcount are deducted, but its energy is not.",
                fix="Add the meter that measures the area, or leave counts out until there is one.",
                values={"area": area.id},
                path=("area", number, "counts"),
            )


def _around(parents: Mapping[str, str | None], area_id: str) -> set[str]:
    """Return the areas around an area; works even if the parents form a cycle."""
    around: set[str] = set()
    above = parents.get(area_id)
    while above is not None and above not in around:
        around.add(above)
        above = parents.get(above)
    return around
