"""Run exchanges (one request and its reply) over an open connection or serial port.

An exchange is a generator that knows the protocol. A talk is a generator that yields exchanges and
pauses, for example all requests of a poll (`protocols.request_reply`).

Laws:

1. The generators run inside `data_received`. So a reply is stamped when its last byte arrives.
   While replies are valid and the talk yields no pause, the next request is sent at once, without a
   turn of the event loop.
2. An exchange ends exactly once: with its reply, with an invalid reply, at its deadline, or when
   the connection breaks. Only the talk that sent the request gets the result.
3. If replies carry no transaction number, unexpected bytes may belong to a late reply. Before the
   next request, the link must be silent for one time-out.
4. A connection is `exhausted` if several requests in a row received no byte at all. The other end
   may have been switched off without closing the connection.
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

_MAX_SILENCES: Final = 3  # requests in a row without any received byte, then it is `exhausted`
_MAX_UNREAD_BYTES: Final = 65536  # unexpected bytes after which the connection is closed
# If the other end closed the connection while it was idle, the next request is answered at once by
# a reset. If the close comes later than this share of the time-out, the gateway has closed the
# connection because its meter did not reply.
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
    """An open connection or serial port, and the exchange that runs on it.

    Attributes:
        closed: set once the connection is closed at both ends.
        requests: number of requests that were sent on the connection.
        has_received: True if bytes have arrived since the request was sent.
        silence_from_s: loop time from which the link must be silent before the next request; None
            if the next request may be sent at once.
        framing: framing of the meter of the present or last exchange.
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
        self._silences = 0  # requests in a row for which no byte was received
        self._unanswered_s = math.inf  # loop time of the first request without a reply
        self._unsolicited_s = math.inf  # loop time of the first unread unexpected byte
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
        """True if a reply has begun to arrive and is not yet complete."""
        return self._reply_begun or bool(self._buffer)

    @property
    def is_exhausted(self) -> bool:
        """True if the connection should be closed (law 4)."""
        return self._silences >= _MAX_SILENCES

    @property
    def is_closing(self) -> bool:
        """True if nothing can be sent any more."""
        return self._transport.is_closing()

    def drive(self, talk: Talk, ask: Ask) -> "asyncio.Future[Ask | Pause | None]":
        """Run an exchange of a talk, and all following exchanges that need no turn of the loop.

        Returns:
            A future. Its result is the talk's next command (a pause, or an exchange that has to
            wait), or None at the talk's end. Its exception is the error of a request without reply.
        """
        self._talk = talk
        self._next = self.loop.create_future()
        if self._buffer and not ask.framing.numbered:
            self._buffer = b""  # noise
        self._send(ask)
        self._feed(b"")
        return self._next

    def use_framing(self, framing: Framing) -> None:
        """Set the framing of the next request.

        If one of the old and the new framing has transaction numbers and the other has none, unread
        bytes can't be assigned to a request: the link must be silent first.
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
        """Store the transport of the new connection (called by asyncio)."""
        self._transport = cast("asyncio.Transport", transport)
        self._require_silence()

    def data_received(self, data: bytes) -> None:
        """Process received bytes (called by asyncio)."""
        if self._exchange is not None:
            self.has_received = True
            self._received_ms = self._timing.now_ms()
            self._feed(data)
        elif not self.framing.numbered:
            self._buffer += data
            if not self.framing.may_follow_reply(self._buffer):
                self._require_silence()
        else:
            if not self._buffer:
                self._unsolicited_s = self.loop.time()
            self._buffer += data
            if len(self._buffer) > _MAX_UNREAD_BYTES:
                self.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """End the present exchange with an error (called by asyncio)."""
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
        self.has_received = bool(self._buffer)  # unread bytes of a late reply
        wait_s = self._wait_after_silence_s() if self._silences else self._reply_timeout.wait_s
        self.requests += 1
        self._sent_s = self.loop.time()
        # The time-out limits the device's reaction time; the bytes' time on the line is added.
        on_line_s = self._timing.byte_s * (len(request) + self._needed)
        self._deadline_s = self._sent_s + wait_s + on_line_s
        if self._deadline_s < self._timer_s:
            self._set_timer()
        self._transport.write(request)

    def _wait_after_silence_s(self) -> float:
        """Return the time to wait for a reply; the longest one if this is the last attempt [s]."""
        if self.framing.numbered and self._silences == _MAX_SILENCES - 1:
            return self._reply_timeout.longest_s
        return self._reply_timeout.wait_s

    def _set_timer(self) -> None:
        """Set the timer to the deadline.

        `_send` does not call this if an earlier timer is still set; that timer is set again when it
        fires. Setting a new timer for each request took a fifth of an exchange's CPU time.
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
        except ReplyError as error:
            self._fail(error)

    def _feed(self, data: bytes) -> None:
        """Pass received bytes to the exchange, as long as enough of them have arrived."""
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
        """Record how late the reply to an earlier request was."""
        received_s = min(self._unsolicited_s, self.loop.time())
        if received_s > self._unanswered_s:  # otherwise a reply was sent twice
            self._reply_timeout.late_reply(received_s - self._unanswered_s)
            self._unanswered_s = received_s
        self._unsolicited_s = math.inf

    def _on_answer(self, answer: bytes | DeviceRefused) -> None:
        """End the exchange with its complete reply, and resume the talk."""
        self._exchange = None
        self._silences = 0
        self._unanswered_s = math.inf
        if self._buffer:
            if not self.framing.may_follow_reply(self._buffer):
                # Either two replies have arrived, and the first may be a late one. Or part of a
                # frame follows; then bytes were lost, and the reply contains the first bytes of
                # that frame.
                self._fail(StrayReply("{count} bytes follow the reply", count=len(self._buffer)))
                return
            if not self.framing.numbered:
                self._buffer = b""
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
        """End the exchange with an error, because it has no valid reply."""
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
        """If replies carry no number, drop unread bytes and require silence from now on."""
        if not self.framing.numbered:
            self._buffer = b""
            self.silence_from_s = self.loop.time()
