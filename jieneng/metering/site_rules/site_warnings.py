"""Find probable mistakes in a site that may be intended. Pure: a site in, warnings out.

Law: nothing is refused because of a warning. Like an error, a warning names its place and says what
to do. A rule is not applied if a value that it needs could not be read (`UnreadKeys`).
"""

from collections import Counter
from collections.abc import Iterator
from typing import Final

from jieneng.metering.errors import Problem, UnreadKeys
from jieneng.metering.site import Meter, Site, descendants
from jieneng.metering.site_rules.double_counting import double_counting
from jieneng.metering.site_rules.lifetime_check import removed_parents, unmetered_let_areas

_ALL_READ: Final = UnreadKeys()


def warnings(site: Site, unread: UnreadKeys = _ALL_READ) -> list[Problem]:
    """Return the warnings of a site, which may have mistakes that are reported elsewhere."""
    rules = (
        _missing_floor_area,
        _repeated_names,
        _parents_elsewhere,
        _supply_below_another,
        removed_parents,
        unmetered_let_areas,
        double_counting,
    )
    return [warning for rule in rules for warning in rule(site, unread)]


def _missing_floor_area(site: Site, unread: UnreadKeys) -> Iterator[Problem]:
    if (
        unread.covers("site")
        or unread.covers("area")
        or any(area.floor_area_m2 for area in site.area)
    ):
        return
    yield Problem(
        text="no area has a floor area, so no figure per square metre can be computed.",
        fix="Write floor_area_m2 at the buildings, for example: floor_area_m2 = [{example}]",
        values={"example": "{from = 2020-01-01, value = 18600.0}"},
        path=("area", 0) if site.area else ("site",),
    )


def _repeated_names(site: Site, unread: UnreadKeys) -> Iterator[Problem]:
    named = [
        (number, meter)
        for number, meter in enumerate(site.meter)
        if not unread.covers_row("meter", number, "id", "name")
    ]
    counts = Counter(meter.name for _, meter in named)
    for number, meter in named:
        if counts[meter.name] > 1:
            counts[meter.name] = 0  # reported once
            same = [other.id for _, other in named if other.name == meter.name]
            yield Problem(
                text="meters {meters} are all named {name}.",
                fix="Boards and reports show the name, so give each meter a different one.",
                values={"meters": ", ".join(same), "name": meter.name},
                path=("meter", number, "name"),
            )


def _parents_elsewhere(site: Site, unread: UnreadKeys) -> Iterator[Problem]:
    """Yield a warning for each meter whose parent is in another building.

    There is no warning for a parent in a plant room, because it may feed every building.
    """
    if unread.covers("area"):
        return
    buildings = _buildings(site)
    for number, meter in enumerate(site.meter):
        parent = site.meters.get(meter.parent or "")
        if parent is None or meter.last_area not in buildings or parent.last_area not in buildings:
            continue
        building, other = buildings[meter.last_area], buildings[parent.last_area]
        if building != other and site.areas[parent.last_area].kind != "plant":
            yield Problem(
                text="meter {meter} is in {area}, but its parent {parent} is in another building, "
                "{other}.",
                fix="If {parent} does not feed {area}, correct parent or area of the meter.",
                values={"meter": meter.id, "area": building, "parent": parent.id, "other": other},
                path=("meter", number, "parent"),
            )


def _buildings(site: Site) -> dict[str, str]:
    """Return the building of each area that lies in one, by id.

    Buildings are the areas directly below the site. There is one exception: if a single area
    without a floor area contains all other areas, such as a whole centre, the buildings are the
    areas directly below it.
    """
    tops = [area for area in site.area if area.parent is None]
    is_centre = len(tops) == 1 and len(site.area) > 1 and not tops[0].floor_area_m2
    above = tops[0].id if is_centre else None
    buildings = [area.id for area in site.area if area.parent == above]
    below = site.areas_below
    return {area: building for building in buildings for area in descendants(below, [building])}


def _supply_below_another(site: Site, unread: UnreadKeys) -> Iterator[Problem]:
    """Yield a warning for each class of supply that differs from that of the meter above it.

    Carbon is counted at the meters through which energy enters the site. So the class of a meter
    below another class has no effect.
    """
    for number, meter in enumerate(site.meter):
        parent = site.meters.get(meter.parent or "")
        if parent is None or unread.covers_row("meter", number, "parent", "supply"):
            continue
        above = _supply_of(site, parent)
        if meter.supply is not None and meter.supply != above:
            yield Problem(
                text='meter {meter} has supply = "{supply}", but the electricity of {parent} above'
                ' it is "{above}": in the figures that contain {parent}, all of it counts as'
                ' "{above}".',
                fix="Remove parent, if the line does not run through {parent}; otherwise remove"
                " supply.",
                values={
                    "meter": meter.id,
                    "supply": meter.supply,
                    "parent": parent.id,
                    "above": above,
                },
                path=("meter", number, "supply"),
            )


def _supply_of(site: Site, meter: Meter) -> str:
    """Return the class of a meter's electricity: its own, or that of the nearest meter above."""
    above: Meter | None = meter
    seen: set[str] = set()
    while above is not None and above.id not in seen:
        if above.supply is not None:
            return above.supply
        seen.add(above.id)
        above = site.meters.get(above.parent or "")
    return "grid"
