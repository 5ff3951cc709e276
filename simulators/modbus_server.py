"""A bus of simulated meters as a Modbus server: pymodbus speaks, the meters answer.

Values are computed at the moment of the request, by the clock passed in; nothing runs in between.
A meter is strict, as real ones are: a request for registers that it lacks, for more of them than it
gives at once, or to write, is refused with the exception code of the Modbus application protocol.
A unit that is not on the bus is answered with "gateway target failed to respond", which is what a
gateway says; pymodbus can't be silent for one unit.
"""

from collections.abc import Callable, Mapping
from typing import Final, Literal

from pymodbus import FramerType
from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from jieneng.clock import Clock
from jieneng.metering.errors import Unavailable
from simulators.meter import Meter

Counted = Callable[[int, bool], None]
Framing = Literal["tcp", "rtu_tcp"]
_FRAMERS: Final[Mapping[Framing, FramerType]] = {
    "tcp": FramerType.SOCKET,
    "rtu_tcp": FramerType.RTU,
}
_READ_REGISTERS: Final = (3, 4)
_ANY_UNIT: Final = 0  # pymodbus: whoever is not listed


def nobody_counts(*_: object) -> None:
    """Requests need not be counted."""


class ModbusServer:
    """One bus, listening."""

    def __init__(
        self,
        meters: Mapping[int, Meter],
        clock: Clock,
        framing: Framing = "tcp",
        count: Counted = nobody_counts,
    ) -> None:
        """A bus that does not listen yet.

        Args:
            meters: by unit.
            clock: tells the moment of a request.
            framing: Modbus TCP, or RTU frames over TCP as a serial gateway speaks them.
            count: called for each request with its unit, and whether it was answered.
        """
        self._devices = [_device(unit, meter, clock, count) for unit, meter in meters.items()]
        if _ANY_UNIT not in meters:
            self._devices.append(_nobody(count))
        self._framer = _FRAMERS[framing]
        self._server: ModbusTcpServer | None = None

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> int:
        """Listen; returns the port, which is a free one for port 0.

        Raises:
            Unavailable: the port can't be listened on.
        """
        server = ModbusTcpServer(self._devices, framer=self._framer, address=(host, port))
        try:
            await server.serve_forever(background=True)
        except RuntimeError as error:
            raise Unavailable(
                "the simulator can't listen on {host}:{port}", host=host, port=port
            ) from error
        self._server = server
        return int(server.transport.sockets[0].getsockname()[1])  # type: ignore[attr-defined]  # a listener's is an asyncio.Server

    async def stop(self) -> None:
        """Close the port and all connections."""
        if self._server is not None:
            await self._server.shutdown()  # type: ignore[no-untyped-call]  # pymodbus types it not
            self._server = None


def _device(unit: int, meter: Meter, clock: Clock, count: Counted) -> SimDevice:
    there = meter.addresses

    async def answer(
        function: int,
        start: int,
        address: int,
        amount: int,
        held: list[int],
        written: list[int] | list[bool] | None,
    ) -> ExcCodes | None:
        now_ms = clock.now_ms()
        refused = _refusal(meter, function, address, amount, written is not None, now_ms)
        if refused is None:
            words = meter.words(function, address, amount, now_ms)
            held[address - start : address - start + amount] = words
        count(unit, refused is None)
        return refused

    registers = SimData(there.start, count=len(there), datatype=DataType.REGISTERS)
    return SimDevice(unit, registers, action=answer)


def _refusal(
    meter: Meter, function: int, address: int, amount: int, write: bool, now_ms: int
) -> ExcCodes | None:
    if write or function not in _READ_REGISTERS:
        return ExcCodes.ILLEGAL_FUNCTION
    if amount > meter.most(now_ms):
        return ExcCodes.ILLEGAL_VALUE
    if not meter.has(function, address, amount, now_ms):
        return ExcCodes.ILLEGAL_ADDRESS
    return None


def _nobody(count: Counted) -> SimDevice:
    async def answer(*_: object) -> ExcCodes | None:
        count(_ANY_UNIT, False)
        return ExcCodes.GATEWAY_NO_RESPONSE

    every = SimData(0, count=65536, datatype=DataType.REGISTERS)
    return SimDevice(_ANY_UNIT, every, action=answer)
