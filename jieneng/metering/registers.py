"""Words <-> numbers. Order, width and scale are fixed once; a poll then costs one `unpack`.

A block of registers is bytes. The decoder of a block first puts all bytes into big-endian order
(one permutation for the whole block), then unpacks all points with one precompiled `struct`,
then scales. Scales are fractions: 81234560 hundredths are exactly 812345.6, as the manual means.

Byte orders are written as the manuals do, with letters: `ABCD` is big-endian, `CDAB` low word
first, `BADC` bytes swapped in each word, `DCBA` little-endian. For 48 and 64 bits the same four
patterns go on (`ABCDEF`, `EFCDAB`, `BADCFE`, `FEDCBA`, ...).
"""

import struct
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from operator import itemgetter
from types import MappingProxyType
from typing import Final

import msgspec

Raw = int | float


class RegisterType(msgspec.Struct, frozen=True):
    """How a number lies in registers.

    Attributes:
        words: 16-bit registers it takes.
        code: `struct` code of its big-endian form.
        decode: what `unpack` gives -> number; None where that is the number already.
    """

    words: int
    code: str
    decode: Callable[[bytes], Raw] | None = None


def _signed(data: bytes) -> int:
    return int.from_bytes(data, "big", signed=True)


def _unsigned(data: bytes) -> int:
    return int.from_bytes(data, "big")


def _sign_magnitude(data: bytes) -> int:
    number = int.from_bytes(data, "big")
    sign = 1 << (8 * len(data) - 1)
    return -(number - sign) if number & sign else number


def _bcd(data: bytes) -> Raw:
    """Packed decimal digits; NaN where a nibble is no digit, as on a meter that starts up."""
    text = data.hex()
    return int(text) if text.isdecimal() else float("nan")


TYPES: Final[Mapping[str, RegisterType]] = MappingProxyType(
    {
        "u16": RegisterType(1, "H"),
        "i16": RegisterType(1, "h"),
        "u32": RegisterType(2, "I"),
        "i32": RegisterType(2, "i"),
        "u48": RegisterType(3, "6s", _unsigned),
        "i48": RegisterType(3, "6s", _signed),
        "u64": RegisterType(4, "Q"),
        "i64": RegisterType(4, "q"),
        "f32": RegisterType(2, "f"),
        "f64": RegisterType(4, "d"),
        "sm16": RegisterType(1, "2s", _sign_magnitude),
        "sm32": RegisterType(2, "4s", _sign_magnitude),
        "bcd16": RegisterType(1, "2s", _bcd),
        "bcd32": RegisterType(2, "4s", _bcd),
        "bcd48": RegisterType(3, "6s", _bcd),
        "bcd64": RegisterType(4, "8s", _bcd),
    }
)


def orders(words: int) -> tuple[str, str, str, str]:
    """The four byte orders of that many words: big, low word first, bytes swapped, little."""
    letters = "ABCDEFGH"[: 2 * words]
    pairs = [letters[i : i + 2] for i in range(0, len(letters), 2)]
    return (
        letters,
        "".join(reversed(pairs)),
        "".join(pair[::-1] for pair in pairs),
        letters[::-1],
    )


class Field(msgspec.Struct, frozen=True):
    """A number in a block of registers.

    Attributes:
        offset: its first register, counted from the block's first.
        type: a name in `TYPES`.
        order: one of `orders(words)`.
        scale: what one unit of the register is worth, in the canonical unit.
    """

    offset: int
    type: str
    order: str
    scale: Fraction


def decoder(fields: Sequence[Field], words: int) -> Callable[[bytes], tuple[float, ...]]:
    """A function from a block's bytes to its numbers, in the order of `fields`.

    Args:
        fields: what stands in the block; may overlap.
        words: registers in the block; the function takes exactly `2 * words` bytes.

    Raises:
        ValueError: a field that does not fit in the block, an unknown type or order.
    """
    source: list[int] = []  # which byte of the block comes where
    codes: list[str] = []
    for field in fields:
        kind = TYPES[field.type] if field.type in TYPES else _no_type(field.type)
        if field.offset < 0 or field.offset + kind.words > words:
            raise ValueError(f"{field} does not fit in {words} registers")
        source += [2 * field.offset + place for place in _places(field.order, kind.words)]
        codes.append(kind.code)
    unpack = struct.Struct(">" + "".join(codes)).unpack
    finish = [_finish(TYPES[field.type], field.scale) for field in fields]
    in_order = source == list(range(2 * words))
    pick = itemgetter(*source)

    def decode(block: bytes) -> tuple[float, ...]:
        numbers = unpack(block if in_order else bytes(pick(block)))
        return tuple([end(number) for end, number in zip(finish, numbers, strict=True)])

    return decode


def _places(order: str, words: int) -> list[int]:
    if order not in orders(words):
        raise ValueError(f"{order!r} is no byte order of {words} registers: {orders(words)}")
    return [order.index(letter) for letter in sorted(order)]


def _finish(kind: RegisterType, scale: Fraction) -> Callable[..., float]:
    """Raw -> value. Divides where the scale is 1/n: 0.01 as a float is not a hundredth."""
    over, under, decode = scale.numerator, scale.denominator, kind.decode
    if kind.code in "fd":
        times = over / under
        return float if scale == 1 else lambda raw: raw * times
    if decode is not None:
        return lambda raw: decode(raw) * over / under
    if over == 1:
        return float if under == 1 else lambda raw: raw / under
    return lambda raw: raw * over / under


def _no_type(name: str) -> RegisterType:
    raise ValueError(f"{name!r} is no register type; known are {', '.join(TYPES)}")
