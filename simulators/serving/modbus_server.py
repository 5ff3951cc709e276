"""The ends of links: what masters connect to, TCP ports and pseudo-terminals.

Law: here is no opinion. A line hands each question to its bus, and does what the bus says, in that
order and with those pauses. pymodbus's own server can't: it can't keep silent for one unit, can't
answer late, and loses all but the first of several questions (see `frames` for what it does do).
"""

import asyncio
import os
import pty
import socket
import struct
import tty
from collections import Counter, deque
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final, Protocol, cast

import msgspec

from jieneng.metering.errors import Unavailable
from simulators.encoding.modbus_frames import Request
from simulators.faults.reply_faults import Deed, worse
from simulators.serving.simulated_bus import Asked, Bus, Seen, nobody_sees, timeliness

_LONGEST: Final = 264  # bytes of the longest frame; what is longer is none
_TERMINALS: Final = "/dev/pts/"
_AT_ONCE: Final = struct.pack("ii", 1, 0)  # linger on, for 0 s: the kernel resets (socket(7))
_GAP_S: Final = 0.05  # a serial frame does not pause so long (3.5 characters at 1200 baud: 32 ms)


class Place(msgspec.Struct, frozen=True):
    """Where a bus is to be found: an address, or the path of a serial port."""

    host: str = ""
    port: int = 0
    device: str | None = None


class Wire(Protocol):
    """What a line sends on."""

    def write(self, data: bytes) -> None:
        """Send."""

    def reset(self) -> None:
        """Reset the connection, where there is one."""

    def is_closing(self) -> bool:
        """Whether nothing can be sent any more."""


class Line:
    """A connection of a master, or its serial port: questions come, answers go."""

    def __init__(self, bus: Bus, wire: Wire, peer: str, seen: Seen) -> None:
        self.dead = False
        self._bus = bus
        self._wire = wire
        self._peer = peer
        self._seen = seen
        self._loop = asyncio.get_running_loop()
        self._buffer = bytearray()
        self._heard_s = 0.0
        self._waiting: deque[tuple[Request, float]] = deque()  # and when each came
        self._asked = Counter[int]()
        self._busy = False
        self._sending = asyncio.Lock()  # pieces of two answers are never mixed
        self._used_in_the_dark = False
        self._tasks: set[asyncio.Task[None]] = set()

    def hear(self, data: bytes) -> None:
        """Bytes came."""
        if self.dead:
            return
        now_s = self._loop.time()
        if self._bus.codec.framing != "tcp" and now_s - self._heard_s > _GAP_S:
            self._buffer.clear()
        self._heard_s = now_s
        self._buffer += data
        while request := self._bus.codec.take(self._buffer):
            self._waiting.append((request, now_s))
        if len(self._buffer) > _LONGEST:
            self._wire.reset()
        self._answer()

    def close(self) -> None:
        """Forget what was still to be done."""
        self.dead = True
        for task in self._tasks:
            task.cancel()

    def _answer(self) -> None:
        """Answer what was asked, as long as no answer has to be waited for."""
        while self._waiting and not self._busy and not self.dead:
            self._one(*self._waiting.popleft())

    def _one(self, request: Request, heard_s: float) -> None:
        if self._bus.dark:
            self._used_in_the_dark = True
        elif self._used_in_the_dark:
            self._wire.reset()  # the gateway has started anew, and knows nothing of this connection
            return
        self._asked[request.unit] += 1
        asked = self._bus.ask(request, self._asked[request.unit], self._peer)
        acts = asked.answer.acts
        if not self._sending.locked() and not any(isinstance(act, float) for act in acts):
            self._told(asked, [self._act(act) for act in acts], heard_s)
            return
        self._busy = asked.answer.waits
        task = self._loop.create_task(self._perform(asked, heard_s))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _perform(self, asked: Asked, heard_s: float) -> None:
        sent: list[bytes | None] = []
        try:
            async with AsyncExitStack() as turn:
                for act in asked.answer.acts:
                    if isinstance(act, float):
                        await asyncio.sleep(act)
                        continue
                    if not sent:
                        await turn.enter_async_context(self._sending)
                    sent.append(self._act(act))
        except asyncio.CancelledError:  # whoever asked has left
            self._told(asked, [*sent, None], heard_s)
            raise
        if asked.answer.waits:
            self._busy = False
        self._told(asked, sent, heard_s)
        self._answer()

    def _act(self, act: bytes | Deed | float) -> bytes | None:
        """Do it; gives the bytes that were sent, None where they could not be."""
        if act is Deed.HANG_UP:
            self._wire.reset()
        elif act is Deed.GO_DEAD:
            self.dead = True
        elif isinstance(act, bytes):
            if self.dead or self._wire.is_closing():
                return None
            self._wire.write(act)
            return act
        return b""

    def _told(self, asked: Asked, sent: list[bytes | None], heard_s: float) -> None:
        """Record an exchange: when its answer was sent, and whether that was whole and in time."""
        verdict = worse(
            asked.record.verdict, timeliness(self._loop.time() - heard_s, self._bus.timeout_s)
        )
        self._seen(
            msgspec.structs.replace(
                asked.record,
                time_ms=self._bus.clock.now_ms(),
                sent=b"".join(piece or b"" for piece in sent),
                verdict=verdict if None not in sent else "bad",
            )
        )


# --- TCP ----------------------------------------------------------------------------------------


class TcpPort:
    """A gateway's or meter's port."""

    def __init__(self, bus: Bus, seen: Seen = nobody_sees) -> None:
        self._bus = bus
        self._seen = seen
        self._server: asyncio.Server | None = None
        self._open: dict[_Connection, bool] = {}  # in the order in which they came

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> Place:
        """Listen; port 0 takes a free one.

        Raises:
            Unavailable: the port can't be listened on.
        """
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(self._connection, host, port)
        except OSError as error:
            raise Unavailable(
                "the simulator can't listen on {host}:{port}", host=host, port=port
            ) from error
        return Place(host, int(self._server.sockets[0].getsockname()[1]))

    async def stop(self) -> None:
        """Close the port and all connections."""
        if self._server is not None:
            self._server.close()
            for connection in tuple(self._open):
                connection.reset()
            await self._server.wait_closed()
            self._server = None

    def _connection(self) -> "_Connection":
        return _Connection(self)

    def opened(self, connection: "_Connection") -> None:
        """A master connected."""
        bus, others = self._bus, [one for one in self._open if not one.line.dead]
        self._open[connection] = True
        if bus.dark:
            connection.reset()
            return
        rule = bus.script and bus.script.one_connection(bus.name, bus.clock.now_ms())
        if rule and others:
            if rule.newcomer == "takes_over":
                for one in others:
                    one.reset()
            elif rule.newcomer == "closed":
                connection.reset()
            else:
                connection.line.close()

    def closed(self, connection: "_Connection") -> None:
        """A connection is no more."""
        self._open.pop(connection, None)

    def line(self, wire: Wire, peer: str) -> Line:
        """The line of a new connection."""
        return Line(self._bus, wire, peer, self._seen)


class _Connection(asyncio.Protocol):
    """One master's connection."""

    line: Line

    def __init__(self, port: TcpPort) -> None:
        self._port = port
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio: a master connected."""
        self._transport = cast("asyncio.Transport", transport)
        # A master that was gone again before we looked has no name.
        host, port = (transport.get_extra_info("peername") or ("?", 0))[:2]
        self.line = self._port.line(self, f"{host}:{port}")
        self._port.opened(self)

    def data_received(self, data: bytes) -> None:
        """asyncio: bytes came."""
        self.line.hear(data)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - why is the master's business
        """asyncio: the connection is no more."""
        self.line.close()
        self._port.closed(self)

    def write(self, data: bytes) -> None:
        """See `Wire`."""
        self._transport.write(data)

    def is_closing(self) -> bool:
        """See `Wire`."""
        return self._transport.is_closing()

    def reset(self) -> None:
        """See `Wire`: as a gateway that was switched off, not as one that takes its leave."""
        if not self._transport.is_closing():
            socket_ = self._transport.get_extra_info("socket")
            socket_.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
            self._transport.abort()


# --- serial -------------------------------------------------------------------------------------


class SerialPort:
    """A serial port for a master on this machine: a pseudo-terminal, whose other end we hold."""

    def __init__(self, bus: Bus, seen: Seen = nobody_sees) -> None:
        self._bus = bus
        self._seen = seen
        self._ends: tuple[int, int] | None = None
        self._line: Line | None = None
        self._link: Path | None = None

    async def start(self, link: Path | None = None) -> Place:
        """Make the terminal.

        Args:
            link: where its path is to be found under a name of one's own.

        Raises:
            Unavailable: there is something else at that place.
        """
        ours, theirs = pty.openpty()
        # Theirs is held open as well: a terminal that its last reader closed would hang up on us.
        self._ends = (ours, theirs)
        tty.setraw(theirs)
        os.set_blocking(ours, False)
        device = os.ttyname(theirs)
        if link is not None:
            self._point(link, device)
        self._line = Line(self._bus, _Terminal(ours), device, self._seen)
        asyncio.get_running_loop().add_reader(ours, self._read)
        return Place(device=str(link or device))

    async def stop(self) -> None:
        """Take the terminal away."""
        if self._ends is None:
            return
        asyncio.get_running_loop().remove_reader(self._ends[0])
        if self._line is not None:
            self._line.close()
        self._unlink(os.ttyname(self._ends[1]))
        for end in self._ends:
            os.close(end)
        self._ends = None

    def _point(self, link: Path, device: str) -> None:
        if link.is_symlink() and str(link.readlink()).startswith(_TERMINALS):
            link.unlink()  # of a run that was killed
        try:
            link.symlink_to(device)
        except OSError as error:
            raise Unavailable(
                "the simulator can't make the serial port {path}: {reason}",
                path=link,
                reason=error.strerror,
            ) from error
        self._link = link

    def _unlink(self, device: str) -> None:
        """Take our name away, if it is still ours."""
        link = self._link
        if link is not None and link.is_symlink() and str(link.readlink()) == device:
            link.unlink()

    def _read(self) -> None:
        if self._ends is not None and self._line is not None:
            self._line.hear(os.read(self._ends[0], 4096))


class _Terminal:
    """A serial wire: it can't be closed. What nobody reads waits for the next who does."""

    def __init__(self, end: int) -> None:
        self._end = end

    def write(self, data: bytes) -> None:
        try:
            os.write(self._end, data)
        except BlockingIOError:
            return

    def reset(self) -> None:
        return

    def is_closing(self) -> bool:
        return False
