"""A bus of meters: a question in, what is done about it out. No socket.

Laws:

1. Values are computed at the moment of the question, by the clock passed in; nothing runs between.
2. A meter is strict, as real ones are: a request for registers that it lacks, for more of them than
   it gives at once, or to write, is refused with the exception code of the Modbus application
   protocol.
3. A unit that is not there is answered over Modbus TCP as a gateway does ("gateway target failed to
   respond"), and on a serial line by silence.
4. Of every question a record is made that tells what the register really was and what was served.
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
    Request,
)
from simulators.faults.fault import Framing, Verdict
from simulators.faults.register_faults import Slip, SlipFault
from simulators.faults.reply_faults import Answer, Question, ReplyFault
from simulators.registers.simulated_meter import Meter, Register, Slips, no_slips
from simulators.scripting.fault_script import Script

#: Share of the bus's `timeout_s` within which every reader must take an answer.
_IN_TIME: Final = 0.7


class Exchange(msgspec.Struct, frozen=True):
    """One question and what became of it.

    Attributes:
        time_ms: when the last byte of the answer was sent, or the question came; UTC.
        bus: the bus's id.
        meter: the meter's id; None where there is none.
        peer: who asked.
        unit: who was asked.
        function: Modbus function.
        address: of the first register.
        count: of registers.
        verdict: what a reader may make of the answer; before it was sent, if it comes in time.
        faults: the ids of those that touched it; states of the device are not named.
        sent: the bytes of the answer.
        value: what the consumption counter in the answer says [canonical unit]; None where the
            answer does not hold it.
        register: what that register would have shown with nothing wrong.
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


Seen = Callable[[Exchange], None]


def nobody_sees(_: Exchange) -> None:
    """Nobody wants to know of exchanges."""


class Asked(msgspec.Struct, frozen=True):
    """What a question led to: what is to be done, and the record of it once that is done."""

    answer: Answer
    record: Exchange


class Bus:
    """The meters behind one link."""

    def __init__(
        self,
        name: str,
        meters: Mapping[int, Meter],
        clock: Clock,
        framing: Framing,
        *,
        script: Script | None = None,
        timeout_s: float = math.inf,
    ) -> None:
        """A bus.

        Args:
            name: its id.
            meters: by unit.
            clock: tells the moment of a question.
            framing: of its link.
            script: what is wrong; nothing where None.
            timeout_s: how long a reader waits for an answer, in real seconds.
        """
        self.name: Final = name
        self.codec: Final = Codec(framing)
        self.clock: Final = clock
        self.script: Final = script
        self._meters = meters
        self.timeout_s: Final = timeout_s
        self._numbers = Counter[int]()

    @property
    def dark(self) -> bool:
        """Whether the power is cut for all of its meters."""
        return self.script is not None and self.script.dark_bus(self.name, self.clock.now_ms())

    def ask(self, request: Request, asked: int, peer: str) -> Asked:
        """What is done about a question.

        Args:
            request: the question.
            asked: how often the unit was asked on this connection, this question included.
            peer: who asks.
        """
        now_ms = self.clock.now_ms()
        meter = self._meters.get(request.unit)
        record = Exchange(
            now_ms, self.name, meter.id if meter else None, peer, request.unit, request.function,
            request.address, request.count,
        )  # fmt: skip
        if self.dark or (meter is not None and self._is_dark(meter, now_ms)):
            return Asked(Answer((), "bad", empty=True), record)
        replies = self._replies(meter, now_ms)
        if meter is None:
            # On a serial line nobody answers; over Modbus TCP the gateway does.
            code = GATEWAY_NO_RESPONSE if self.codec.framing == "tcp" else None
            return self._refused(request, code, replies, record)
        code = refusal(meter, request, now_ms)
        if code is not None:
            return self._refused(request, code, replies, record)
        return self._read(meter, request, asked, replies, record)

    def _refused(
        self,
        request: Request,
        code: int | None,
        replies: tuple[ReplyFault, ...],
        record: Exchange,
    ) -> Asked:
        """What is done about a question that is answered with a code, or not at all."""
        headed = _headed(request, replies)
        acts = () if code is None else (self.codec.refusal(headed, code),)
        answer = Answer(acts, "bad", empty=True)
        return self._changed(answer, Question(self.codec, headed, 0), replies, record)

    def _read(
        self,
        meter: Meter,
        request: Request,
        asked: int,
        replies: tuple[ReplyFault, ...],
        record: Exchange,
    ) -> Asked:
        """What is done about a read that the meter does not refuse."""
        self._numbers[request.unit] += 1
        number, now_ms = self._numbers[request.unit], record.time_ms
        slips = self._slips(meter, now_ms)
        address = request.address
        for fault in slips:
            address = fault.moved(address)
        held = meter.words(
            request.function, address, request.count, now_ms, _slipping(slips, asked, number)
        )
        headed = _headed(request, replies)
        answer = Answer((self.codec.reply(headed, held),), "good" if headed == request else "bad")
        value = meter.counter(held, request.function, request.address, now_ms)
        told = None if math.isnan(value) else value
        disturbed = told is not None and bool(slips or meter.states)
        record = msgspec.structs.replace(
            record,
            faults=tuple(fault.id or "" for fault in slips),
            value=told,
            register=meter.undisturbed(now_ms) if disturbed else told,
        )
        return self._changed(answer, Question(self.codec, headed, number), replies, record)

    def _changed(
        self,
        answer: Answer,
        question: Question,
        replies: tuple[ReplyFault, ...],
        record: Exchange,
    ) -> Asked:
        """The answer as its faults leave it."""
        for reply in replies:
            answer = reply.change(answer, question)
        known = {} if not answer.empty else {"value": None, "register": None}
        names = tuple(fault.id or "" for fault in replies)
        return Asked(
            answer,
            msgspec.structs.replace(
                record, verdict=answer.verdict, faults=record.faults + names, **known
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
        """The faults of an answer; of a unit that is not there, those of the whole bus."""
        if self.script is None:
            return ()
        found = (
            self.script.whole_bus_replies(self.name, now_ms)
            if meter is None
            else self.script.replies(meter.id, now_ms)
        )
        return tuple(fault for fault in found if self.codec.framing in fault.framings)


def _headed(request: Request, replies: tuple[ReplyFault, ...]) -> Request:
    """The question that an answer says it is the answer to."""
    for reply in replies:
        request = reply.heading(request)
    return request


def refusal(meter: Meter, request: Request, now_ms: int) -> int | None:
    """The exception code with which a meter refuses a question; None where it answers."""
    if not request.reads or not meter.answers(request.function, now_ms):
        return ILLEGAL_FUNCTION
    if not 1 <= request.count <= meter.most(now_ms):
        return ILLEGAL_VALUE
    if not meter.has(request.function, request.address, request.count, now_ms):
        return ILLEGAL_ADDRESS
    return None


def _slipping(faults: tuple[SlipFault, ...], asked: int, number: int) -> Slips:
    """What these faults make of each register of an answer."""
    if not faults:
        return no_slips

    def slips(one: Register, units: float) -> float:
        slip = Slip(one.row.quantity, one.counts, one.layout, float(one.step), asked, number)
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
