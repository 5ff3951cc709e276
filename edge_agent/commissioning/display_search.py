"""Find the registers that hold a number shown on a meter's display. Pure: no I/O.

Laws:

1. A location counts if some type, byte order and power of ten turn its registers into the displayed
   number, exact to the last digit shown. The display was read a moment before the registers. So a
   counter may have advanced meanwhile, by no more than can have flowed, and it never runs back.
2. Several displays narrow the search down. A location must be right each time, and a byte order
   that explains all quantities ranks before one that explains only some.
3. All locations that can't be told apart are listed, the most likely first: the model's own, then
   those close to it, then those where most meters store such a number.
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
#: The two bytes of each register by (function, address), as far as the device returned them.
RegisterBytes: TypeAlias = Mapping[tuple[FunctionCode, int], bytes]

# A float may be off by its own rounding. For anything coarser than f32 that would match everything.
_FLOAT_TOLERANCE: Final = TYPES["f32"].float_step
_EXPONENTS: Final = range(-4, 4)  # scales from 0.0001 to 1000
_NO_RATIOS: Final[Mapping[tuple[Ratio, ...], float]] = MappingProxyType({(): 1.0})
# By how often the manuals of the library use them. A counter of 16 bits overflows within a year.
_COMMON_TYPES: Final = ("u32", "f32", "i32", "i64", "u64", "u16", "i16")
_COMMON_EXPONENTS: Final = (-2, 0, -1, -3)


class DisplayReading(msgspec.Struct, frozen=True):
    """A number that a person read from a meter's display.

    Attributes:
        quantity: name of the quantity; the number is in its canonical unit.
        shown: number as typed, so that its last digit is known.
        possible_increase: amount that can have been counted since.
        tolerance: amount by which the value can have moved either way, if it is no counter.
        ratios: ratios that the display may have applied and the register has not: their names as a
            model writes them, and the resulting factor.
    """

    quantity: str
    shown: Decimal
    possible_increase: float = 0.0
    tolerance: float = 0.0
    ratios: Mapping[tuple[Ratio, ...], float] = _NO_RATIOS

    @property
    def last_digit(self) -> float:
        """The worth of one unit in the last digit shown."""
        return 10.0 ** int(self.shown.as_tuple().exponent)

    def matches(self, value: float) -> bool:
        """Return True if a register's value is the displayed number."""
        ahead = value - float(self.shown)
        slack = self.last_digit + abs(value) * _FLOAT_TOLERANCE + self.tolerance
        return -slack < ahead < slack + self.possible_increase


class RegisterLocation(msgspec.Struct, frozen=True):
    """The registers of a number, and how to decode them.

    Attributes:
        exponent: power of ten that the register's number is scaled by.
        ratio: names of the ratios that the display applies and the register does not contain.
        factor: product of those ratios.
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
        """Indexes of the byte orders that fit; a single register leaves several possible."""
        known = enumerate(byte_orders(self.words))
        return frozenset(index for index, order in known if order == self.order)

    def overlaps(self, other: "RegisterLocation") -> bool:
        """Return True if both share registers; then one may be the lower words of the other."""
        return (
            self.function == other.function
            and self.address < other.address + other.words
            and other.address < self.address + self.words
        )

    def decode(self, data: bytes) -> float:
        """Return the value of the registers' bytes, as the display would show it."""
        return _scaled(_raw_decoder(self.type, self.order)(data), self.exponent) * self.factor

    def point_row(self) -> PointRow:
        """Return the location as a point of a model."""
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
    """Yield every location that holds the displayed number; zeros are everywhere and skipped."""
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
    """Sort locations by likelihood, the likeliest first.

    Args:
        locations: candidates for one quantity.
        row: the model's point of that quantity, if it has one.
        order_index: byte order of the unit's other quantities, if it is known.
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
    """Return the first byte order with which every quantity has a location; None if none does."""
    shared = [
        frozenset[int]().union(*(location.order_indexes for location in locations))
        for locations in locations_by_quantity
    ]
    return min(frozenset.intersection(*shared), default=None) if shared else None


def differing_keys(location: RegisterLocation, row: PointRow) -> tuple[str, ...]:
    """Return the keys of a `[[point]]` in which a location differs from the model's point."""
    pairs: Mapping[str, tuple[object, object]] = {
        "function": (location.function, row.function),
        "address": (location.address, row.address),
        "type": (location.type, row.type),
        "order": (location.order, row.byte_order if location.words == row.words else ""),
        "scale": (Fraction(10) ** location.exponent, row.canonical_scale()),
    }
    return tuple(key for key, (found, expected) in pairs.items() if found != expected)


def _scales(display: DisplayReading, raw: float) -> Iterator[tuple[tuple[Ratio, ...], int]]:
    """Yield the (ratios, power of ten) that turn a register's number into the displayed one."""
    for ratio, factor in display.ratios.items():
        quotient = float(display.shown) / (raw * factor) if raw and math.isfinite(raw) else 0.0
        exponent = round(math.log10(quotient)) if 0 < quotient < math.inf else _EXPONENTS.stop
        if exponent in _EXPONENTS and display.matches(_scaled(raw, exponent) * factor):
            yield ratio, exponent


def _scaled(raw: float, exponent: int) -> float:
    """Scale by a power of ten, dividing by whole numbers: 0.01 as a float is not a hundredth."""
    return raw * 10.0**exponent if exponent >= 0 else raw / 10.0**-exponent


@lru_cache(maxsize=256)
def _raw_decoder(type_name: str, order: str) -> Callable[[bytes], float]:
    """Return the function that turns a number's bytes into the unscaled number."""
    decode = decoder([Field(0, type_name, order, Fraction(1))], TYPES[type_name].words)
    return lambda data: float(decode(data)[0])


def _index_or_end(known: Sequence[object], item: object) -> int:
    return known.index(item) if item in known else len(known)
