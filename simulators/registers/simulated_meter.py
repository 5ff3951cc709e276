"""A meter: a load, seen through the registers of the device that hangs there. Pure.

Law: a register holds whole steps, rounded down; it starts again where its width or its digits end;
transformer ratios that the model names are taken out of it, as in force at that moment. What
`readings` says for an array of times is what `words` serves at each of them.

A device that was replaced ends at the recorded final reading (its last seconds show exactly that),
and the new one begins at the recorded first one.

What is wrong with a device for a while (`states`) is a function of time as well, so the history has
it too; what slips in a single answer is handed to `words` with the question.
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

#: Steps that a float behind the decimal point takes from 0 to 1: it holds each exactly.
_FINE: Final = 1024
# Of a step: floats that stand for whole steps may lie this much below them.
_TOLERANCE: Final = 1e-6
_NEVER_MS: Final = 2**62

#: What is wrong with a device, and when; in the order in which it adds up.
States = tuple[tuple[StateFault, Span], ...]

#: What a register shows instead of so many units.
Slips = Callable[["Register", float], float]


def no_slips(_: "Register", units: float) -> float:
    """A register that shows what it holds."""
    return units


class Anchor(msgspec.Struct, frozen=True):
    """What fixes a device's register to what flows.

    Attributes:
        at_ms: when, UTC; None: before anything flowed.
        shows: what the device shows then [canonical unit].
    """

    at_ms: int | None = None
    shows: float = 0.0


class Stretch(msgspec.Struct, frozen=True):
    """A time in which one device hangs there, with the same transformers.

    Attributes:
        begin_ms: UTC; it lasts until the next one begins.
        model: the device's.
        ct: ratio in force; 1 where there is none.
        pt: the same of the voltage transformer.
        since_ms: when the device was hung there.
        anchor: what it shows when.
    """

    begin_ms: int
    model: ModbusModel
    ct: Fraction = Fraction(1)
    pt: Fraction = Fraction(1)
    since_ms: int = 0
    anchor: Anchor = Anchor()


class Part(msgspec.Struct, frozen=True):
    """A number in one place that belongs to a register.

    Attributes:
        address: of its first word.
        layout: how it lies there.
        per: units of the register that one unit of it stands for; 0 of an exponent.
        constant: what an exponent says.
    """

    address: int
    layout: register_words.Layout
    per: Fraction = Fraction(1)
    constant: int = 0

    @property
    def place(self) -> range:
        """The addresses that it takes."""
        return range(self.address, self.address + self.layout.words)


class Register(msgspec.Struct, frozen=True):
    """A point of a model under certain transformers.

    Attributes:
        row: where it lies.
        parts: its number, and what lies elsewhere of it: fraction, exponent.
        step: what one unit of it, the finest that it shows, is worth in the canonical unit.
        ends: units at which it starts again; None if it never does.
        share: of the consumption; None for a gauge.
        counts: whether it is the counter that consumption is taken from.
    """

    row: PointRow
    parts: tuple[Part, ...]
    step: Fraction
    ends: int | None
    share: float | None
    counts: bool

    @property
    def layout(self) -> register_words.Layout:
        """How its number lies, without fraction and exponent."""
        return self.parts[0].layout

    @property
    def single(self) -> bool:
        """Whether it holds a float of single precision."""
        return self.layout.kind == "f" and self.layout.bits == 32

    def units(self, value: Floats) -> Floats:
        """Units of the register that show a counter's value [canonical unit]."""
        steps = value * (self.step.denominator / self.step.numerator)
        if self.layout.kind != "f":
            steps = np.floor(steps + _TOLERANCE)
        if self.ends is not None:
            steps = np.mod(steps, self.ends)
        return steps.astype(np.float32).astype(np.float64) if self.single else steps

    def value(self, units: Floats) -> Floats:
        """What a reader makes of units [canonical unit]."""
        return np.asarray(units * self.step.numerator / self.step.denominator, dtype=np.float64)

    def held(self, units: float) -> Iterator[tuple[int, list[int]]]:
        """What stands at which address when it shows so many units."""
        number, *others = self.parts
        alone = number.per == 1
        whole, rest = (units, 0) if alone else divmod(round(units), int(number.per))
        yield number.address, register_words.encode(whole, number.layout)
        for part in others:
            shown = float(rest / part.per) if part.per else part.constant
            yield part.address, register_words.encode(shown, part.layout)

    def read(self, held: Sequence[int], address: int) -> float:
        """The units of an answer from an address on; NaN where it does not hold all of them."""
        units = 0.0
        for part in self.parts:
            begin = part.address - address
            if begin < 0 or begin + part.layout.words > len(held):
                return math.nan
            shown = register_words.decode(held[begin : begin + part.layout.words], part.layout)
            units += shown * float(part.per)
        return units


class Meter:
    """One meter, from its installation on.

    Attributes:
        load: what flows through it.
        states: what is wrong with the device, and when; in the order in which it adds up.
        stretches: which device hung there when.
    """

    def __init__(self, name: str, medium: Medium, load: Load, stretches: Sequence[Stretch]) -> None:
        """A meter.

        Args:
            name: its id.
            medium: of the site's meter.
            load: what flows.
            stretches: at least one, in the order of time.
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
        """The quantity of its consumption counter."""
        return CONSUMPTION[self.medium]

    @property
    def quantities(self) -> frozenset[str]:
        """What any of the devices has registers for."""
        return frozenset(one.row.quantity for group in self._registers for one in group)

    def most(self, time_ms: int) -> int:
        """The most registers that the device gives at once."""
        return self.stretches[self._at(time_ms)].model.model.max_registers

    def answers(self, function: int, time_ms: int) -> bool:
        """Whether the device knows a function; those that read registers every device does."""
        return function in (3, 4) or function in self._blocks[self._at(time_ms)]

    def has(self, function: int, address: int, count: int, time_ms: int) -> bool:
        """Whether the device has all these registers."""
        return any(
            block.start <= address and address + count <= block.stop
            for block in self._blocks[self._at(time_ms)].get(function, ())
        )

    def readings(self, t_ms: Ints) -> dict[str, Floats]:
        """What each counter shows, as a reader sees it: primary side, canonical unit.

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
        """What the consumption counter would show with nothing wrong [canonical unit]."""
        number = self._at(time_ms)
        counter = self._counters[number]
        counted = self._counted(number, states=())(np.asarray([time_ms]))
        return float(counter.value(counter.units(counted))[0])

    def values(self, time_ms: int, states: States | None = None) -> dict[str, float]:
        """What every register says at a moment, by quantity [canonical unit].

        Args:
            time_ms: UTC.
            states: what is wrong with the device; what is known of it where None.
        """
        number = self._at(time_ms)
        shown = self._shown(number, time_ms, states)
        return {
            one.row.quantity: float(shown(one) * one.step.numerator / one.step.denominator)
            for one in self._registers[number]
        }

    def counter(self, held: Sequence[int], function: int, address: int, time_ms: int) -> float:
        """What a reader makes of the consumption counter in an answer [canonical unit].

        NaN where the counter does not lie wholly in it, or holds no digits.
        """
        one = self._counters[self._at(time_ms)]
        if one.row.function != function:
            return math.nan
        return float(one.read(held, address) * one.step.numerator / one.step.denominator)

    def step(self, time_ms: int) -> float:
        """What one step of the consumption counter is worth [canonical unit]; 0 of a float."""
        counter = self._counters[self._at(time_ms)]
        return 0.0 if counter.layout.kind == "f" else float(counter.step)

    def wraps(self, time_ms: int) -> float | None:
        """At how much the consumption counter starts again [canonical unit]; None: never."""
        counter = self._counters[self._at(time_ms)]
        return None if counter.ends is None else float(counter.ends * counter.step)

    def words(
        self, function: int, address: int, count: int, time_ms: int, slips: Slips = no_slips
    ) -> list[int]:
        """What registers or coils hold at a moment; 0 where the model names nothing."""
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
        """What flowed in the past is other than it was: work out anew what the devices show."""
        self._offsets.clear()

    def _counted(self, number: int, states: States | None = None) -> Counts:
        """What a device has counted since it began at 0, as a function of time."""
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
        """What a device shows more than has flowed since the load began."""
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
        """What each register shows at a moment [its units]; the load is asked once."""
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
    """From when until when the device of a stretch hung there."""
    since_ms = stretches[number].since_ms
    ends = (one.begin_ms for one in stretches[number:] if one.since_ms != since_ms)
    return Span(since_ms, next(ends, _NEVER_MS))


def blocks(model: ModbusModel) -> Mapping[int, tuple[range, ...]]:
    """The registers that a device has, by function: those it is asked for, and small gaps between.

    A model says with `max_gap` what may be read along, so that much is there, but for what it says
    is forbidden.
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
    """Put words where they were asked for; registers may be shared, so bits are added."""
    for address, word in enumerate(found, where):
        if address in asked:
            held[address - asked.start] |= word


def _identity_place(row: IdentityRow) -> range:
    text = row.type.startswith("str")
    size = int(row.type[3:]) // 2 if text else register_words.layout(row.type, row.order).words
    return range(row.address, row.address + size)


def identities(model: ModbusModel, name: str) -> Mapping[int, Sequence[tuple[int, list[int]]]]:
    """What the device says of itself, by function: where, and the words.

    A text that the model leaves open is the meter's name, a number is 0.
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
    """The registers of a device under the transformers of a stretch."""
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
    """Where a point's number lies.

    Behind the decimal point a float shows binary fractions of `_FINE`, all of which it can hold.
    An exponent is the one with which a unit is about a hundredth of the quantity's.
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
