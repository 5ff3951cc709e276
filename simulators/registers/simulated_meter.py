"""Simulate a meter: its load, seen through the registers of the installed device. Pure.

Law: `readings` and `shown_units` agree: for the same moment, they give the same value of the device
that is installed at that moment, with the transformer ratios of that moment.

A device that is replaced shows the recorded final reading in its last seconds, and the new device
begins at the recorded initial reading.

Faults that last for a while (`states`) are functions of time as well, so the history contains them
too. Faults of a single answer (slips) are applied by the bus that sends the answer.
"""

from bisect import bisect_right
from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from typing import Final

import numpy as np

from jieneng.metering.quantities import CONSUMPTION, Medium
from simulators.faults.fault import Span
from simulators.faults.register_faults import StateFault, TimeFunction
from simulators.load.load import Load
from simulators.load.seeded_noise import Floats, Ints, noise_key
from simulators.protocols import PROTOCOLS
from simulators.protocols.simulated_protocol import Device, Register, ShownUnits
from simulators.registers.derived_quantities import GAUGES, GaugeInputs, counter_share
from simulators.registers.device_period import CounterAnchor, DevicePeriod

_NEVER_MS: Final = 2**62

#: State faults of a device with their times, in the order in which they are applied.
TimedStates = tuple[tuple[StateFault, Span], ...]


class SimulatedMeter:
    """A simulated meter, from its installation on.

    Attributes:
        id: id of the meter.
        medium: medium of the meter.
        load: load of the meter.
        periods: devices and transformers, in the order of time.
        states: state faults with their times, in the order in which they are applied.
    """

    def __init__(
        self, name: str, medium: Medium, load: Load, periods: Sequence[DevicePeriod]
    ) -> None:
        """Build a meter without faults.

        Args:
            name: id of the meter.
            medium: medium of the meter.
            load: load of the meter.
            periods: devices and transformers, at least one, in the order of time.
        """
        self.id = name
        self.medium = medium
        self.load = load
        self.periods = tuple(periods)
        self.states: TimedStates = ()
        self._begins = [period.begin_ms for period in periods]
        self._devices: list[Device] = [
            PROTOCOLS[period.model.protocol].new_device(period.model, period.ct, period.pt, name)
            for period in periods
        ]
        self._counters = [
            next(one for one in device.registers if one.quantity == self.counter_quantity)
            for device in self._devices
        ]
        self._lives = [_life(periods, number) for number in range(len(periods))]
        self._offsets: dict[CounterAnchor, float] = {}
        self._gauge_noise_key = noise_key(name, "gauges")

    @property
    def counter_quantity(self) -> str:
        """The quantity of the consumption counter."""
        return CONSUMPTION[self.medium]

    @property
    def quantities(self) -> frozenset[str]:
        """The quantities for which any of the devices has a register."""
        return frozenset(one.quantity for device in self._devices for one in device.registers)

    @property
    def protocols(self) -> frozenset[str]:
        """The protocols that the meter's devices speak."""
        return frozenset(period.model.protocol for period in self.periods)

    def protocol(self, time_ms: int) -> str:
        """Return the protocol of the device that is installed at a moment."""
        return self.periods[self._at(time_ms)].model.protocol

    def device(self, time_ms: int) -> Device:
        """Return the device that is installed at a moment."""
        return self._devices[self._at(time_ms)]

    def counter_register(self, time_ms: int) -> Register:
        """Return the register of the consumption counter at a moment."""
        return self._counters[self._at(time_ms)]

    def readings(self, t_ms: Ints) -> dict[str, Floats]:
        """Return the readings of each counter, by quantity: primary side, canonical unit.

        NaN before the meter was installed, and where the device of that time lacks the quantity.
        """
        read: dict[str, Floats] = {}
        for number, (begin, end) in enumerate(pairwise([*self._begins, _NEVER_MS])):
            during = (t_ms >= begin) & (t_ms < end)
            counted = self._counter_function(number)(t_ms[during])
            for register in self._devices[number].registers:
                share = counter_share(register.quantity, self.medium)
                if share is not None:
                    values = read.setdefault(register.quantity, np.full(t_ms.shape, np.nan))
                    values[during] = register.values(register.units(counted * share))
        return read

    def counter_without_faults(self, time_ms: int) -> float:
        """Return the reading of the consumption counter without state faults [canonical unit]."""
        number = self._at(time_ms)
        counter = self._counters[number]
        counted = self._counter_function(number, states=())(np.asarray([time_ms]))
        return float(counter.values(counter.units(counted))[0])

    def values(self, time_ms: int, states: TimedStates | None = None) -> dict[str, float]:
        """Return the values of all registers at a moment, by quantity [canonical unit].

        Args:
            time_ms: UTC.
            states: state faults to apply; None: those of the meter.
        """
        shown = self.shown_units(time_ms, states)
        registers = self.device(time_ms).registers
        return {register.quantity: register.value(shown(register)) for register in registers}

    def counter_step(self, time_ms: int) -> float:
        """Return the value of a step of the consumption counter [canonical unit]; 0 for a float."""
        counter = self.counter_register(time_ms)
        return 0.0 if counter.layout.kind == "f" else float(counter.step)

    def rollover_value(self, time_ms: int) -> float | None:
        """Return the value at which the consumption counter rolls over to 0; None: never."""
        counter = self.counter_register(time_ms)
        units = counter.rollover_units
        return None if units is None else float(units * counter.step)

    def shown_units(self, time_ms: int, states: TimedStates | None = None) -> ShownUnits:
        """Return a function from a register of the device to the units that it shows.

        Args:
            time_ms: UTC.
            states: state faults to apply; None: those of the meter.
        """
        number = self._at(time_ms)
        at = np.asarray([time_ms])

        @cache
        def counted() -> Floats:
            return self._counter_function(number, states)(at)

        @cache
        def gauge_inputs() -> GaugeInputs:
            model = self.periods[number].model
            single = any(point.quantity == "voltage_v" for point in model.point)
            return GaugeInputs(
                medium=self.medium,
                rate=float(self._rate_function(states)(at)[0]),
                phases=1 if single else 3,
                pt=float(self.periods[number].pt),
                time_ms=time_ms,
                noise_key=self._gauge_noise_key,
            )

        def shown(register: Register) -> float:
            share = counter_share(register.quantity, self.medium)
            if share is not None:
                return float(register.units(counted() * share)[0])
            return GAUGES[register.quantity](gauge_inputs()) / float(register.step)

        return shown

    def forget_offsets(self) -> None:
        """Forget the cached offsets of the devices, after the load's past has changed."""
        self._offsets.clear()

    def _at(self, time_ms: int) -> int:
        """Return the number of the period of a moment; the first one before all periods."""
        return max(bisect_right(self._begins, time_ms) - 1, 0)

    def _counter_function(self, number: int, states: TimedStates | None = None) -> TimeFunction:
        """Return the counter of a device as a function of time, state faults included."""
        offset = self._offset(self.periods[number].anchor)

        def without_faults(t_ms: Ints) -> Floats:
            return np.maximum(self.load.consumption(t_ms) + offset, 0.0)

        counter: TimeFunction = without_faults
        rollover_value = self.rollover_value(self._begins[number])
        for fault, span in self.states if states is None else states:
            if part := fault.part_in_life(span, self._lives[number]):
                counter = fault.disturb_counter(counter, part, rollover_value)
        return counter

    def _rate_function(self, states: TimedStates | None = None) -> TimeFunction:
        """Return the rate that the gauges follow as a function of time, state faults included."""
        rate: TimeFunction = self.load.rate
        for fault, span in self.states if states is None else states:
            rate = fault.disturb_rate(rate, span)
        return rate

    def _offset(self, anchor: CounterAnchor) -> float:
        """Return the difference between a device's counter and the load's consumption."""
        if anchor.at_ms is None:
            return anchor.reading
        if anchor not in self._offsets:
            consumed = float(self.load.consumption(np.asarray([anchor.at_ms]))[0])
            self._offsets[anchor] = anchor.reading - consumed
        return self._offsets[anchor]


def _life(periods: Sequence[DevicePeriod], number: int) -> Span:
    """Return the time in which the device of a period is installed."""
    installed_ms = periods[number].installed_ms
    ends = (one.begin_ms for one in periods[number:] if one.installed_ms != installed_ms)
    return Span(installed_ms, next(ends, _NEVER_MS))
