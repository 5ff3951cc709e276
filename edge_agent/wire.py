"""One open connection or serial port, and the exchange that is under way on it.

Laws:

1. An exchange runs inside `data_received`, so that a reply is stamped when its last byte arrives.
2. An exchange ends once: with its reply, with what it refused, at its deadline, or with the
   connection. Whoever asked is told, and nobody else.
3. Where replies carry no number, bytes that belong to no exchange are trouble: from the last of
   them on silence is waited for.
"""

import asyncio
from collections.abc import Callable
from typing import Final, NamedTuple, cast

from edge_agent.protocols import Exchange, Reply
from jieneng.metering.errors import (
    DeviceRefused,
    HungUp,
    LinkError,
    PeerError,
    ReplyError,
    Silent,
)

_UNREAD: Final = 65536  # bytes past which the other end is talking to itself
# A connection that was closed while idle is reset as soon as a question gets there. After more than
# this share of the time-out it is a gateway that has given up on its meter.
_AT_ONCE: Final = 0.5


class Manner(NamedTuple):
    """How a link is used.

    Attributes:
        timeout_s: how long a device may think.
        numbered: whether replies carry the number of their question.
        follows: whether bytes may stand behind a reply.
        now_ms: UTC, stamps replies.
        gap_s: from the end of an exchange to the next question.
        byte_s: that a byte is on its way.
    """

    timeout_s: float
    numbered: bool
    follows: Callable[[bytes], bool]
    now_ms: Callable[[], int]
    gap_s: float
    byte_s: float = 0.0


class Wire(asyncio.Protocol):
    """One connection, and the exchange that is under way on it.

    Attributes:
        gone: set when the other end, too, has nothing of it any more.
        heard: something came for the exchange.
        quiet_from: since when silence is waited for; None where there is no need to.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, manner: Manner) -> None:
        self.loop = loop
        self.gone = asyncio.Event()
        self.heard = False
        self.quiet_from: float | None = None
        self._manner = manner
        self._transport: asyncio.Transport
        self._buffer = bytearray()
        self._steps: Exchange | None = None
        self._needed = 0
        self._reply: asyncio.Future[Reply]
        self._timer: asyncio.TimerHandle | None = None
        self._asked = 0
        self._asked_s = 0.0
        self._deadline_s = 0.0

    @property
    def fresh(self) -> bool:
        """Whether it was used once at most."""
        return self._asked <= 1

    @property
    def closed(self) -> bool:
        """Whether nothing can be sent any more."""
        return self._transport.is_closing()

    def start(self, steps: Exchange) -> "asyncio.Future[Reply]":
        """Send the exchange's question; the future has its reply, or why there is none."""
        self._steps = steps
        self._reply = self.loop.create_future()
        self.heard = bool(self._buffer)  # a late frame, or the beginning of one
        self._asked += 1
        self._asked_s = self.loop.time()
        send, self._needed = next(steps)
        self._deadline_s = self._asked_s + self._manner.timeout_s
        self._foresee(len(send))
        self._watch()
        self._transport.write(send)
        if self.heard:
            self._advance(steps)
        return self._reply

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
        if self._steps is None and not self._manner.numbered:
            self._mistrust()
            return
        self._buffer += data
        if self._steps is not None:
            self.heard = True
            self._advance(self._steps)
        elif len(self._buffer) > _UNREAD:
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
                self._end(HungUp("the connection was closed at once: {error}", error=why))
            else:
                self._end(LinkError("the connection broke: {error}", error=why))

    def _watch(self) -> None:
        """Have a timer that is not due after the deadline; an earlier one looks again then.

        Setting and cancelling one for each question took a fifth of an exchange's own time.
        """
        if self._timer is not None and self._timer.when() <= self._deadline_s:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self.loop.call_at(self._deadline_s, self._expire)

    def _expire(self) -> None:
        """The deadline, as it was when this timer was set."""
        self._timer = None
        if self._steps is None:
            return
        if self.loop.time() < self._deadline_s:
            self._watch()
        else:
            self._end(Silent("no reply in time"))

    def _foresee(self, sent: int) -> None:
        """Give what was sent, and what is to come, the time that it takes on the wire."""
        self._deadline_s += self._manner.byte_s * (sent + self._needed)

    def _advance(self, steps: Exchange) -> None:
        """Feed the exchange as long as there is what it needs."""
        buffer = self._buffer
        try:
            while len(buffer) >= self._needed:
                data = bytes(buffer[: self._needed])
                del buffer[: self._needed]
                send, self._needed = steps.send(data)
                self._foresee(len(send))
                if send:
                    self._transport.write(send)
        except StopIteration as end:
            self._end(Reply(end.value, self._manner.now_ms()))
        except PeerError as error:
            self._end(error)

    def _end(self, outcome: Reply | Exception) -> None:
        if self._steps is not None:
            self._steps.close()
            self._steps = None
        answered = isinstance(outcome, Reply | DeviceRefused)
        if answered and self._buffer and not self._manner.follows(bytes(self._buffer)):
            # Two replies to one question: the first may well be the late one. Or half a frame: what
            # it lacked is in the reply.
            outcome = ReplyError("{count} bytes follow the reply", count=len(self._buffer))
            answered = False
        if not answered:
            self._mistrust()
        if self._reply.done():  # whoever asked was cancelled
            return
        if isinstance(outcome, Reply):
            self._reply.set_result(outcome)
        else:
            self._reply.set_exception(outcome)

    def _mistrust(self) -> None:
        """From now on silence is waited for, where replies carry no number."""
        if not self._manner.numbered:
            self._buffer.clear()
            self.quiet_from = self.loop.time()
