"""The bytes of a bus: one connection or serial port, and one exchange at a time driven over it.

Laws:

1. There is at most one connection, and at most one question under way on it.
2. After trouble, what a device still sends late reaches nobody. Where replies are numbered, the
   protocol passes late ones over, and only a stream that lost its frames is closed. Where they
   are not, the link is first listened to until it has been silent for one time-out; a connection
   that is fresh, or on which something came unasked, counts as trouble, because a serial server
   hands on whatever the wire says.
3. A connection on which several questions in a row found nothing at all is given up: the other
   end may have been switched off without a word.
4. From the end of an exchange to the next question there is the bus's delay, and on a serial port
   at least the silence by which devices tell one frame from the next.

Time-outs are real seconds: a socket does not know that a demonstration runs faster than life.
The exchange runs inside `data_received`, so that a reply is stamped when its last byte arrives.
"""

import asyncio
import os
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, cast

from edge_agent.protocols import Exchange, Reply
from edge_agent.protocols.modbus import FRAMINGS
from jieneng.metering.errors import (
    DeviceRefused,
    HungUp,
    LinkDown,
    LinkError,
    PeerError,
    ReplyError,
    Silent,
)
from jieneng.metering.site import Bus

if TYPE_CHECKING:  # most agents have no serial port
    import serial

_CONNECT_S: Final = 5.0  # to open a connection: three SYNs, sent at 0, 1 and 3 s (RFC 6298)
_SILENCES: Final = 3  # questions without a byte, after which the connection is given up
_BABBLE: Final = 10  # time-outs that silence is waited for before the connection is given up
_UNREAD: Final = 65536  # bytes past which the other end is talking to itself
# A connection that was closed while idle is reset as soon as a question gets there. After more than
# this share of the time-out it is a gateway that has given up on its meter.
_AT_ONCE: Final = 0.5
# Firewalls forget a connection on which nothing has moved for some minutes, and tell nobody.
_KEEP_ALIVE: Final = (
    (socket.SOL_SOCKET, "SO_KEEPALIVE", 1),
    (socket.IPPROTO_TCP, "TCP_KEEPIDLE", 30),
    (socket.IPPROTO_TCP, "TCP_KEEPINTVL", 10),
    (socket.IPPROTO_TCP, "TCP_KEEPCNT", 3),
)
# MODBUS over Serial Line V1.02, section 2.5.1.1: 3.5 characters are between two frames, and 1.75 ms
# are enough above 19200 baud.
_FRAME_GAP: Final = 3.5
_FAST_BAUD: Final = 19200
_FAST_GAP_S: Final = 0.00175

_PSEUDO: Final = "/dev/pts/"  # where pseudo-terminals are: simulators, drivers of serial servers

Parity = Literal["N", "E", "O"]


class _Manner(NamedTuple):
    """How a link is used.

    Attributes:
        timeout_s: how long a device may think.
        numbered: whether replies carry the number of their question.
        now_ms: UTC, stamps replies.
        gap_s: from the end of an exchange to the next question.
        byte_s: that a byte is on its way.
    """

    timeout_s: float
    numbered: bool
    now_ms: Callable[[], int]
    gap_s: float
    byte_s: float = 0.0


class _Link:
    """What links have in common. Opened when it is first used."""

    def __init__(self, place: str, manner: _Manner) -> None:
        self._place = place
        self._manner = manner
        self._wire: _Wire | None = None
        self._free_s = 0.0  # when the next question may be asked
        self._hung_up = False  # the last exchange ended so
        self._silences = 0

    async def exchange(self, steps: Exchange) -> Reply:
        """Drive one exchange to its end or its deadline.

        Raises:
            LinkDown: there is no connection and none can be made, or it does not fall silent, or
                is closed as soon as it was made.
            HungUp: the connection had been closed; what was asked may be asked again at once.
            Silent: no whole reply before the deadline.
            LinkError: the connection broke.
            PeerError: what the exchange raises.
        """
        wire = await self._ready()
        again, self._hung_up = self._hung_up, False
        try:
            answer = await wire.start(steps)
        except Silent:
            self._count_silence(wire)
            raise
        except DeviceRefused:
            self._silences = 0
            raise
        except ReplyError:
            if self._manner.numbered:
                self.close()
            raise
        except HungUp as error:
            self.close()
            if not wire.fresh:
                self._hung_up = True
                raise
            # It is closed to whoever comes, unless it was this question that closed it twice.
            said = LinkError if again else LinkDown
            raise said("{place} closes new connections", place=self._place) from error
        except (LinkError, asyncio.CancelledError):
            self.close()
            raise
        finally:
            wire.rest()
            self._free_s = wire.loop.time() + self._manner.gap_s
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
        lost_frames = wire.heard and self._manner.numbered
        if lost_frames or self._silences >= _SILENCES:
            self.close()

    async def _ready(self) -> "_Wire":
        """A connection that may be used now."""
        wait_s = self._free_s - asyncio.get_running_loop().time()
        if wait_s > 0:
            await asyncio.sleep(wait_s)
        if self._wire is None or self._wire.closed:
            self._wire = await self._connection()
        wire = self._wire
        if wire.quiet_from is not None and not await self._falls_silent(wire):
            self.close()
            raise LinkDown("{place} does not fall silent", place=self._place)
        return wire

    async def _connection(self) -> "_Wire":
        try:
            async with asyncio.timeout(_CONNECT_S):
                return await self._open()
        except (OSError, ValueError) as error:  # a time-out is an OSError
            raise LinkDown(
                "{place} can't be opened: {error}",
                place=self._place,
                error=str(error) or "no answer",
            ) from error

    async def _open(self) -> "_Wire":
        """Open a connection.

        Raises:
            OSError: it can't be opened.
            ValueError: it can't be set up as is wanted.
        """
        raise NotImplementedError

    async def _falls_silent(self, wire: "_Wire") -> bool:
        """Wait until nothing has come for one time-out; False where that does not happen."""
        timeout_s = self._manner.timeout_s
        give_up = wire.loop.time() + _BABBLE * timeout_s
        while wire.quiet_from is not None and not wire.closed:
            now = wire.loop.time()
            wait = wire.quiet_from + timeout_s - now
            if wait <= 0:
                wire.quiet_from = None
            elif now > give_up:
                return False
            else:
                await asyncio.sleep(wait)
        return not wire.closed


class TcpLink(_Link):
    """A link to one gateway or meter."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        timeout_s: float,
        numbered: bool,
        now_ms: Callable[[], int],
        delay_s: float = 0.0,
    ) -> None:
        super().__init__(f"{host}:{port}", _Manner(timeout_s, numbered, now_ms, delay_s))
        self._host = host
        self._port = port

    async def _open(self) -> "_Wire":
        loop = asyncio.get_running_loop()
        transport, wire = await loop.create_connection(
            lambda: _Wire(loop, self._manner), self._host, self._port
        )
        for level, option, value in _KEEP_ALIVE:
            if hasattr(socket, option):  # not every system has all of them
                transport.get_extra_info("socket").setsockopt(level, getattr(socket, option), value)
        return wire


class SerialLink(_Link):
    """A serial port of this machine with the meters that hang on its wire.

    A time-out is how long a meter may think; what the bytes take on the wire comes on top.
    """

    def __init__(
        self,
        device: str,
        *,
        baud: int,
        parity: Parity,
        stop_bits: int,
        timeout_s: float,
        now_ms: Callable[[], int],
        delay_s: float = 0.0,
    ) -> None:
        byte_s = character_s(baud, parity, stop_bits)
        gap_s = max(delay_s, frame_gap_s(baud, parity, stop_bits))
        super().__init__(device, _Manner(timeout_s, False, now_ms, gap_s, byte_s))
        self._settings: dict[str, object] = {
            "baudrate": baud,
            "parity": parity,
            "stopbits": stop_bits,
        }
        self._last: _Wire | None = None

    async def _open(self) -> "_Wire":
        from serial_asyncio_fast import SerialTransport

        loop = asyncio.get_running_loop()
        if self._last is not None:
            await self._last.gone.wait()  # a port is closed in a thread, and is ours until then
        port = await loop.run_in_executor(None, _port, self._place, self._settings)
        wire = _Wire(loop, self._manner)
        SerialTransport(loop, wire, port)
        await asyncio.sleep(0)  # one turn of the loop, in which the transport calls the wire
        self._last = wire
        return wire


def bus_link(bus: Bus, now_ms: Callable[[], int]) -> TcpLink | SerialLink:
    """The link of a bus; `now_ms` stamps its replies."""
    if bus.link == "rtu":
        return SerialLink(
            bus.device or "",
            baud=bus.baud,
            parity=bus.parity,
            stop_bits=bus.stop_bits,
            timeout_s=bus.timeout_s,
            now_ms=now_ms,
            delay_s=bus.delay_s,
        )
    return TcpLink(
        bus.host or "",
        bus.port,
        timeout_s=bus.timeout_s,
        numbered=FRAMINGS[bus.link].numbered,
        now_ms=now_ms,
        delay_s=bus.delay_s,
    )


def character_s(baud: int, parity: Parity, stop_bits: int) -> float:
    """What one byte takes on a serial wire: a start bit, eight of data, parity, stop bits."""
    return (1 + 8 + (parity != "N") + stop_bits) / baud


def frame_gap_s(baud: int, parity: Parity, stop_bits: int) -> float:
    """The silence between two frames on a serial wire."""
    if baud > _FAST_BAUD:
        return _FAST_GAP_S
    return _FRAME_GAP * character_s(baud, parity, stop_bits)


def _port(device: str, settings: dict[str, object]) -> "serial.Serial":
    """Open a serial port, for nobody else meanwhile."""
    import termios

    import serial

    if os.path.realpath(device).startswith(_PSEUDO):
        settings = {**settings, "parity": "N"}  # it has none, and refuses to be given one
    try:
        return serial.Serial(device, exclusive=True, **settings)
    except termios.error as error:  # it vanished while it was set up
        raise OSError(*error.args) from error


class _Wire(asyncio.Protocol):
    """One connection, and the exchange that is under way on it.

    Attributes:
        gone: set when the other end, too, has nothing of it any more.
        heard: something came for the exchange.
        quiet_from: since when silence is waited for; None where there is no need to.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, manner: _Manner) -> None:
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
        self._timer: asyncio.TimerHandle
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
        self._timer = self.loop.call_at(self._deadline_s, self._expire)
        self._transport.write(send)
        if self.heard:
            self._advance(steps)
        return self._reply

    def rest(self) -> None:
        """No exchange is waited for any more."""
        self._timer.cancel()

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
        self.gone.set()
        if self._steps is not None:
            waited_s = self.loop.time() - self._asked_s
            at_once = not self.heard and waited_s < _AT_ONCE * self._manner.timeout_s
            broken = HungUp if at_once else LinkError
            self._end(broken("the connection broke: {error}", error=exc or "closed there"))

    def _expire(self) -> None:
        """The deadline, as it was when the exchange began."""
        if self.loop.time() < self._deadline_s:
            self._timer = self.loop.call_at(self._deadline_s, self._expire)
        elif self._steps is not None:
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
        if answered and self._buffer and not self._manner.numbered:
            # Two replies to one question: the first may well be the late one.
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
