"""Numbers -> register words, as a meter's firmware lays them out, and back.

Law: no line of this is shared with the agent's decoder. The simulator is a witness: if both sides
came from one table, an error in it would agree with itself.
"""

import math
import struct
from collections.abc import Sequence
from typing import Final

import msgspec

_FLOAT_CODES: Final = {32: ">f", 64: ">d"}


class Layout(msgspec.Struct, frozen=True):
    """How one number lies in registers.

    Attributes:
        kind: u, i, f, sm (sign and magnitude) or bcd.
        bits: 16, 32, 48 or 64.
        order: on the wire, with A the most significant byte.
    """

    kind: str
    bits: int
    order: str

    @property
    def words(self) -> int:
        """Registers it takes."""
        return self.bits // 16

    @property
    def lowest(self) -> int:
        """The smallest number that fits, of kinds that are not f."""
        return -(1 << (self.bits - 1)) + (self.kind == "sm") if self.kind in ("i", "sm") else 0

    @property
    def capacity(self) -> int:
        """One more than the largest number that fits, of kinds that are not f."""
        if self.kind == "bcd":
            return int(10 ** (self.bits // 4))
        return 1 << (self.bits - (self.kind in ("i", "sm")))


def layout(name: str, order: str | None) -> Layout:
    """The layout of a model's `type` (`u32`, `bcd48`) and `order`; big-endian where None."""
    bits = int(name[-2:])
    return Layout(name[:-2], bits, order or "ABCDEFGH"[: bits // 8])


def pattern(number: float, into: Layout) -> int:
    """The bits of a number, most significant first, whatever the order on the wire."""
    return int.from_bytes(_bytes(number, into), "big")


def number(bits: int, of: Layout) -> float:
    """The number of a pattern, in steps of the register; NaN for digits that are none."""
    raw = bits.to_bytes(of.bits // 8, "big")
    if of.kind == "f":
        return float(struct.unpack(_FLOAT_CODES[of.bits], raw)[0])
    if of.kind == "bcd":
        return float(raw.hex()) if raw.hex().isdecimal() else math.nan
    if of.kind == "sm":
        sign = 1 << (of.bits - 1)
        return float(-(bits ^ sign) if bits & sign else bits)
    return float(int.from_bytes(raw, "big", signed=of.kind == "i"))


def decode(held: Sequence[int], of: Layout) -> float:
    """What a reader who knows the layout makes of words, in steps of the register."""
    wire = b"".join(word.to_bytes(2, "big") for word in held)
    big_endian = bytes(byte for _, byte in sorted(zip(of.order, wire, strict=True)))
    return number(int.from_bytes(big_endian, "big"), of)


def encode(number: float, into: Layout) -> list[int]:
    """The words of a number that fits; what does not fit shows the nearest that does.

    Args:
        number: in steps of the register; a whole number but for f.
        into: the layout.
    """
    big_endian = _bytes(number, into)
    wire = bytes(big_endian[ord(letter) - ord("A")] for letter in into.order)
    return [wire[at] << 8 | wire[at + 1] for at in range(0, len(wire), 2)]


def _bytes(number: float, into: Layout) -> bytes:
    if into.kind == "f":
        return struct.pack(_FLOAT_CODES[into.bits], number)
    size = into.bits // 8
    if math.isnan(number):
        raise ValueError("a whole-number register can't hold NaN")
    whole = min(max(round(number), into.lowest), into.capacity - 1)
    if into.kind == "bcd":
        return bytes.fromhex(f"{whole:0{2 * size}d}")
    if into.kind == "sm":
        return (abs(whole) | (whole < 0) << (into.bits - 1)).to_bytes(size, "big")
    return whole.to_bytes(size, "big", signed=into.kind == "i")
