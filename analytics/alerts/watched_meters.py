"""Find the meters and areas that a rule watches. Pure: a rule and a site in, rows out."""

from collections.abc import Collection

from analytics.alerts.alert_rule import AlertRule
from jieneng.metering.site import Area, Meter, Site, descendants


def watched_meters(rule: AlertRule, site: Site) -> tuple[Meter, ...]:
    """Return the meters that match a rule's `medium`, `area`, `meter` and `except_meter` together.

    An area stands for all areas within it. A meter that was moved is in its last area.
    """
    areas = areas_within(rule.area, site)
    return tuple(
        meter
        for meter in site.meter
        if (not rule.medium or meter.medium in rule.medium)
        and (not rule.area or meter.last_area in areas)
        and (not rule.meter or meter.id in rule.meter)
        and meter.id not in rule.except_meter
    )


def watched_areas(rule: AlertRule, site: Site) -> tuple[Area, ...]:
    """Return the areas of a rule's `area`, with all areas within them; all if it is empty."""
    areas = areas_within(rule.area, site)
    return tuple(area for area in site.area if not rule.area or area.id in areas)


def areas_within(tops: Collection[str], site: Site) -> frozenset[str]:
    """Return the ids of some areas and of all areas within them."""
    parents = {area.id: area.parent for area in site.area}
    return frozenset(descendants(parents, [top for top in tops if top in parents]))
