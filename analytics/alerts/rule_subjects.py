"""Choose the subjects that a rule watches, by its media, areas and meters.

Pure: no clock, no file.

Laws: a bus or an agent is watched if at least one of its meters is watched. An empty filter accepts
all. A meter belongs to the area in which it is today, and to all areas that contain this area.
"""

from collections.abc import Callable, Mapping
from datetime import date
from types import MappingProxyType
from typing import Final

from analytics.alerts.alert_rule import AlertRule
from jieneng.metering.alert_signals import SIGNALS, SubjectKind
from jieneng.metering.indicators import INDICATORS
from jieneng.metering.quantities import QUANTITIES
from jieneng.metering.site import Meter, Site, descendants


def subjects(rule: AlertRule, site: Site) -> tuple[str, ...]:
    """Return the ids of the subjects of a rule, in the order of `site.toml`."""
    return _CHOICES[SIGNALS[rule.signal].subject](rule, site)


def watched_meters(rule: AlertRule, site: Site) -> list[Meter]:
    """Return the meters that pass the filters of a rule."""
    areas = _areas(rule, site)
    return [
        meter
        for meter in site.meter
        if (not rule.medium or meter.medium in rule.medium)
        and (areas is None or meter.last_area in areas)
        and (not rule.meter or meter.id in rule.meter)
        and meter.id not in rule.except_meter
        and (rule.quantity is None or meter.medium in QUANTITIES[rule.quantity].media)
    ]


def is_in_place(meter: Meter, day: date) -> bool:
    """Return True if a meter is installed on a local day and not yet removed."""
    return (meter.installed is None or meter.installed <= day) and (
        meter.removed is None or day <= meter.removed
    )


def _areas(rule: AlertRule, site: Site) -> frozenset[str] | None:
    """Return the areas of a rule, and all areas within them; None for all areas."""
    if not rule.area:
        return None
    return frozenset(descendants(site.areas_below, rule.area))


def _polled(rule: AlertRule, site: Site) -> list[Meter]:
    return [meter for meter in watched_meters(rule, site) if meter.bus is not None]


def _meters(rule: AlertRule, site: Site) -> tuple[str, ...]:
    choose = _METERS.get(rule.signal, _polled)
    return tuple(meter.id for meter in choose(rule, site))


def _water_meters(rule: AlertRule, site: Site) -> list[Meter]:
    return [meter for meter in watched_meters(rule, site) if meter.medium == "water"]


def _parents(rule: AlertRule, site: Site) -> list[Meter]:
    parents = {meter.parent for meter in site.meter}
    return [meter for meter in watched_meters(rule, site) if meter.id in parents]


def _buses(rule: AlertRule, site: Site) -> tuple[str, ...]:
    watched = {meter.bus for meter in _polled(rule, site)}
    return tuple(bus.id for bus in site.bus if bus.id in watched)


def _agents(rule: AlertRule, site: Site) -> tuple[str, ...]:
    watched = set(_buses(rule, site))
    return tuple(dict.fromkeys(bus.agent for bus in site.bus if bus.id in watched))


def _profiled_meters(rule: AlertRule, site: Site) -> list[Meter]:
    """Return the meters whose usual load can be predicted from past weeks.

    Heating and cooling follow the weather: at the start of a season, their load is a thousand times
    the load of the weeks before. Their meters are watched only if the rule names them.
    """
    return [
        meter
        for meter in watched_meters(rule, site)
        if meter.item != "hvac" or meter.id in rule.meter
    ]


def _watched_areas(rule: AlertRule, site: Site) -> tuple[str, ...]:
    areas = _areas(rule, site)
    return tuple(area.id for area in site.area if areas is None or area.id in areas)


def _empty_areas(rule: AlertRule, site: Site) -> tuple[str, ...]:
    """Return the areas that are empty outside of the working hours.

    Only offices are empty then. A data room runs at night, and a canteen cooks before work begins.
    Areas other than offices are watched only if the rule names them.
    """
    watched = frozenset(_watched_areas(rule, site))
    return tuple(
        area.id
        for area in site.area
        if area.id in watched and (area.kind == "office" or area.id in rule.area)
    )


def _scopes(rule: AlertRule, site: Site) -> tuple[str, ...]:
    if rule.area:
        return _watched_areas(rule, site)
    return (site.id, *(one.id for one in site.institution), *(one.id for one in site.area))


def _indicators(rule: AlertRule, site: Site) -> tuple[str, ...]:
    return tuple(
        f"{scope}/{indicator}" for scope in _scopes(rule, site) for indicator in INDICATORS
    )


def _site(_: AlertRule, site: Site) -> tuple[str, ...]:
    return (site.id,)


#: Functions that choose the meters of a signal. All other signals watch the polled meters.
_METERS: Final[Mapping[str, Callable[[AlertRule, Site], list[Meter]]]] = MappingProxyType(
    {"deviation": _profiled_meters, "night_flow": _water_meters, "imbalance": _parents}
)
_CHOICES: Final[Mapping[SubjectKind, Callable[[AlertRule, Site], tuple[str, ...]]]] = (
    MappingProxyType(
        {
            "meter": _meters,
            "bus": _buses,
            "agent": _agents,
            "area": _empty_areas,
            "scope": _scopes,
            "indicator": _indicators,
            "site": _site,
        }
    )
)
