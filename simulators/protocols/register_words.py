"""Encode numbers as register words, as a meter's firmware does, and decode them. Pure.

Law: this module shares no code with the agent's decoder. If both used the same table, an error in
the table would go unnoticed.
"""

import math
import re
import struct
from collections.abc import Sequence
from typing import Final

import msgspec

_FLOAT_CODES: Final = {16: ">e", 32: ">f", 64: ">d"}
_NAME: Final = re.compile(r"([a-z]+?)(\d+)([hl]?)$")
_COIL: Final = "bit"


class Layout(msgspec.Struct, frozen=True):
    """The layout of a number in its registers.

    Attributes:
        kind: u, i, f, sm (sign and magnitude) or bcd.
        bits: number of bits.
        order: byte order on the wire, with A the most significant byte.
        place: position of the number's lowest bit in the registers; 0 unless several numbers share
            the registers.
    """

    kind: str
    bits: int
    order: str
    place: int = 0

    @property
    def words(self) -> int:
        """The number of registers or coils."""
        return len(self.order) // 2

    @property
    def lowest(self) -> int:
        """The smallest number that fits; not for kind f."""
        return -(1 << (self.bits - 1)) + (self.kind == "sm") if self.kind in ("i", "sm") else 0

    @property
    def capacity(self) -> int:
        """The largest number that fits, plus 1; not for kind f."""
        if self.kind == "bcd":
            return int(10 ** (self.bits // 4))
        return 1 << (self.bits - (self.kind in ("i", "sm")))


def layout(name: str, order: str | None, bits: tuple[int, int] | None = None) -> Layout:
    """Return the layout for the keys `type`, `order` and `bits` of a point in a meter model.

    Args:
        name: the `type`: `u32`, `bcd48`, `u8h`, `bit`, ...
        order: the byte order; None for big-endian.
        bits: position of the lowest and of the highest bit; None for the whole register.
    """
    if name == _COIL:
        return Layout("u", 1, "AB")
    found = _NAME.match(name)
    if found is None:
        raise ValueError(f"{name!r} is no type of a register")
    kind, size, half = found[1], int(found[2]), found[3]
    order = order or "ABCDEFGH"[: max(size // 8, 2)]
    if bits is not None:
        return Layout(kind, bits[1] - bits[0] + 1, order, bits[0])
    return Layout(kind, size, order, 8 if half == "h" else 0)


def pattern(number: float, into: Layout) -> int:
    """Return the bit pattern of a number, before its bytes are put into the order of the wire."""
    if into.kind == "f":
        return int.from_bytes(struct.pack(_FLOAT_CODES[into.bits], number), "big")
    if math.isnan(number):
        raise ValueError("a whole-number register can't hold NaN")
    whole = min(max(round(number), into.lowest), into.capacity - 1)
    if into.kind == "bcd":
        return int(str(whole), 16)
    if into.kind == "sm":
        return abs(whole) | (whole < 0) << (into.bits - 1)
    return whole % (1 << into.bits)


def number(bits: int, of: Layout) -> float:
    """Return the number that a bit pattern encodes [register steps]; NaN for invalid BCD digits."""
    if of.kind == "f":
        raw = bits.to_bytes(of.bits // 8, "big")
        return float(struct.unpack(_FLOAT_CODES[of.bits], raw)[0])
    if of.kind == "bcd":
        return float(f"{bits:x}") if f"{bits:x}".isdecimal() else math.nan
    negative = bits >> (of.bits - 1)
    if of.kind == "sm":
        return float(-(bits ^ 1 << (of.bits - 1)) if negative else bits)
    return float(bits - (1 << of.bits) if negative and of.kind == "i" else bits)


def decode(held: Sequence[int], of: Layout) -> float:
    """Decode words of a known layout into a number [register steps]."""
    wire = b"".join(word.to_bytes(2, "big") for word in held)
    big_endian = bytes(byte for _, byte in sorted(zip(of.order, wire, strict=True)))
    return number(int.from_bytes(big_endian, "big") >> of.place & (1 << of.bits) - 1, of)


def encode(number: float, into: Layout) -> list[int]:
    """Encode a number as words; a number out of range becomes the nearest one in range.

    Args:
        number: the number [register steps]; rounded to a whole number, except for kind f.
        into: layout of the words; bits outside the layout are 0.
    """
    big_endian = (pattern(number, into) << into.place).to_bytes(2 * into.words, "big")
    return words(bytes(big_endian[ord(letter) - ord("A")] for letter in into.order))


def words(wire: bytes) -> list[int]:
    """Return received bytes as words."""
    return [wire[at] << 8 | wire[at + 1] for at in range(0, len(wire), 2)]


def text(characters: str, size: int, order: str | None) -> list[int]:
    """Encode a text as words, padded with NUL; `BA` swaps the bytes of each word.

    Args:
        characters: the text; cut if it is too long.
        size: size of the field in bytes, an even number.
        order: byte order in each word, `AB` or `BA`; None for `AB`.
    """
    wire = characters.encode()[:size].ljust(size, b"\0")
    found = words(wire)
    return [word % 256 << 8 | word // 256 for word in found] if order == "BA" else found
