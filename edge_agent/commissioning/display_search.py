"""Find the registers that hold a number shown on a meter's display. Pure: no I/O.

Laws:

1. A location (registers with type, byte order and power of ten) is found if it decodes to the
   displayed number, exact to the last digit shown. The display was read shortly before the
   registers. A counter may therefore be higher, by at most the amount that can have flowed
   meanwhile, but never lower.
2. If several numbers were read from the display, a location must match every number of its
   quantity. A byte order that fits all quantities ranks before one that fits only some.
3. All locations that fit are listed, most likely first: the location in the model, then locations
   near it, then those with the types and byte orders that most meters use.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

import msgspec

from jieneng.metering.catalog.meter_model import Ratio
from jieneng.metering.catalog.modbus_points import PointRow
from jieneng.metering.registers import TYPES, Field, byte_orders, decoder

FunctionCode: TypeAlias = Literal[3, 4]
#: The two bytes of each register that the device has returned, by (function, address).
RegisterBytes: TypeAlias = Mapping[tuple[FunctionCode, int], bytes]

# Relative tolerance for the rounding of a 32-bit float. A larger one would match too many values.
_FLOAT_TOLERANCE: Final = TYPES["f32"].float_step
_EXPONENTS: Final = range(-4, 4)  # scales from 0.0001 to 1000
_NO_RATIOS: Final[Mapping[tuple[Ratio, ...], float]] = MappingProxyType({(): 1.0})
# Types in the order of their frequency in the model library. A 16-bit counter would overflow within
# a year.
_COMMON_TYPES: Final = ("u32", "f32", "i32", "i64", "u64", "u16", "i16")
_COMMON_EXPONENTS: Final = (-2, 0, -1, -3)


class DisplayReading(msgspec.Struct, frozen=True):
    """A number that a person read from a meter's display.

    Attributes:
        quantity: name of the quantity; the number is in its canonical unit.
        shown: number as it was typed; it shows how many digits are known.
        possible_increase: largest increase of a counter since the display was read.
        tolerance: largest change of a gauge since the display was read, in either direction.
        ratios: transformer ratios that the display may include although the register does not:
            their names as in a model, and the resulting factor.
    """

    quantity: str
    shown: Decimal
    possible_increase: float = 0.0
    tolerance: float = 0.0
    ratios: Mapping[tuple[Ratio, ...], float] = _NO_RATIOS

    @property
    def last_digit(self) -> float:
        """The value of one unit in the last digit shown."""
        return 10.0 ** int(self.shown.as_tuple().exponent)

    def matches(self, value: float) -> bool:
        """Return True if the value of a register agrees with the displayed number (law 1)."""
        ahead = value - float(self.shown)
        slack = self.last_digit + abs(value) * _FLOAT_TOLERANCE + self.tolerance
        return -slack < ahead < slack + self.possible_increase


class RegisterLocation(msgspec.Struct, frozen=True):
    """Registers that contain a number, and the way to decode them.

    Attributes:
        exponent: power of ten by which the register's number is multiplied.
        ratio: names of the transformer ratios that the display includes and the register does not.
        factor: product of these ratios.
    """

    quantity: str
    function: FunctionCode
    address: int
    type: str
    order: str
    exponent: int
    ratio: tuple[Ratio, ...] = ()
    factor: float = 1.0

    @property
    def words(self) -> int:
        """Number of registers."""
        return TYPES[self.type].words

    @property
    def order_indexes(self) -> frozenset[int]:
        """Indexes of the byte orders that fit; several for a number in a single register."""
        known = enumerate(byte_orders(self.words))
        return frozenset(index for index, order in known if order == self.order)

    def overlaps(self, other: "RegisterLocation") -> bool:
        """Return True if both locations share registers, e.g. u16 as the low word of a u32."""
        return (
            self.function == other.function
            and self.address < other.address + other.words
            and other.address < self.address + self.words
        )

    def decode(self, data: bytes) -> float:
        """Decode the registers' bytes into the value that the display would show."""
        return _scaled(_raw_decoder(self.type, self.order)(data), self.exponent) * self.factor

    def point_row(self) -> PointRow:
        """Return the location as a `[[point]]` of a model."""
        return PointRow(
            quantity=self.quantity,
            function=self.function,
            address=self.address,
            type=self.type,
            order=self.order,
            scale=Decimal(1).scaleb(self.exponent),
            ratio=self.ratio,
        )


def find_locations(display: DisplayReading, registers: RegisterBytes) -> Iterator[RegisterLocation]:
    """Yield every location that contains the displayed number; none if the number is 0."""
    for function, address in registers:
        for type_name, kind in TYPES.items():
            words = [registers.get((function, address + word)) for word in range(kind.words)]
            data = b"".join(filter(None, words))
            if len(data) == 2 * kind.words and any(data):
                for order in dict.fromkeys(byte_orders(kind.words)):
                    raw = _raw_decoder(type_name, order)(data)
                    for ratio, exponent in _scales(display, raw):
                        yield RegisterLocation(
                            display.quantity, function, address, type_name, order, exponent, ratio,
                            display.ratios[ratio],
                        )  # fmt: skip


def rank(
    locations: Iterable[RegisterLocation],
    row: PointRow | None = None,
    order_index: int | None = None,
) -> list[RegisterLocation]:
    """Return the locations sorted by likelihood, most likely first.

    Args:
        locations: locations found for one quantity.
        row: the point of this quantity in the model; None if the model has none.
        order_index: byte order of the unit's other quantities; None if it is not known.
    """

    def key(location: RegisterLocation) -> tuple[float, ...]:
        return (
            len(differing_keys(location, row)) if row else 0,
            abs(location.address - row.address) if row else 0,
            order_index not in location.order_indexes if order_index is not None else 0,
            _index_or_end(_COMMON_TYPES, location.type),
            min(location.order_indexes),
            _index_or_end(_COMMON_EXPONENTS, location.exponent),
            location.function,
            location.address,
        )

    return sorted(locations, key=key)


def common_order_index(
    locations_by_quantity: Sequence[Sequence[RegisterLocation]],
) -> int | None:
    """Return the first byte order in which every quantity was found; None if there is none."""
    shared = [
        frozenset[int]().union(*(location.order_indexes for location in locations))
        for locations in locations_by_quantity
    ]
    return min(frozenset.intersection(*shared), default=None) if shared else None


def differing_keys(location: RegisterLocation, row: PointRow) -> tuple[str, ...]:
    """Return the keys of a `[[point]]` whose values in a location and in the model differ."""
    pairs: Mapping[str, tuple[object, object]] = {
        "function": (location.function, row.function),
        "address": (location.address, row.address),
        "type": (location.type, row.type),
        "order": (location.order, row.byte_order if location.words == row.words else ""),
        "scale": (Fraction(10) ** location.exponent, row.canonical_scale()),
    }
    return tuple(key for key, (found, expected) in pairs.items() if found != expected)


def _scales(display: DisplayReading, raw: float) -> Iterator[tuple[tuple[Ratio, ...], int]]:
    """Yield each (ratios, power of ten) by which a register's number becomes the displayed one."""
    for ratio, factor in display.ratios.items():
        quotient = float(display.shown) / (raw * factor) if raw and math.isfinite(raw) else 0.0
        exponent = round(math.log10(quotient)) if 0 < quotient < math.inf else _EXPONENTS.stop
        if exponent in _EXPONENTS and display.matches(_scaled(raw, exponent) * factor):
            yield ratio, exponent


def _scaled(raw: float, exponent: int) -> float:
    """Scale by a power of ten. Divide for negative powers, because the float 0.01 is not exact."""
    return raw * 10.0**exponent if exponent >= 0 else raw / 10.0**-exponent


@lru_cache(maxsize=256)
def _raw_decoder(type_name: str, order: str) -> Callable[[bytes], float]:
    """Return the function that decodes bytes into the unscaled number."""
    decode = decoder([Field(0, type_name, order, Fraction(1))], TYPES[type_name].words)
    return lambda data: float(decode(data)[0])


def _index_or_end(known: Sequence[object], item: object) -> int:
    return known.index(item) if item in known else len(known)
