"""Series of a file, and the values that its cells hold."""

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
    """Series of a cell, with the unit in which the cell has its value.

    Attributes:
        series: the series.
        scale: canonical units per unit of the file.
        unit: the unit as it is written; "" for the quantity's own.
    """

    series: ImportSeries
    scale: Fraction
    unit: str

    def canonical(self, value: float) -> float:
        """Return a value of the file in the canonical unit."""
        scale = self.scale
        return value if scale == 1 else value * scale.numerator / scale.denominator


#: Series; time [UTC, ms]; value, or None for a missing one; length of its interval [ms], or 0 if
#: the cells don't say it; True if the file calls the value estimated.
ParsedValue: TypeAlias = tuple[ImportSeries, int, float | None, int, bool]
