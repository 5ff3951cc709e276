"""Judge which meter model a unit may be, from its replies. Pure: replies in, a verdict out.

Laws:

1. A register that the device refuses does not exist. A model that needs it does not match, however
   plausible its other values are. Nor does a model with a value that no meter can show.
2. A typical value is evidence, weighed by how surprising it would be if the bytes meant nothing.
   Evidence is counted in bits: -log2 of the share of random bytes that would pass as well. The
   read's own decoder determines that share, so a new register type needs no entry here.
3. A zero is no evidence, because unused registers hold zeros as well. A zero of a quantity that is
   never 0 speaks against the model. The residue that an idle input shows is treated like a zero.
4. Models that the evidence does not tell apart are named together; none is preferred silently.
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
    """The values that a register of a quantity may show, before CT and PT [canonical unit].

    Attributes:
        minimum: smallest possible magnitude besides 0.
        maximum: largest possible magnitude.
        typical: magnitudes of a meter in use, which are evidence; all possible ones if None.
        zero_allowed: True if the quantity may be 0.
        negative_allowed: True if the quantity may be below 0.
    """

    minimum: float
    maximum: float
    typical: tuple[float, float] | None = None
    zero_allowed: bool = True
    negative_allowed: bool = False

    def is_possible(self, value: float) -> bool:
        """Return True if a meter can show the value."""
        if value == 0:
            return self.zero_allowed
        return (self.negative_allowed or value > 0) and (self.minimum <= abs(value) <= self.maximum)

    def is_typical(self, value: float) -> bool:
        """Return True if a meter in use is expected to show such a value."""
        low, high = self.typical or (self.minimum, self.maximum)
        return value != 0 and self.is_possible(value) and low <= abs(value) <= high


# A float above this may come from an idle input. Such a value counts like 0: neither evidence for
# the model nor against it. Whole numbers up to 12,000 that are misread as the high word of a float
# are below, and no meter shows them.
_NOISE: Final = 1e-9

_BY_UNIT: Final[Mapping[str, PlausibleRange]] = MappingProxyType(
    {
        # A main of 10 MW counts 1e9 kWh in 11 years; no counter has a last digit below 0.0001.
        **dict.fromkeys(("kWh", "kvarh", "m3", "GJ"), PlausibleRange(0.0001, 1e9)),
        # Typical: from 57.7 V behind a transformer to 400 V between phases (GB/T 156-2017), with a
        # margin of a fifth. Possible: the voltage that an open phase picks up, and the 35 kV of a
        # meter that knows its transformer.
        "V": PlausibleRange(_NOISE, 42_000.0, (45.0, 480.0)),
        # The busbars of a low-voltage board end at 6,300 A (GB/T 7251); power of the same.
        "A": PlausibleRange(_NOISE, 10_000.0, (0.0001, 10_000.0), negative_allowed=True),
        **dict.fromkeys(
            ("kW", "kvar", "kVA"),
            PlausibleRange(_NOISE, 10_000.0, (0.00001, 10_000.0), negative_allowed=True),
        ),
        "1": PlausibleRange(_NOISE, 1.0, (0.05, 1.0), negative_allowed=True),  # a power factor
        # GB/T 15945-2008 allows 0.2 Hz, 0.5 in a small grid; a diesel set and 60 Hz are possible.
        "Hz": PlausibleRange(45.0, 65.0, (49.0, 51.0)),
        # DN 500 at 10 m/s: 7,000.
        "m3/h": PlausibleRange(_NOISE, 10_000.0, (0.00001, 10_000.0), negative_allowed=True),
        # 100 bar; gas a little below the air.
        "kPa": PlausibleRange(_NOISE, 10_000.0, (0.1, 10_000.0), negative_allowed=True),
        # A heat network's 150 degrees, and a fault.
        "°C": PlausibleRange(_NOISE, 200.0, (0.1, 200.0), negative_allowed=True),
    }
)

#: Plausible range by quantity; every quantity has one.
PLAUSIBLE_RANGES: Final[Mapping[str, PlausibleRange]] = MappingProxyType(
    {name: _BY_UNIT[row.unit] for name, row in QUANTITIES.items()}
)

_NOISE_BLOCKS: Final = 1024  # the evidence of one value is at most 10 bits
_INDISTINGUISHABLE_BITS: Final = 4.0  # a lead of less than 16 to 1 does not tell models apart


class DecodedValue(msgspec.Struct, frozen=True):
    """Value of a model's point, decoded from the unit's reply.

    Attributes:
        evidence_bits: evidence that the register is what the model says [bits].
    """

    quantity: str
    value: float
    evidence_bits: float


class Mismatch(msgspec.Struct, frozen=True):
    """The reason why a model does not match.

    Attributes:
        subject: registers that were refused, the quantity with an impossible value, or the label of
            the identity that differs from the model's.
        error: error with which the registers were refused.
        value: impossible value, or the differing identity.
    """

    subject: str
    error: PeerError | LinkError | None = None
    value: float | str | None = None


class ModelMatch(msgspec.Struct, frozen=True):
    """The comparison of a model with the replies of a unit.

    Attributes:
        model: id of the model.
        values: decoded values, as far as they were read.
        mismatch: reason why the model does not match; None if it does.
        identity: identity that the device reports, as (label, text).
        identity_bits: evidence from the identity [bits].
        variant: variant of the model that requests less at once, if the unit refuses the requests
            of the model itself.
    """

    model: str
    values: tuple[DecodedValue, ...] = ()
    mismatch: Mismatch | None = None
    identity: tuple[tuple[str, str], ...] = ()
    identity_bits: float = 0.0
    variant: ModbusModel | None = None

    @property
    def evidence_bits(self) -> float:
        """All evidence for the model [bits]."""
        return sum(value.evidence_bits for value in self.values) + self.identity_bits

    @property
    def typical(self) -> int:
        """Number of values that a meter in use is expected to show."""
        return sum(PLAUSIBLE_RANGES[row.quantity].is_typical(row.value) for row in self.values)

    @property
    def zeros(self) -> int:
        """Number of values that are 0 and therefore no evidence."""
        return sum(row.value == 0 for row in self.values)


def match_values(model: ModbusModel, replies: Sequence[tuple[ModbusRead, bytes]]) -> ModelMatch:
    """Compare the replies to a model's reads with what a meter can show.

    Args:
        model: candidate model.
        replies: every read of the model, with the bytes of its registers.
    """
    decoded = list[DecodedValue]()
    may_be_unknown = {row.quantity for row in model.point if row.unknown is not None}
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


def match_identity(match: ModelMatch, answers: Sequence[tuple[IdentityRow, bytes]]) -> ModelMatch:
    """Return the match extended by the identity that the device reports.

    Args:
        match: comparison of the values.
        answers: identity rows of the model, with the bytes of their registers.
    """
    identity, bits = list[tuple[str, str]](), 0.0
    for row, data in answers:
        reported = _identity_text(row, data)
        if row.expect is not None and reported != str(row.expect):
            return msgspec.structs.replace(match, mismatch=Mismatch(row.label, value=reported))
        identity.append((row.label, reported))
        bits += 0.0 if row.expect is None else _identity_bits(row.expect)
    return msgspec.structs.replace(match, identity=tuple(identity), identity_bits=bits)


def _identity_text(row: IdentityRow, data: bytes) -> str:
    if text_words(row.type):
        return decode_text(data, row.order or "AB")
    order = row.order or byte_orders(row.words)[0]
    [number] = decoder([Field(0, row.type, order)], row.words)(data)
    return f"{number:.0f}"


def _identity_bits(expected: int | str) -> float:
    """Return the evidence of an identity [bits]; many registers hold small numbers or zeros."""
    if isinstance(expected, str):
        return 16.0
    return 0.0 if expected == 0 else 3.0 if expected < 16 else 12.0


def rank(matches: Iterable[ModelMatch]) -> tuple[list[ModelMatch], list[ModelMatch]]:
    """Return the models that match, the best first, and those of them that rival the best."""
    matching = sorted(
        (match for match in matches if match.mismatch is None),
        key=lambda match: (
            -match.evidence_bits, match.zeros, match.variant is not None, match.model,
        ),
    )  # fmt: skip
    rivals = [
        match
        for match in matching
        if matching[0].evidence_bits - match.evidence_bits < _INDISTINGUISHABLE_BITS
    ]
    return matching, rivals


@lru_cache(maxsize=256)
def _evidence_bits(read: ModbusRead) -> tuple[float, ...]:
    """Return the evidence of a typical value for each value of a read [bits].

    Random bytes are decoded by the read's own decoder, and the typical values among them counted.
    """
    size = read.size
    noise = hashlib.shake_128(b"noise").digest(size * _NOISE_BLOCKS)
    blocks = [noise[at : at + size] for at in range(0, len(noise), size)]
    columns = zip(*map(read.decode, blocks), strict=True)
    return tuple(
        math.log2((1 + _NOISE_BLOCKS) / (1 + sum(map(PLAUSIBLE_RANGES[name].is_typical, column))))
        for name, column in zip(read.quantities, columns, strict=True)
    )
