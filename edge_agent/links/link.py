"""A link to the meters of a bus: one connection or serial port, and the talk driven over it.

Laws:

1. There is at most one connection, and at most one request under way on it.
2. After trouble, late bytes of a device are discarded. If replies are numbered, the protocol skips
   late ones, and the connection is closed only if the bytes no longer form frames. If they are not,
   the link listens until it has been silent for one time-out before it sends again. A new
   connection, and one on which unsolicited bytes came, count as trouble, because a serial server
   forwards all bytes that are on the line.
3. A connection is closed if several requests in a row received no byte at all: the other end may
   have been switched off without closing it. If replies are numbered, late ones show how long the
   other end takes, and later replies are waited for longer (`reply_timeout`).
4. Between the end of an exchange and the next request, the bus's delay passes. On a serial port it
   is at least the silence that separates two frames.
5. Three errors differ. If the other end closed an idle connection, the same request may be sent
   again at once. If it closes a connection as soon as it is opened, either the link is down, or the
   request is the reason. Any other close is a broken connection.
6. The framing is the one of the meter that is asked: meters of different protocols may share a bus.

Time-outs are real seconds, even if a demonstration runs faster: a socket knows no other clock.
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

_CONNECT_TIMEOUT_S: Final = 5.0  # three SYNs, sent at 0, 1 and 3 s (RFC 6298)
_LONGEST_WAIT_FOR_SILENCE: Final = 10  # time-outs, after which the connection is given up
# Firewalls drop an idle connection after some minutes without closing it.
_KEEP_ALIVE: Final = (
    (socket.SOL_SOCKET, "SO_KEEPALIVE", 1),
    (socket.IPPROTO_TCP, "TCP_KEEPIDLE", 30),
    (socket.IPPROTO_TCP, "TCP_KEEPINTVL", 10),
    (socket.IPPROTO_TCP, "TCP_KEEPCNT", 3),
)

_PSEUDO_TERMINALS: Final = "/dev/pts/"  # of simulators, and of drivers of serial servers


class Link:
    """The part of a link that TCP and serial ports share. Opened when it is first used."""

    def __init__(self, endpoint: str, timing: LinkTiming) -> None:
        self._endpoint = endpoint
        self._timing = timing
        self._reply_timeout = ReplyTimeout(timing.timeout_s)
        self._connection: Connection | None = None
        self._free_s = 0.0  # loop time from which the next request may be sent

    async def converse(self, talk: Talk, sleep: Callable[[float], Awaitable[None]]) -> None:
        """Drive a talk to its end.

        These errors are thrown into the talk, and raised here if the talk does not catch them:

            LinkDown: there is no connection and none can be made, or it does not fall silent.
            NewLinkClosed: a new connection was closed at once.
            IdleLinkClosed: the connection had been closed; the request may be repeated at once.
            ReplyTimedOut: no whole reply came before the deadline.
            Unanswered: the connection broke.
            DeviceRefused, ReplyError: results of an exchange.

        Args:
            talk: yields the exchanges to run and the pauses to make.
            sleep: sleeps for the seconds of a pause.
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
        """Run an exchange and those that follow, up to a command that needs a turn of the loop."""
        connection = await self._ready_connection(ask.framing)
        try:
            return await connection.drive(talk, ask)
        except ReplyTimedOut:
            # After a time-out within a frame, the next frame would begin in the middle of this one.
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
        """Return a connection on which a request of this framing may be sent now."""
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
                raise LinkDown("{place} does not fall silent", place=self._endpoint)
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
            OSError: it can't be opened.
            ValueError: it can't be set up with these settings.
        """
        raise NotImplementedError

    async def _is_silent(self, connection: Connection) -> bool:
        """Wait until no byte has come for one time-out. Return False if that does not happen."""
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

    The time-out is the time that a meter may take before it replies; the bytes' time on the line
    is added to it.
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
            )  # a port is closed in a thread, and is held until then
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
        now_ms: returns UTC, which stamps the replies [ms].
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
        settings = {**settings, "parity": "N"}  # a pseudo-terminal has none, and refuses one
    try:
        return serial.Serial(device, exclusive=True, **settings)
    except termios.error as error:  # the device vanished while it was set up
        raise OSError(*error.args) from error
