"""Faults of an answer in transmission: damage and delays by a bad bus or gateway. Pure.

Laws:

1. A fault receives the planned reply and returns the reply that is sent instead. Several faults are
   applied one after the other, in the order of the script: first those that change the header (the
   request that the reply claims to answer), then those that change the bytes.
2. A fault that leaves a reply unchanged leaves its verdict unchanged. The verdict on a late reply
   depends on the moment at which its last byte was sent (`simulated_bus.timeliness`).
3. Delays on the wire are in real seconds, even if the simulated clock runs faster.
"""

from collections.abc import Callable, Iterable
from enum import Enum
from itertools import pairwise
from typing import Annotated, Any, ClassVar, Final, Literal

import msgspec
from msgspec import Meta

from jieneng.metering.site import LinkKind
from simulators.faults.fault import CONNECTED, MODBUS_ONLY, Fault, Layer, NotNegative, Positive
from simulators.load.seeded_noise import noise_key
from simulators.protocols.modbus_frames import ModbusRequest
from simulators.protocols.simulated_protocol import Codec
from simulators.verdict import Verdict

ExceptionNumber = Annotated[int, Meta(ge=1, le=255)]
UnitId = Annotated[int, Meta(ge=0, le=255)]

_BUSY: Final = 6  # Modbus application protocol V1.1b3, section 7: server device busy
_FROM_BEST_TO_WORST: Final[tuple[Verdict, ...]] = ("good", "doubtful", "bad")


class ConnectionAction(Enum):
    """An action on the connection itself."""

    RESET = "the connection is reset"
    GO_SILENT = "requests on this connection are ignored from now on"


#: A step of a reply: bytes to send, seconds to wait, or an action on the connection.
ReplyStep = bytes | float | ConnectionAction


class ReplyPlan(msgspec.Struct, frozen=True):
    """The steps of a reply, and the verdict on the reply.

    Attributes:
        steps: the steps, in their order.
        verdict: tells if a reader must keep, may keep or must not keep the reply.
        blocks_next: True if the next request waits until all steps are done.
        has_no_data: True if the reply contains no register values.
    """

    steps: tuple[ReplyStep, ...]
    verdict: Verdict = "good"
    blocks_next: bool = True
    has_no_data: bool = False

    def with_steps(self, steps: Iterable[ReplyStep], verdict: Verdict = "good") -> "ReplyPlan":
        """Return a copy with other steps, and with the worse of its verdict and `verdict`."""
        return msgspec.structs.replace(
            self, steps=tuple(steps), verdict=worse(self.verdict, verdict)
        )

    def without_data(self, *steps: ReplyStep) -> "ReplyPlan":
        """Return a bad reply of these steps, without register values."""
        return msgspec.structs.replace(self, steps=steps, verdict="bad", has_no_data=True)

    def map_bytes(
        self, change: Callable[[bytes], Iterable[ReplyStep]], verdict: Verdict
    ) -> "ReplyPlan":
        """Return a copy in which `change` replaces each step of bytes by other steps."""
        steps: list[ReplyStep] = []
        for step in self.steps:
            steps.extend(change(step) if isinstance(step, bytes) else (step,))
        return self.with_steps(steps, verdict)


def worse(one: Verdict, other: Verdict) -> Verdict:
    """Return the worse of two verdicts."""
    return max(one, other, key=_FROM_BEST_TO_WORST.index)


class RequestContext(msgspec.Struct, frozen=True):
    """The request to whose reply a fault is applied.

    Attributes:
        codec: codec of the device's protocol.
        request: the request that the reply claims to answer.
        nth_of_meter: number of requests to the meter since the start, including this one; the seed
            of random bytes.
    """

    codec: Codec
    request: Any
    nth_of_meter: int

    def refusal(self, code: int) -> bytes:
        """Return the frame that refuses the request with an exception code."""
        return self.codec.refusal(self.request, code)


class ReplyFault(Fault, frozen=True, kw_only=True):
    """A fault of an answer in transmission."""

    layer: ClassVar[Layer] = "reply"

    def answered_request(self, request: Any, /) -> Any:
        """Return the request that the reply claims to answer."""
        return request

    def change_plan(self, plan: ReplyPlan, _: RequestContext, /) -> ReplyPlan:
        """Return the reply that is sent instead."""
        return plan


class NoAnswer(ReplyFault, frozen=True, kw_only=True):
    """The meter does not answer."""

    def change_plan(self, plan: ReplyPlan, _: RequestContext, /) -> ReplyPlan:
        """See `ReplyFault`."""
        return plan.without_data()


class SlowAnswer(ReplyFault, frozen=True, kw_only=True):
    """The answer is slow, and the next request waits for it."""

    delay_s: Positive

    def change_plan(self, plan: ReplyPlan, _: RequestContext, /) -> ReplyPlan:
        """See `ReplyFault`."""
        return plan.with_steps((self.delay_s, *plan.steps))


class LateAnswer(ReplyFault, frozen=True, kw_only=True):
    """The answer comes after the time-out, when the next request was already sent or answered."""

    delay_s: Positive

    def change_plan(self, plan: ReplyPlan, _: RequestContext, /) -> ReplyPlan:
        """See `ReplyFault`."""
        late = plan.with_steps((self.delay_s, *plan.steps))
        return msgspec.structs.replace(late, blocks_next=False)


class WrongUnit(ReplyFault, frozen=True, kw_only=True):
    """The answer is complete, but it names another unit.

    Attributes:
        unit: unit address in the answer.
    """

    protocols: ClassVar[tuple[str, ...]] = MODBUS_ONLY
    unit: UnitId = 247

    def answered_request(self, request: ModbusRequest, /) -> ModbusRequest:
        """See `ReplyFault`."""
        return msgspec.structs.replace(request, unit=self.unit)


class WrongTransaction(ReplyFault, frozen=True, kw_only=True):
    """The answer is complete, but its transaction number is not that of the request.

    Attributes:
        offset: wrong transaction number minus the right one.
    """

    links: ClassVar[tuple[LinkKind, ...]] = ("tcp",)
    protocols: ClassVar[tuple[str, ...]] = MODBUS_ONLY
    offset: Annotated[int, Meta(ge=-65535, le=65535)] = -1

    def answered_request(self, request: ModbusRequest, /) -> ModbusRequest:
        """See `ReplyFault`."""
        transaction = (request.transaction + self.offset) & 0xFFFF
        return msgspec.structs.replace(request, transaction=transaction)


class Truncated(ReplyFault, frozen=True, kw_only=True):
    """The answer ends too early.

    Attributes:
        missing: number of bytes missing at the end.
    """

    missing: Annotated[int, Meta(ge=1, le=255)] = 3

    def change_plan(self, plan: ReplyPlan, _: RequestContext, /) -> ReplyPlan:
        """See `ReplyFault`."""
        return plan.map_bytes(lambda frame: [frame[: -self.missing]], "bad")


class Split(ReplyFault, frozen=True, kw_only=True):
    """The answer comes in pieces, as serial servers and TCP divide it, but it is complete.

    Attributes:
        pieces: number of pieces.
        delay_s: pause between two pieces [s].
    """

    pieces: Annotated[int, Meta(ge=2, le=64)] = 3
    delay_s: NotNegative = 0.005

    def change_plan(self, plan: ReplyPlan, _: RequestContext, /) -> ReplyPlan:
        """See `ReplyFault`."""
        return plan.map_bytes(self._pieces, "good")

    def _pieces(self, frame: bytes) -> Iterable[ReplyStep]:
        edges = [len(frame) * nth // self.pieces for nth in range(self.pieces + 1)]
        for begin, end in pairwise(edges):
            if begin:
                yield self.delay_s
            yield frame[begin:end]


class Glued(ReplyFault, frozen=True, kw_only=True):
    """The answer comes twice in one piece, as from a gateway that repeats its answers."""

    def change_plan(self, plan: ReplyPlan, _: RequestContext, /) -> ReplyPlan:
        """See `ReplyFault`."""
        return plan.map_bytes(lambda frame: [frame + frame], "doubtful")


class BadChecksum(ReplyFault, frozen=True, kw_only=True):
    """A bit of the answer is inverted, so the checksum is wrong."""

    links: ClassVar[tuple[LinkKind, ...]] = ("rtu_tcp", "rtu")

    def change_plan(self, plan: ReplyPlan, context: RequestContext, /) -> ReplyPlan:
        """See `ReplyFault`."""
        return plan.map_bytes(
            lambda frame: [_with_bit_inverted(frame, context.nth_of_meter)], "bad"
        )


class ExceptionCode(ReplyFault, frozen=True, kw_only=True, tag="exception"):
    """The meter refuses the request with an exception code.

    Attributes:
        code: exception code; see Modbus application protocol V1.1b3, section 7.
    """

    protocols: ClassVar[tuple[str, ...]] = MODBUS_ONLY
    code: ExceptionNumber = 4

    def change_plan(self, plan: ReplyPlan, context: RequestContext, /) -> ReplyPlan:
        """See `ReplyFault`."""
        return plan.without_data(context.refusal(self.code))


class Busy(ReplyFault, frozen=True, kw_only=True):
    """The meter says that it is busy (exception code 6)."""

    protocols: ClassVar[tuple[str, ...]] = MODBUS_ONLY

    def change_plan(self, plan: ReplyPlan, context: RequestContext, /) -> ReplyPlan:
        """See `ReplyFault`."""
        return plan.without_data(context.refusal(_BUSY))


class Noise(ReplyFault, frozen=True, kw_only=True):
    """Random bytes are sent together with the answer or instead of it.

    Attributes:
        count: number of bytes.
        place: position of the random bytes: before the answer, after it, or instead of it.
        delay_s: pause between the answer and random bytes that come after it [s].
    """

    count: Annotated[int, Meta(ge=1, le=255)] = 5
    place: Literal["before", "after", "instead"] = "before"
    delay_s: NotNegative = 0.0

    def change_plan(self, plan: ReplyPlan, context: RequestContext, /) -> ReplyPlan:
        """See `ReplyFault`."""
        noise = _random_bytes(self.id or "", context.nth_of_meter, self.count)
        if self.place == "instead":
            return plan.without_data(noise)
        if self.place == "before":
            return plan.with_steps((noise, *plan.steps), "doubtful")
        return plan.with_steps((*plan.steps, self.delay_s, noise), "doubtful")


class Reset(ReplyFault, frozen=True, kw_only=True):
    """The connection is reset.

    Attributes:
        place: moment of the reset: instead of the answer, within it, or after it.
    """

    links: ClassVar[tuple[LinkKind, ...]] = CONNECTED
    place: Literal["instead", "within", "after"] = "instead"

    def change_plan(self, plan: ReplyPlan, _: RequestContext, /) -> ReplyPlan:
        """See `ReplyFault`."""
        if self.place == "after":
            return plan.with_steps((*plan.steps, ConnectionAction.RESET), "doubtful")
        if self.place == "instead":
            return plan.without_data(ConnectionAction.RESET)
        half = plan.map_bytes(lambda frame: [frame[: len(frame) // 2]], "bad")
        return half.with_steps((*half.steps, ConnectionAction.RESET))


class HalfOpen(ReplyFault, frozen=True, kw_only=True):
    """The gateway has dropped the connection without closing it: the client gets no answers on it.

    A connection that was used during the fault gets no answers afterwards either. A new connection
    works.
    """

    links: ClassVar[tuple[LinkKind, ...]] = CONNECTED

    def change_plan(self, plan: ReplyPlan, _: RequestContext, /) -> ReplyPlan:
        """See `ReplyFault`."""
        return plan.without_data(ConnectionAction.GO_SILENT)


#: All faults of this layer.
KINDS: Final[tuple[type[ReplyFault], ...]] = (
    NoAnswer, SlowAnswer, LateAnswer, WrongUnit, WrongTransaction, Truncated, Split,
    Glued, BadChecksum, ExceptionCode, Busy, Noise, Reset, HalfOpen,
)  # fmt: skip


def _with_bit_inverted(frame: bytes, nth_of_meter: int) -> bytes:
    """Return the frame with a single bit inverted.

    The first three bytes stay unchanged: they contain the unit, the function and the length.
    """
    place = 3 + nth_of_meter % max(len(frame) - 3, 1)
    return frame[:place] + bytes([frame[place] ^ 0x10]) + frame[place + 1 :]


def _random_bytes(fault_id: str, nth_of_meter: int, count: int) -> bytes:
    keys = (noise_key(fault_id, nth_of_meter, nth) for nth in range(-(-count // 8)))
    return b"".join(key.to_bytes(8, "big") for key in keys)[:count]
