"""Define the energy flows that meters measure, and which of them count in a figure.

Laws:

1. Consumption within a boundary = energy purchased + energy generated - energy exported. So
   photovoltaic energy that the site uses itself counts as consumption.
2. Carbon is counted for purchased electricity only: E = purchased x factor - resold x factor
   (JS/T 303-2026). Self-generated electricity causes no carbon, and exported electricity is not
   deducted.
3. A plan may define other rules: `export_deducted` and `export_carbon_deducted` in `plan.toml`.
"""

from collections.abc import Sequence
from typing import Final, Literal, TypeAlias

import msgspec

from jieneng.metering.quantities import Medium
from jieneng.metering.site import Meter, Supply

FlowKind = Literal["purchase", "generation", "export"]

#: Source of carbon with its own factor: the medium, and for electricity the class of supply.
CarbonSource: TypeAlias = tuple[Medium, Supply | None]

_ENERGY: Final[frozenset[FlowKind]] = frozenset({"purchase", "generation"})
_CARBON: Final[frozenset[FlowKind]] = frozenset({"purchase"})
_OF_ROLE: Final[dict[str, FlowKind]] = {
    "consumption": "purchase",
    "generation": "generation",
    "export": "export",
}


class Flow(msgspec.Struct, frozen=True):
    """The flow that one register of a meter measures.

    Attributes:
        meter: the meter.
        is_export: True for the export register of a meter with the role `consumption`.
    """

    meter: Meter
    is_export: bool = False

    @property
    def kind(self) -> FlowKind:
        """Kind of the flow: consumption, generation, export, ..."""
        return "export" if self.is_export else _OF_ROLE[self.meter.role]

    @property
    def series(self) -> str:
        """Value of the tag `kind` in the store."""
        return "export" if self.is_export else "meter"


class CountedFlows(msgspec.Struct, frozen=True):
    """The kinds of flows that count in figures.

    Attributes:
        energy: kinds that count as consumption, of energy and of all other media.
        carbon: kinds that count for carbon emissions.
    """

    energy: frozenset[FlowKind]
    carbon: frozenset[FlowKind]

    @classmethod
    def of(cls, *, export_deducted: bool, export_carbon_deducted: bool) -> "CountedFlows":
        """Return the flows that a plan counts."""
        export: frozenset[FlowKind] = frozenset({"export"})
        return cls(
            _ENERGY | export if export_deducted else _ENERGY,
            _CARBON | export if export_carbon_deducted else _CARBON,
        )


def flows_of(meters: Sequence[Meter], exporting: Sequence[Meter]) -> list[Flow]:
    """Return the flow of each meter, then the flow of each export register.

    Args:
        meters: all meters.
        exporting: the meters that have an export register.
    """
    return [*map(Flow, meters), *(Flow(meter, is_export=True) for meter in exporting)]
