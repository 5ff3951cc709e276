"""Decode register bytes into numbers. Pure; decoders are built once, before the first poll.

Laws:

1. Fixed work is done beforehand. The decoder of a block puts the bytes into big-endian order with
   one permutation, unpacks all numbers with one precompiled `struct`, and scales them.
2. A scale is an exact fraction, so 81234560 hundredths are exactly 812345.6. A value that consists
   of several numbers is computed exactly, and rounded only once:
   (number + fraction x its scale) x scale x 10^exponent.
3. Byte orders are written as in manuals, with letters: `ABCD` is big-endian, `CDAB` has the low
   word first, `BADC` has swapped bytes in each word, `DCBA` is little-endian. 48 and 64 bits have
   the same four patterns (`ABCDEF`, `EFCDAB`, `BADCFE`, `FEDCBA`, ...).
4. A content that means "no value", a BCD digit above 9 and an impossible exponent are decoded as
   NaN, never as 0.
5. If the fraction's register continues the number's register with lower bits, both together are one
   wide number. It means "no value" only if both registers are all ones, because one of them alone
   can be all ones while the number counts.
"""

import re
import struct
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from itertools import accumulate, pairwise
from math import nan
from operator import itemgetter
from types import MappingProxyType
from typing import Any, Final

import msgspec

Raw = int | float


_FLOAT_STEPS: Final = MappingProxyType({"e": 2.0**-10, "f": 2.0**-23, "d": 2.0**-52})


class RegisterType(msgspec.Struct, frozen=True):
    """Layout of a number in registers.

    Attributes:
        words: number of 16-bit registers.
        code: `struct` code of the big-endian form.
        decode: function from the unpacked value to the number; None if they are the same.
        no_value: content that means "no value" on most devices, as an unsigned number: all ones, or
            for a signed number only the sign bit. None for floats and decimal digits, which have
            other contents that are not numbers, and for half a register, for which all ones is a
            usual value.
    """

    words: int
    code: str
    decode: Callable[[bytes], Raw] | None = None
    no_value: int | None = None

    @property
    def bits(self) -> int:
        """Number of bits; half of a register has eight."""
        return 8 if "x" in self.code else 16 * self.words

    @property
    def is_float(self) -> bool:
        """True for a float, whose steps grow with its value."""
        return self.float_step > 0

    @property
    def float_step(self) -> float:
        """Step from one float to the next as a share of the value (IEEE 754); 0 for other types."""
        return _FLOAT_STEPS.get(self.code, 0.0)


def _signed(data: bytes) -> int:
    return int.from_bytes(data, "big", signed=True)


def _unsigned(data: bytes) -> int:
    return int.from_bytes(data, "big")


def _sign_magnitude(data: bytes) -> int:
    number = int.from_bytes(data, "big")
    sign = 1 << (8 * len(data) - 1)
    return -(number - sign) if number & sign else number


def _bcd(data: bytes) -> Raw:
    """Decode packed decimal digits; NaN if a nibble is no digit, as on a meter that starts up."""
    text = data.hex()
    return int(text) if text.isdecimal() else nan


def _whole(words: int, code: str, decode: Callable[[bytes], Raw] | None = None) -> RegisterType:
    """Return a type whose "no value" is all ones."""
    return RegisterType(words, code, decode, (1 << 16 * words) - 1)


def _twos_complement(words: int, code: str) -> RegisterType:
    """Return a signed type, whose "no value" has only the sign bit set: all ones are -1."""
    decode = _signed if code.endswith("s") else None
    return RegisterType(words, code, decode, 1 << 16 * words - 1)


TYPES: Final[Mapping[str, RegisterType]] = MappingProxyType(
    {
        "u8h": RegisterType(1, "Bx"),  # the high or the low half of a register
        "u8l": RegisterType(1, "xB"),
        "i8h": RegisterType(1, "bx"),
        "i8l": RegisterType(1, "xb"),
        "u16": _whole(1, "H"),
        "i16": _twos_complement(1, "h"),
        "u32": _whole(2, "I"),
        "i32": _twos_complement(2, "i"),
        "u48": _whole(3, "6s", _unsigned),
        "i48": _twos_complement(3, "6s"),
        "u64": _whole(4, "Q"),
        "i64": _twos_complement(4, "q"),
        "f16": RegisterType(1, "e"),
        "f32": RegisterType(2, "f"),
        "f64": RegisterType(4, "d"),
        "sm16": _whole(1, "2s", _sign_magnitude),  # the sign bit alone is -0
        "sm32": _whole(2, "4s", _sign_magnitude),
        "sm48": _whole(3, "6s", _sign_magnitude),
        "sm64": _whole(4, "8s", _sign_magnitude),
        "bcd16": RegisterType(1, "2s", _bcd),
        "bcd32": RegisterType(2, "4s", _bcd),
        "bcd48": RegisterType(3, "6s", _bcd),
        "bcd64": RegisterType(4, "8s", _bcd),
    }
)

#: Type of a coil or a discrete input, which is 0 or 1 and lies in no register.
BIT: Final = "bit"

#: 10^n as (numerator, denominator). A larger exponent is never right: the register was misread.
_POWERS: Final[Mapping[float, tuple[int, int]]] = MappingProxyType(
    {n: (10 ** max(n, 0), 10 ** max(-n, 0)) for n in range(-18, 19)}
)

_TEXT: Final = re.compile(r"str([1-9][0-9]?)$")


def text_words(name: str) -> int | None:
    """Return the number of registers of a text type (`str8`: 8 bytes, 4 registers), else None."""
    found = _TEXT.match(name)
    return (int(found[1]) + 1) // 2 if found else None


def decode_text(data: bytes, order: str = "AB") -> str:
    """Return the text in registers, up to the first NUL; `BA` means swapped bytes in each word."""
    if order not in ("AB", "BA"):
        raise ValueError(f"{order!r} is no byte order of text: AB or BA")
    if order == "BA":
        data = b"".join(data[at : at + 2][::-1] for at in range(0, len(data), 2))
    return data.split(b"\0")[0].decode("utf-8", "replace").strip()


def byte_orders(words: int) -> tuple[str, str, str, str]:
    """Return the four byte orders of a number of words, in the order of the module's law 3."""
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
        offset: index of its first register in the block.
        type: a name in `TYPES`.
        order: one of `byte_orders(words)`.
        scale: value of one unit of the register, in the canonical unit; for a fraction, in units of
            the number that it belongs to.
        bits: first and last bit of the number (0 is the lowest) if the register also holds other
            numbers; None if it does not.
        unknown: contents that mean "no value", as unsigned numbers.
        fraction: number that is added before scaling.
        unknown_together: contents of the number and of its fraction that mean "no value" only if
            both are found.
        exponent: exponent of the power of ten by which the number is multiplied.
    """

    offset: int
    type: str
    order: str
    scale: Fraction = Fraction(1)
    bits: tuple[int, int] | None = None
    unknown: tuple[int, ...] = ()
    fraction: "Field | None" = None
    unknown_together: tuple[int, int] | None = None
    exponent: "Field | None" = None

    @property
    def parts(self) -> tuple["Field", ...]:
        """The number itself, and the fields that belong to it."""
        return (self, *(part for part in (self.fraction, self.exponent) if part is not None))


def decoder(fields: Sequence[Field], words: int) -> Callable[[bytes], tuple[float, ...]]:
    """Return a function from a block's bytes to its values, in the order of `fields`.

    Args:
        fields: the numbers in the block; they may overlap.
        words: number of registers in the block; the function takes exactly `2 * words` bytes.

    Raises:
        ValueError: a field does not fit in the block, or has an unknown type or order.
    """
    source: list[int] = []  # index in the block of each byte to unpack
    codes: list[str] = []
    for part in (part for field in fields for part in field.parts):
        kind = TYPES[part.type] if part.type in TYPES else _unknown_type(part.type)
        if part.offset < 0 or part.offset + kind.words > words:
            raise ValueError(f"{part} does not fit in {words} registers")
        source += [2 * part.offset + byte for byte in _byte_positions(part.order, kind.words)]
        codes.append(kind.code)
    unpack = struct.Struct(">" + "".join(codes)).unpack
    if source == list(range(2 * words)):
        return _value_decoder(fields, unpack)
    pick = itemgetter(*source)
    return _value_decoder(fields, lambda block: unpack(bytes(pick(block))))


def bit_decoder(offsets: Sequence[int]) -> Callable[[bytes], tuple[float, ...]]:
    """Return a function from the bytes of coils to 0s and 1s; the first coil is the lowest bit."""
    places = [(offset // 8, offset % 8) for offset in offsets]

    def decode(block: bytes) -> tuple[float, ...]:
        return tuple([float(block[byte] >> bit & 1) for byte, bit in places])

    return decode


def _value_decoder(
    fields: Sequence[Field], numbers_of: Callable[[bytes], tuple[Any, ...]]
) -> Callable[[bytes], tuple[float, ...]]:
    """Return a function from a block's bytes to values.

    Args:
        fields: the numbers in the block.
        numbers_of: function from the block's bytes to the unpacked numbers of all fields.
    """
    scalers = [_scaler(field) for field in fields]
    if all(scale is float for scale in scalers) and all(
        TYPES[field.type].is_float for field in fields
    ):
        return numbers_of  # the numbers are the values already
    if all(len(field.parts) == 1 for field in fields):
        return lambda block: tuple(
            [scale(number) for scale, number in zip(scalers, numbers_of(block), strict=True)]
        )
    bounds_of_parts = pairwise(accumulate((len(field.parts) for field in fields), initial=0))
    parts = [
        (scale, slice(*bounds)) for scale, bounds in zip(scalers, bounds_of_parts, strict=True)
    ]

    def decode(block: bytes) -> tuple[float, ...]:
        numbers = numbers_of(block)
        return tuple([scale(*numbers[part]) for scale, part in parts])

    return decode


def _byte_positions(order: str, words: int) -> list[int]:
    if order not in byte_orders(words):
        raise ValueError(f"{order!r} is no byte order of {words} registers: {byte_orders(words)}")
    return [order.index(letter) for letter in sorted(order)]


def _scaler(field: Field) -> Callable[..., float]:
    """Return a function from an unpacked number to its value.

    A scale of 1/n divides by n, because 0.01 as a float is not exactly a hundredth.
    """
    if len(field.parts) > 1:
        return _joining_scaler(field)
    over, under = field.scale.numerator, field.scale.denominator
    number = _number_decoder(field)
    if number is not None:
        return lambda raw: number(raw) * over / under
    if len(field.unknown) == 1:  # as of most registers, so without another call
        (nothing,) = _unpacked_unknown(field)
        if over == 1:
            return lambda raw: nan if raw == nothing else raw / under
        return lambda raw: nan if raw == nothing else raw * over / under
    if over == 1:
        return float if under == 1 else lambda raw: raw / under
    return lambda raw: raw * over / under


def _joining_scaler(field: Field) -> Callable[..., float]:
    """Return a function from several numbers to one value, which is rounded only once."""
    readers = [_number_reader(part) for part in field.parts]
    over, under = field.scale.numerator, field.scale.denominator
    fine = field.fraction.scale if field.fraction else None
    under *= fine.denominator if fine else 1
    nothing = _unknown_pair(field)

    def scale(*raws: Any) -> float:
        if raws[:2] == nothing:
            return nan
        numbers = [read(raw) for read, raw in zip(readers, raws, strict=True)]
        power = _POWERS.get(numbers[-1]) if field.exponent else (1, 1)
        if power is None:
            return nan
        number = numbers[0]
        if fine is not None:
            number = number * fine.denominator + numbers[1] * fine.numerator
        return number * (over * power[0]) / (under * power[1])

    return scale


def _number_decoder(field: Field) -> Callable[[Any], Raw] | None:
    """Return a function from an unpacked value to the number; None if no function is needed.

    The value is the number already if the type needs no decoding, and at most one content means "no
    value".
    """
    is_plain = TYPES[field.type].decode is None and field.bits is None
    return None if is_plain and len(field.unknown) < 2 else _number_reader(field)


def _number_reader(field: Field) -> Callable[[Any], Raw]:
    """Return a function from an unpacked value to the number; NaN if that means "no value"."""
    decode: Callable[[Any], Any] = TYPES[field.type].decode or _unchanged
    if field.bits is not None:
        first, last = field.bits
        mask = (1 << (last - first + 1)) - 1
        return lambda raw: decode(raw) >> first & mask
    nothings = frozenset(_unpacked_unknown(field))
    return (lambda raw: nan if raw in nothings else decode(raw)) if nothings else decode


def _unpacked_unknown(field: Field) -> tuple[Any, ...]:
    """Return the contents of a field that mean "no value", as `struct` unpacks them."""
    return tuple(_unpacked(field.type, content) for content in field.unknown)


def _unknown_pair(field: Field) -> tuple[Any, ...] | None:
    if field.unknown_together is None or field.fraction is None:
        return None
    types = (field.type, field.fraction.type)
    return tuple(map(_unpacked, types, field.unknown_together))


def _unpacked(name: str, content: int) -> Any:  # a number, or bytes that are decoded
    kind = TYPES[name]
    (value,) = struct.unpack(">" + kind.code, content.to_bytes(2 * kind.words, "big"))
    return value


def number_of(name: str, content: int) -> Raw:
    """Return the number that a register of a type shows, from its content as an unsigned number."""
    decode: Callable[[Any], Raw] = TYPES[name].decode or _unchanged
    return decode(_unpacked(name, content))


def _unchanged(raw: Raw) -> Raw:
    return raw


def _unknown_type(name: str) -> RegisterType:
    raise ValueError(f"{name!r} is no register type; known are {', '.join(TYPES)}")
