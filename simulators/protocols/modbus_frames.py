"""Parse and build Modbus frames with pymodbus. Pure: bytes in, bytes out.

Law: the agent uses neither this module nor pymodbus, because the simulator has to check the agent
independently.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

import msgspec
from pymodbus.constants import ExcCodes
from pymodbus.framer import FramerRTU, FramerSocket
from pymodbus.framer.base import FramerBase
from pymodbus.pdu import DecodePDU, ExceptionResponse, ModbusPDU
from pymodbus.pdu.bit_message import (
    ReadCoilsRequest,
    ReadCoilsResponse,
    ReadDiscreteInputsResponse,
)
from pymodbus.pdu.register_message import (
    ReadHoldingRegistersRequest,
    ReadHoldingRegistersResponse,
    ReadInputRegistersResponse,
)

from jieneng.metering.site import LinkKind

_FRAMERS: Final[Mapping[LinkKind, type[FramerBase]]] = {
    "tcp": FramerSocket,
    "rtu_tcp": FramerRTU,
    "rtu": FramerRTU,
}
_BITS: Final[Mapping[int, type[ReadCoilsResponse]]] = {
    1: ReadCoilsResponse,
    2: ReadDiscreteInputsResponse,
}
_REGISTERS: Final[Mapping[int, type[ReadHoldingRegistersResponse]]] = {
    3: ReadHoldingRegistersResponse,
    4: ReadInputRegistersResponse,
}

ILLEGAL_FUNCTION: Final = int(ExcCodes.ILLEGAL_FUNCTION)
ILLEGAL_ADDRESS: Final = int(ExcCodes.ILLEGAL_ADDRESS)
ILLEGAL_VALUE: Final = int(ExcCodes.ILLEGAL_VALUE)
GATEWAY_NO_RESPONSE: Final = int(ExcCodes.GATEWAY_NO_RESPONSE)


class ModbusRequest(msgspec.Struct, frozen=True):
    """A Modbus request to a unit; see `BusRequest`.

    Attributes:
        transaction: transaction number; 0 where the framing has none.
        unit: address of the unit.
        function: Modbus function.
        address: address of the first register, coil or discrete input.
        count: number of registers or bits; 0 also if the request asks for more than Modbus allows.
    """

    transaction: int
    unit: int
    function: int
    address: int = 0
    count: int = 0

    @property
    def device(self) -> int:
        """See `BusRequest`."""
        return self.unit

    @property
    def fields(self) -> Mapping[str, object]:
        """See `BusRequest`."""
        names = ("unit", "function", "address", "count")
        return MappingProxyType({name: getattr(self, name) for name in names})

    @property
    def addresses(self) -> range:
        """The addresses that are asked for."""
        return range(self.address, self.address + self.count)

    @property
    def reads(self) -> bool:
        """Return True if the function reads registers, coils or discrete inputs."""
        return self.function in _BITS or self.function in _REGISTERS


class ModbusCodec:
    """Parser and builder of Modbus frames on one kind of link; see `Codec`.

    Attributes:
        longest_frame_bytes: size of the longest frame.
        silence_ends_frame: True for RTU; a Modbus TCP frame names its own length.
        missing_device_code: code of a Modbus TCP gateway ("gateway target failed to respond"); on a
            serial line nobody answers in place of a missing unit.
    """

    longest_frame_bytes: Final = 264

    def __init__(self, link: LinkKind) -> None:
        self.silence_ends_frame: Final = link != "tcp"
        self.missing_device_code: Final = GATEWAY_NO_RESPONSE if link == "tcp" else None
        self._decoder = DecodePDU(True)
        self._framer = _FRAMERS[link](self._decoder)

    def take(self, buffer: bytearray) -> ModbusRequest | None:
        """Remove the first complete request from the buffer and return it; None if incomplete."""
        while True:
            used, unit, transaction, data = self._framer.decode(bytes(buffer))
            del buffer[:used]
            if data:
                return self._request(unit, transaction, data)
            if not used:
                return None

    def _request(self, unit: int, transaction: int, data: bytes) -> ModbusRequest:
        pdu = self._decoder.decode(data)
        if isinstance(pdu, ReadHoldingRegistersRequest | ReadCoilsRequest):
            return ModbusRequest(transaction, unit, data[0], pdu.address, pdu.count)
        return ModbusRequest(transaction, unit, data[0])

    def reply(self, request: ModbusRequest, contents: Sequence[int]) -> bytes:
        """Return the frame that answers a read request with these words or bits."""
        if request.function in _BITS:
            bits = [bool(one) for one in contents]
            return self._frame(request, _BITS[request.function](bits=bits))
        return self._frame(request, _REGISTERS[request.function](registers=list(contents)))

    def refusal(self, request: ModbusRequest, code: int) -> bytes:
        """Return the frame that refuses a request with an exception code."""
        return self._frame(request, ExceptionResponse(request.function, code))

    def _frame(self, request: ModbusRequest, pdu: ModbusPDU) -> bytes:
        pdu.dev_id, pdu.transaction_id = request.unit, request.transaction
        return self._framer.buildFrame(pdu)
