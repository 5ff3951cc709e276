"""Parse and build Modbus frames with pymodbus. Pure: bytes in, bytes out.

Law: pymodbus alone parses and builds the frames. The project's own code does not, and the agent
shares none of this: the simulator has to check the agent independently.
"""

from collections.abc import Mapping, Sequence
from typing import Final, Literal

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

#: The ways in which frames travel on the links of `site.toml`.
Framing = Literal["tcp", "rtu_tcp", "rtu"]

_FRAMERS: Final[Mapping[Framing, type[FramerBase]]] = {
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


class Request(msgspec.Struct, frozen=True):
    """A Modbus request to a unit.

    Attributes:
        transaction: transaction number; 0 where the framing has none.
        unit: address of the unit.
        function: Modbus function.
        address: address of the first register, coil or discrete input.
        count: number of those; 0 if the request asks for none, or for more than Modbus can carry.
    """

    transaction: int
    unit: int
    function: int
    address: int = 0
    count: int = 0

    @property
    def reads(self) -> bool:
        """Return True if the function reads registers, coils or discrete inputs."""
        return self.function in _BITS or self.function in _REGISTERS


class Codec:
    """Parser and builder of the frames of a framing."""

    def __init__(self, framing: Framing) -> None:
        self.framing: Final = framing
        self._decoder = DecodePDU(True)
        self._framer = _FRAMERS[framing](self._decoder)

    def take(self, buffer: bytearray) -> Request | None:
        """Remove the first complete request from the buffer and return it; None if incomplete."""
        while True:
            used, unit, transaction, data = self._framer.decode(bytes(buffer))
            del buffer[:used]
            if data:
                return self._request(unit, transaction, data)
            if not used:
                return None

    def _request(self, unit: int, transaction: int, data: bytes) -> Request:
        pdu = self._decoder.decode(data)
        if isinstance(pdu, ReadHoldingRegistersRequest | ReadCoilsRequest):
            return Request(transaction, unit, data[0], pdu.address, pdu.count)
        return Request(transaction, unit, data[0])

    def reply(self, request: Request, held: Sequence[int]) -> bytes:
        """Return the frame that answers a read request with these words or bits."""
        if request.function in _BITS:
            bits = [bool(one) for one in held]
            return self._frame(request, _BITS[request.function](bits=bits))
        return self._frame(request, _REGISTERS[request.function](registers=list(held)))

    def refusal(self, request: Request, code: int) -> bytes:
        """Return the frame that refuses a request with an exception code."""
        return self._frame(request, ExceptionResponse(request.function, code))

    def _frame(self, request: Request, pdu: ModbusPDU) -> bytes:
        pdu.dev_id, pdu.transaction_id = request.unit, request.transaction
        return self._framer.buildFrame(pdu)
