"""Keep the polling state of a meter: breakers, faults, and the reads that it refuses."""

import math
from collections.abc import Callable, Hashable
from typing import Final

import msgspec

from edge_agent.polling.circuit_breaker import TRIP, CircuitBreaker
from edge_agent.polling.polled_meter import PolledMeter
from edge_agent.protocols import framing
from edge_agent.protocols.request_reply import Request
from jieneng.metering.catalog.planned_read import Read
from jieneng.metering.errors import JienengError
from jieneng.metering.site import Link
from jieneng.observe import Log, LoggedFault, timeless

_DOUBT_S: Final = 60.0  # registers that it refused are asked for again after this, doubling ...
_DOUBT_LONGEST_S: Final = 3600.0  # ... up to this
_GARBLED: Final = (
    5  # wrong replies in a row that are no noise: two devices of one number, a bad wire
)
_MISTAKES: Final = 3  # refusals in a row that are no passing state of the device
UNPOLLED: Final = "no longer polled"  # why a fault is over though nothing was mended


class ReadState(msgspec.Struct, frozen=True):
    """A read of a meter with its breaker and fault, for registers that the meter may lack.

    Breaker and fault move together.
    """

    read: Read
    request: Request
    breaker: CircuitBreaker
    fault: LoggedFault

    def refused(self, reason: JienengError, now_s: float) -> None:
        """Count a refusal of these registers."""
        self.breaker.failed(now_s)
        self.fault.happened(reason)

    def clear_fault(self) -> None:
        """Clear the fault and reset the breaker."""
        self.breaker.answered()
        self.fault.over()


class MeterState:
    """The polling state of one meter. While `fault` is over, both breakers are at rest.

    Attributes:
        meter: what to ask it for, and what it says.
        breaker: whether it is asked, where it may be silent ...
        garble: ... and where what it says can't be understood.
        fault: that it does not answer.
        owes: an answer that may still come, and could be taken for that to another question.
        framing: how its protocol is framed on the bus.
    """

    __slots__ = (
        "_asked",
        "_known",
        "_log",
        "_now_s",
        "_reads",
        "_who",
        "breaker",
        "fault",
        "framing",
        "garble",
        "meter",
        "owes",
    )

    def __init__(
        self,
        meter: PolledMeter,
        bus: str,
        link: Link,
        log: Log,
        now_s: Callable[[], float] = timeless,
    ) -> None:
        who = {"bus": bus, "meter": meter.id, **meter.bus_address, "model": meter.model}
        self.meter: Final = meter
        self.breaker: Final = CircuitBreaker(meter.interval_s)
        self.garble: Final = CircuitBreaker(meter.interval_s, trip=_GARBLED)
        self.fault: Final = LoggedFault(
            log, "meter does not answer as it should", after=TRIP, now_s=now_s, **who
        )
        self.owes = False
        self.framing = framing(meter.protocol, link)
        self._log = log
        self._now_s = now_s
        self._who = who
        self._reads: tuple[Read, ...] = ()
        self._asked: tuple[ReadState, ...] = ()
        self._known: dict[Hashable, ReadState] = {}

    @property
    def not_before_s(self) -> float:
        """Earliest monotonic time at which the meter may be asked again [s]."""
        if not self.fault.times:
            return -math.inf
        return max(self.breaker.not_before_s, self.garble.not_before_s)

    def answered(self) -> None:
        """Reset both breakers after a valid reply."""
        self.breaker.answered()
        self.garble.answered()

    def change_link(self, link: Link) -> None:
        """Rebuild all requests for another kind of link."""
        self.framing = framing(self.meter.protocol, link)
        self._reads = ()
        for key, one in self._known.items():
            request = self.framing.request(self.meter.on_site, one.read)
            self._known[key] = msgspec.structs.replace(one, request=request)

    def retire(self) -> None:
        """End all faults, because the meter is no longer polled."""
        for fault in (self.fault, *(one.fault for one in self._known.values())):
            fault.end(why=UNPOLLED)

    def ask(self, number: int) -> tuple[ReadState, ...]:
        """Return the reads of a poll, each with its breaker and fault."""
        reads = self.meter.ask(number)
        if reads is not self._reads:
            self._reads, self._asked = reads, tuple(map(self._state_of, reads))
        return self._asked

    def _state_of(self, read: Read) -> ReadState:
        key = read.request_key
        if key not in self._known:
            self._known[key] = ReadState(
                read,
                self.framing.request(self.meter.on_site, read),
                CircuitBreaker(_DOUBT_S, _DOUBT_LONGEST_S, trip=_MISTAKES),
                LoggedFault(
                    self._log,
                    "meter has no such registers: check its model and unit in site.toml",
                    after=_MISTAKES,
                    now_s=self._now_s,
                    **read.log_fields,
                    **self._who,
                ),
            )
        return self._known[key]
