"""The bytes of a bus: one TCP connection, and one exchange at a time driven over it.

Laws:

1. There is at most one connection, and at most one question under way on it.
2. After trouble, what a device still sends late reaches nobody. Where replies are numbered, the
   protocol passes late ones over, and only a stream that lost its frames is closed. Where they
   are not, the link is first listened to until it has been silent for one time-out; a connection
   that is fresh, or on which something came unasked, counts as trouble, because a serial server
   hands on whatever the wire says.
3. A connection on which several questions in a row found nothing at all is given up: the other
   end may have been switched off without a word.

Time-outs are real seconds: a socket does not know that a demonstration runs faster than life.
The exchange runs inside `data_received`, so that a reply is stamped when its last byte arrives.
"""

import asyncio
from collections.abc import Callable
from typing import Final, cast

from edge_agent.protocols import Exchange, Reply
from jieneng.metering.errors import (
    DeviceRefused,
    LinkDown,
    LinkError,
    PeerError,
    ReplyError,
    Silent,
)

_CONNECT_S: Final = 5.0  # to open a connection: three SYNs, sent at 0, 1 and 3 s (RFC 6298)
_SILENCES: Final = 3  # questions without a byte, after which the connection is given up
_BABBLE: Final = 10  # time-outs that silence is waited for before the connection is given up
_UNREAD: Final = 65536  # bytes past which the other end is talking to itself


class TcpLink:
    """A link to one gateway or meter. Opened when it is first used."""

    def __init__(
        self, host: str, port: int, *, timeout_s: float, numbered: bool, now_ms: Callable[[], int]
    ) -> None:
        self._host = host
        self._port = port
        self._timeout_s = timeout_s
        self._numbered = numbered
        self._now_ms = now_ms
        self._wire: _Wire | None = None
        self._silences = 0

    async def exchange(self, steps: Exchange) -> Reply:
        """Drive one exchange to its end or its deadline.

        Raises:
            LinkDown: there is no connection and none can be made, or it does not fall silent.
            Silent: no whole reply before the deadline.
            LinkError: the connection broke.
            PeerError: what the exchange raises.
        """
        wire = await self._ready()
        try:
            answer = await wire.start(steps, self._timeout_s)
        except Silent:
            self._count_silence(wire)
            raise
        except DeviceRefused:
            self._silences = 0
            raise
        except ReplyError:
            if self._numbered:
                self.close()
            raise
        except (LinkError, asyncio.CancelledError):
            self.close()
            raise
        self._silences = 0
        return answer

    def close(self) -> None:
        """Let go of the connection; the next exchange opens another."""
        self._silences = 0
        if self._wire is not None:
            self._wire.abort()
            self._wire = None

    def _count_silence(self, wire: "_Wire") -> None:
        self._silences = 0 if wire.heard else self._silences + 1
        # A time-out within a frame: the next one would begin in the middle of this.
        lost_frames = wire.heard and self._numbered
        if lost_frames or self._silences >= _SILENCES:
            self.close()

    async def _ready(self) -> "_Wire":
        """A connection that may be used now."""
        if self._wire is None or self._wire.closed:
            self._wire = await self._open()
        wire = self._wire
        if wire.quiet_from is not None and not await self._falls_silent(wire):
            self.close()
            raise LinkDown("{host}:{port} does not fall silent", host=self._host, port=self._port)
        return wire

    async def _open(self) -> "_Wire":
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(_CONNECT_S):
                _, wire = await loop.create_connection(
                    lambda: _Wire(loop, self._numbered, self._now_ms), self._host, self._port
                )
        except (OSError, TimeoutError) as error:
            raise LinkDown(
                "{host}:{port} can't be reached: {error}",
                host=self._host,
                port=self._port,
                error=str(error) or "no answer",
            ) from error
        return wire

    async def _falls_silent(self, wire: "_Wire") -> bool:
        """Wait until nothing has come for one time-out; False where that does not happen."""
        give_up = wire.loop.time() + _BABBLE * self._timeout_s
        while wire.quiet_from is not None and not wire.closed:
            now = wire.loop.time()
            wait = wire.quiet_from + self._timeout_s - now
            if wait <= 0:
                wire.quiet_from = None
            elif now > give_up:
                return False
            else:
                await asyncio.sleep(wait)
        return not wire.closed


class _Wire(asyncio.Protocol):
    """One connection, and the exchange that is under way on it.

    Attributes:
        closed: it is no more.
        heard: something came for the exchange.
        quiet_from: since when silence is waited for; None where there is no need to.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, numbered: bool, now_ms: Callable[[], int]
    ) -> None:
        self.loop = loop
        self.closed = False
        self.heard = False
        self.quiet_from: float | None = None
        self._numbered = numbered
        self._now_ms = now_ms
        self._transport: asyncio.Transport
        self._buffer = bytearray()
        self._steps: Exchange | None = None
        self._needed = 0
        self._reply: asyncio.Future[Reply]
        self._deadline_s = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def start(self, steps: Exchange, timeout_s: float) -> "asyncio.Future[Reply]":
        """Send the exchange's question; the future has its reply, or why there is none."""
        self._steps = steps
        self._reply = self.loop.create_future()
        self._deadline_s = self.loop.time() + timeout_s
        if self._timer is None:  # else the one of an earlier question looks again when it is due
            self._timer = self.loop.call_at(self._deadline_s, self._expire)
        self.heard = bool(self._buffer)  # a late frame, or the beginning of one
        send, self._needed = next(steps)
        self._transport.write(send)
        if self.heard:
            self._advance(steps)
        return self._reply

    def abort(self) -> None:
        """Close without waiting for what was not sent."""
        self.closed = True
        if self._timer is not None:
            self._timer.cancel()
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio: the connection is there."""
        self._transport = cast("asyncio.Transport", transport)
        self._mistrust()

    def data_received(self, data: bytes) -> None:
        """asyncio: bytes came."""
        if self._steps is None and not self._numbered:
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
        self.closed = True
        if self._steps is not None:
            error = exc or "closed by the other end"
            self._end(LinkError("the connection broke: {error}", error=error))

    def _expire(self) -> None:
        """The deadline, as it was when this timer was set."""
        self._timer = None
        if self._steps is None:
            return
        if self.loop.time() < self._deadline_s:
            self._timer = self.loop.call_at(self._deadline_s, self._expire)
        else:
            self._end(Silent("no reply in time"))

    def _advance(self, steps: Exchange) -> None:
        """Feed the exchange as long as there is what it needs."""
        buffer = self._buffer
        try:
            while len(buffer) >= self._needed:
                data = bytes(buffer[: self._needed])
                del buffer[: self._needed]
                send, self._needed = steps.send(data)
                if send:
                    self._transport.write(send)
        except StopIteration as end:
            self._end(Reply(end.value, self._now_ms()))
        except PeerError as error:
            self._end(error)

    def _end(self, outcome: Reply | Exception) -> None:
        if self._steps is not None:
            self._steps.close()
            self._steps = None
        if self._buffer and not self._numbered and isinstance(outcome, Reply | DeviceRefused):
            # Two replies to one question: the first may well be the late one.
            outcome = ReplyError("{count} bytes follow the reply", count=len(self._buffer))
        if not isinstance(outcome, Reply | DeviceRefused):
            self._mistrust()
        if self._reply.done():  # whoever asked was cancelled
            return
        if isinstance(outcome, Reply):
            self._reply.set_result(outcome)
        else:
            self._reply.set_exception(outcome)

    def _mistrust(self) -> None:
        """From now on silence is waited for, where replies carry no number."""
        if not self._numbered:
            self._buffer.clear()
            self.quiet_from = self.loop.time()
