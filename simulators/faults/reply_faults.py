"""Faults of the answer on its way: the damage that a bad bus or gateway does to it. Pure.

Laws:

1. A fault takes the answer that was to be sent, and returns the answer that is sent instead. First
   the faults change the header (the question that the answer claims to answer), then its bytes.
   Several faults apply one after the other, in the order of the script.
2. An unchanged answer keeps its verdict. A late answer is judged by the moment at which its last
   byte was sent (`simulated_bus.timeliness`).
3. Seconds on the wire are real seconds, even if the simulated clock runs faster.
"""

from collections.abc import Callable, Iterable
from enum import Enum
from itertools import pairwise
from typing import Annotated, ClassVar, Final, Literal

import msgspec
from msgspec import Meta

from simulators.encoding.modbus_frames import Codec, Framing, Request
from simulators.faults.fault import CONNECTED, Fault, Layer, NotNegative, Positive
from simulators.load.seeded_noise import noise_key
from simulators.verdict import Verdict

Code = Annotated[int, Meta(ge=1, le=255)]
UnitId = Annotated[int, Meta(ge=0, le=255)]

_BUSY: Final = 6  # Modbus application protocol V1.1b3, section 7: server device busy
_WORSE: Final[tuple[Verdict, ...]] = ("good", "doubtful", "bad")


class ConnectionAction(Enum):
    """An act on the connection itself."""

    RESET = "the connection is reset"
    GO_SILENT = "nothing is sent or understood on this connection any more"


#: A step of an answer: bytes to send, seconds to wait, or an act on the connection.
ReplyStep = bytes | float | ConnectionAction


class Answer(msgspec.Struct, frozen=True):
    """The steps that answer a question, and the verdict on them.

    Attributes:
        acts: the steps, in their order.
        verdict: judgement on the answer.
        waits: True if the next question waits until all steps are done.
        empty: True if the answer contains no registers.
    """

    acts: tuple[ReplyStep, ...]
    verdict: Verdict = "good"
    waits: bool = True
    empty: bool = False

    def changed(self, acts: Iterable[ReplyStep], verdict: Verdict = "good") -> "Answer":
        """Return a copy with other acts; the verdict never becomes better."""
        return msgspec.structs.replace(self, acts=tuple(acts), verdict=worse(self.verdict, verdict))

    def without_registers(self, *acts: ReplyStep) -> "Answer":
        """Return a bad answer that consists of these acts and contains no registers."""
        return msgspec.structs.replace(self, acts=acts, verdict="bad", empty=True)

    def cut(self, change: Callable[[bytes], Iterable[ReplyStep]], verdict: Verdict) -> "Answer":
        """Return a copy in which `change` has replaced each piece of bytes."""
        acts: list[ReplyStep] = []
        for act in self.acts:
            acts.extend(change(act) if isinstance(act, bytes) else (act,))
        return self.changed(acts, verdict)


def worse(one: Verdict, other: Verdict) -> Verdict:
    """Return the worse of two verdicts."""
    return max(one, other, key=_WORSE.index)


class RequestContext(msgspec.Struct, frozen=True):
    """The question to which a fault changes the answer.

    Attributes:
        codec: codec of the bus.
        request: the request that the answer claims to answer.
        number: number of this question to this meter; seeds the random bytes.
    """

    codec: Codec
    request: Request
    number: int

    def refused(self, code: int) -> bytes:
        """Return the frame that refuses the request with an exception code."""
        return self.codec.refusal(self.request, code)


class ReplyFault(Fault, frozen=True, kw_only=True):
    """A fault of the answer on its way."""

    layer: ClassVar[Layer] = "reply"

    def heading(self, request: Request, /) -> Request:
        """Return the request that the answer claims to answer."""
        return request

    def change(self, answer: Answer, _: RequestContext, /) -> Answer:
        """Return the answer that is sent instead."""
        return answer


class NoAnswer(ReplyFault, frozen=True, kw_only=True):
    """The meter does not answer."""

    def change(self, answer: Answer, _: RequestContext, /) -> Answer:
        """See `ReplyFault`."""
        return answer.without_registers()


class SlowAnswer(ReplyFault, frozen=True, kw_only=True):
    """The answer takes its time, and the next question waits for it."""

    delay_s: Positive

    def change(self, answer: Answer, _: RequestContext, /) -> Answer:
        """See `ReplyFault`."""
        return answer.changed((self.delay_s, *answer.acts))


class LateAnswer(ReplyFault, frozen=True, kw_only=True):
    """The answer comes after the time-out, when the next question is under way or answered."""

    delay_s: Positive

    def change(self, answer: Answer, _: RequestContext, /) -> Answer:
        """See `ReplyFault`."""
        late = answer.changed((self.delay_s, *answer.acts))
        return msgspec.structs.replace(late, waits=False)


class WrongUnit(ReplyFault, frozen=True, kw_only=True):
    """The answer is complete, but it names another unit.

    Attributes:
        unit: unit address in the answer.
    """

    unit: UnitId = 247

    def heading(self, request: Request, /) -> Request:
        """See `ReplyFault`."""
        return msgspec.structs.replace(request, unit=self.unit)


class WrongTransaction(ReplyFault, frozen=True, kw_only=True):
    """The answer is complete, but it has the number of another transaction.

    Attributes:
        offset: difference from the right number.
    """

    framings: ClassVar[tuple[Framing, ...]] = ("tcp",)
    offset: Annotated[int, Meta(ge=-65535, le=65535)] = -1

    def heading(self, request: Request, /) -> Request:
        """See `ReplyFault`."""
        number = (request.transaction + self.offset) & 0xFFFF
        return msgspec.structs.replace(request, transaction=number)


class Truncated(ReplyFault, frozen=True, kw_only=True):
    """The answer ends too early.

    Attributes:
        missing: number of bytes missing at the end.
    """

    missing: Annotated[int, Meta(ge=1, le=255)] = 3

    def change(self, answer: Answer, _: RequestContext, /) -> Answer:
        """See `ReplyFault`."""
        return answer.cut(lambda frame: [frame[: -self.missing]], "bad")


class Split(ReplyFault, frozen=True, kw_only=True):
    """The answer comes in pieces, as serial servers and TCP cut it; it is whole in the end.

    Attributes:
        pieces: number of pieces.
        delay_s: pause between two pieces [s].
    """

    pieces: Annotated[int, Meta(ge=2, le=64)] = 3
    delay_s: NotNegative = 0.005

    def change(self, answer: Answer, _: RequestContext, /) -> Answer:
        """See `ReplyFault`."""
        return answer.cut(self._pieces, "good")

    def _pieces(self, frame: bytes) -> Iterable[ReplyStep]:
        edges = [len(frame) * nth // self.pieces for nth in range(self.pieces + 1)]
        for begin, end in pairwise(edges):
            if begin:
                yield self.delay_s
            yield frame[begin:end]


class Glued(ReplyFault, frozen=True, kw_only=True):
    """The answer comes twice in one piece, as a gateway that repeats sends it."""

    def change(self, answer: Answer, _: RequestContext, /) -> Answer:
        """See `ReplyFault`."""
        return answer.cut(lambda frame: [frame + frame], "doubtful")


class BadChecksum(ReplyFault, frozen=True, kw_only=True):
    """A bit was lost on the wire, so the checksum does not fit."""

    framings: ClassVar[tuple[Framing, ...]] = ("rtu_tcp", "rtu")

    def change(self, answer: Answer, question: RequestContext, /) -> Answer:
        """See `ReplyFault`."""
        return answer.cut(lambda frame: [_with_a_bit_lost(frame, question.number)], "bad")


class ExceptionCode(ReplyFault, frozen=True, kw_only=True, tag="exception"):
    """The meter refuses with an exception code.

    Attributes:
        code: exception code; see Modbus application protocol V1.1b3, section 7.
    """

    code: Code = 4

    def change(self, answer: Answer, question: RequestContext, /) -> Answer:
        """See `ReplyFault`."""
        return answer.without_registers(question.refused(self.code))


class Busy(ReplyFault, frozen=True, kw_only=True):
    """The meter says that it is busy (exception code 6)."""

    def change(self, answer: Answer, question: RequestContext, /) -> Answer:
        """See `ReplyFault`."""
        return answer.without_registers(question.refused(_BUSY))


class Noise(ReplyFault, frozen=True, kw_only=True):
    """Random bytes are on the wire, with the answer or instead of it.

    Attributes:
        count: number of bytes.
        place: position of the noise: before the answer, after it, or instead of it.
        delay_s: pause between the answer and noise that comes after it [s].
    """

    count: Annotated[int, Meta(ge=1, le=255)] = 5
    place: Literal["before", "after", "instead"] = "before"
    delay_s: NotNegative = 0.0

    def change(self, answer: Answer, question: RequestContext, /) -> Answer:
        """See `ReplyFault`."""
        noise = _random_bytes(self.id or "", question.number, self.count)
        if self.place == "instead":
            return answer.without_registers(noise)
        if self.place == "before":
            return answer.changed((noise, *answer.acts), "doubtful")
        return answer.changed((*answer.acts, self.delay_s, noise), "doubtful")


class Reset(ReplyFault, frozen=True, kw_only=True):
    """The connection is reset.

    Attributes:
        place: moment of the reset: instead of the answer, within it, or after it.
    """

    framings: ClassVar[tuple[Framing, ...]] = CONNECTED
    place: Literal["instead", "within", "after"] = "instead"

    def change(self, answer: Answer, _: RequestContext, /) -> Answer:
        """See `ReplyFault`."""
        if self.place == "after":
            return answer.changed((*answer.acts, ConnectionAction.RESET), "doubtful")
        if self.place == "instead":
            return answer.without_registers(ConnectionAction.RESET)
        cut = answer.cut(lambda frame: [frame[: len(frame) // 2]], "bad")
        return cut.changed((*cut.acts, ConnectionAction.RESET))


class HalfOpen(ReplyFault, frozen=True, kw_only=True):
    """The connection stays open but dead: the gateway has dropped it without telling the client.

    A connection that was used during the fault stays dead afterwards; a new connection works.
    """

    framings: ClassVar[tuple[Framing, ...]] = CONNECTED

    def change(self, answer: Answer, _: RequestContext, /) -> Answer:
        """See `ReplyFault`."""
        return answer.without_registers(ConnectionAction.GO_SILENT)


#: By the name that a script uses.
KINDS: Final[tuple[type[ReplyFault], ...]] = (
    NoAnswer, SlowAnswer, LateAnswer, WrongUnit, WrongTransaction, Truncated, Split,
    Glued, BadChecksum, ExceptionCode, Busy, Noise, Reset, HalfOpen,
)  # fmt: skip


def _with_a_bit_lost(frame: bytes, number: int) -> bytes:
    """Return the frame with a single bit inverted.

    The first three bytes are left alone: they name the unit, the function and the length.
    """
    place = 3 + number % max(len(frame) - 3, 1)
    return frame[:place] + bytes([frame[place] ^ 0x10]) + frame[place + 1 :]


def _random_bytes(of: str, number: int, count: int) -> bytes:
    eights = range(-(-count // 8))
    return b"".join(noise_key(of, number, nth).to_bytes(8, "big") for nth in eights)[:count]
