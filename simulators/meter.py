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
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Final

import msgspec
import numpy as np

from jieneng.metering.catalog import Model, PointRow
from jieneng.metering.quantities import CONSUMPTION, Medium
from simulators import words
from simulators.faults.fault import Span
from simulators.faults.registers import Counts, StateFault
from simulators.load import Load
from simulators.noise import Floats, Ints, key
from simulators.quantities import GAUGES, Moment, share

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
    model: Model
    ct: Fraction = Fraction(1)
    pt: Fraction = Fraction(1)
    since_ms: int = 0
    anchor: Anchor = Anchor()


class Register(msgspec.Struct, frozen=True):
    """A point of a model under certain transformers.

    Attributes:
        row: where it lies.
        layout: how.
        step: what one unit of the register is worth, in the canonical unit.
        ends: units at which it starts again; None if it never does.
        share: of the consumption; None for a gauge.
        counts: whether it is the counter that consumption is taken from.
    """

    row: PointRow
    layout: words.Layout
    step: Fraction
    ends: int | None
    share: float | None
    counts: bool

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
        begin = one.row.address - address
        if one.row.function != function or begin < 0 or begin + one.layout.words > len(held):
            return math.nan
        units = words.decode(held[begin : begin + one.layout.words], one.layout)
        return float(units * one.step.numerator / one.step.denominator)

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
        """What registers hold at a moment; 0 where the model names nothing."""
        number = self._at(time_ms)
        held = [0] * count
        wanted = [
            one
            for one in self._registers[number]
            if one.row.function == function
            and address - one.layout.words < one.row.address < address + count
        ]
        if wanted:
            shown = self._shown(number, time_ms)
            for one in wanted:
                begin = one.row.address - address
                units = slips(one, shown(one))
                for place, word in enumerate(words.encode(units, one.layout), begin):
                    if 0 <= place < count:
                        held[place] = word
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


def blocks(model: Model) -> Mapping[int, tuple[range, ...]]:
    """The registers that a device has, by function: those of its points, and small gaps between.

    A model says with `max_gap` what may be read along, so that much is there.
    """
    found: dict[int, list[range]] = {}
    for row in sorted(model.point, key=lambda row: row.address):
        known = found.setdefault(row.function, [])
        end = row.address + words.layout(row.type, row.order).words
        if known and row.address - known[-1].stop <= model.model.max_gap:
            known[-1] = range(known[-1].start, max(known[-1].stop, end))
        else:
            known.append(range(row.address, end))
    return {function: tuple(known) for function, known in found.items()}


def registers(stretch: Stretch, medium: Medium) -> tuple[Register, ...]:
    """The registers of a device under the transformers of a stretch."""
    return tuple(_register(row, stretch, medium) for row in stretch.model.point)


def _register(row: PointRow, stretch: Stretch, medium: Medium) -> Register:
    lies = words.layout(row.type, row.order)
    ends = None if lies.kind == "f" else lies.capacity
    if row.modulus is not None:
        ends = round(Fraction(row.modulus) / row.canonical_scale())
    step = row.canonical_scale(stretch.ct, stretch.pt)
    counts = row.quantity == CONSUMPTION[medium]
    return Register(row, lies, step, ends, share(row.quantity, medium), counts)
