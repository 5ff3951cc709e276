"""Decide how a simulated bus answers a Modbus request. No socket: a request in, a reply plan out.

Laws:

1. Values are computed at the moment of the request, by the clock passed in. Nothing runs between
   requests.
2. A meter is strict, as real ones are. It refuses requests for registers that it lacks, for more
   registers than it gives at once, and to write, with the exception codes of the Modbus
   application protocol.
3. A unit that is not there is answered over Modbus TCP as a gateway does ("gateway target failed to
   respond"), and on a serial line by silence.
4. Every request leaves a record of what the register really was and what was served.
"""

import math
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from jieneng.clock import Clock
from simulators.encoding.modbus_frames import (
    GATEWAY_NO_RESPONSE,
    ILLEGAL_ADDRESS,
    ILLEGAL_FUNCTION,
    ILLEGAL_VALUE,
    Codec,
    Framing,
    Request,
)
from simulators.faults.register_faults import SlipContext, SlipFault
from simulators.faults.reply_faults import Answer, ReplyFault, RequestContext
from simulators.registers.register_layout import Register
from simulators.registers.simulated_meter import ApplySlips, Meter, unchanged
from simulators.scripting.fault_script import FaultScript
from simulators.verdict import Verdict

#: Share of the bus's `timeout_s` within which every reader must take an answer.
_IN_TIME: Final = 0.7


class ExchangeRecord(msgspec.Struct, frozen=True):
    """A request and its reply.

    Attributes:
        time_ms: when the last byte of the reply was sent, or, without a reply, when the request
            arrived; UTC.
        bus: the bus's id.
        meter: the meter's id; None if the unit is no meter.
        peer: the master's address, host:port.
        unit: the Modbus unit that was addressed.
        function: Modbus function.
        address: first register of the request.
        count: number of registers of the request.
        verdict: whether a reader must keep the reply's values, may, or must not believe them.
        faults: ids of the faults that touched the reply; states of the device are not named.
        sent: bytes of the reply.
        value: consumption counter according to the reply [canonical unit]; None if the reply does
            not hold it.
        register: value that the register would have had without faults; None as above.
    """

    time_ms: int
    bus: str
    meter: str | None
    peer: str
    unit: int
    function: int
    address: int
    count: int
    verdict: Verdict = "bad"
    faults: tuple[str, ...] = ()
    sent: bytes = b""
    value: float | None = None
    register: float | None = None


#: A function that is called with each exchange once it is over.
ExchangeListener = Callable[[ExchangeRecord], None]


def ignore_exchange(_: ExchangeRecord) -> None:
    """Do nothing: the listener of a bus whose exchanges nobody needs."""


class PlannedReply(msgspec.Struct, frozen=True):
    """The steps of a reply, and the record of the exchange to complete when they are done."""

    answer: Answer
    record: ExchangeRecord


class SimulatedBus:
    """The meters behind one link.

    Attributes:
        name: the bus's id.
        codec: frames of its link.
        clock: time of the simulation.
        script: faults; None if there are none.
        timeout_s: the bus's time-out according to the site [real s].
    """

    def __init__(
        self,
        name: str,
        meters: Mapping[int, Meter],
        clock: Clock,
        framing: Framing,
        *,
        script: FaultScript | None = None,
        timeout_s: float = math.inf,
    ) -> None:
        """Make a bus of these meters, by unit."""
        self.name: Final = name
        self.codec: Final = Codec(framing)
        self.clock: Final = clock
        self.script: Final = script
        self._meters = meters
        self.timeout_s: Final = timeout_s
        self._read_counts = Counter[int]()

    @property
    def dark(self) -> bool:
        """Return True while the power of the whole bus is cut."""
        return self.script is not None and self.script.dark_bus(self.name, self.clock.now_ms())

    def reply_to(self, request: Request, nth_of_unit: int, peer: str) -> PlannedReply:
        """Return the reply to a request.

        Args:
            request: the request.
            nth_of_unit: number of requests to this unit on this connection, this one included.
            peer: the master's address.
        """
        now_ms = self.clock.now_ms()
        meter = self._meters.get(request.unit)
        record = ExchangeRecord(
            now_ms, self.name, meter.id if meter else None, peer, request.unit, request.function,
            request.address, request.count,
        )  # fmt: skip
        if self.dark or (meter is not None and self._is_dark(meter, now_ms)):
            return PlannedReply(Answer((), "bad", empty=True), record)
        replies = self._replies(meter, now_ms)
        if meter is None:
            code = GATEWAY_NO_RESPONSE if self.codec.framing == "tcp" else None
            return self._refuse(request, code, replies, record)
        code = exception_code(meter, request, now_ms)
        if code is not None:
            return self._refuse(request, code, replies, record)
        return self._reply_with_registers(meter, request, nth_of_unit, replies, record)

    def _refuse(
        self,
        request: Request,
        code: int | None,
        replies: tuple[ReplyFault, ...],
        record: ExchangeRecord,
    ) -> PlannedReply:
        """Return a reply with an exception code, or silence if the code is None."""
        answered = _with_reply_header(request, replies)
        acts = () if code is None else (self.codec.refusal(answered, code),)
        answer = Answer(acts, "bad", empty=True)
        return self._with_faults(answer, RequestContext(self.codec, answered, 0), replies, record)

    def _reply_with_registers(
        self,
        meter: Meter,
        request: Request,
        nth_of_unit: int,
        replies: tuple[ReplyFault, ...],
        record: ExchangeRecord,
    ) -> PlannedReply:
        """Return the reply to a read that the meter does not refuse."""
        self._read_counts[request.unit] += 1
        number, now_ms = self._read_counts[request.unit], record.time_ms
        slips = self._slips(meter, now_ms)
        address = request.address
        for fault in slips:
            address = fault.moved(address)
        held = meter.words(
            request.function, address, request.count, now_ms, _slipping(slips, nth_of_unit, number)
        )
        answered = _with_reply_header(request, replies)
        answer = Answer(
            (self.codec.reply(answered, held),), "good" if answered == request else "bad"
        )
        value = meter.counter(held, request.function, request.address, now_ms)
        known_value = None if math.isnan(value) else value
        disturbed = known_value is not None and bool(slips or meter.states)
        record = msgspec.structs.replace(
            record,
            faults=tuple(fault.id or "" for fault in slips),
            value=known_value,
            register=meter.undisturbed(now_ms) if disturbed else known_value,
        )
        return self._with_faults(
            answer, RequestContext(self.codec, answered, number), replies, record
        )

    def _with_faults(
        self,
        answer: Answer,
        question: RequestContext,
        replies: tuple[ReplyFault, ...],
        record: ExchangeRecord,
    ) -> PlannedReply:
        """Return the reply that the faults make of the right one."""
        for reply in replies:
            answer = reply.change(answer, question)
        cleared = {} if not answer.empty else {"value": None, "register": None}
        names = tuple(fault.id or "" for fault in replies)
        return PlannedReply(
            answer,
            msgspec.structs.replace(
                record, verdict=answer.verdict, faults=record.faults + names, **cleared
            ),
        )

    def _is_dark(self, meter: Meter, now_ms: int) -> bool:
        return self.script is not None and self.script.dark(meter.id, now_ms)

    def _slips(self, meter: Meter, now_ms: int) -> tuple[SlipFault, ...]:
        if self.script is None:
            return ()
        framing = self.codec.framing
        found = self.script.slips(meter.id, now_ms)
        return tuple(fault for fault in found if framing in fault.framings)

    def _replies(self, meter: Meter | None, now_ms: int) -> tuple[ReplyFault, ...]:
        """Return the active faults of a meter's replies; for None, those of the whole bus."""
        if self.script is None:
            return ()
        found = (
            self.script.whole_bus_replies(self.name, now_ms)
            if meter is None
            else self.script.replies(meter.id, now_ms)
        )
        return tuple(fault for fault in found if self.codec.framing in fault.framings)


def _with_reply_header(request: Request, replies: tuple[ReplyFault, ...]) -> Request:
    """Return the request that the reply's header will claim to answer."""
    for reply in replies:
        request = reply.heading(request)
    return request


def exception_code(meter: Meter, request: Request, now_ms: int) -> int | None:
    """Return the exception code with which a meter refuses a request; None if it answers."""
    if not request.reads or not meter.answers(request.function, now_ms):
        return ILLEGAL_FUNCTION
    if not 1 <= request.count <= meter.most(now_ms):
        return ILLEGAL_VALUE
    if not meter.has(request.function, request.address, request.count, now_ms):
        return ILLEGAL_ADDRESS
    return None


def _slipping(faults: tuple[SlipFault, ...], nth_of_unit: int, number: int) -> ApplySlips:
    """Return the function that applies these faults to each register of a reply."""
    if not faults:
        return unchanged

    def slips(one: Register, units: float) -> float:
        slip = SlipContext(
            one.row.quantity, one.counts, one.layout, float(one.step), nth_of_unit, number
        )
        for fault in faults:
            if fault.concerns(slip):
                units = fault.shown(units, slip)
        return units

    return slips


def timeliness(waited_s: float, timeout_s: float) -> Verdict:
    """Return "good" for an answer sent well within the time-out, "doubtful" for any later one.

    Late answers are never "bad": a reader may wait longer than the site's `timeout_s`, as the agent
    does once it has learned how slow a gateway is, and then stores a true reading.

    Args:
        waited_s: from the question to the last byte of its answer [real s].
        timeout_s: the bus's time-out [real s].
    """
    return "good" if waited_s <= _IN_TIME * timeout_s else "doubtful"
