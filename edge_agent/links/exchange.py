"""Drive one request and its reply over an open connection or serial port.

Laws:

1. An exchange runs inside `data_received`, so a reply is stamped when its last byte arrives. Its
   talk runs there as well: while replies are right and no pause is wanted, the next request is sent
   at the same moment, without a turn of the event loop.
2. An exchange ends once: with its reply, with the error that refused the reply, at its deadline, or
   with the connection. Only the talk that sent the request is told.
3. If replies carry no number, bytes that belong to no exchange are trouble: the link must be silent
   for a while after the last of them.
4. A connection on which several requests in a row received no byte at all is `exhausted`: the other
   end may have been switched off without closing it.
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
    IdleLinkClosed,
    LinkError,
    PeerError,
    ReplyError,
    ReplyTimedOut,
    StrayReply,
    Unanswered,
)

_MAX_SILENCES: Final = 3  # requests without a byte, after which the other end may be gone
_MAX_UNREAD_BYTES: Final = 65536  # unsolicited bytes past which the connection is useless
# A connection that was closed while idle is reset as soon as a request arrives there. A close after
# more than this share of the time-out comes from a gateway that has given up on its meter.
_CLOSED_AT_ONCE: Final = 0.5


class LinkTiming(msgspec.Struct, frozen=True):
    """The times of a link, and the clock that stamps its replies.

    Attributes:
        timeout_s: time that a device may take before it replies [s].
        now_ms: returns UTC [ms].
        gap_s: pause from the end of an exchange to the next request [s].
        byte_s: time that a byte takes on the line [s].
    """

    timeout_s: float
    now_ms: Callable[[], int]
    gap_s: float
    byte_s: float = 0.0


class Connection(asyncio.Protocol):
    """An open connection or serial port, and the exchange that is under way on it.

    Attributes:
        closed: set once the connection is closed at both ends.
        requests: number of requests that were sent on it.
        has_received: True if bytes came for the exchange.
        silence_from_s: loop time from which silence is waited for; None if there is no need to.
        framing: framing of the meter that is asked, or was asked last.
    """

    __slots__ = (
        "_buffer",
        "_deadline_s",
        "_exchange",
        "_needed",
        "_next",
        "_received_ms",
        "_reply_begun",
        "_reply_timeout",
        "_sent_s",
        "_silences",
        "_talk",
        "_timer",
        "_timer_s",
        "_timing",
        "_transport",
        "_unanswered_s",
        "_unsolicited_s",
        "closed",
        "framing",
        "has_received",
        "loop",
        "requests",
        "silence_from_s",
    )

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        timing: LinkTiming,
        reply_timeout: ReplyTimeout,
        framing: Framing,
    ) -> None:
        self.loop = loop
        self.framing = framing
        self.closed = asyncio.Event()
        self.requests = 0
        self.has_received = False
        self.silence_from_s: float | None = None
        self._timing = timing
        self._reply_timeout = reply_timeout
        self._silences = 0  # requests in a row for which no byte came
        self._unanswered_s = math.inf  # loop time of the first request that lacks its reply
        self._unsolicited_s = math.inf  # loop time of the first unread byte that came unsolicited
        self._transport: asyncio.Transport
        self._buffer = b""
        self._received_ms = 0
        self._talk: Talk
        self._next: asyncio.Future[Ask | Pause | None]
        self._exchange: Exchange | None = None
        self._needed = 0
        self._reply_begun = False
        self._timer: asyncio.TimerHandle | None = None
        self._timer_s = math.inf  # loop time at which the timer fires
        self._sent_s = 0.0
        self._deadline_s = 0.0

    @property
    def is_mid_reply(self) -> bool:
        """True if the last bytes are a part of a reply."""
        return self._reply_begun or bool(self._buffer)

    @property
    def is_exhausted(self) -> bool:
        """True if the connection is to be given up."""
        return self._silences >= _MAX_SILENCES

    @property
    def is_closing(self) -> bool:
        """True if nothing can be sent any more."""
        return self._transport.is_closing()

    def drive(self, talk: Talk, ask: Ask) -> "asyncio.Future[Ask | Pause | None]":
        """Run an exchange of a talk, and those that follow at once.

        Returns:
            A future of the talk's first command that needs a turn of the loop, or of None at the
            talk's end. Its exception says why a request has no reply.
        """
        self._talk = talk
        self._next = self.loop.create_future()
        self._send(ask)
        self._feed(b"")
        return self._next

    def use_framing(self, framing: Framing) -> None:
        """Take the framing of the next request.

        Between a framing with numbers and one without, unread bytes are trouble.
        """
        if framing.numbered is not self.framing.numbered:
            self._buffer = b""
            self.silence_from_s = self.loop.time()
        self.framing = framing

    def abort(self) -> None:
        """Close the connection without waiting for unsent bytes."""
        if not self._transport.is_closing():  # else asyncio would call `connection_lost` twice
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport of the new connection (called by asyncio)."""
        self._transport = cast("asyncio.Transport", transport)
        self._require_silence()

    def data_received(self, data: bytes) -> None:
        """Take received bytes (called by asyncio)."""
        if self._exchange is not None:
            self.has_received = True
            self._received_ms = self._timing.now_ms()
            self._feed(data)
        elif not self.framing.numbered:
            self._require_silence()
        else:
            if not self._buffer:
                self._unsolicited_s = self.loop.time()
            self._buffer += data
            if len(self._buffer) > _MAX_UNREAD_BYTES:
                self.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """End the exchange under way (called by asyncio)."""
        if self._timer is not None:
            self._timer.cancel()
        self.closed.set()
        if self._exchange is not None:
            waited_s = self.loop.time() - self._sent_s
            reason = exc or "closed by the other end"
            if not self.has_received and waited_s < _CLOSED_AT_ONCE * self._timing.timeout_s:
                self._fail(
                    IdleLinkClosed("the connection was closed at once: {error}", error=reason)
                )
            else:
                self._fail(Unanswered("the connection broke: {error}", error=reason))

    def _send(self, ask: Ask) -> None:
        """Begin an exchange: send its request and set its deadline."""
        exchange, self.framing = ask.exchange, ask.framing
        request, self._needed, self._reply_begun = next(exchange)
        self._exchange = exchange
        self.has_received = bool(self._buffer)  # a late frame, or the beginning of one
        wait_s = self._wait_after_silence_s() if self._silences else self._reply_timeout.wait_s
        self.requests += 1
        self._sent_s = self.loop.time()
        # The time-out is the device's own time. The bytes' time on the line comes on top.
        on_line_s = self._timing.byte_s * (len(request) + self._needed)
        self._deadline_s = self._sent_s + wait_s + on_line_s
        if self._deadline_s < self._timer_s:
            self._set_timer()
        self._transport.write(request)

    def _wait_after_silence_s(self) -> float:
        """Return the time to wait for a reply, longest before the connection is given up [s]."""
        if self.framing.numbered and self._silences == _MAX_SILENCES - 1:
            return self._reply_timeout.longest_s
        return self._reply_timeout.wait_s

    def _set_timer(self) -> None:
        """Set a timer that fires no later than the deadline. If it fires earlier, it is set anew.

        Setting and cancelling a timer for each request took a fifth of an exchange's CPU time.
        """
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self.loop.call_at(self._deadline_s, self._on_timer)
        self._timer_s = self._deadline_s

    def _on_timer(self) -> None:
        """End the exchange if its deadline has passed."""
        self._timer_s = math.inf
        if self._exchange is None:
            return
        if self.loop.time() < self._deadline_s:
            self._set_timer()
            return
        try:
            self._exchange.throw(ReplyTimedOut("no reply in time"))
        except StopIteration as end:
            answer, self._buffer = end.value
            self._on_answer(answer)
        except ReplyTimedOut as error:
            self._silences = 0 if self.has_received else self._silences + 1
            self._unanswered_s = min(self._unanswered_s, self._sent_s)
            self._reply_timeout.no_reply()
            self._fail(error)

    def _feed(self, data: bytes) -> None:
        """Hand received bytes to the exchange as long as there are as many as it needs."""
        self._buffer += data
        while self._exchange is not None and len(self._buffer) >= self._needed:
            received, self._buffer = self._buffer, b""
            try:
                _, needed, self._reply_begun = self._exchange.send(received)
            except StopIteration as end:
                answer, self._buffer = end.value
                self._on_answer(answer)
            except ReplyError as error:
                self._fail(error)
            else:
                if not needed:
                    self._on_late_reply()
                more = len(received) - self._needed + needed
                self._needed = needed
                self._deadline_s += self._timing.byte_s * more

    def _on_late_reply(self) -> None:
        """Measure how late the reply to an earlier request was."""
        received_s = min(self._unsolicited_s, self.loop.time())
        if received_s > self._unanswered_s:  # else the same reply was repeated
            self._reply_timeout.late_reply(received_s - self._unanswered_s)
            self._unanswered_s = received_s
        self._unsolicited_s = math.inf

    def _on_answer(self, answer: bytes | DeviceRefused) -> None:
        """End the exchange with its whole reply, and go on with the talk."""
        self._exchange = None
        self._silences = 0
        self._unanswered_s = math.inf
        if self._buffer and not self.framing.may_follow_reply(self._buffer):
            # If two replies came, the first may be a late one. If half a frame follows, the reply
            # holds the bytes that it lacks.
            self._fail(StrayReply("{count} bytes follow the reply", count=len(self._buffer)))
            return
        if isinstance(answer, DeviceRefused):
            self._fail(answer)
            return
        if self._next.done():  # the poller was cancelled
            return
        try:
            command = self._talk.send(Reply(answer, self._received_ms))
            if (
                isinstance(command, Pause)
                or self._timing.gap_s
                or command.framing.numbered is not self.framing.numbered
            ):
                self._next.set_result(command)
            else:
                self._send(command)
        except StopIteration:
            self._next.set_result(None)
        except Exception as error:  # noqa: BLE001 - raised where the talk is awaited
            self._next.set_exception(error)

    def _fail(self, error: LinkError | PeerError) -> None:
        """End the exchange without a reply, or without one that counts."""
        if self._exchange is not None:
            self._exchange.close()
            self._exchange = None
        if isinstance(error, ReplyError):
            self._silences = 0
        if not isinstance(error, DeviceRefused):
            self._require_silence()
        if not self._next.done():
            self._next.set_exception(error)

    def _require_silence(self) -> None:
        """Drop unread bytes and wait for silence from now on, if replies carry no number."""
        if not self.framing.numbered:
            self._buffer = b""
            self.silence_from_s = self.loop.time()
