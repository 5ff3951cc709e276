"""Simulate a meter: its load, seen through the registers of the installed device. Pure.

Law: the values that `readings` returns for an array of times are those that `words` serves at each
of them, with the device and the transformer ratios of that moment.

A device that was replaced ends at the recorded final reading (its last seconds show exactly that),
and the new device begins at the recorded initial reading.

Faults that last for a while (`states`) are functions of time as well, so the history contains them
too. Faults of a single answer (slips) are handed to `words` with the question.
"""

import math
from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Final

import numpy as np

from jieneng.metering.quantities import CONSUMPTION, Medium
from simulators.faults.fault import Span
from simulators.faults.register_faults import StateFault, TimeFunction
from simulators.load.load import Load
from simulators.load.seeded_noise import Floats, Ints, noise_key
from simulators.registers.address_blocks import blocks, copy_words, identities, overlap
from simulators.registers.derived_quantities import GAUGES, GaugeInputs
from simulators.registers.device_period import CounterAnchor, DevicePeriod
from simulators.registers.register_layout import Register, registers

_NEVER_MS: Final = 2**62

#: State faults of a device with their times, in the order in which they are applied.
TimedStates = tuple[tuple[StateFault, Span], ...]

#: A function that returns the units a register shows, from the units that it should show.
ApplySlips = Callable[[Register, float], float]


def unchanged(_: Register, units: float) -> float:
    """Return the units unchanged: the register shows what it holds."""
    return units


class Meter:
    """A simulated meter, from its installation on.

    Attributes:
        load: load of the meter.
        states: state faults with their times, in the order in which they are applied.
        periods: devices and transformers, in the order of time.
    """

    def __init__(
        self, name: str, medium: Medium, load: Load, device_periods: Sequence[DevicePeriod]
    ) -> None:
        """Build a meter without faults.

        Args:
            name: id of the meter.
            medium: medium of the meter.
            load: load of the meter.
            device_periods: devices and transformers, at least one, in the order of time.
        """
        self.id = name
        self.medium = medium
        self.load = load
        self.periods = tuple(device_periods)
        self._begins = [stretch.begin_ms for stretch in device_periods]
        self._registers = [registers(stretch, medium) for stretch in device_periods]
        self._blocks = [blocks(stretch.model) for stretch in device_periods]
        self._identities = [identities(stretch.model, name) for stretch in device_periods]
        self._counters = [next(one for one in group if one.counts) for group in self._registers]
        self._lives = [_life(device_periods, number) for number in range(len(device_periods))]
        self._offsets: dict[CounterAnchor, float] = {}
        self._key = noise_key(name, "gauges")
        self.states: TimedStates = ()

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
        return self.periods[self._at(time_ms)].model.model.max_registers

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

    def values(self, time_ms: int, states: TimedStates | None = None) -> dict[str, float]:
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
        self, function: int, address: int, count: int, time_ms: int, slips: ApplySlips = unchanged
    ) -> list[int]:
        """Return the contents of registers or coils at a moment; 0 for those not in the model."""
        number = self._at(time_ms)
        asked = range(address, address + count)
        held = [0] * count
        for where, text in self._identities[number].get(function, ()):
            copy_words(text, where, held, asked)
        wanted = [
            one
            for one in self._registers[number]
            if one.row.function == function
            and any(overlap(part.place, asked) for part in one.parts)
        ]
        if wanted:
            shown = self._shown(number, time_ms)
            for one in wanted:
                for where, found in one.held(slips(one, shown(one))):
                    copy_words(found, where, held, asked)
        return held

    def _at(self, time_ms: int) -> int:
        return max(bisect_right(self._begins, time_ms) - 1, 0)

    def settle(self) -> None:
        """Forget the cached offsets of the devices, after the load's past has changed."""
        self._offsets.clear()

    def _counted(self, number: int, states: TimedStates | None = None) -> TimeFunction:
        """Return the counter of a device as a function of time, state faults included."""
        offset = self._offset(self.periods[number].anchor)

        def counted(t_ms: Ints) -> Floats:
            return np.maximum(self.load.consumption(t_ms) + offset, 0.0)

        counts: TimeFunction = counted
        life = self._lives[number]
        for fault, span in self.states if states is None else states:
            if own := fault.within(span, life):
                counts = fault.counted(counts, own, self.wraps(self._begins[number]))
        return counts

    def _offset(self, anchor: CounterAnchor) -> float:
        """Return the difference between a device's counter and the load's consumption."""
        if anchor.at_ms is None:
            return anchor.shows
        if anchor not in self._offsets:
            flowed = float(self.load.consumption(np.asarray([anchor.at_ms]))[0])
            self._offsets[anchor] = anchor.shows - flowed
        return self._offsets[anchor]

    def _flows(self, states: TimedStates | None = None) -> TimeFunction:
        rate: TimeFunction = self.load.rate
        for fault, span in self.states if states is None else states:
            rate = fault.flows(rate, span)
        return rate

    def _shown(
        self, number: int, time_ms: int, states: TimedStates | None = None
    ) -> Callable[[Register], float]:
        """Return a function from a register to its units at a moment; the load is asked once."""
        at = np.asarray([time_ms])
        counted = self._counted(number, states)(at)
        stretch = self.periods[number]
        single = any(row.quantity == "voltage_v" for row in stretch.model.point)
        moment = GaugeInputs(
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


def _life(device_periods: Sequence[DevicePeriod], number: int) -> Span:
    """Return the time in which the device of a stretch was installed."""
    since_ms = device_periods[number].since_ms
    ends = (one.begin_ms for one in device_periods[number:] if one.since_ms != since_ms)
    return Span(since_ms, next(ends, _NEVER_MS))
