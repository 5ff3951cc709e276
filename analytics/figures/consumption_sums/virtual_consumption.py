"""Compute the consumption of the virtual meters of a site in a window, with findings. Pure.

Law: virtual meters are computed whenever a window is computed. So a late reading of a meter in a
    formula changes the virtual meter on the same days.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import msgspec

from analytics import periods
from analytics.counters.consumption import Consumption
from analytics.counters.register_finding import RegisterFinding
from analytics.figures.boundary.flows import Flow
from analytics.figures.boundary.lifetime import Begins, lifetime
from analytics.figures.boundary.site_structure import SiteStructure
from analytics.figures.boundary.virtual_meters import (
    negative_findings,
    virtual_consumption,
    virtual_meters,
)
from analytics.periods import Interval
from jieneng.metering.site import Meter

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class VirtualWindow(msgspec.Struct, frozen=True):
    """A virtual meter in a window.

    Attributes:
        meter: the virtual meter.
        consumption: its consumption, by interval.
        findings: findings about days on which its consumption is below 0.
    """

    meter: Meter
    consumption: Mapping[Interval, Consumption]
    findings: tuple[RegisterFinding, ...]


def virtual_windows(
    structure: SiteStructure,
    measured: Mapping[str, Mapping[Interval, Consumption]],
    grids: "Mapping[Interval, NDArray[np.int64]]",
    begins: Begins,
) -> Iterator[VirtualWindow]:
    """Yield the virtual meters of a site in a window, each after those in its own formula.

    Virtual meters with a meter in their formula that is not in `measured` are left out.

    Args:
        structure: structure of the site by day.
        measured: consumption of the meters that are read, by id.
        grids: edges of the intervals [UTC, ms].
        begins: first days of generation and export.
    """
    site, known = structure.site, dict(measured)
    days = {interval: periods.interval_days(edges, site.zone) for interval, edges in grids.items()}
    for meter in virtual_meters(site):
        if any(term.meter not in known for term in meter.terms):
            continue
        operands = {
            interval: {
                term.meter: lifetime(
                    structure, Flow(site.meters[term.meter]), of_days, begins
                ).applied_to(known[term.meter][interval])
                for term in meter.terms
            }
            for interval, of_days in days.items()
        }
        known[meter.id] = {
            interval: virtual_consumption(meter, of_interval)
            for interval, of_interval in operands.items()
        }
        findings = negative_findings(meter, known[meter.id]["day"], operands["day"], grids["day"])
        yield VirtualWindow(meter, known[meter.id], tuple(findings))
