"""Lay out the points of a model as registers, with the transformer ratios of a device. Pure.

Law: a register holds whole steps, rounded down. It rolls over to 0 at the end of its width or its
digits. Transformer ratios that the model names are divided out.
"""

import math
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Final

import msgspec
import numpy as np

from jieneng.metering.catalog.modbus_points import PointRow
from jieneng.metering.quantities import CONSUMPTION, Medium
from simulators.encoding import register_words
from simulators.load.seeded_noise import Floats
from simulators.registers.derived_quantities import share
from simulators.registers.device_period import DevicePeriod

#: Steps between 0 and 1 of a float that holds a fraction: it holds each of them exactly.
_FINE: Final = 1024
# Share of a step: a float that stands for whole steps may be smaller by this much.
_TOLERANCE: Final = 1e-6


class Part(msgspec.Struct, frozen=True):
    """A part of a register's number: the number itself, its fraction or its exponent.

    Attributes:
        address: address of the first word.
        layout: layout of the part in its words.
        weight: units of the register for each unit of this part; 0 for an exponent.
        constant: value of an exponent; 0 for other parts.
    """

    address: int
    layout: register_words.Layout
    weight: Fraction = Fraction(1)
    constant: int = 0

    @property
    def place(self) -> range:
        """The addresses that this part takes."""
        return range(self.address, self.address + self.layout.words)


class Register(msgspec.Struct, frozen=True):
    """A point of a model, with given transformer ratios.

    Attributes:
        row: the point in the model.
        parts: the number, and its fraction or exponent where these have addresses of their own.
        step: value of one unit, the smallest that the register shows [canonical unit].
        ends: number of units at which the register rolls over to 0; None: never.
        share: growth while the consumption grows by 1; None for a gauge.
        counts: True for the meter's consumption counter.
    """

    row: PointRow
    parts: tuple[Part, ...]
    step: Fraction
    ends: int | None
    share: float | None
    counts: bool

    @property
    def layout(self) -> register_words.Layout:
        """The layout of the number, without fraction and exponent."""
        return self.parts[0].layout

    @property
    def single(self) -> bool:
        """Return True if the register holds a float of single precision."""
        return self.layout.kind == "f" and self.layout.bits == 32

    def units(self, value: Floats) -> Floats:
        """Return the units of the register that show a counter's value [canonical unit]."""
        steps = value * (self.step.denominator / self.step.numerator)
        if self.layout.kind != "f":
            steps = np.floor(steps + _TOLERANCE)
        if self.ends is not None:
            steps = np.mod(steps, self.ends)
        return steps.astype(np.float32).astype(np.float64) if self.single else steps

    def value(self, units: Floats) -> Floats:
        """Return the value that a reader computes from units [canonical unit]."""
        return np.asarray(units * self.step.numerator / self.step.denominator, dtype=np.float64)

    def held(self, units: float) -> Iterator[tuple[int, list[int]]]:
        """Yield the addresses of the parts with their words, when the register shows `units`."""
        number, *others = self.parts
        alone = number.weight == 1
        whole, rest = (units, 0) if alone else divmod(round(units), int(number.weight))
        yield number.address, register_words.encode(whole, number.layout)
        for part in others:
            shown = float(rest / part.weight) if part.weight else part.constant
            yield part.address, register_words.encode(shown, part.layout)

    def read(self, held: Sequence[int], address: int) -> float:
        """Return the units in an answer that begins at `address`; NaN if a part is missing."""
        units = 0.0
        for part in self.parts:
            begin = part.address - address
            if begin < 0 or begin + part.layout.words > len(held):
                return math.nan
            shown = register_words.decode(held[begin : begin + part.layout.words], part.layout)
            units += shown * float(part.weight)
        return units


def registers(stretch: DevicePeriod, medium: Medium) -> tuple[Register, ...]:
    """Return the registers of a device, with the transformer ratios of a stretch."""
    return tuple(_register(row, stretch, medium) for row in stretch.model.point)


def _register(row: PointRow, stretch: DevicePeriod, medium: Medium) -> Register:
    parts = parts_of(row)
    layout = parts[0].layout
    ends = None if layout.kind == "f" else layout.capacity * parts[0].weight
    power = Fraction(10) ** parts[-1].constant
    unit = power / parts[0].weight
    if row.modulus is not None:
        ends = Fraction(row.modulus) / (row.canonical_scale() * unit)
    step = row.canonical_scale(stretch.ct, stretch.pt) * unit
    counts = row.quantity == CONSUMPTION[medium]
    whole = None if ends is None else round(ends)
    return Register(row, parts, step, whole, share(row.quantity, medium), counts)


def parts_of(row: PointRow) -> tuple[Part, ...]:
    """Return the parts of a point's number: the number, then its fraction and exponent.

    A float that holds the fraction counts in steps of 1 / `_FINE`, each of which it holds exactly.
    An exponent is chosen so that a unit is about a hundredth of the quantity's unit.
    """
    layout = register_words.layout(row.type, row.order, row.bits)
    fraction, exponent = row.fraction, row.exponent
    parts = [Part(row.address, layout)]
    if fraction is not None:
        fraction_layout = register_words.layout(fraction.type, fraction.order)
        weight = Fraction(_FINE) if fraction_layout.kind == "f" else 1 / Fraction(fraction.scale)
        fraction_weight = weight * Fraction(fraction.scale)
        parts = [
            Part(row.address, layout, weight),
            Part(fraction.address, fraction_layout, fraction_weight),
        ]
    if exponent is not None:
        exponent_layout = register_words.layout(exponent.type, exponent.order)
        power = round(math.log10(0.01 / row.canonical_scale()))
        parts.append(
            Part(exponent.address, exponent_layout, Fraction(0), max(power, exponent_layout.lowest))
        )
    return tuple(parts)
