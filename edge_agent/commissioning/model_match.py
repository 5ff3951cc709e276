"""Which meter model a unit may be, from what it answers. Pure: replies in, a verdict out.

Laws:

1. A register that the device refuses does not exist: a model that needs it does not fit, whatever
   else looks right. So does one whose value no meter can show.
2. A plausible value is evidence, as much as it would be surprising if the bytes meant nothing: the
   evidence of a read is counted in bits, -log2 of how often noise would pass as well. Its own
   decoder says how often that is, so a new register type needs nothing here.
3. A zero is what unused registers hold, too: it is no evidence, and where a meter never shows it,
   it speaks against the model. What a gauge shows of an idle input is the same.
4. Models that the evidence does not tell apart are named together; none is preferred in secret.
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
from jieneng.metering.registers import Field, decoder, orders, text, text_words


class Plausible(msgspec.Struct, frozen=True):
    """What a register of a quantity may show, before CT and PT; in its canonical unit.

    Attributes:
        least: that a meter can show besides 0, without its sign ...
        most: ... and the most.
        usual: between these it is evidence; all of the above where None.
        zero: whether 0 may be shown.
        negative: whether a value below 0 may be.
    """

    least: float
    most: float
    usual: tuple[float, float] | None = None
    zero: bool = True
    negative: bool = False

    def possible(self, value: float) -> bool:
        """Whether a meter can show it."""
        if value == 0:
            return self.zero
        return (self.negative or value > 0) and self.least <= abs(value) <= self.most

    def telling(self, value: float) -> bool:
        """Whether it is what one would expect of a meter in use."""
        least, most = self.usual or (self.least, self.most)
        return value != 0 and self.possible(value) and least <= abs(value) <= most


# From here on a float shows an idle input, which is as good as 0: neither evidence nor against.
# Whole numbers up to 12,000 that are taken for the high word of a float are below, and no meter's.
_NOISE: Final = 1e-9

_BY_UNIT: Final[Mapping[str, Plausible]] = MappingProxyType(
    {
        # A main of 10 MW counts 1e9 kWh in 11 years; what is below every last digit was no counter.
        **dict.fromkeys(("kWh", "kvarh", "m3", "GJ"), Plausible(0.0001, 1e9)),
        # Usual: from 57.7 V behind a transformer to 400 V between phases (GB/T 156-2017), a fifth
        # around them. Possible: what a loose phase picks up, and the 35 kV that a meter shows which
        # knows its transformer.
        "V": Plausible(_NOISE, 42_000.0, (45.0, 480.0)),
        # The busbars of a low-voltage board end at 6,300 A (GB/T 7251); power of the same.
        "A": Plausible(_NOISE, 10_000.0, (0.0001, 10_000.0), negative=True),
        **dict.fromkeys(
            ("kW", "kvar", "kVA"), Plausible(_NOISE, 10_000.0, (0.00001, 10_000.0), negative=True)
        ),
        "1": Plausible(_NOISE, 1.0, (0.05, 1.0), negative=True),  # a power factor
        # GB/T 15945-2008 allows 0.2 Hz, 0.5 in a small grid; a diesel set and 60 Hz are possible.
        "Hz": Plausible(45.0, 65.0, (49.0, 51.0)),
        # DN 500 at 10 m/s: 7,000.
        "m3/h": Plausible(_NOISE, 10_000.0, (0.00001, 10_000.0), negative=True),
        # 100 bar; gas a little below the air.
        "kPa": Plausible(_NOISE, 10_000.0, (0.1, 10_000.0), negative=True),
        # A heat network's 150 degrees, and a fault.
        "°C": Plausible(_NOISE, 200.0, (0.1, 200.0), negative=True),
    }
)

#: By quantity; every quantity stands in it.
PLAUSIBLE: Final[Mapping[str, Plausible]] = MappingProxyType(
    {name: _BY_UNIT[row.unit] for name, row in QUANTITIES.items()}
)

_TRIALS: Final = 1024  # blocks of noise: the evidence of one value is at most 10 bits
_ALIKE_BITS: Final = 4.0  # evidence that differs by less than 16 to 1 tells nothing apart


class Seen(msgspec.Struct, frozen=True):
    """One value of a model, as the unit showed it.

    Attributes:
        bits: of evidence that it is what the model says.
    """

    quantity: str
    value: float
    bits: float


class Against(msgspec.Struct, frozen=True):
    """Why a model does not fit.

    Attributes:
        what: registers that were not given, the quantity whose value no meter shows, or what the
            device says of itself that this model would not.
        error: why they were not given.
        value: that value, or what it says.
    """

    what: str
    error: PeerError | LinkError | None = None
    value: float | str | None = None


class Fit(msgspec.Struct, frozen=True):
    """How a model fits a unit.

    Attributes:
        model: its id.
        seen: its values, as far as they were read.
        against: why it does not fit; None where it does.
        said: what the device says of itself, by label.
        said_bits: the evidence of that.
        apart: the model that asks for less at once, where the unit refuses what this one asks.
    """

    model: str
    seen: tuple[Seen, ...] = ()
    against: Against | None = None
    said: tuple[tuple[str, str], ...] = ()
    said_bits: float = 0.0
    apart: ModbusModel | None = None

    @property
    def bits(self) -> float:
        """All evidence for it."""
        return sum(one.bits for one in self.seen) + self.said_bits

    @property
    def silent(self) -> int:
        """Values that are 0, and so say nothing."""
        return sum(one.value == 0 for one in self.seen)


def fit(model: ModbusModel, replies: Sequence[tuple[ModbusRead, bytes]]) -> Fit:
    """How a model fits what its reads were answered with.

    Args:
        model: with its reads.
        replies: every read of it, and the registers' bytes.
    """
    seen = list[Seen]()
    may_be_unknown = {row.quantity for row in model.point if row.unknown is not None}
    for read, data in replies:
        values = read.decode(data)
        for place, (quantity, value) in enumerate(zip(read.quantities, values, strict=True)):
            plausible = PLAUSIBLE[quantity]
            if math.isnan(value) and quantity in may_be_unknown:
                continue  # it says that it does not measure this
            if not plausible.possible(value):
                return Fit(model.id, tuple(seen), Against(quantity, value=value))
            bits = _surprise(read)[place] if plausible.telling(value) else 0.0
            seen.append(Seen(quantity, value, bits))
    return Fit(model.id, tuple(seen))


def identified(fit: Fit, answers: Sequence[tuple[IdentityRow, bytes]]) -> Fit:
    """A fit, given what the device says of itself.

    Args:
        fit: of the values.
        answers: rows of the model, and the registers' bytes.
    """
    said, bits = list[tuple[str, str]](), 0.0
    for row, data in answers:
        what = _said(row, data)
        if row.expect is not None and what != str(row.expect):
            return msgspec.structs.replace(fit, against=Against(row.label, value=what))
        said.append((row.label, what))
        bits += 0.0 if row.expect is None else _word_bits(row.expect)
    return msgspec.structs.replace(fit, said=tuple(said), said_bits=bits)


def _said(row: IdentityRow, data: bytes) -> str:
    if text_words(row.type):
        return text(data, row.order or "AB")
    order = row.order or orders(row.words)[0]
    [number] = decoder([Field(0, row.type, order)], row.words)(data)
    return f"{number:.0f}"


def _word_bits(expected: int | str) -> float:
    """How telling it is: small numbers stand in many registers, and zeros in most."""
    if isinstance(expected, str):
        return 16.0
    return 0.0 if expected == 0 else 3.0 if expected < 16 else 12.0


def ranked(fits: Iterable[Fit]) -> tuple[list[Fit], list[Fit]]:
    """The fits from the best, and the first of them that can't be told apart."""
    good = sorted(
        (one for one in fits if one.against is None),
        key=lambda one: (-one.bits, one.silent, one.apart is not None, one.model),
    )
    alike = [one for one in good if good[0].bits - one.bits < _ALIKE_BITS]
    return good, alike


@lru_cache(maxsize=256)
def _surprise(read: ModbusRead) -> tuple[float, ...]:
    """How surprising a plausible value is at each place of a read, were it noise [bits]."""
    size = read.size
    noise = hashlib.shake_128(b"noise").digest(size * _TRIALS)
    blocks = [noise[at : at + size] for at in range(0, len(noise), size)]
    columns = zip(*map(read.decode, blocks), strict=True)
    return tuple(
        math.log2((1 + _TRIALS) / (1 + sum(map(PLAUSIBLE[name].telling, column))))
        for name, column in zip(read.quantities, columns, strict=True)
    )
