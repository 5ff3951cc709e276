"""Compare the replies of a unit with meter models, and rank the models that match. Pure.

Laws:

1. A model does not match if the device refuses one of its registers, or if one of its values is
   impossible for a meter.
2. A typical value is evidence for the model. Its evidence is -log2(p) bits. Here, p is the share of
   random bytes that decode to a typical value as well. It is computed with the decoder of the read,
   so a new register type needs no entry here.
3. A zero is neither evidence for the model nor against it, because unused registers hold zeros as
   well. The small value that an idle input may show is treated like a zero.
4. If the evidence for several models is about equal, all of them are returned as the best.
"""

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import Final

import msgspec

from jieneng.metering.catalog.modbus_points import IdentityRow, ModbusModel
from jieneng.metering.catalog.modbus_reads import ModbusRead
from jieneng.metering.errors import LinkError, PeerError
from jieneng.metering.quantities import QUANTITIES
from jieneng.metering.registers import Field, byte_orders, decode_text, decoder, text_words


class PlausibleRange(msgspec.Struct, frozen=True):
    """The values that a register of a quantity may show [canonical unit, before CT and PT ratios].

    Attributes:
        minimum: smallest possible magnitude besides 0.
        maximum: largest possible magnitude.
        typical: smallest and largest magnitude that a meter in use is expected to show; `minimum`
            and `maximum` if None.
        negative_allowed: True if the quantity may be below 0.
    """

    minimum: float
    maximum: float
    typical: tuple[float, float] | None = None
    negative_allowed: bool = False

    def is_possible(self, value: float) -> bool:
        """Return True if a meter can show the value."""
        if value == 0:
            return True
        return (self.negative_allowed or value > 0) and (self.minimum <= abs(value) <= self.maximum)

    def is_typical(self, value: float) -> bool:
        """Return True if a meter in use is expected to show such a value."""
        low, high = self.typical or (self.minimum, self.maximum)
        return value != 0 and self.is_possible(value) and low <= abs(value) <= high


# The smallest magnitude that an idle input may show. Values between this and the typical range are
# neither evidence for a model nor against it. Smaller values are regarded as impossible: they occur
# if a whole number up to 12,000 is decoded as the high word of a float.
_RESIDUE: Final = 1e-9

_BY_UNIT: Final[Mapping[str, PlausibleRange]] = MappingProxyType(
    {
        # A main of 10 MW counts 1e9 kWh in 11 years; no counter has a last digit below 0.0001.
        **dict.fromkeys(("kWh", "kvarh", "m3", "GJ"), PlausibleRange(0.0001, 1e9)),
        # Typical: from 57.7 V (secondary side of a voltage transformer) to 400 V between phases
        # (GB/T 156-2017), with a margin of a fifth. Possible: from the low voltage induced on an
        # open phase to 35 kV, which a meter shows if it applies its transformer's ratio itself.
        "V": PlausibleRange(_RESIDUE, 42_000.0, (45.0, 480.0)),
        # Busbars of low-voltage boards carry at most 6,300 A (GB/T 7251). The range of power
        # follows from this current.
        "A": PlausibleRange(_RESIDUE, 10_000.0, (0.0001, 10_000.0), negative_allowed=True),
        **dict.fromkeys(
            ("kW", "kvar", "kVA"),
            PlausibleRange(_RESIDUE, 10_000.0, (0.00001, 10_000.0), negative_allowed=True),
        ),
        "1": PlausibleRange(_RESIDUE, 1.0, (0.05, 1.0), negative_allowed=True),  # a power factor
        # GB/T 15945-2008 allows a deviation of 0.2 Hz, or 0.5 Hz in a small grid. A diesel
        # generator may deviate more, and a 60 Hz supply is possible.
        "Hz": PlausibleRange(45.0, 65.0, (49.0, 51.0)),
        # A DN 500 pipe carries 7,000 m3/h at 10 m/s.
        "m3/h": PlausibleRange(_RESIDUE, 10_000.0, (0.00001, 10_000.0), negative_allowed=True),
        # Up to 100 bar. Gas pressure may be slightly below atmospheric pressure.
        "kPa": PlausibleRange(_RESIDUE, 10_000.0, (0.1, 10_000.0), negative_allowed=True),
        # A heat network has up to 150 °C, and more in a fault.
        "°C": PlausibleRange(_RESIDUE, 200.0, (0.1, 200.0), negative_allowed=True),
    }
)

#: Plausible range by quantity; every quantity has one.
PLAUSIBLE_RANGES: Final[Mapping[str, PlausibleRange]] = MappingProxyType(
    {name: _BY_UNIT[row.unit] for name, row in QUANTITIES.items()}
)

_RANDOM_BLOCKS: Final = 1024  # the evidence of one value is at most 10 bits
_INDISTINGUISHABLE_BITS: Final = 4.0  # smaller differences in evidence (16 to 1) prove nothing


class DecodedValue(msgspec.Struct, frozen=True):
    """Value of a model's point, decoded from the unit's reply.

    Attributes:
        quantity: quantity of the point.
        value: the value [canonical unit, before CT and PT ratios].
        evidence_bits: evidence that the register holds the quantity of the model [bits].
    """

    quantity: str
    value: float
    evidence_bits: float


class Mismatch(msgspec.Struct, frozen=True):
    """The reason why a model does not match.

    Attributes:
        subject: registers that could not be read; or quantity with an impossible value; or label of
            an identity that is not the one in the model.
        error: error of the request for the registers; None if the registers were read.
        value: impossible value, or identity that the device reports; None if `error` is given.
    """

    subject: str
    error: PeerError | LinkError | None = None
    value: float | str | None = None


class ModelMatch(msgspec.Struct, frozen=True):
    """The comparison of a model with the replies of a unit.

    Attributes:
        model: id of the model.
        values: decoded values; if one is impossible, only the values before it.
        mismatch: reason why the model does not match; None if it matches.
        identity: identity that the device reports, as (label, text).
        identity_bits: evidence from the identity [bits].
        variant: variant of the model that requests fewer registers at once; None if the unit
            answers the requests of the model itself.
    """

    model: str
    values: tuple[DecodedValue, ...] = ()
    mismatch: Mismatch | None = None
    identity: tuple[tuple[str, str], ...] = ()
    identity_bits: float = 0.0
    variant: ModbusModel | None = None

    @property
    def evidence_bits(self) -> float:
        """Evidence from the values and the identity [bits]."""
        return sum(value.evidence_bits for value in self.values) + self.identity_bits

    @property
    def typical_count(self) -> int:
        """Number of values that a meter in use is expected to show."""
        return sum(PLAUSIBLE_RANGES[row.quantity].is_typical(row.value) for row in self.values)

    @property
    def zero_count(self) -> int:
        """Number of values that are 0."""
        return sum(row.value == 0 for row in self.values)


def match_values(model: ModbusModel, replies: Sequence[tuple[ModbusRead, bytes]]) -> ModelMatch:
    """Compare the values in the replies to a model's reads with the plausible ranges.

    Args:
        model: candidate model.
        replies: every read of the model, with the bytes of its registers.
    """
    decoded: list[DecodedValue] = []
    may_be_unknown = {row.quantity for row in model.point if row.stated_unknown}
    for read, data in replies:
        values = read.decode(data)
        for index, (quantity, value) in enumerate(zip(read.quantities, values, strict=True)):
            plausible = PLAUSIBLE_RANGES[quantity]
            if math.isnan(value) and quantity in may_be_unknown:
                continue  # the device says that it does not measure this quantity
            if not plausible.is_possible(value):
                return ModelMatch(model.id, tuple(decoded), Mismatch(quantity, value=value))
            bits = _evidence_bits(read)[index] if plausible.is_typical(value) else 0.0
            decoded.append(DecodedValue(quantity, value, bits))
    return ModelMatch(model.id, tuple(decoded))


def match_identity(match: ModelMatch, replies: Sequence[tuple[IdentityRow, bytes]]) -> ModelMatch:
    """Return the match, with the identity added that the device reports.

    Args:
        match: comparison of the values.
        replies: identity rows of the model, with the bytes of their registers.
    """
    identity: list[tuple[str, str]] = []
    bits = 0.0
    for row, data in replies:
        reported = _identity_text(row, data)
        if row.expect is not None and reported != str(row.expect):
            return msgspec.structs.replace(match, mismatch=Mismatch(row.label, value=reported))
        identity.append((row.label, reported))
        if row.expect is not None:
            bits += _identity_bits(row.expect)
    return msgspec.structs.replace(match, identity=tuple(identity), identity_bits=bits)


def _identity_text(row: IdentityRow, data: bytes) -> str:
    if text_words(row.type):
        return decode_text(data, row.order or "AB")
    order = row.order or byte_orders(row.words)[0]
    [number] = decoder([Field(0, row.type, order)], row.words)(data)
    return f"{number:.0f}"


def _identity_bits(expected: int | str) -> float:
    """Return the evidence of an identity that equals the one in the model [bits]."""
    if isinstance(expected, str):
        return 16.0
    if expected == 0:
        return 0.0
    return 3.0 if expected < 16 else 12.0  # many registers hold small numbers


def rank(matches: Iterable[ModelMatch]) -> tuple[list[ModelMatch], list[ModelMatch]]:
    """Sort the models that match.

    Returns:
        All models that match, best first; and the best model together with those whose evidence is
        about equal.
    """
    matching = sorted(
        (match for match in matches if match.mismatch is None),
        key=lambda match: (
            -match.evidence_bits, match.zero_count, match.variant is not None, match.model,
        ),
    )  # fmt: skip
    indistinguishable = [
        match
        for match in matching
        if matching[0].evidence_bits - match.evidence_bits < _INDISTINGUISHABLE_BITS
    ]
    return matching, indistinguishable


@lru_cache(maxsize=256)
def _evidence_bits(read: ModbusRead) -> tuple[float, ...]:
    """Return, for each quantity of a read, the evidence of a typical value [bits].

    Blocks of random bytes are decoded by the read's decoder, and the typical values are counted.
    """
    size = read.size
    random_bytes = hashlib.shake_128(b"noise").digest(size * _RANDOM_BLOCKS)
    blocks = [random_bytes[at : at + size] for at in range(0, len(random_bytes), size)]
    columns = zip(*map(read.decode, blocks), strict=True)
    typical_counts = [
        sum(map(PLAUSIBLE_RANGES[quantity].is_typical, column))
        for quantity, column in zip(read.quantities, columns, strict=True)
    ]
    # Add 1 to both counts, so that the evidence is finite.
    return tuple(math.log2((1 + _RANDOM_BLOCKS) / (1 + count)) for count in typical_counts)
