"""Keep the faults of a simulation, with their targets and times.

Faults can be switched on and off while the simulation runs.

Law: a fault that has begun stays on record when it ends, because states leave traces: a counter
keeps the consumption that was counted in excess while the ratio was wrong.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import count
from typing import TypeVar

import msgspec
import numpy as np

from jieneng.metering.errors import ConfigError, UsageError
from jieneng.metering.site import Site
from simulators.faults import connection_faults, flow_faults
from simulators.faults.fault import Fault, Span
from simulators.faults.register_faults import Replacement, SlipFault, StateFault
from simulators.faults.reply_faults import ReplyFault
from simulators.load.altered_load import LeakPeriod, Outage
from simulators.load.seeded_noise import noise_key, uniform
from simulators.registers.simulated_meter import TimedStates
from simulators.scripting.fault_check import (
    SCRIPT_FILE,
    ScriptTimes,
    check,
    duplicate_ids,
    target_meters,
)
from simulators.simulated_site import SimulatedSite

_Kind = TypeVar("_Kind", bound=Fault)


class PlacedFault(msgspec.Struct, frozen=True):
    """A fault with its time and its targets.

    Attributes:
        fault: the fault, with an id.
        span: period of the fault, UTC.
        meters: ids of the meters that the fault affects.
        buses: ids of the buses all of whose meters the fault affects.
    """

    fault: Fault
    span: Span
    meters: frozenset[str]
    buses: frozenset[str]

    @property
    def id(self) -> str:
        """The fault's id."""
        return self.fault.id or ""

    def is_active(self, now_ms: int) -> bool:
        """Return True if the fault is in force at that moment."""
        return self.span.begin_ms <= now_ms < self.span.end_ms


class FaultScript:
    """All faults of a simulation, by target and time."""

    def __init__(self, simulated: SimulatedSite, seed: int, begin_ms: int) -> None:
        """Begin without any fault.

        Args:
            simulated: the simulated site.
            seed: seed of the random draws.
            begin_ms: beginning of the simulation, UTC.
        """
        self._simulated = simulated
        self._seed = seed
        self._begin_ms = begin_ms
        self._running = False
        self._placed: dict[str, PlacedFault] = {}
        self._by_meter: dict[str, tuple[PlacedFault, ...]] = {}
        self._meters_by_bus = _meters_by_bus(simulated.site)
        self._flows_altered = False
        self._draws = Counter[tuple[str, str]]()

    @property
    def placed(self) -> Sequence[PlacedFault]:
        """All faults, in the order in which they were placed."""
        return tuple(self._placed.values())

    def place(
        self, faults: Sequence[Fault], now_ms: int | None = None, file: str = SCRIPT_FILE
    ) -> list[PlacedFault]:
        """Add faults, all or none, and return them with their times and targets.

        Args:
            faults: rows of the script.
            now_ms: the present moment, UTC, if the simulation runs already.
            file: name of the file of the rows, for messages.

        Raises:
            ConfigError: a fault has a problem; the error lists every problem of every fault.
        """
        times = ScriptTimes(self._begin_ms, now_ms if self._running else None)
        problems = [
            *(
                problem
                for number, fault in enumerate(faults)
                for problem in check(self._simulated, fault, number, file, times)
            ),
            *duplicate_ids(faults, self._placed, file),
        ]
        if problems:
            raise ConfigError(problems)
        taken = {*self._placed, *(fault.id for fault in faults if fault.id)}
        new = [self._place(fault, taken) for fault in faults]
        self._apply()
        return new

    def simulation_started(self) -> None:
        """Note that the simulation runs: from now on no fault may begin in the past."""
        self._running = True

    def switch_on(self, fault: Fault, now_ms: int) -> PlacedFault:
        """Place a fault; it begins now unless it has a start of its own.

        Raises:
            ConfigError: the fault has a problem.
        """
        if fault.start is None and fault.after_s is None:
            after_s = (now_ms - self._begin_ms) / 1000
            fault = msgspec.structs.replace(fault, after_s=max(after_s, 0.0))
        return self.place([fault], now_ms, "fault")[0]

    def switch_off(self, name: str, now_ms: int) -> PlacedFault | None:
        """End a fault now and return it; return None if no fault has that id.

        A fault that has not begun yet is removed.

        Raises:
            UsageError: a fault of this kind can't end.
        """
        placed = self._placed.get(name)
        if placed is None:
            return None
        if not placed.fault.can_end:
            raise UsageError(
                "{id} can't be ended: a {kind} can't be undone.", id=name, kind=placed.fault.kind()
            )
        if placed.span.begin_ms >= now_ms:
            del self._placed[name]
        elif placed.span.end_ms > now_ms:
            ended = msgspec.structs.replace(placed, span=Span(placed.span.begin_ms, now_ms))
            self._placed[name] = ended
        self._apply()
        return self._placed.get(name, placed)

    def reply_faults(self, meter: str, now_ms: int) -> Iterator[ReplyFault]:
        """Yield the faults of one reply of a meter.

        Call once a reply: each call draws new chances.
        """
        return self._drawn(ReplyFault, meter, now_ms)

    def slip_faults(self, meter: str, now_ms: int) -> Iterator[SlipFault]:
        """Yield the slips of one reply of a meter.

        Call once a reply: each call draws new chances.
        """
        return self._drawn(SlipFault, meter, now_ms)

    def lasting_faults(self, meter: str, now_ms: int) -> Iterator[Fault]:
        """Yield the faults of a meter that are active at that moment and not random."""
        for placed in self._by_meter.get(meter, ()):
            if not placed.fault.is_random and placed.is_active(now_ms):
                yield placed.fault

    def meter_has_no_power(self, meter: str, now_ms: int) -> bool:
        """Return True if the power of a meter's building is cut."""
        faults = self.lasting_faults(meter, now_ms)
        return any(isinstance(fault, flow_faults.PowerCut) for fault in faults)

    def bus_has_no_power(self, bus: str, now_ms: int) -> bool:
        """Return True if no meter of a bus has power, so that its gateway has no power either."""
        meters = self._meters_by_bus.get(bus, ())
        return bool(meters) and all(self.meter_has_no_power(meter, now_ms) for meter in meters)

    def bus_reply_faults(self, bus: str, now_ms: int) -> Iterator[ReplyFault]:
        """Yield the faults of a reply that a gateway gives in place of a missing device."""
        for placed in self._placed.values():
            if (
                isinstance(placed.fault, ReplyFault)
                and bus in placed.buses
                and placed.is_active(now_ms)
                and self._draws_it(placed, bus)
            ):
                yield placed.fault

    def one_connection(self, bus: str, now_ms: int) -> connection_faults.OneConnection | None:
        """Return the fault that limits a gateway to one connection; None if there is none."""
        return next(self._of_bus(connection_faults.OneConnection, bus, now_ms), None)

    def _of_bus(self, kind: type[_Kind], bus: str, now_ms: int) -> Iterator[_Kind]:
        for placed in self._placed.values():
            if not (bus in placed.buses and placed.is_active(now_ms)):
                continue
            if isinstance(placed.fault, kind):
                yield placed.fault

    def _drawn(self, kind: type[_Kind], meter: str, now_ms: int) -> Iterator[_Kind]:
        for placed in self._by_meter.get(meter, ()):
            if not (isinstance(placed.fault, kind) and placed.is_active(now_ms)):
                continue
            if self._draws_it(placed, meter):
                yield placed.fault

    def _draws_it(self, placed: PlacedFault, meter: str) -> bool:
        if placed.fault.probability == 1.0:
            return True
        number = self._draws[placed.id, meter]
        self._draws[placed.id, meter] += 1
        drawn = uniform(noise_key(self._seed, "fault", placed.id, meter), np.asarray([number]))
        return bool(drawn[0] < placed.fault.probability)

    def _place(self, fault: Fault, taken: set[str]) -> PlacedFault:
        if fault.id is None:
            kind = fault.kind().replace("_", "-")
            names = (f"{kind}-{number}" for number in count(1))
            fault = msgspec.structs.replace(fault, id=next(n for n in names if n not in taken))
            taken.add(fault.id or "")
        meters = target_meters(self._simulated, fault)
        buses = frozenset(bus for bus, ids in self._meters_by_bus.items() if ids <= meters)
        placed = PlacedFault(fault, fault.span(self._begin_ms), meters, buses)
        self._placed[placed.id] = placed
        return placed

    def _apply(self) -> None:
        """Apply the states to the meters, and the power cuts and leaks to their loads."""
        by_meter: dict[str, list[PlacedFault]] = {}
        for placed in self._placed.values():
            for name in placed.meters:
                by_meter.setdefault(name, []).append(placed)
        self._by_meter = {name: tuple(found) for name, found in by_meter.items()}
        for name, meter in self._simulated.meters.items():
            meter.states = _timed_states(self._by_meter.get(name, ()))
        flows = any(
            isinstance(placed.fault, flow_faults.FlowFault) for placed in self._placed.values()
        )
        if flows or self._flows_altered:
            self._alter_flows()
        self._flows_altered = flows

    def _alter_flows(self) -> None:
        for name, load in self._simulated.own_loads.items():
            load.alter(self._outages(name), ())
        for name, load in self._simulated.loads.items():
            leaks = [
                LeakPeriod(placed.span.begin_ms, placed.span.end_ms, placed.fault.rate)
                for placed in self._by_meter.get(name, ())
                if isinstance(placed.fault, flow_faults.Leak)
            ]
            load.alter((), [part for leak in leaks for part in leak.outside(self._outages(name))])
        for meter in self._simulated.meters.values():
            meter.forget_offsets()

    def _outages(self, meter: str) -> list[Outage]:
        """Return the power cuts of a meter. Water, gas and heat flow on, so they have none."""
        if self._simulated.site.meters[meter].medium != "electricity":
            return []
        return [
            Outage(placed.span.begin_ms, placed.span.end_ms)
            for placed in self._by_meter.get(meter, ())
            if isinstance(placed.fault, flow_faults.PowerCut)
        ]


def _timed_states(faults: Sequence[PlacedFault]) -> TimedStates:
    """Return the states of a meter, in the order in which they begin.

    A state that goes away with the device ends when the device is replaced.
    """
    states = [
        (placed.fault, placed.span)
        for placed in sorted(faults, key=lambda placed: placed.span.begin_ms)
        if isinstance(placed.fault, StateFault)
    ]
    replaced_ms = [span.begin_ms for fault, span in states if isinstance(fault, Replacement)]
    return tuple((fault, _until_replacement(fault, span, replaced_ms)) for fault, span in states)


def _until_replacement(fault: StateFault, span: Span, replaced_ms: Sequence[int]) -> Span:
    later = [at_ms for at_ms in replaced_ms if at_ms > span.begin_ms]
    if not later or not fault.ends_with_device or not fault.can_end:
        return span
    return Span(span.begin_ms, min(span.end_ms, later[0]))


def _meters_by_bus(site: Site) -> dict[str, frozenset[str]]:
    """Return the ids of the meters on each bus; buses without meters are left out."""
    meters: dict[str, set[str]] = {}
    for meter in site.meter:
        if meter.bus is not None:
            meters.setdefault(meter.bus, set()).add(meter.id)
    return {bus: frozenset(ids) for bus, ids in meters.items()}
