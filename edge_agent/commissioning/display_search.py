"""Where a number on a meter's display lies in its registers. Pure: registers in, places out.

Laws:

1. A place counts if some type, byte order and power of ten make its registers the displayed number,
   to the last digit that the display shows. The display was read a moment before the registers, so
   a counter may have gone on by what can have flowed meanwhile, and never back.
2. Several displays narrow it down: a place must be right each time, and an order that explains all
   quantities goes before one that explains only some.
3. What can't be told apart is listed, the likely first: as the model says, then beside it, then as
   most meters do it.
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
from jieneng.metering.registers import TYPES, Field, decoder, orders

Function: TypeAlias = Literal[3, 4]
#: Two bytes by function and address, as far as the device gave them.
Registers: TypeAlias = Mapping[tuple[Function, int], bytes]

_FORGIVEN: Final = TYPES["f32"].float_step  # a coarser float may be anything
_TENS: Final = range(-4, 4)  # scales from 0.0001 to 1000
_PLAIN: Final[Mapping[tuple[Ratio, ...], float]] = MappingProxyType({(): 1.0})
# The most usual in the library's manuals first. A counter of 16 bits is full within a year.
_USUAL: Final = ("u32", "f32", "i32", "i64", "u64", "u16", "i16")
_USUAL_TENS: Final = (-2, 0, -1, -3)


class Display(msgspec.Struct, frozen=True):
    """What a person saw.

    Attributes:
        quantity: in its canonical unit.
        shown: as typed, so that its last digit is known.
        flowed: what can have been counted since.
        wavers: how far it can have moved either way, where it is no counter.
        ratios: what the display may have applied that the register has not: the ratio's names as
            a model writes them, and the factor.
    """

    quantity: str
    shown: Decimal
    flowed: float = 0.0
    wavers: float = 0.0
    ratios: Mapping[tuple[Ratio, ...], float] = _PLAIN

    @property
    def digit(self) -> float:
        """What the last shown digit is worth."""
        return 10.0 ** int(self.shown.as_tuple().exponent)

    def meant(self, value: float) -> bool:
        """Whether a register's value is what was seen. A float's own last bit is forgiven."""
        ahead = value - float(self.shown)
        slack = self.digit + abs(value) * _FORGIVEN + self.wavers
        return -slack < ahead < slack + self.flowed


class Place(msgspec.Struct, frozen=True):
    """Where a number lies, and how.

    Attributes:
        ten: the scale is that power of ten.
        ratio: the ratios that the display applies and the register does not contain.
        factor: what they come to.
    """

    quantity: str
    function: Function
    address: int
    type: str
    order: str
    ten: int
    ratio: tuple[Ratio, ...] = ()
    factor: float = 1.0

    @property
    def words(self) -> int:
        """Registers it takes."""
        return TYPES[self.type].words

    @property
    def patterns(self) -> frozenset[int]:
        """Which of the four orders it may be: a single register can't tell them all apart."""
        known = enumerate(orders(self.words))
        return frozenset(number for number, order in known if order == self.order)

    def overlaps(self, other: "Place") -> bool:
        """Whether they share registers: then one may be the lower words of the other."""
        return (
            self.function == other.function
            and self.address < other.address + other.words
            and other.address < self.address + self.words
        )

    def value(self, data: bytes) -> float:
        """What its registers' bytes say, as the display would show it."""
        return _scaled(_raw(self.type, self.order)(data), self.ten) * self.factor

    def row(self) -> PointRow:
        """As a point of a model."""
        return PointRow(
            quantity=self.quantity,
            function=self.function,
            address=self.address,
            type=self.type,
            order=self.order,
            scale=Decimal(1).scaleb(self.ten),
            ratio=self.ratio,
        )


def found(display: Display, registers: Registers) -> Iterator[Place]:
    """Every place that shows what was seen, but for zeros, which are everywhere."""
    for function, address in registers:
        for name, kind in TYPES.items():
            held = [registers.get((function, address + word)) for word in range(kind.words)]
            data = b"".join(filter(None, held))
            if len(data) == 2 * kind.words and any(data):
                for order in dict.fromkeys(orders(kind.words)):
                    raw = _raw(name, order)(data)
                    for ratio, ten in _scales(display, raw):
                        yield Place(
                            display.quantity, function, address, name, order, ten, ratio,
                            display.ratios[ratio],
                        )  # fmt: skip


def likely(
    places: Iterable[Place], row: PointRow | None = None, pattern: int | None = None
) -> list[Place]:
    """The likely ones first.

    Args:
        places: of one quantity.
        row: what the model says of that quantity, where there is one.
        pattern: the order that other quantities of the unit have, where it is known.
    """

    def rank(place: Place) -> tuple[float, ...]:
        return (
            len(differences(place, row)) if row else 0,
            abs(place.address - row.address) if row else 0,
            pattern not in place.patterns if pattern is not None else 0,
            _place_in(_USUAL, place.type),
            min(place.patterns),
            _place_in(_USUAL_TENS, place.ten),
            place.function,
            place.address,
        )

    return sorted(places, key=rank)


def common_pattern(found_places: Sequence[Sequence[Place]]) -> int | None:
    """The first order with which every one of several quantities has a place; None: no such."""
    shared = [frozenset[int]().union(*(place.patterns for place in one)) for one in found_places]
    return min(frozenset.intersection(*shared), default=None) if shared else None


def differences(place: Place, row: PointRow) -> tuple[str, ...]:
    """In what a place is not as a model says, by the keys of a point."""
    said: Mapping[str, tuple[object, object]] = {
        "function": (place.function, row.function),
        "address": (place.address, row.address),
        "type": (place.type, row.type),
        "order": (place.order, row.byte_order if place.words == row.words else ""),
        "scale": (Fraction(10) ** place.ten, row.canonical_scale()),
    }
    return tuple(key for key, (ours, theirs) in said.items() if ours != theirs)


def _scales(display: Display, raw: float) -> Iterator[tuple[tuple[Ratio, ...], int]]:
    """The powers of ten, and the ratios, that make a register's number the displayed one."""
    for ratio, factor in display.ratios.items():
        times = float(display.shown) / (raw * factor) if raw and math.isfinite(raw) else 0.0
        ten = round(math.log10(times)) if 0 < times < math.inf else _TENS.stop
        if ten in _TENS and display.meant(_scaled(raw, ten) * factor):
            yield ratio, ten


def _scaled(raw: float, ten: int) -> float:
    """Divides by whole numbers: 0.01 as a float is not a hundredth."""
    return raw * 10.0**ten if ten >= 0 else raw / 10.0**-ten


@lru_cache(maxsize=256)
def _raw(name: str, order: str) -> Callable[[bytes], float]:
    """The number in a register's bytes."""
    decode = decoder([Field(0, name, order, Fraction(1))], TYPES[name].words)
    return lambda data: float(decode(data)[0])


def _place_in(known: Sequence[object], one: object) -> int:
    return known.index(one) if one in known else len(known)
