"""The bytes of a bus: one connection or serial port, and one exchange at a time driven over it.

Laws:

1. There is at most one connection, and at most one question under way on it.
2. After trouble, what a device still sends late reaches nobody. Where replies are numbered, the
   protocol passes late ones over, and only a stream that lost its frames is closed. Where they
   are not, the link is first listened to until it has been silent for one time-out; a connection
   that is fresh, or on which something came unasked, counts as trouble, because a serial server
   hands on whatever the wire says.
3. A connection on which several questions in a row found nothing at all is given up: the other
   end may have been switched off without a word. Where replies are numbered, late ones show how
   long it takes, and it is waited for so long from then on (`patience`).
4. From the end of an exchange to the next question there is the bus's delay, and on a serial port
   at least the silence by which devices tell one frame from the next.
5. A connection that the other end closed while it was idle is told from one that breaks: what was
   asked may be asked again at once. One that is closed as soon as it was made is told as well: the
   link is down, or the question is what closes it.

Time-outs are real seconds: a socket does not know that a demonstration runs faster than life.
"""

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

from edge_agent.links.exchange import Manner, Wire
from edge_agent.links.reply_timeout import ReplyTimeout
from edge_agent.links.serial_timing import Parity, character_s, frame_gap_s
from edge_agent.protocols.request_reply import Ask, Framing, Pause, Reply, Talk
from jieneng.metering.errors import (
    HungUp,
    LinkDown,
    LinkError,
    PeerError,
    ReplyError,
    Silent,
    TurnedAway,
)
from jieneng.metering.site import Bus

if TYPE_CHECKING:  # most agents have no serial port
    import serial

_CONNECT_S: Final = 5.0  # to open a connection: three SYNs, sent at 0, 1 and 3 s (RFC 6298)
_BABBLE: Final = 10  # time-outs that silence is waited for before the connection is given up
# Firewalls forget a connection on which nothing has moved for some minutes, and tell nobody.
_KEEP_ALIVE: Final = (
    (socket.SOL_SOCKET, "SO_KEEPALIVE", 1),
    (socket.IPPROTO_TCP, "TCP_KEEPIDLE", 30),
    (socket.IPPROTO_TCP, "TCP_KEEPINTVL", 10),
    (socket.IPPROTO_TCP, "TCP_KEEPCNT", 3),
)

_PSEUDO: Final = "/dev/pts/"  # where pseudo-terminals are: simulators, drivers of serial servers


class Link:
    """Base of all links; a connection is opened on first use."""

    def __init__(self, place: str, manner: Manner) -> None:
        self._place = place
        self._manner = manner
        self._patience = ReplyTimeout(manner.timeout_s)
        self._wire: Wire | None = None
        self._free_s = 0.0  # when the next question may be asked

    async def converse(self, talk: Talk, sleep: Callable[[float], Awaitable[None]]) -> None:
        """Drive a talk to its end.

        The errors thrown into it, and out of here where it does not catch them:

            LinkDown: there is no connection and none can be made, or it does not fall silent.
            TurnedAway: a new connection was closed at once.
            HungUp: the connection had been closed; what was asked may be asked again at once.
            Silent: no whole reply before the deadline.
            Unanswered: the connection broke.
            DeviceRefused, ReplyError: what an exchange returns or raises.

        Args:
            talk: what is asked, one exchange after the other.
            sleep: for its pauses.
        """
        try:
            wish: Ask | Pause | None = next(talk)
            while wish is not None:
                if isinstance(wish, Pause):
                    await sleep(wish.seconds)
                    wish = next(talk)
                    continue
                try:
                    wish = await self._carry_on(talk, wish)
                except (LinkError, PeerError) as error:
                    wish = talk.throw(error)
        except StopIteration:
            return
        finally:
            talk.close()

    async def exchange(self, ask: Ask) -> Reply:
        """The reply to one question. Raises what `converse` throws."""
        replies: list[Reply] = []

        def once() -> Talk:
            reply = yield ask
            replies.extend([reply] if reply else [])

        await self.converse(once(), asyncio.sleep)
        return replies[0]

    async def _carry_on(self, talk: Talk, ask: Ask) -> Ask | Pause | None:
        """Ask this, and what the talk wants to ask then, up to what can't be had at once."""
        wire = await self._ready(ask.framing)
        try:
            return await wire.carry_on(talk, ask)
        except Silent:
            # A time-out within a frame: the next one would begin in the middle of this.
            lost_frames = wire.torn and wire.framing.numbered
            if lost_frames or wire.exhausted:
                self.close()
            raise
        except ReplyError:
            if wire.framing.numbered:
                self.close()
            raise
        except HungUp as error:
            self.close()
            if wire.asked == 1:
                raise TurnedAway("{place} closes new connections", place=self._place) from error
            raise
        except (LinkError, asyncio.CancelledError):
            self.close()
            raise
        finally:
            self._free_s = wire.loop.time() + self._manner.gap_s

    def close(self) -> None:
        """Let go of the connection; the next exchange opens another."""
        if self._wire is not None:
            self._wire.abort()
            self._wire = None

    async def _ready(self, framing: Framing) -> Wire:
        """A connection that may be used now."""
        wait_s = self._free_s - asyncio.get_running_loop().time()
        if wait_s > 0:
            await asyncio.sleep(wait_s)
        if self._wire is None or self._wire.closed:
            self._wire = await self._connection(framing)
        wire = self._wire
        wire.prepare(framing)
        if wire.quiet_from is not None and not await self._falls_silent(wire):
            closed = wire.closed
            self.close()
            if not closed:
                raise LinkDown("{place} does not fall silent", place=self._place)
            if wire.asked == 0:
                raise TurnedAway("{place} closes new connections", place=self._place)
            raise HungUp("{place} closed the connection", place=self._place)
        return wire

    async def _connection(self, framing: Framing) -> Wire:
        try:
            async with asyncio.timeout(_CONNECT_S):
                return await self._open(framing)
        except (OSError, ValueError) as error:  # a time-out is an OSError
            raise LinkDown(
                "{place} can't be opened: {error}",
                place=self._place,
                error=str(error) or "no answer",
            ) from error

    async def _open(self, framing: Framing) -> Wire:
        """Open a connection.

        Raises:
            OSError: it can't be opened.
            ValueError: it can't be set up as is wanted.
        """
        raise NotImplementedError

    async def _falls_silent(self, wire: Wire) -> bool:
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


class TcpLink(Link):
    """A link to one gateway or meter."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        timeout_s: float,
        now_ms: Callable[[], int],
        delay_s: float = 0.0,
    ) -> None:
        super().__init__(f"{host}:{port}", Manner(timeout_s, now_ms, delay_s))
        self._host = host
        self._port = port

    async def _open(self, framing: Framing) -> Wire:
        loop = asyncio.get_running_loop()
        transport, wire = await loop.create_connection(
            lambda: Wire(loop, self._manner, self._patience, framing), self._host, self._port
        )
        for level, option, value in _KEEP_ALIVE:
            if hasattr(socket, option):  # not every system has all of them
                transport.get_extra_info("socket").setsockopt(level, getattr(socket, option), value)
        return wire


class SerialLink(Link):
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
        super().__init__(device, Manner(timeout_s, now_ms, gap_s, byte_s))
        self._settings: dict[str, object] = {
            "baudrate": baud,
            "parity": parity,
            "stopbits": stop_bits,
        }
        self._last: Wire | None = None

    async def _open(self, framing: Framing) -> Wire:
        from serial_asyncio_fast import SerialTransport

        loop = asyncio.get_running_loop()
        if self._last is not None:
            await self._last.gone.wait()  # a port is closed in a thread, and is ours until then
        port = await loop.run_in_executor(None, _port, self._place, self._settings)
        wire = Wire(loop, self._manner, self._patience, framing)
        SerialTransport(loop, wire, port)
        await asyncio.sleep(0)  # one turn of the loop, in which the transport calls the wire
        self._last = wire
        return wire


def bus_link(bus: Bus, now_ms: Callable[[], int]) -> TcpLink | SerialLink:
    """The link of a bus; `now_ms` stamps its replies."""
    if bus.link == "rtu":
        return SerialLink(
            bus.device or "",
            baud=bus.line_baud,
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
        now_ms=now_ms,
        delay_s=bus.delay_s,
    )


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
