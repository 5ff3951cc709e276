"""Which faults touch what, and since when. Switched on and off while the simulation runs.

Law: a fault that has begun stays in the books when it ends, because states leave traces: what a
meter counted too much while its ratio was wrong stays counted.
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
from simulators.load.altered_load import Cut, Leak
from simulators.load.seeded_noise import key, uniform
from simulators.registers.simulated_meter import States
from simulators.scripting.fault_check import SCRIPT_FILE, Times, check, same_ids, targets
from simulators.simulated_site import SimulatedSite

_Kind = TypeVar("_Kind", bound=Fault)


class Placed(msgspec.Struct, frozen=True):
    """A fault with its time and its targets.

    Attributes:
        fault: with an id.
        span: from when to when, UTC.
        meters: that it touches, by id.
        buses: all of whose meters it touches.
    """

    fault: Fault
    span: Span
    meters: frozenset[str]
    buses: frozenset[str]

    @property
    def id(self) -> str:
        """The fault's id."""
        return self.fault.id or ""

    def on(self, now_ms: int) -> bool:
        """Whether it is under way."""
        return self.span.begin_ms <= now_ms < self.span.end_ms


class Script:
    """The faults of a simulation."""

    def __init__(self, campus: SimulatedSite, seed: int, begin_ms: int) -> None:
        """No fault yet.

        Args:
            campus: what they touch.
            seed: of what is drawn.
            begin_ms: when the simulation begins, UTC.
        """
        self._campus = campus
        self._seed = seed
        self._begin_ms = begin_ms
        self._running = False
        self._placed: dict[str, Placed] = {}
        self._by_meter: dict[str, tuple[Placed, ...]] = {}
        self._on_bus = _on_bus(campus.site)
        self._flows_altered = False
        self._draws = Counter[tuple[str, str]]()

    @property
    def placed(self) -> Sequence[Placed]:
        """All faults, in the order in which they were placed."""
        return tuple(self._placed.values())

    def place(
        self, faults: Sequence[Fault], now_ms: int | None = None, file: str = SCRIPT_FILE
    ) -> list[Placed]:
        """Take in faults, all or none.

        Args:
            faults: the rows.
            now_ms: the moment, where the simulation runs already.
            file: where they stand.

        Raises:
            ConfigError: with every problem of every fault.
        """
        times = Times(self._begin_ms, now_ms if self._running else None)
        problems = [
            *(
                problem
                for number, fault in enumerate(faults)
                for problem in check(self._campus, fault, number, file, times)
            ),
            *same_ids(faults, self._placed, file),
        ]
        if problems:
            raise ConfigError(problems)
        taken = {*self._placed, *(fault.id for fault in faults if fault.id)}
        new = [self._place(fault, taken) for fault in faults]
        self._apply()
        return new

    def started(self) -> None:
        """From now on questions are answered."""
        self._running = True

    def switch_on(self, fault: Fault, now_ms: int) -> Placed:
        """Place a fault that begins now, unless it says when.

        Raises:
            ConfigError: it can't be.
        """
        if fault.start is None and fault.after_s is None:
            after_s = (now_ms - self._begin_ms) / 1000
            fault = msgspec.structs.replace(fault, after_s=max(after_s, 0.0))
        return self.place([fault], now_ms, "fault")[0]

    def switch_off(self, name: str, now_ms: int) -> Placed | None:
        """End a fault now; None where there is none of that id. One that has not begun is gone.

        Raises:
            UsageError: its kind does not end.
        """
        one = self._placed.get(name)
        if one is None:
            return None
        if not one.fault.ends:
            raise UsageError(
                "{id} does not end: a {kind} can't be undone.", id=name, kind=one.fault.kind()
            )
        if one.span.begin_ms >= now_ms:
            del self._placed[name]
        elif one.span.end_ms > now_ms:
            ended = msgspec.structs.replace(one, span=Span(one.span.begin_ms, now_ms))
            self._placed[name] = ended
        self._apply()
        return self._placed.get(name, one)

    def replies(self, meter: str, now_ms: int) -> Iterator[ReplyFault]:
        """The faults that touch this answer of a meter; each asked for once an answer."""
        return self._drawn(ReplyFault, meter, now_ms)

    def slips(self, meter: str, now_ms: int) -> Iterator[SlipFault]:
        """What slips in this answer's registers; each asked for once an answer."""
        return self._drawn(SlipFault, meter, now_ms)

    def states(self, meter: str, now_ms: int) -> Iterator[Fault]:
        """What is wrong with a meter or its building for a while."""
        for one in self._by_meter.get(meter, ()):
            if not one.fault.drawn and one.on(now_ms):
                yield one.fault

    def dark(self, meter: str, now_ms: int) -> bool:
        """Whether the power of a meter's building is cut."""
        return any(isinstance(one, flow_faults.PowerCut) for one in self.states(meter, now_ms))

    def dark_bus(self, bus: str, now_ms: int) -> bool:
        """Whether there is no power at a whole bus: all of its meters are dark."""
        meters = self._on_bus.get(bus, ())
        return bool(meters) and all(self.dark(meter, now_ms) for meter in meters)

    def whole_bus_replies(self, bus: str, now_ms: int) -> Iterator[ReplyFault]:
        """The faults that touch an answer for a unit that is not there."""
        for one in self._placed.values():
            if (
                isinstance(one.fault, ReplyFault)
                and bus in one.buses
                and one.on(now_ms)
                and self._hits(one, bus)
            ):
                yield one.fault

    def one_connection(self, bus: str, now_ms: int) -> connection_faults.OneConnection | None:
        """What a gateway does with a second connection, where it takes only one."""
        return next(self._of_bus(connection_faults.OneConnection, bus, now_ms), None)

    def _of_bus(self, kind: type[_Kind], bus: str, now_ms: int) -> Iterator[_Kind]:
        for one in self._placed.values():
            if isinstance(one.fault, kind) and bus in one.buses and one.on(now_ms):
                yield one.fault

    def _drawn(self, kind: type[_Kind], meter: str, now_ms: int) -> Iterator[_Kind]:
        for one in self._by_meter.get(meter, ()):
            if isinstance(one.fault, kind) and one.on(now_ms) and self._hits(one, meter):
                yield one.fault

    def _hits(self, one: Placed, meter: str) -> bool:
        if one.fault.probability == 1.0:
            return True
        number = self._draws[one.id, meter]
        self._draws[one.id, meter] += 1
        drawn = uniform(key(self._seed, "fault", one.id, meter), np.asarray([number]))
        return bool(drawn[0] < one.fault.probability)

    def _place(self, fault: Fault, taken: set[str]) -> Placed:
        if fault.id is None:
            kind = fault.kind().replace("_", "-")
            names = (f"{kind}-{number}" for number in count(1))
            fault = msgspec.structs.replace(fault, id=next(n for n in names if n not in taken))
            taken.add(fault.id or "")
        meters = targets(self._campus, fault)
        buses = frozenset(bus for bus, there in self._on_bus.items() if there <= meters)
        one = Placed(fault, fault.span(self._begin_ms), meters, buses)
        self._placed[one.id] = one
        return one

    def _apply(self) -> None:
        """Hand states and flows to the meters."""
        by_meter: dict[str, list[Placed]] = {}
        for one in self._placed.values():
            for name in one.meters:
                by_meter.setdefault(name, []).append(one)
        self._by_meter = {name: tuple(found) for name, found in by_meter.items()}
        for name, meter in self._campus.meters.items():
            meter.states = _states(self._by_meter.get(name, ()))
        flows = any(isinstance(one.fault, flow_faults.FlowFault) for one in self._placed.values())
        if flows or self._flows_altered:
            self._alter_flows()
        self._flows_altered = flows

    def _alter_flows(self) -> None:
        for name, load in self._campus.leaves.items():
            load.alter(self._cuts(name), ())
        for name, load in self._campus.flows.items():
            leaks = [
                Leak(one.span.begin_ms, one.span.end_ms, one.fault.rate)
                for one in self._by_meter.get(name, ())
                if isinstance(one.fault, flow_faults.Leak)
            ]
            load.alter((), [part for leak in leaks for part in leak.without(self._cuts(name))])
        for meter in self._campus.meters.values():
            meter.settle()

    def _cuts(self, meter: str) -> list[Cut]:
        """When no power reaches a meter. Only electricity needs it: water and gas flow on."""
        if self._campus.site.meters[meter].medium != "electricity":
            return []
        return [
            Cut(one.span.begin_ms, one.span.end_ms)
            for one in self._by_meter.get(meter, ())
            if isinstance(one.fault, flow_faults.PowerCut)
        ]


def _states(placed: Sequence[Placed]) -> States:
    """A device's states in the order in which they begin; what goes with it ends with it."""
    states = [
        (one.fault, one.span)
        for one in sorted(placed, key=lambda one: one.span.begin_ms)
        if isinstance(one.fault, StateFault)
    ]
    swaps = [span.begin_ms for fault, span in states if isinstance(fault, Replacement)]
    return tuple((fault, _until_swap(fault, span, swaps)) for fault, span in states)


def _until_swap(fault: StateFault, span: Span, swaps: Sequence[int]) -> Span:
    later = [at_ms for at_ms in swaps if at_ms > span.begin_ms]
    if not later or not fault.of_device or not fault.ends:
        return span
    return Span(span.begin_ms, min(span.end_ms, later[0]))


def _on_bus(site: Site) -> dict[str, frozenset[str]]:
    """The meters of each bus that has any."""
    on: dict[str, set[str]] = {}
    for one in site.meter:
        if one.bus is not None:
            on.setdefault(one.bus, set()).add(one.id)
    return {bus: frozenset(there) for bus, there in on.items()}
