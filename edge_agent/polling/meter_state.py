"""Keep the polling state of a meter: circuit breakers, faults, and the reads that it refuses.

Laws:

1. A meter that answers some of its requests is not silent.
2. A meter is polled less and less often after two silent polls in a row, and after five polls in a
   row with invalid replies only.
3. If a meter refuses registers three times in a row because it lacks them, its model or its entry
   in `site.toml` is wrong. This is logged once. From then on these registers are requested rarely.
   They are still requested, because a gateway that starts up may reply in the same way. The other
   registers are read as before.
"""

import math
from collections.abc import Callable, Hashable, Sequence
from itertools import chain
from typing import Final

import msgspec

from edge_agent.circuit_breaker import FAILURE_THRESHOLD, CircuitBreaker
from edge_agent.polling.polled_meter import PolledMeter
from edge_agent.protocols import framing
from edge_agent.protocols.request_reply import Request
from jieneng.metering.catalog.planned_read import Read
from jieneng.metering.errors import JienengError
from jieneng.metering.site import LinkKind
from jieneng.observe import Log, LoggedFault, no_clock

_REFUSED_RETRY_S: Final = 60.0  # first delay before refused registers are requested again
_LONGEST_REFUSED_RETRY_S: Final = 3600.0  # longest delay; the delay doubles with each refusal
_REFUSALS: Final = 3  # refusals in a row after which registers are regarded as missing
# Polls in a row with invalid replies after which the meter is polled less often. Causes are two
# devices with one unit address, or a bad cable.
_INVALID_REPLIES: Final = 5
UNPOLLED: Final = "no longer polled"  # reason in the log if a fault ends without a repair


class ReadState(msgspec.Struct, frozen=True):
    """A read of a meter, with breaker and fault for the case that the meter lacks its registers.

    The breaker delays requests only while the fault is present.
    """

    read: Read
    request: Request
    breaker: CircuitBreaker
    fault: LoggedFault

    def record_refusal(self, reason: JienengError, now_s: float) -> None:
        """Count a refusal of these registers."""
        self.breaker.record_failure(now_s)
        self.fault.report(reason)

    def clear_fault(self) -> None:
        """Clear the fault and reset the breaker."""
        self.breaker.record_success()
        self.fault.clear()


class MeterState:
    """The polling state of one meter. Its two breakers delay polls only while `fault` is present.

    Attributes:
        meter: the meter.
        answered_s: monotonic time of the last answer [s]; NaN before the first one.
        silence_breaker: delay after polls without an answer.
        invalid_breaker: delay after polls with invalid replies only.
        fault: the fault "meter does not answer as it should" in the log.
        late_read: read whose reply may still arrive late. Without a number, that reply could be
            taken for the reply to another request. None if there is no such read.
        framing: framing of the meter's protocol on the bus.
    """

    __slots__ = (
        "_due_reads",
        "_due_states",
        "_log",
        "_log_fields",
        "_now_s",
        "_states",
        "answered_s",
        "fault",
        "framing",
        "invalid_breaker",
        "late_read",
        "meter",
        "silence_breaker",
    )

    def __init__(
        self,
        meter: PolledMeter,
        bus: str,
        link: LinkKind,
        log: Log,
        now_s: Callable[[], float] = no_clock,
    ) -> None:
        self._log_fields = {
            "bus": bus,
            "meter": meter.id,
            **meter.bus_address,
            "model": meter.model,
        }
        self.meter: Final = meter
        self.answered_s = math.nan
        self.silence_breaker: Final = CircuitBreaker(meter.interval_s)
        self.invalid_breaker: Final = CircuitBreaker(meter.interval_s, threshold=_INVALID_REPLIES)
        self.fault: Final = LoggedFault(
            log,
            "meter does not answer as it should",
            after=FAILURE_THRESHOLD,
            now_s=now_s,
            **self._log_fields,
        )
        self.late_read: Read | None = None
        self.framing = framing(meter.protocol, link)
        self._log = log
        self._now_s = now_s
        self._due_reads: tuple[Read, ...] = ()
        self._due_states: tuple[ReadState, ...] = ()
        self._states: dict[Hashable, ReadState] = {}

    @property
    def not_before_s(self) -> float:
        """Earliest monotonic time at which the meter may be polled again [s]."""
        if not self.fault.occurrences:
            return -math.inf
        return max(self.silence_breaker.not_before_s, self.invalid_breaker.not_before_s)

    def reset_breakers(self) -> None:
        """Reset both breakers after a valid reply."""
        self.silence_breaker.record_success()
        self.invalid_breaker.record_success()

    def record_invalid_reply(self, now_s: float) -> None:
        """Count a poll with invalid replies only."""
        self.silence_breaker.record_success()
        self.invalid_breaker.record_failure(now_s)

    def change_link(self, link: LinkKind) -> None:
        """Rebuild all requests for another kind of link."""
        self.framing = framing(self.meter.protocol, link)
        self.late_read = None
        self._due_reads = ()
        for key, state in self._states.items():
            request = self.framing.request(self.meter.site_meter, state.read)
            self._states[key] = msgspec.structs.replace(state, request=request)

    def retire(self) -> None:
        """End all faults, because the meter is no longer polled."""
        for fault in (self.fault, *(state.fault for state in self._states.values())):
            fault.end(why=UNPOLLED)

    def reads_due(self, slot_number: int) -> tuple[ReadState, ...]:
        """Return the reads of the poll in a slot, each with its breaker and fault."""
        reads = self.meter.reads_due(slot_number)
        if reads is not self._due_reads:
            self._due_reads, self._due_states = reads, tuple(map(self._state_of, reads))
        return self._due_states

    def request_order(self, reads: Sequence[ReadState]) -> Sequence[int]:
        """Return the indexes of a poll's reads in the order in which they are requested.

        If a reply of an earlier poll may arrive late, the first request is one whose reply has
        another shape. Gateways answer requests in order. So if the late reply arrives now, its
        shape shows that it is the wrong one; and if the right reply arrives, the late one can't
        follow. If the replies to all requests have the same shape, the unanswered request is
        repeated first: its late reply is then a right answer.
        """
        numbers = range(len(reads))
        late = self.late_read
        if late is None:
            return numbers
        distinct = (
            n
            for n, state in enumerate(reads)
            if not self.may_be_late(state.read) and not state.fault.occurrences
        )
        same = (n for n, state in enumerate(reads) if state.read.request_key == late.request_key)
        first = next(chain(distinct, same), 0)
        return (first, *(n for n in numbers if n != first))

    def may_be_late(self, read: Read) -> bool:
        """Return True if the late reply could be taken for the reply to this read."""
        return self.late_read is not None and read.reply_shape == self.late_read.reply_shape

    def _state_of(self, read: Read) -> ReadState:
        key = read.request_key
        if key not in self._states:
            self._states[key] = ReadState(
                read,
                self.framing.request(self.meter.site_meter, read),
                CircuitBreaker(_REFUSED_RETRY_S, _LONGEST_REFUSED_RETRY_S, threshold=_REFUSALS),
                LoggedFault(
                    self._log,
                    "meter has no such registers: check its model and unit in site.toml",
                    after=_REFUSALS,
                    now_s=self._now_s,
                    **read.log_fields,
                    **self._log_fields,
                ),
            )
        return self._states[key]
