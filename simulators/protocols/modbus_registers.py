"""Lay out the points of a Modbus model as registers, with the transformer ratios of a device. Pure.

Law: a register rolls over to 0 at the end of its width or of its digits, unless the model names a
modulus. Transformer ratios that the model names are divided out.
"""

import math
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Final

import msgspec

from jieneng.metering.catalog.modbus_points import ModbusModel, PointRow
from simulators.protocols import register_words
from simulators.protocols.simulated_protocol import Register

#: Steps between 0 and 1 of a float that holds a fraction: it holds each of them exactly.
_FRACTION_STEPS: Final = 1024

#: Layout of a number that is held in two registers: it counts whole units.
_JOINT: Final = register_words.Layout("u", 64, "ABCDEFGH")


class RegisterPart(msgspec.Struct, frozen=True):
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
    def addresses(self) -> range:
        """The addresses that this part takes."""
        return range(self.address, self.address + self.layout.words)


class ModbusRegister(Register, frozen=True):
    """A register of a Modbus device.

    Attributes:
        function: Modbus function that reads it.
        parts: the number, and its fraction or exponent where these have addresses of their own.
    """

    function: int
    parts: tuple[RegisterPart, ...]

    def words(self, units: float) -> Iterator[tuple[int, list[int]]]:
        """Yield the address of each part with its words, when the register shows `units`.

        The part with the greatest unit comes first. Each part takes as many of its whole units as
        there are, and the last part takes the rest.
        """
        numbers = sorted((part for part in self.parts if part.weight), key=_weight, reverse=True)
        rest: float | Fraction = units if len(numbers) == 1 else Fraction(round(units))
        for part in numbers:
            shown = rest / part.weight if part is numbers[-1] else rest // part.weight
            rest -= shown * part.weight
            yield part.address, register_words.encode(float(shown), part.layout)
        for part in self.parts:
            if not part.weight:
                yield part.address, register_words.encode(part.constant, part.layout)

    def decode(self, words: Sequence[int], address: int) -> float:
        """Return the units in words that begin at `address`; NaN if a part is missing."""
        units = 0.0
        for part in self.parts:
            begin = part.address - address
            if begin < 0 or begin + part.layout.words > len(words):
                return math.nan
            number = register_words.decode(words[begin : begin + part.layout.words], part.layout)
            units += number * float(part.weight)
        return units


def modbus_registers(model: ModbusModel, ct: Fraction, pt: Fraction) -> tuple[ModbusRegister, ...]:
    """Return the registers of a device behind these transformers."""
    return tuple(_register(row, ct, pt) for row in model.point)


def _weight(part: RegisterPart) -> Fraction:
    return abs(part.weight)


def _register(row: PointRow, ct: Fraction, pt: Fraction) -> ModbusRegister:
    parts = parts_of(row)
    highest = max(parts, key=_weight)
    layout = parts[0].layout if row.fraction is None else _JOINT
    rollover = None
    if highest.layout.kind != "f":
        rollover = highest.layout.capacity * highest.weight
    power = Fraction(10) ** parts[-1].constant
    unit = power / parts[0].weight
    if row.modulus is not None:
        rollover = Fraction(row.modulus) / (row.canonical_scale() * unit)
    return ModbusRegister(
        point=row,
        layout=layout,
        step=row.canonical_scale(ct, pt) * unit,
        rollover_units=None if rollover is None else round(rollover),
        function=row.function,
        parts=parts,
    )


def parts_of(row: PointRow) -> tuple[RegisterPart, ...]:
    """Return the parts of a point's number: the number, then its fraction and exponent.

    An exponent is chosen so that a unit is about a hundredth of the quantity's unit.
    """
    layout = register_words.layout(row.type, row.order, row.bits)
    fraction, exponent = row.fraction, row.exponent
    parts = [RegisterPart(row.address, layout)]
    if fraction is not None:
        fraction_layout = register_words.layout(fraction.type, fraction.order)
        scale = Fraction(fraction.scale)
        unit = _smallest_unit((Fraction(1), layout.kind), (abs(scale), fraction_layout.kind))
        parts = [
            RegisterPart(row.address, layout, 1 / unit),
            RegisterPart(fraction.address, fraction_layout, scale / unit),
        ]
    if exponent is not None:
        exponent_layout = register_words.layout(exponent.type, exponent.order)
        power = round(math.log10(0.01 / row.canonical_scale()))
        parts.append(
            RegisterPart(
                exponent.address, exponent_layout, Fraction(0), max(power, exponent_layout.lowest)
            )
        )
    return tuple(parts)


def _smallest_unit(*registers: tuple[Fraction, str]) -> Fraction:
    """Return the unit in which a number and its fraction count.

    If the finer register is a float, it counts in steps of 1 / `_FRACTION_STEPS` of the coarser
    one's unit, which a float holds exactly.

    Args:
        registers: unit and kind of each.
    """
    (fine, kind), (coarse, _) = sorted(registers, key=lambda one: (one[0], one[1] != "f"))
    return coarse / _FRACTION_STEPS if kind == "f" else fine
