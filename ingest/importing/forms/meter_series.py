"""Series of a file (quantities of meters), and parsed values."""

from fractions import Fraction
from typing import TypeAlias

import msgspec

from jieneng.metering.quantities import Medium


class ImportSeries(msgspec.Struct, frozen=True):
    """Series of a file: a quantity of a meter.

    Attributes:
        meter: the meter's id.
        quantity: the quantity.
        medium: the meter's medium.
    """

    meter: str
    quantity: str
    medium: Medium


class ScaledSeries(msgspec.Struct, frozen=True):
    """The series of a cell, with the unit of the cell's value.

    Attributes:
        series: the series.
        scale: factor from the cell's unit to the canonical unit.
        unit: the unit as it is written; "" for the canonical unit.
    """

    series: ImportSeries
    scale: Fraction
    unit: str

    def canonical(self, value: float) -> float:
        """Convert a value of the file to the canonical unit."""
        scale = self.scale
        return value if scale == 1 else value * scale.numerator / scale.denominator


#: (series; time [UTC, ms]; value, None if missing; length of the interval [ms], 0 if the cells
#: don't state it; True if the file marks the value as estimated).
ParsedValue: TypeAlias = tuple[ImportSeries, int, float | None, int, bool]
