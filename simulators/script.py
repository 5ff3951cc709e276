"""Which faults touch what, and since when. Switched on and off while the simulation runs.

Law: a fault that has begun stays in the books when it ends, because states leave traces: what a
meter counted too much while its ratio was wrong stays counted.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TypeVar

import msgspec
import numpy as np

from jieneng.metering.errors import ConfigError
from jieneng.metering.site import Site
from simulators.campus import Campus
from simulators.faults import connections, flow
from simulators.faults.check import SCRIPT_FILE, check, same_ids, targets
from simulators.faults.fault import Fault
from simulators.faults.registers import SlipFault, Span, StateFault
from simulators.faults.replies import ReplyFault
from simulators.flows import NEVER_MS, Cut, Leak
from simulators.noise import key, uniform

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

    def __init__(self, campus: Campus, seed: int, begin_ms: int) -> None:
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
        self._draws = Counter[tuple[str, str]]()

    @property
    def placed(self) -> Sequence[Placed]:
        """All faults, in the order in which they were placed."""
        return tuple(self._placed.values())

    def place(self, faults: Sequence[Fault], file: str = SCRIPT_FILE) -> list[Placed]:
        """Take in faults, all or none.

        Raises:
            ConfigError: with every problem of every fault.
        """
        problems = [
            *(
                problem
                for number, fault in enumerate(faults)
                for problem in check(self._campus, fault, number, file, running=self._running)
            ),
            *same_ids(faults, self._placed, file),
        ]
        if problems:
            raise ConfigError(problems)
        new = [self._place(fault) for fault in faults]
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
        return self.place([fault], "fault")[0]

    def switch_off(self, name: str, now_ms: int) -> Placed | None:
        """End a fault now; None where there is none of that id. One that has not begun is gone."""
        one = self._placed.get(name)
        if one is None:
            return None
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
        return any(isinstance(one, flow.PowerCut) for one in self.states(meter, now_ms))

    def dark_bus(self, bus: str, now_ms: int) -> bool:
        """Whether there is no power at a whole bus."""
        return any(True for _ in self._of_bus(flow.PowerCut, bus, now_ms))

    def one_connection(self, bus: str, now_ms: int) -> connections.OneConnection | None:
        """What a gateway does with a second connection, where it takes only one."""
        return next(self._of_bus(connections.OneConnection, bus, now_ms), None)

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

    def _place(self, fault: Fault) -> Placed:
        if fault.id is None:
            number = 1
            while f"{fault.kind()}-{number}".replace("_", "-") in self._placed:
                number += 1
            name = f"{fault.kind()}-{number}".replace("_", "-")
            fault = msgspec.structs.replace(fault, id=name)
        begin_ms = self._begin_ms + round(1000 * (fault.after_s or 0.0))
        if fault.start is not None:
            begin_ms = round(fault.start.timestamp() * 1000)
        lasts_ms = None if fault.duration_s is None else round(1000 * fault.duration_s)
        end_ms = NEVER_MS if lasts_ms is None else begin_ms + lasts_ms
        meters = targets(self._campus, fault)
        one = Placed(fault, Span(begin_ms, end_ms), meters, _whole_buses(self._campus.site, meters))
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
            found = self._by_meter.get(name, ())
            meter.states = tuple(
                (one.fault, one.span) for one in found if isinstance(one.fault, StateFault)
            )
        for name, load in self._campus.flows.items():
            found = self._by_meter.get(name, ())
            load.alter((), [_leak(one) for one in found if isinstance(one.fault, flow.Leak)])
        for name, load in self._campus.leaves.items():
            found = self._by_meter.get(name, ())
            cuts = [_cut(one) for one in found if isinstance(one.fault, flow.PowerCut)]
            # Only electricity needs the power: water and gas flow on.
            electric = self._campus.site.meters[name].medium == "electricity"
            load.alter(cuts if electric else (), ())


def _cut(one: Placed) -> Cut:
    return Cut(one.span.begin_ms, one.span.end_ms)


def _leak(one: Placed) -> Leak:
    rate = one.fault.rate if isinstance(one.fault, flow.Leak) else 0.0
    return Leak(one.span.begin_ms, one.span.end_ms, rate)


def _whole_buses(site: Site, meters: frozenset[str]) -> frozenset[str]:
    on: dict[str, set[str]] = {}
    for one in site.meter:
        if one.bus is not None:
            on.setdefault(one.bus, set()).add(one.id)
    return frozenset(bus for bus, there in on.items() if there <= meters)
