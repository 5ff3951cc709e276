"""Serve a bus on a TCP port, as a gateway or a meter with a network interface does."""

import asyncio
import socket
import struct
from typing import Final, cast

from jieneng.metering.errors import Unavailable
from simulators.serving.bus_endpoint import BusEndpoint
from simulators.serving.line import Line
from simulators.serving.simulated_bus import ExchangeListener, SimulatedBus, ignore_exchange

#: SO_LINGER with a time of 0 s: closing makes the kernel send a reset (socket(7)).
_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)


class TcpPort:
    """A listening port, and the masters connected to it."""

    def __init__(self, bus: SimulatedBus, on_exchange: ExchangeListener = ignore_exchange) -> None:
        self._bus = bus
        self._on_exchange = on_exchange
        self._server: asyncio.Server | None = None
        self._open: dict[_Connection, bool] = {}  # in the order in which they were made

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> BusEndpoint:
        """Listen; port 0 takes a free one.

        Raises:
            Unavailable: the port can't be listened on.
        """
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(lambda: _Connection(self), host, port)
        except OSError as error:
            raise Unavailable(
                "the simulator can't listen on {host}:{port}", host=host, port=port
            ) from error
        return BusEndpoint(host, int(self._server.sockets[0].getsockname()[1]))

    async def stop(self) -> None:
        """Close the port and all connections."""
        if self._server is not None:
            self._server.close()
            for connection in tuple(self._open):
                connection.reset()
            await self._server.wait_closed()
            self._server = None

    def opened(self, connection: "_Connection") -> None:
        """Apply faults to a new connection: a power cut, or the limit of one connection."""
        bus, others = self._bus, [other for other in self._open if not other.line.is_dead]
        self._open[connection] = True
        if bus.has_no_power:
            connection.reset()
            return
        rule = bus.script and bus.script.one_connection(bus.name, bus.clock.now_ms())
        if rule and others:
            if rule.newcomer == "takes_over":
                for other in others:
                    other.reset()
            elif rule.newcomer == "closed":
                connection.reset()
            else:
                connection.line.close()

    def closed(self, connection: "_Connection") -> None:
        """Forget a connection that was closed."""
        self._open.pop(connection, None)

    def line(self, connection: "_Connection", peer: str) -> Line:
        """Return the line of a new connection."""
        return Line(self._bus, connection, peer, self._on_exchange)


class _Connection(asyncio.Protocol):
    """A master's connection; the `LineTransport` of its line."""

    line: Line

    def __init__(self, port: TcpPort) -> None:
        self._port = port
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin a line. Called by asyncio."""
        self._transport = cast("asyncio.Transport", transport)
        # A master that disconnected before this call has no peer name.
        host, port = (transport.get_extra_info("peername") or ("?", 0))[:2]
        self.line = self._port.line(self, f"{host}:{port}")
        self._port.opened(self)

    def data_received(self, data: bytes) -> None:
        """Hand bytes to the line. Called by asyncio."""
        self.line.receive(data)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the reason changes nothing
        """End the line. Called by asyncio."""
        self.line.close()
        self._port.closed(self)

    def write(self, data: bytes) -> None:
        """Send bytes."""
        self._transport.write(data)

    def is_closing(self) -> bool:
        """Return True if nothing can be sent any more."""
        return self._transport.is_closing()

    def reset(self) -> None:
        """Reset the connection, as a gateway that loses power; no FIN is sent."""
        if not self._transport.is_closing():
            connection = self._transport.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            self._transport.abort()
