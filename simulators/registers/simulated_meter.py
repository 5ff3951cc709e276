"""Simulate a meter: its load, seen through the registers of the installed device. Pure.

Law: a register holds whole steps, rounded down. It rolls over to 0 at the end of its width or its
digits. Transformer ratios that the model names are divided out, as in force at that moment. The
values that `readings` returns for an array of times are those that `words` serves at each of them.

A device that was replaced ends at the recorded final reading (its last seconds show exactly that),
and the new device begins at the recorded initial reading.

Faults that last for a while (`states`) are functions of time as well, so the history contains them
too. Faults of a single answer (slips) are handed to `words` with the question.
"""

import math
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Final

import msgspec
import numpy as np

from jieneng.metering.catalog.modbus_points import IdentityRow, ModbusModel, PointRow
from jieneng.metering.quantities import CONSUMPTION, Medium
from simulators.encoding import register_words
from simulators.faults.fault import Span
from simulators.faults.register_faults import Counts, StateFault
from simulators.load.load import Load
from simulators.load.seeded_noise import Floats, Ints, key
from simulators.registers.derived_quantities import GAUGES, Moment, share

#: Steps between 0 and 1 of a float that holds a fraction: it holds each of them exactly.
_FINE: Final = 1024
# Share of a step: a float that stands for whole steps may be smaller by this much.
_TOLERANCE: Final = 1e-6
_NEVER_MS: Final = 2**62

#: State faults of a device with their times, in the order in which they are applied.
States = tuple[tuple[StateFault, Span], ...]

#: A function that returns the units a register shows, from the units that it should show.
Slips = Callable[["Register", float], float]


def no_slips(_: "Register", units: float) -> float:
    """Return the units unchanged: the register shows what it holds."""
    return units


class Anchor(msgspec.Struct, frozen=True):
    """A known reading of a device at a known moment.

    It ties the device's counter to the consumption of the load.

    Attributes:
        at_ms: moment of the reading, UTC; None: the beginning of the load.
        shows: the reading [canonical unit].
    """

    at_ms: int | None = None
    shows: float = 0.0


class Stretch(msgspec.Struct, frozen=True):
    """A period with the same device and the same transformers.

    Attributes:
        begin_ms: beginning, UTC; the stretch lasts until the next one begins.
        model: model of the device.
        ct: ratio of the current transformer; 1 where there is none.
        pt: ratio of the voltage transformer; 1 where there is none.
        since_ms: moment at which the device was installed, UTC.
        anchor: a known reading of the device.
    """

    begin_ms: int
    model: ModbusModel
    ct: Fraction = Fraction(1)
    pt: Fraction = Fraction(1)
    since_ms: int = 0
    anchor: Anchor = Anchor()


class Part(msgspec.Struct, frozen=True):
    """A part of a register's number: the number itself, its fraction or its exponent.

    Attributes:
        address: address of the first word.
        layout: layout of the part in its words.
        per: units of the register for each unit of this part; 0 for an exponent.
        constant: value of an exponent; 0 for other parts.
    """

    address: int
    layout: register_words.Layout
    per: Fraction = Fraction(1)
    constant: int = 0

    @property
    def place(self) -> range:
        """The addresses that this part takes."""
        return range(self.address, self.address + self.layout.words)


class Register(msgspec.Struct, frozen=True):
    """A point of a model, with given transformer ratios.

    Attributes:
        row: the point in the model.
        parts: the number, and its fraction or exponent where these have addresses of their own.
        step: value of one unit, the smallest that the register shows [canonical unit].
        ends: number of units at which the register rolls over to 0; None: never.
        share: growth while the consumption grows by 1; None for a gauge.
        counts: True for the meter's consumption counter.
    """

    row: PointRow
    parts: tuple[Part, ...]
    step: Fraction
    ends: int | None
    share: float | None
    counts: bool

    @property
    def layout(self) -> register_words.Layout:
        """The layout of the number, without fraction and exponent."""
        return self.parts[0].layout

    @property
    def single(self) -> bool:
        """Return True if the register holds a float of single precision."""
        return self.layout.kind == "f" and self.layout.bits == 32

    def units(self, value: Floats) -> Floats:
        """Return the units of the register that show a counter's value [canonical unit]."""
        steps = value * (self.step.denominator / self.step.numerator)
        if self.layout.kind != "f":
            steps = np.floor(steps + _TOLERANCE)
        if self.ends is not None:
            steps = np.mod(steps, self.ends)
        return steps.astype(np.float32).astype(np.float64) if self.single else steps

    def value(self, units: Floats) -> Floats:
        """Return the value that a reader computes from units [canonical unit]."""
        return np.asarray(units * self.step.numerator / self.step.denominator, dtype=np.float64)

    def held(self, units: float) -> Iterator[tuple[int, list[int]]]:
        """Yield the addresses of the parts with their words, when the register shows `units`."""
        number, *others = self.parts
        alone = number.per == 1
        whole, rest = (units, 0) if alone else divmod(round(units), int(number.per))
        yield number.address, register_words.encode(whole, number.layout)
        for part in others:
            shown = float(rest / part.per) if part.per else part.constant
            yield part.address, register_words.encode(shown, part.layout)

    def read(self, held: Sequence[int], address: int) -> float:
        """Return the units in an answer that begins at `address`; NaN if a part is missing."""
        units = 0.0
        for part in self.parts:
            begin = part.address - address
            if begin < 0 or begin + part.layout.words > len(held):
                return math.nan
            shown = register_words.decode(held[begin : begin + part.layout.words], part.layout)
            units += shown * float(part.per)
        return units


class Meter:
    """A simulated meter, from its installation on.

    Attributes:
        load: load of the meter.
        states: state faults with their times, in the order in which they are applied.
        stretches: devices and transformers, in the order of time.
    """

    def __init__(self, name: str, medium: Medium, load: Load, stretches: Sequence[Stretch]) -> None:
        """Build a meter without faults.

        Args:
            name: id of the meter.
            medium: medium of the meter.
            load: load of the meter.
            stretches: devices and transformers, at least one, in the order of time.
        """
        self.id = name
        self.medium = medium
        self.load = load
        self.stretches = tuple(stretches)
        self._begins = [stretch.begin_ms for stretch in stretches]
        self._registers = [registers(stretch, medium) for stretch in stretches]
        self._blocks = [blocks(stretch.model) for stretch in stretches]
        self._identities = [identities(stretch.model, name) for stretch in stretches]
        self._counters = [next(one for one in group if one.counts) for group in self._registers]
        self._lives = [_life(stretches, number) for number in range(len(stretches))]
        self._offsets: dict[Anchor, float] = {}
        self._key = key(name, "gauges")
        self.states: States = ()

    @property
    def counts(self) -> str:
        """The quantity of the consumption counter."""
        return CONSUMPTION[self.medium]

    @property
    def quantities(self) -> frozenset[str]:
        """The quantities for which any of the devices has a register."""
        return frozenset(one.row.quantity for group in self._registers for one in group)

    def most(self, time_ms: int) -> int:
        """Return the greatest number of registers that the device serves in an answer."""
        return self.stretches[self._at(time_ms)].model.model.max_registers

    def answers(self, function: int, time_ms: int) -> bool:
        """Return True if the device supports a Modbus function; all support 3 and 4."""
        return function in (3, 4) or function in self._blocks[self._at(time_ms)]

    def has(self, function: int, address: int, count: int, time_ms: int) -> bool:
        """Return True if the device has all of these registers."""
        return any(
            block.start <= address and address + count <= block.stop
            for block in self._blocks[self._at(time_ms)].get(function, ())
        )

    def readings(self, t_ms: Ints) -> dict[str, Floats]:
        """Return the readings of each counter, by quantity: primary side, canonical unit.

        NaN before the meter was installed, and where the device of that time lacks the quantity.
        """
        read: dict[str, Floats] = {}
        for number, (begin, end) in enumerate(pairwise([*self._begins, _NEVER_MS])):
            during = (t_ms >= begin) & (t_ms < end)
            counted = self._counted(number)(t_ms[during])
            for one in self._registers[number]:
                if one.share is not None:
                    values = read.setdefault(one.row.quantity, np.full(t_ms.shape, np.nan))
                    values[during] = one.value(one.units(counted * one.share))
        return read

    def undisturbed(self, time_ms: int) -> float:
        """Return the reading of the consumption counter without state faults [canonical unit]."""
        number = self._at(time_ms)
        counter = self._counters[number]
        counted = self._counted(number, states=())(np.asarray([time_ms]))
        return float(counter.value(counter.units(counted))[0])

    def values(self, time_ms: int, states: States | None = None) -> dict[str, float]:
        """Return the values of all registers at a moment, by quantity [canonical unit].

        Args:
            time_ms: UTC.
            states: state faults to apply; None: those of the meter.
        """
        number = self._at(time_ms)
        shown = self._shown(number, time_ms, states)
        return {
            one.row.quantity: float(shown(one) * one.step.numerator / one.step.denominator)
            for one in self._registers[number]
        }

    def counter(self, held: Sequence[int], function: int, address: int, time_ms: int) -> float:
        """Return the consumption counter as a reader decodes it from an answer [canonical unit].

        NaN if the answer does not contain the whole counter, or if its digits are not decimal.
        """
        one = self._counters[self._at(time_ms)]
        if one.row.function != function:
            return math.nan
        return float(one.read(held, address) * one.step.numerator / one.step.denominator)

    def step(self, time_ms: int) -> float:
        """Return the value of a step of the consumption counter [canonical unit]; 0 for a float."""
        counter = self._counters[self._at(time_ms)]
        return 0.0 if counter.layout.kind == "f" else float(counter.step)

    def wraps(self, time_ms: int) -> float | None:
        """Return the value at which the consumption counter rolls over to 0; None: never."""
        counter = self._counters[self._at(time_ms)]
        return None if counter.ends is None else float(counter.ends * counter.step)

    def words(
        self, function: int, address: int, count: int, time_ms: int, slips: Slips = no_slips
    ) -> list[int]:
        """Return the contents of registers or coils at a moment; 0 for those not in the model."""
        number = self._at(time_ms)
        asked = range(address, address + count)
        held = [0] * count
        for where, text in self._identities[number].get(function, ()):
            _lay(text, where, held, asked)
        wanted = [
            one
            for one in self._registers[number]
            if one.row.function == function and any(_meet(part.place, asked) for part in one.parts)
        ]
        if wanted:
            shown = self._shown(number, time_ms)
            for one in wanted:
                for where, found in one.held(slips(one, shown(one))):
                    _lay(found, where, held, asked)
        return held

    def _at(self, time_ms: int) -> int:
        return max(bisect_right(self._begins, time_ms) - 1, 0)

    def settle(self) -> None:
        """Forget the cached offsets of the devices, after the load's past has changed."""
        self._offsets.clear()

    def _counted(self, number: int, states: States | None = None) -> Counts:
        """Return the counter of a device as a function of time, state faults included."""
        offset = self._offset(self.stretches[number].anchor)

        def counted(t_ms: Ints) -> Floats:
            return np.maximum(self.load.consumption(t_ms) + offset, 0.0)

        counts: Counts = counted
        life = self._lives[number]
        for fault, span in self.states if states is None else states:
            if own := fault.within(span, life):
                counts = fault.counted(counts, own, self.wraps(self._begins[number]))
        return counts

    def _offset(self, anchor: Anchor) -> float:
        """Return the difference between a device's counter and the load's consumption."""
        if anchor.at_ms is None:
            return anchor.shows
        if anchor not in self._offsets:
            flowed = float(self.load.consumption(np.asarray([anchor.at_ms]))[0])
            self._offsets[anchor] = anchor.shows - flowed
        return self._offsets[anchor]

    def _flows(self, states: States | None = None) -> Counts:
        rate: Counts = self.load.rate
        for fault, span in self.states if states is None else states:
            rate = fault.flows(rate, span)
        return rate

    def _shown(
        self, number: int, time_ms: int, states: States | None = None
    ) -> Callable[[Register], float]:
        """Return a function from a register to its units at a moment; the load is asked once."""
        at = np.asarray([time_ms])
        counted = self._counted(number, states)(at)
        stretch = self.stretches[number]
        single = any(row.quantity == "voltage_v" for row in stretch.model.point)
        moment = Moment(
            medium=self.medium,
            rate=float(self._flows(states)(at)[0]),
            phases=1 if single else 3,
            pt=float(stretch.pt),
            time_ms=time_ms,
            of=self._key,
        )

        def units(one: Register) -> float:
            if one.share is not None:
                return float(one.units(counted * one.share)[0])
            return GAUGES[one.row.quantity](moment) / float(one.step)

        return units


def _life(stretches: Sequence[Stretch], number: int) -> Span:
    """Return the time in which the device of a stretch was installed."""
    since_ms = stretches[number].since_ms
    ends = (one.begin_ms for one in stretches[number:] if one.since_ms != since_ms)
    return Span(since_ms, next(ends, _NEVER_MS))


def blocks(model: ModbusModel) -> Mapping[int, tuple[range, ...]]:
    """Return the register ranges that a device serves, by function.

    These are the registers of its points and identities, and the gaps between them up to the
    model's `max_gap`. Ranges that the model forbids are never bridged.
    """
    places = [
        *((row.function, part.place) for row in model.point for part in _parts(row)),
        *((row.function, _identity_place(row)) for row in model.identity),
    ]
    walls = [(row.function, range(row.from_, row.to + 1)) for row in model.forbidden]
    found: dict[int, list[range]] = {}
    for function, place in sorted(places, key=lambda one: (one[0], one[1].start)):
        known = found.setdefault(function, [])
        joined = range(known[-1].start, max(known[-1].stop, place.stop)) if known else place
        walled = any(wall[0] == function and _meet(wall[1], joined) for wall in walls)
        if known and place.start - known[-1].stop <= model.model.max_gap and not walled:
            known[-1] = joined
        else:
            known.append(place)
    return {function: tuple(known) for function, known in found.items()}


def _meet(one: range, other: range) -> bool:
    return one.start < other.stop and other.start < one.stop


def _lay(found: Sequence[int], where: int, held: list[int], asked: range) -> None:
    """Copy words into the answer; registers may be shared, so their bits are combined."""
    for address, word in enumerate(found, where):
        if address in asked:
            held[address - asked.start] |= word


def _identity_place(row: IdentityRow) -> range:
    text = row.type.startswith("str")
    size = int(row.type[3:]) // 2 if text else register_words.layout(row.type, row.order).words
    return range(row.address, row.address + size)


def identities(model: ModbusModel, name: str) -> Mapping[int, Sequence[tuple[int, list[int]]]]:
    """Return the identity registers of a device, by function: addresses and words.

    A text that the model leaves open is the meter's id; a number that it leaves open is 0.
    """
    found: dict[int, list[tuple[int, list[int]]]] = {}
    for row in model.identity:
        place = _identity_place(row)
        if row.type.startswith("str"):
            held = register_words.text(str(row.expect or name), 2 * len(place), row.order)
        else:
            held = register_words.encode(
                int(row.expect or 0), register_words.layout(row.type, row.order)
            )
        found.setdefault(row.function, []).append((row.address, held))
    return found


def registers(stretch: Stretch, medium: Medium) -> tuple[Register, ...]:
    """Return the registers of a device, with the transformer ratios of a stretch."""
    return tuple(_register(row, stretch, medium) for row in stretch.model.point)


def _register(row: PointRow, stretch: Stretch, medium: Medium) -> Register:
    parts = _parts(row)
    lies = parts[0].layout
    ends = None if lies.kind == "f" else lies.capacity * parts[0].per
    ten = Fraction(10) ** parts[-1].constant
    unit = ten / parts[0].per
    if row.modulus is not None:
        ends = Fraction(row.modulus) / (row.canonical_scale() * unit)
    step = row.canonical_scale(stretch.ct, stretch.pt) * unit
    counts = row.quantity == CONSUMPTION[medium]
    whole = None if ends is None else round(ends)
    return Register(row, parts, step, whole, share(row.quantity, medium), counts)


def _parts(row: PointRow) -> tuple[Part, ...]:
    """Return the parts of a point's number: the number, then its fraction and exponent.

    A float that holds the fraction counts in steps of 1 / `_FINE`, each of which it holds exactly.
    An exponent is chosen so that a unit is about a hundredth of the quantity's unit.
    """
    lies = register_words.layout(row.type, row.order, row.bits)
    fraction, exponent = row.fraction, row.exponent
    parts = [Part(row.address, lies)]
    if fraction is not None:
        finer = register_words.layout(fraction.type, fraction.order)
        per = Fraction(_FINE) if finer.kind == "f" else 1 / Fraction(fraction.scale)
        one = per * Fraction(fraction.scale)
        parts = [Part(row.address, lies, per), Part(fraction.address, finer, one)]
    if exponent is not None:
        lies = register_words.layout(exponent.type, exponent.order)
        ten = round(math.log10(0.01 / row.canonical_scale()))
        parts.append(Part(exponent.address, lies, Fraction(0), max(ten, lies.lowest)))
    return tuple(parts)
