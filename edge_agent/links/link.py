"""Send requests to the meters of a bus, over one TCP connection or one serial port.

The requests come from a talk: a generator that yields exchanges and pauses (`protocols`).

Laws:

1. There is at most one connection, with at most one unanswered request on it.
2. After a time-out or an invalid reply, late bytes may still arrive.
   - If replies carry transaction numbers, the protocol skips late replies. The connection is closed
     only if the received bytes do not form frames.
   - If replies carry no number, the link waits until it has been silent for one time-out before it
     sends the next request. It also waits on a new connection and after unexpected bytes, because a
     serial server forwards all bytes on the line, including replies to other masters.
3. A connection is closed if several requests in a row received no byte at all, because the other
   end may have been switched off without closing it. If replies carry numbers, the delay of a late
   reply lengthens the time for which later replies are awaited (`reply_timeout`).
4. After each exchange, the bus's `delay_s` passes before the next request. On a serial port the
   delay is at least the silence that separates two frames.
5. There are three errors for a closed connection. `IdleLinkClosed`: the other end closed an idle
   connection, so the request may be repeated at once. `NewLinkClosed`: the other end closes each
   connection as soon as it is opened; the cause is either the link or the meter. `Unanswered`: the
   connection broke at any other time.
6. Each request uses the framing of its meter, because meters with different protocols may share a
   bus.

Time-outs are in real seconds, even if the simulated clock of a demonstration runs faster.
"""

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

from edge_agent.links.exchange import Connection, LinkTiming
from edge_agent.links.reply_timeout import ReplyTimeout
from edge_agent.links.serial_timing import Parity, character_s, frame_gap_s
from edge_agent.protocols.request_reply import Ask, Framing, Pause, Reply, Talk
from jieneng.metering.errors import (
    IdleLinkClosed,
    LinkDown,
    LinkError,
    NewLinkClosed,
    PeerError,
    ReplyError,
    ReplyTimedOut,
)
from jieneng.metering.site import Bus

if TYPE_CHECKING:  # most agents have no serial port
    import serial

_CONNECT_TIMEOUT_S: Final = 5.0  # enough for three SYNs, sent at 0, 1 and 3 s (RFC 6298)
_LONGEST_WAIT_FOR_SILENCE: Final = 10  # in time-outs; then the connection is closed
# Keep-alive, because firewalls drop an idle connection after some minutes without closing it.
_KEEP_ALIVE: Final = (
    (socket.SOL_SOCKET, "SO_KEEPALIVE", 1),
    (socket.IPPROTO_TCP, "TCP_KEEPIDLE", 30),
    (socket.IPPROTO_TCP, "TCP_KEEPINTVL", 10),
    (socket.IPPROTO_TCP, "TCP_KEEPCNT", 3),
)

_PSEUDO_TERMINALS: Final = "/dev/pts/"  # used by simulators, and by drivers of serial servers


class Link:
    """Base class for TCP links and serial links. The link is opened when it is first used."""

    def __init__(self, endpoint: str, timing: LinkTiming) -> None:
        self._endpoint = endpoint
        self._timing = timing
        self._reply_timeout = ReplyTimeout(timing.timeout_s)
        self._connection: Connection | None = None
        self._free_s = 0.0  # loop time from which the next request may be sent

    async def converse(self, talk: Talk, sleep: Callable[[float], Awaitable[None]]) -> None:
        """Run all exchanges and pauses of a talk.

        These errors are thrown into the talk, and raised here if the talk does not catch them:

            LinkDown: no connection can be opened, or the link does not become silent.
            NewLinkClosed: a new connection was closed at once.
            IdleLinkClosed: the idle connection had been closed; the request may be repeated.
            ReplyTimedOut: no complete reply arrived before the deadline.
            Unanswered: the connection broke.
            DeviceRefused, ReplyError: the device refused, or its reply was invalid.

        Args:
            talk: yields exchanges and pauses.
            sleep: function that sleeps for the seconds of a pause.
        """
        try:
            command: Ask | Pause | None = next(talk)
            while command is not None:
                if isinstance(command, Pause):
                    await sleep(command.seconds)
                    command = next(talk)
                    continue
                try:
                    command = await self._drive(talk, command)
                except (LinkError, PeerError) as error:
                    command = talk.throw(error)
        except StopIteration:
            return
        finally:
            talk.close()

    async def exchange(self, ask: Ask) -> Reply:
        """Return the reply to one request. Raises the errors that `converse` throws."""
        replies: list[Reply] = []

        def single_exchange() -> Talk:
            reply = yield ask
            replies.extend([reply] if reply else [])

        await self.converse(single_exchange(), asyncio.sleep)
        return replies[0]

    async def _drive(self, talk: Talk, ask: Ask) -> Ask | Pause | None:
        """Run exchanges of a talk until its next command needs a turn of the event loop."""
        connection = await self._ready_connection(ask.framing)
        try:
            return await connection.drive(talk, ask)
        except ReplyTimedOut:
            # The reply stopped within a frame. Its remaining bytes would break the next frame.
            lost_frames = connection.is_mid_reply and connection.framing.numbered
            if lost_frames or connection.is_exhausted:
                self.close()
            raise
        except ReplyError:
            if connection.framing.numbered:
                self.close()
            raise
        except IdleLinkClosed as error:
            self.close()
            if connection.requests == 1:
                raise self._new_link_closed() from error
            raise
        except (LinkError, asyncio.CancelledError):
            self.close()
            raise
        finally:
            self._free_s = connection.loop.time() + self._timing.gap_s

    def close(self) -> None:
        """Close the connection; the next exchange opens another."""
        if self._connection is not None:
            self._connection.abort()
            self._connection = None

    async def _ready_connection(self, framing: Framing) -> Connection:
        """Return a connection on which a request with this framing may be sent now."""
        wait_s = self._free_s - asyncio.get_running_loop().time()
        if wait_s > 0:
            await asyncio.sleep(wait_s)
        if self._connection is None or self._connection.is_closing:
            self._connection = await self._new_connection(framing)
        connection = self._connection
        connection.use_framing(framing)
        if connection.silence_from_s is not None and not await self._is_silent(connection):
            was_closed = connection.is_closing
            self.close()
            if not was_closed:
                raise LinkDown("{place} does not stop sending bytes", place=self._endpoint)
            if connection.requests == 0:
                raise self._new_link_closed()
            raise IdleLinkClosed("{place} closed the connection", place=self._endpoint)
        return connection

    def _new_link_closed(self) -> NewLinkClosed:
        return NewLinkClosed("{place} closes new connections", place=self._endpoint)

    async def _new_connection(self, framing: Framing) -> Connection:
        try:
            async with asyncio.timeout(_CONNECT_TIMEOUT_S):
                return await self._open(framing)
        except (OSError, ValueError) as error:  # a time-out is an OSError
            raise LinkDown(
                "{place} can't be opened: {error}",
                place=self._endpoint,
                error=str(error) or "no answer",
            ) from error

    async def _open(self, framing: Framing) -> Connection:
        """Open a connection.

        Raises:
            OSError: the connection can't be opened.
            ValueError: the serial port does not accept the settings.
        """
        raise NotImplementedError

    async def _is_silent(self, connection: Connection) -> bool:
        """Wait until no byte arrives for one time-out. Return False if bytes keep arriving."""
        timeout_s = self._timing.timeout_s
        give_up_s = connection.loop.time() + _LONGEST_WAIT_FOR_SILENCE * timeout_s
        while connection.silence_from_s is not None and not connection.is_closing:
            now_s = connection.loop.time()
            wait_s = connection.silence_from_s + timeout_s - now_s
            if wait_s <= 0:
                connection.silence_from_s = None
            elif now_s > give_up_s:
                return False
            else:
                await asyncio.sleep(wait_s)
        return not connection.is_closing


class TcpLink(Link):
    """A link to one gateway or meter over TCP."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        timeout_s: float,
        now_ms: Callable[[], int],
        delay_s: float = 0.0,
    ) -> None:
        super().__init__(f"{host}:{port}", LinkTiming(timeout_s, now_ms, delay_s))
        self._host = host
        self._port = port

    async def _open(self, framing: Framing) -> Connection:
        loop = asyncio.get_running_loop()
        transport, connection = await loop.create_connection(
            lambda: Connection(loop, self._timing, self._reply_timeout, framing),
            self._host,
            self._port,
        )
        for level, option, value in _KEEP_ALIVE:
            if hasattr(socket, option):  # not every system has all of them
                transport.get_extra_info("socket").setsockopt(level, getattr(socket, option), value)
        return connection


class SerialLink(Link):
    """A serial port of this machine, with the meters on its line.

    The time-out limits a meter's reaction time; the time of the bytes on the line is added.
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
        super().__init__(device, LinkTiming(timeout_s, now_ms, gap_s, byte_s))
        self._settings: dict[str, object] = {
            "baudrate": baud,
            "parity": parity,
            "stopbits": stop_bits,
        }
        self._previous: Connection | None = None

    async def _open(self, framing: Framing) -> Connection:
        from serial_asyncio_fast import SerialTransport

        loop = asyncio.get_running_loop()
        if self._previous is not None:
            await (
                self._previous.closed.wait()
            )  # a port that is being closed in a thread is still locked
        port = await loop.run_in_executor(None, _open_port, self._endpoint, self._settings)
        connection = Connection(loop, self._timing, self._reply_timeout, framing)
        SerialTransport(loop, connection, port)
        await asyncio.sleep(0)  # one turn of the loop, in which `connection_made` is called
        self._previous = connection
        return connection


def bus_link(bus: Bus, now_ms: Callable[[], int]) -> TcpLink | SerialLink:
    """Return the link of a bus.

    Args:
        bus: the bus, with its endpoint and its times.
        now_ms: returns UTC, for the time stamps of replies [ms].
    """
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


def _open_port(device: str, settings: dict[str, object]) -> "serial.Serial":
    """Open a serial port, and lock it against other programs."""
    import termios

    import serial

    if os.path.realpath(device).startswith(_PSEUDO_TERMINALS):
        settings = {**settings, "parity": "N"}  # a pseudo-terminal refuses any parity
    try:
        return serial.Serial(device, exclusive=True, **settings)
    except termios.error as error:  # the device vanished while it was set up
        raise OSError(*error.args) from error
