"""Faults of the answer on its way: what a bad bus or gateway makes of a right reply. Pure.

Laws:

1. A fault takes the answer that was to be sent, and gives the one that is sent instead. First
   comes what the answer says it is the answer to, then what becomes of its bytes; several faults
   apply one after the other, in the order of the script.
2. An answer that nothing was changed of is as good as it was. One that comes late is judged by when
   its last byte was sent (`simulated_bus.timeliness`).
3. Seconds on the wire are real ones: a socket does not know that a demonstration runs faster.
"""

from collections.abc import Callable, Iterable
from enum import Enum
from itertools import pairwise
from typing import Annotated, ClassVar, Final, Literal

import msgspec
from msgspec import Meta

from simulators.encoding.modbus_frames import Codec, Request
from simulators.faults.fault import CONNECTED, Fault, Framing, Layer, NotNegative, Positive
from simulators.load.seeded_noise import key
from simulators.verdict import Verdict

Code = Annotated[int, Meta(ge=1, le=255)]
UnitId = Annotated[int, Meta(ge=0, le=255)]

_BUSY: Final = 6  # Modbus application protocol V1.1b3, section 7: server device busy
_WORSE: Final[tuple[Verdict, ...]] = ("good", "doubtful", "bad")


class Deed(Enum):
    """What happens to the connection."""

    HANG_UP = "the connection is reset"
    GO_DEAD = "nothing is sent or understood on this connection any more"


#: Bytes are sent, seconds are waited for, a deed is done.
Act = bytes | float | Deed


class Answer(msgspec.Struct, frozen=True):
    """What is done about a question.

    Attributes:
        acts: in this order.
        verdict: what a reader may make of it.
        waits: whether the next question waits until all is done.
        empty: whether no registers are in it.
    """

    acts: tuple[Act, ...]
    verdict: Verdict = "good"
    waits: bool = True
    empty: bool = False

    def changed(self, acts: Iterable[Act], verdict: Verdict = "good") -> "Answer":
        """Other acts; the verdict never becomes better."""
        return msgspec.structs.replace(self, acts=tuple(acts), verdict=worse(self.verdict, verdict))

    def without_registers(self, *acts: Act) -> "Answer":
        """Something else altogether."""
        return msgspec.structs.replace(self, acts=acts, verdict="bad", empty=True)

    def cut(self, change: Callable[[bytes], Iterable[Act]], verdict: Verdict) -> "Answer":
        """Each piece of bytes replaced by what `change` makes of it."""
        acts: list[Act] = []
        for act in self.acts:
            acts.extend(change(act) if isinstance(act, bytes) else (act,))
        return self.changed(acts, verdict)


def worse(one: Verdict, other: Verdict) -> Verdict:
    """The worse of two verdicts."""
    return max(one, other, key=_WORSE.index)


class Question(msgspec.Struct, frozen=True):
    """What a fault may have to know of what was asked.

    Attributes:
        codec: of the bus.
        request: what the answer says was asked.
        number: of this question to this meter, which makes random bytes its own.
    """

    codec: Codec
    request: Request
    number: int

    def refused(self, code: int) -> bytes:
        """The frame with an exception code."""
        return self.codec.refusal(self.request, code)


class ReplyFault(Fault, frozen=True, kw_only=True):
    """A fault of the answer."""

    layer: ClassVar[Layer] = "reply"

    def heading(self, request: Request, /) -> Request:
        """The question that the answer says it is the answer to."""
        return request

    def change(self, answer: Answer, _: Question, /) -> Answer:
        """What is sent instead of the answer."""
        return answer


class NoAnswer(ReplyFault, frozen=True, kw_only=True):
    """Nothing comes back."""

    def change(self, answer: Answer, _: Question, /) -> Answer:
        """See `ReplyFault`."""
        return answer.without_registers()


class SlowAnswer(ReplyFault, frozen=True, kw_only=True):
    """The answer takes its time, and the next question waits for it."""

    delay_s: Positive

    def change(self, answer: Answer, _: Question, /) -> Answer:
        """See `ReplyFault`."""
        return answer.changed((self.delay_s, *answer.acts))


class LateAnswer(ReplyFault, frozen=True, kw_only=True):
    """The answer comes after the time-out, when the next question is under way or answered."""

    delay_s: Positive

    def change(self, answer: Answer, _: Question, /) -> Answer:
        """See `ReplyFault`."""
        late = answer.changed((self.delay_s, *answer.acts))
        return msgspec.structs.replace(late, waits=False)


class WrongUnit(ReplyFault, frozen=True, kw_only=True):
    """A whole answer that says it is another unit's.

    Attributes:
        unit: the one that it names.
    """

    unit: UnitId = 247

    def heading(self, request: Request, /) -> Request:
        """See `ReplyFault`."""
        return msgspec.structs.replace(request, unit=self.unit)


class WrongTransaction(ReplyFault, frozen=True, kw_only=True):
    """A whole answer with another transaction's number.

    Attributes:
        offset: from the right one.
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
        missing: at its end [bytes].
    """

    missing: Annotated[int, Meta(ge=1, le=255)] = 3

    def change(self, answer: Answer, _: Question, /) -> Answer:
        """See `ReplyFault`."""
        return answer.cut(lambda frame: [frame[: -self.missing]], "bad")


class Split(ReplyFault, frozen=True, kw_only=True):
    """The answer comes in pieces, as serial servers and TCP cut it; it is whole in the end.

    Attributes:
        pieces: how many.
        delay_s: between two of them.
    """

    pieces: Annotated[int, Meta(ge=2, le=64)] = 3
    delay_s: NotNegative = 0.005

    def change(self, answer: Answer, _: Question, /) -> Answer:
        """See `ReplyFault`."""
        return answer.cut(self._pieces, "good")

    def _pieces(self, frame: bytes) -> Iterable[Act]:
        edges = [len(frame) * nth // self.pieces for nth in range(self.pieces + 1)]
        for begin, end in pairwise(edges):
            if begin:
                yield self.delay_s
            yield frame[begin:end]


class Glued(ReplyFault, frozen=True, kw_only=True):
    """The answer comes twice in one piece, as a gateway that repeats sends it."""

    def change(self, answer: Answer, _: Question, /) -> Answer:
        """See `ReplyFault`."""
        return answer.cut(lambda frame: [frame + frame], "doubtful")


class BadChecksum(ReplyFault, frozen=True, kw_only=True):
    """A bit was lost on the wire, so the checksum does not fit."""

    framings: ClassVar[tuple[Framing, ...]] = ("rtu_tcp", "rtu")

    def change(self, answer: Answer, question: Question, /) -> Answer:
        """See `ReplyFault`."""
        return answer.cut(lambda frame: [_with_a_bit_lost(frame, question.number)], "bad")


class ExceptionCode(ReplyFault, frozen=True, kw_only=True, tag="exception"):
    """The meter refuses with an exception code.

    Attributes:
        code: Modbus application protocol V1.1b3, section 7.
    """

    code: Code = 4

    def change(self, answer: Answer, question: Question, /) -> Answer:
        """See `ReplyFault`."""
        return answer.without_registers(question.refused(self.code))


class Busy(ReplyFault, frozen=True, kw_only=True):
    """The meter says that it is busy (exception code 6)."""

    def change(self, answer: Answer, question: Question, /) -> Answer:
        """See `ReplyFault`."""
        return answer.without_registers(question.refused(_BUSY))


class Noise(ReplyFault, frozen=True, kw_only=True):
    """Bytes that nobody sent, on the wire with the answer.

    Attributes:
        count: how many.
        place: before the answer, after it, or instead of it.
        delay_s: between the answer and noise that comes after it.
    """

    count: Annotated[int, Meta(ge=1, le=255)] = 5
    place: Literal["before", "after", "instead"] = "before"
    delay_s: NotNegative = 0.0

    def change(self, answer: Answer, question: Question, /) -> Answer:
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
        place: instead of the answer, in the middle of it, or after it.
    """

    framings: ClassVar[tuple[Framing, ...]] = CONNECTED
    place: Literal["instead", "within", "after"] = "instead"

    def change(self, answer: Answer, _: Question, /) -> Answer:
        """See `ReplyFault`."""
        if self.place == "after":
            return answer.changed((*answer.acts, Deed.HANG_UP), "doubtful")
        if self.place == "instead":
            return answer.without_registers(Deed.HANG_UP)
        cut = answer.cut(lambda frame: [frame[: len(frame) // 2]], "bad")
        return cut.changed((*cut.acts, Deed.HANG_UP))


class HalfOpen(ReplyFault, frozen=True, kw_only=True):
    """The other end has forgotten the connection without a word: it stays open, and dead.

    A connection that was used in the meantime stays dead afterwards; a new one lives.
    """

    framings: ClassVar[tuple[Framing, ...]] = CONNECTED

    def change(self, answer: Answer, _: Question, /) -> Answer:
        """See `ReplyFault`."""
        return answer.without_registers(Deed.GO_DEAD)


#: By the name that a script uses.
KINDS: Final[tuple[type[ReplyFault], ...]] = (
    NoAnswer, SlowAnswer, LateAnswer, WrongUnit, WrongTransaction, Truncated, Split,
    Glued, BadChecksum, ExceptionCode, Busy, Noise, Reset, HalfOpen,
)  # fmt: skip


def _with_a_bit_lost(frame: bytes, number: int) -> bytes:
    """Neither in the first three bytes, which say whose the frame is and how long, nor twice."""
    place = 3 + number % max(len(frame) - 3, 1)
    return frame[:place] + bytes([frame[place] ^ 0x10]) + frame[place + 1 :]


def _random_bytes(of: str, number: int, count: int) -> bytes:
    eights = range(-(-count // 8))
    return b"".join(key(of, number, nth).to_bytes(8, "big") for nth in eights)[:count]
