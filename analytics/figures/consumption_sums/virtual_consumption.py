"""Compute the consumption of the virtual meters of a site in a window, with findings. Pure.

Laws:

1. Virtual meters are computed whenever a window is computed. So a late reading of a meter in a
   formula changes the virtual meter on the same days.
2. A bidirectional meter counts in a formula with its net energy, also if its exported energy was
   first read later: before, it was 0 (`lifetime`).
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

import msgspec

from analytics import periods
from analytics.counters.consumption import Consumption, zero_where_unknown
from analytics.counters.register_finding import RegisterFinding
from analytics.figures.boundary.flows import Flow
from analytics.figures.boundary.lifetime import Begins, lifetime
from analytics.figures.boundary.site_structure import SiteStructure
from analytics.figures.boundary.virtual_meters import (
    exported_amount,
    negative_findings,
    net_consumption,
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
    measured: Iterable[tuple[Flow, Mapping[Interval, Consumption]]],
    grids: "Mapping[Interval, NDArray[np.int64]]",
    begins: Begins,
) -> Iterator[VirtualWindow]:
    """Yield the virtual meters of a site in a window, each after those in its own formula.

    Virtual meters with a meter in their formula that is not in `measured` are left out.

    Args:
        structure: structure of the site by day.
        measured: consumption of the meters that are read, by flow.
        grids: edges of the intervals [UTC, ms].
        begins: first days of generation and export.
    """
    operands = _Operands(structure, measured, grids, begins)
    for meter in virtual_meters(structure.site):
        if any(term.meter not in operands.known for term in meter.terms):
            continue
        of_terms = {
            interval: {term.meter: operands.net(term.meter, interval) for term in meter.terms}
            for interval in grids
        }
        found = {
            interval: virtual_consumption(meter, of_interval)
            for interval, of_interval in of_terms.items()
        }
        exported = exported_amount(meter, operands.exported)
        operands.add(meter, found, exported)
        findings = negative_findings(meter, found["day"], of_terms["day"], exported, grids["day"])
        yield VirtualWindow(meter, found, tuple(findings))


class _Operands:
    """Consumption of the meters that formulas may contain, on the days on which they exist.

    Attributes:
        known: what came in through each meter, by id.
        exported: exported energy by day, of the meters that contain any.
    """

    def __init__(
        self,
        structure: SiteStructure,
        measured: Iterable[tuple[Flow, Mapping[Interval, Consumption]]],
        grids: "Mapping[Interval, NDArray[np.int64]]",
        begins: Begins,
    ) -> None:
        self._structure, self._begins, zone = structure, begins, structure.site.zone
        self._days = {one: periods.interval_days(edges, zone) for one, edges in grids.items()}
        self.known: dict[str, Mapping[Interval, Consumption]] = {}
        self._leaving: dict[str, Mapping[Interval, Consumption]] = {}
        for flow, amounts in measured:
            (self._leaving if flow.is_export else self.known)[flow.meter.id] = amounts
        self.exported = {
            meter: zero_where_unknown(self._living(meter, "day", is_export=True).amount)
            for meter in self._leaving
        }

    def add(
        self,
        meter: Meter,
        amounts: Mapping[Interval, Consumption],
        exported: "NDArray[np.float64] | None",
    ) -> None:
        """Add a virtual meter, with the exported energy that it contains."""
        self.known[meter.id] = amounts
        if exported is not None:
            self.exported[meter.id] = exported

    def net(self, meter: str, interval: Interval) -> Consumption:
        """Return what a meter measured, less the energy that went out through it (law 2)."""
        entering = self._living(meter, interval, is_export=False)
        if meter not in self._leaving:
            return entering
        return net_consumption(entering, self._living(meter, interval, is_export=True))

    def _living(self, meter: str, interval: Interval, *, is_export: bool) -> Consumption:
        flow = Flow(self._structure.site.meters[meter], is_export)
        amounts = self._leaving if is_export else self.known
        life = lifetime(self._structure, flow, self._days[interval], self._begins)
        return life.applied_to(amounts[meter][interval])
