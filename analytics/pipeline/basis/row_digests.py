"""Digests of the rows of the site's files from which stored results are computed.

Laws:

1. A digest contains only keys on which results depend. For example, it leaves out the names and
   addresses of meters.
2. Digests are coarse. One changed row makes all results of its kind outdated, on all days.

Pure: rows in, digests out.
"""

import hashlib
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from analytics.calendar.working_hours import Hours
from analytics.counters.meter_devices import devices_of
from analytics.figures.rule_files import Rules
from analytics.tariffs.tariff import Tariffs
from jieneng.metering.catalog.meter_model import Model
from jieneng.metering.quantities import CONSUMPTION, EXPORT
from jieneng.metering.site import Meter, Site

#: Fields of meters, areas and institutions that no result depends on.
_UNUSED: Final = frozenset(
    {"name", "bus", "unit", "address", "every", "interval_s", "account", "rated_max_unknown"}
)
#: Fields of areas on which figures depend, and consumption does not.
_DENOMINATORS: Final = frozenset({"floor_area_m2", "headcount"})
_LENGTH: Final = 16
#: Number of the way in which sums are computed. Raise it if the same rows give other sums, so that
#: an update computes past days again. 2: successors of meters, net energy in formulas.
_METHOD: Final = 2


def register_digests(site: Site, models: Mapping[str, Model]) -> dict[str, str]:
    """Return a digest of the rows that determine each meter's registers, by meter id."""
    return {
        meter.id: _digest(meter.medium, meter.role, repr(_devices(site, meter, models)))
        for meter in site.read_meters.values()
    }


def _devices(site: Site, meter: Meter, models: Mapping[str, Model]) -> list[object]:
    quantities = (CONSUMPTION[meter.medium], EXPORT)
    return [devices_of(meter, models, site.zone, quantity) for quantity in quantities]


def sums_digest(site: Site, rules: Rules) -> str:
    """Return a digest of the rows that determine sums and virtual meters."""
    counted = [(p.from_, p.export_deducted, p.export_carbon_deducted) for p in rules.plans]
    return _digest(_METHOD, site.site.timezone, counted, _structure(site, _UNUSED | _DENOMINATORS))


def figure_digests(
    site: Site, models: Mapping[str, Model], rules: Rules, hours: Hours, tariffs: Tariffs
) -> dict[str, str]:
    """Return a digest of the rows behind each kind of daily figures, by the name of its step.

    Each digest includes the rows behind the consumption, because all figures rest on consumption.
    """
    consumption = [register_digests(site, models), sums_digest(site, rules)]
    figures = [consumption, rules, _structure(site, _UNUSED)]
    # The tariffs name the meters of each account; only the days are in the site.
    accounts = {one.id: one.account for one in site.meter if isinstance(one.account, tuple)}
    return {
        "indicators": _digest(figures),
        "profiles": _digest(consumption, hours, rules.coverage_floor),
        "costs": _digest(consumption, hours, tariffs, accounts),
        "quotas": _digest(figures),
        "changes": _digest(figures),
        "quality": _digest(figures, [meter.interval_s for meter in site.meter]),
    }


def _structure(site: Site, unused: frozenset[str]) -> list[dict[str, Any]]:
    """Return areas, institutions and meters without some of their fields."""
    return [
        {name: value for name, value in msgspec.structs.asdict(row).items() if name not in unused}
        for rows in (site.area, site.institution, site.meter)
        for row in rows
    ]


def _digest(*rows: object) -> str:
    content = msgspec.json.encode(rows, order="deterministic")
    return hashlib.sha256(content).hexdigest()[:_LENGTH]
