"""Drive one request and its reply over an open connection or serial port.

Laws:

1. An exchange runs inside `data_received`, so that a reply is stamped when its last byte arrives.
   So does the talk that it belongs to: as long as replies are as they should be and nothing has to
   be waited for, the next question leaves in the same moment, and the event loop is not troubled.
2. An exchange ends once: with its reply, with what it refused, at its deadline, or with the
   connection. Whoever asked is told, and nobody else.
3. Where replies carry no number, bytes that belong to no exchange are trouble: from the last of
   them on silence is waited for.
4. A connection on which several questions in a row found nothing at all is `exhausted`: the other
   end may have been switched off without a word.
"""

import asyncio
import math
from collections.abc import Callable
from typing import Final, cast

import msgspec

from edge_agent.links.reply_timeout import ReplyTimeout
from edge_agent.protocols.request_reply import Ask, Exchange, Framing, Pause, Reply, Talk
from jieneng.metering.errors import (
    DeviceRefused,
    HungUp,
    LinkError,
    PeerError,
    ReplyError,
    Silent,
    StrayReply,
    Unanswered,
)

_SILENCES: Final = 3  # questions without a byte, after which there may be nobody any more
_UNREAD: Final = 65536  # bytes past which the other end is talking to itself
# A connection that was closed while idle is reset as soon as a question gets there. After more than
# this share of the time-out it is a gateway that has given up on its meter.
_AT_ONCE: Final = 0.5


class Manner(msgspec.Struct, frozen=True):
    """Timing rules of a link: timeout, gap between exchanges, time of a byte.

    Attributes:
        timeout_s: how long a device may think.
        now_ms: UTC, stamps replies.
        gap_s: from the end of an exchange to the next question.
        byte_s: that a byte is on its way.
    """

    timeout_s: float
    now_ms: Callable[[], int]
    gap_s: float
    byte_s: float = 0.0


class Wire(asyncio.Protocol):
    """An open connection and the exchange in progress on it.

    Attributes:
        gone: set when the other end, too, has nothing of it any more.
        asked: questions that were sent on it.
        heard: something came for the exchange.
        quiet_from: since when silence is waited for; None where there is no need to.
        framing: of the meter that is asked, or was asked last.
    """

    __slots__ = (
        "_asked_s",
        "_begun",
        "_buffer",
        "_came_ms",
        "_deadline_s",
        "_looks_s",
        "_manner",
        "_needed",
        "_next",
        "_patience",
        "_silences",
        "_silent_s",
        "_steps",
        "_talk",
        "_timer",
        "_transport",
        "_unasked_s",
        "asked",
        "framing",
        "gone",
        "heard",
        "loop",
        "quiet_from",
    )

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        manner: Manner,
        patience: ReplyTimeout,
        framing: Framing,
    ) -> None:
        self.loop = loop
        self.framing = framing
        self.gone = asyncio.Event()
        self.asked = 0
        self.heard = False
        self.quiet_from: float | None = None
        self._manner = manner
        self._patience = patience
        self._silences = 0  # questions in a row for which nothing came
        self._silent_s = math.inf  # since when an answer is owed
        self._unasked_s = math.inf  # when the first of what is unread came, if to no question
        self._transport: asyncio.Transport
        self._buffer = b""
        self._came_ms = 0
        self._talk: Talk
        self._next: asyncio.Future[Ask | Pause | None]
        self._steps: Exchange | None = None
        self._needed = 0
        self._begun = False
        self._timer: asyncio.TimerHandle | None = None
        self._looks_s = math.inf  # when the timer is due
        self._asked_s = 0.0
        self._deadline_s = 0.0

    @property
    def torn(self) -> bool:
        """Return True if the last bytes received are part of a reply."""
        return self._begun or bool(self._buffer)

    @property
    def exhausted(self) -> bool:
        """Return True if the connection must be given up."""
        return self._silences >= _SILENCES

    @property
    def closed(self) -> bool:
        """Return True if nothing can be sent any more."""
        return self._transport.is_closing()

    def carry_on(self, talk: Talk, ask: Ask) -> "asyncio.Future[Ask | Pause | None]":
        """Ask what a talk wants to ask, and whatever it wants to ask then.

        Returns:
            What it wants that can't be had at once; None at its end. Or why there was no reply.
        """
        self._talk = talk
        self._next = self.loop.create_future()
        self._ask(ask)
        self._advance(b"")
        return self._next

    def abort(self) -> None:
        """Close without waiting for what was not sent."""
        if not self._transport.is_closing():  # else it would call us twice
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio: the connection is there."""
        self._transport = cast("asyncio.Transport", transport)
        self._mistrust()

    def data_received(self, data: bytes) -> None:
        """asyncio: bytes came."""
        if self._steps is not None:
            self.heard = True
            self._came_ms = self._manner.now_ms()
            self._advance(data)
        elif not self.framing.numbered:
            self._mistrust()
        else:
            if not self._buffer:
                self._unasked_s = self.loop.time()
            self._buffer += data
            if len(self._buffer) > _UNREAD:
                self.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio: the connection is no more."""
        if self._timer is not None:
            self._timer.cancel()
        self.gone.set()
        if self._steps is not None:
            waited_s = self.loop.time() - self._asked_s
            why = exc or "closed by the other end"
            if not self.heard and waited_s < _AT_ONCE * self._manner.timeout_s:
                self._fail(HungUp("the connection was closed at once: {error}", error=why))
            else:
                self._fail(Unanswered("the connection broke: {error}", error=why))

    def prepare(self, framing: Framing) -> None:
        """Take the framing of the next question.

        Where one carries numbers and the other does not, what is still unread is trouble.
        """
        if framing.numbered is not self.framing.numbered:
            self._buffer = b""
            self.quiet_from = self.loop.time()
        self.framing = framing

    def _ask(self, ask: Ask) -> None:
        """Send an exchange's question."""
        steps, self.framing = ask.exchange, ask.framing
        send, self._needed, self._begun = next(steps)
        self._steps = steps
        self.heard = bool(self._buffer)  # a late frame, or the beginning of one
        wait_s = self._last_wait_s() if self._silences else self._patience.wait_s
        self.asked += 1
        self._asked_s = self.loop.time()
        # A device may think; bytes take their time on the wire.
        on_wire_s = self._manner.byte_s * (len(send) + self._needed)
        self._deadline_s = self._asked_s + wait_s + on_wire_s
        if self._deadline_s < self._looks_s:
            self._watch()
        self._transport.write(send)

    def _last_wait_s(self) -> float:
        """Return the longest wait for a reply that may be the last chance [s]."""
        has_served = self.asked > self._silences
        if self.framing.numbered and has_served and self._silences == _SILENCES - 1:
            return self._patience.longest_s
        return self._patience.wait_s

    def _watch(self) -> None:
        """Have a timer that is not due after the deadline; an earlier one looks again then.

        Setting and cancelling one for each question took a fifth of an exchange's own time.
        """
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self.loop.call_at(self._deadline_s, self._expire)
        self._looks_s = self._deadline_s

    def _expire(self) -> None:
        """The deadline, as it was when this timer was set."""
        self._looks_s = math.inf
        if self._steps is None:
            return
        if self.loop.time() < self._deadline_s:
            self._watch()
            return
        try:
            self._steps.throw(Silent("no reply in time"))
        except StopIteration as end:
            answer, self._buffer = end.value
            self._answered(answer)
        except Silent as error:
            self._silences = 0 if self.heard else self._silences + 1
            self._silent_s = min(self._silent_s, self._asked_s)
            self._patience.fell_silent()
            self._fail(error)

    def _advance(self, data: bytes) -> None:
        """Feed what is under way as long as there is what it needs."""
        self._buffer += data
        while self._steps is not None and len(self._buffer) >= self._needed:
            came, self._buffer = self._buffer, b""
            try:
                _, needed, self._begun = self._steps.send(came)
            except StopIteration as end:
                answer, self._buffer = end.value
                self._answered(answer)
            except ReplyError as error:
                self._fail(error)
            else:
                if not needed:
                    self._passed_over()
                more = len(came) - self._needed + needed
                self._needed = needed
                self._deadline_s += self._manner.byte_s * more

    def _passed_over(self) -> None:
        """Skip a reply that answers an earlier request."""
        came_s = min(self._unasked_s, self.loop.time())
        if came_s > self._silent_s:  # else it is the same answer again
            self._patience.came_late(came_s - self._silent_s)
            self._silent_s = came_s
        self._unasked_s = math.inf

    def _answered(self, answer: bytes | DeviceRefused) -> None:
        """The reply is whole: the talk goes on."""
        self._steps = None
        self._silences = 0
        self._silent_s = math.inf
        if self._buffer and not self.framing.may_trail(self._buffer):
            # Two replies to one question: the first may well be the late one. Or half a frame:
            # what it lacked is in the reply.
            self._fail(StrayReply("{count} bytes follow the reply", count=len(self._buffer)))
            return
        if isinstance(answer, DeviceRefused):
            self._fail(answer)
            return
        if self._next.done():  # whoever asked was cancelled
            return
        try:
            wish = self._talk.send(Reply(answer, self._came_ms))
            if (
                isinstance(wish, Pause)
                or self._manner.gap_s
                or wish.framing.numbered is not self.framing.numbered
            ):
                self._next.set_result(wish)
            else:
                self._ask(wish)
        except StopIteration:
            self._next.set_result(None)
        except Exception as error:  # noqa: BLE001 - whoever waits for the talk is to have it
            self._next.set_exception(error)

    def _fail(self, error: LinkError | PeerError) -> None:
        """End the exchange with an error: no reply, or none that counts."""
        if self._steps is not None:
            self._steps.close()
            self._steps = None
        if isinstance(error, ReplyError):
            self._silences = 0
        if not isinstance(error, DeviceRefused):
            self._mistrust()
        if not self._next.done():
            self._next.set_exception(error)

    def _mistrust(self) -> None:
        """From now on silence is waited for, where replies carry no number."""
        if not self.framing.numbered:
            self._buffer = b""
            self.quiet_from = self.loop.time()
