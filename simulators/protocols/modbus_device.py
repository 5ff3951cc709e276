"""Answer Modbus requests as a device of a model does. Pure.

Law: a simulated device is as strict as a real one. It refuses requests to write, requests for
registers that it does not have, and requests for more registers than it returns at once. It refuses
with the exception codes of the Modbus application protocol.
"""

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Final

from jieneng.metering.catalog.modbus_points import ModbusModel
from simulators.protocols.address_ranges import copy_words, identity_words, overlap, served_ranges
from simulators.protocols.modbus_frames import (
    ILLEGAL_ADDRESS,
    ILLEGAL_FUNCTION,
    ILLEGAL_VALUE,
    ModbusCodec,
    ModbusRequest,
)
from simulators.protocols.modbus_registers import ModbusRegister, modbus_registers
from simulators.protocols.simulated_protocol import Register, ShownUnits, SimulatedProtocol


class ModbusDevice:
    """A device of a Modbus model, with given transformer ratios.

    Attributes:
        registers: registers of the device.
    """

    def __init__(self, model: ModbusModel, ct: Fraction, pt: Fraction, name: str) -> None:
        """Build the device; `name` is the text of identity registers that the model leaves open."""
        self.registers: tuple[ModbusRegister, ...] = modbus_registers(model, ct, pt)
        self._max_registers = model.model.max_registers
        self._ranges = served_ranges(model)
        self._identity = identity_words(model, name)

    def refusal_code(self, request: ModbusRequest) -> int | None:
        """See `Device`."""
        if not request.reads or not self._supports(request.function):
            return ILLEGAL_FUNCTION
        if not 1 <= request.count <= self._max_registers:
            return ILLEGAL_VALUE
        return None if self.has(request.function, request.addresses) else ILLEGAL_ADDRESS

    def _supports(self, function: int) -> bool:
        """Return True if the device supports a Modbus function; all support 3 and 4."""
        return function in (3, 4) or function in self._ranges

    def has(self, function: int, addresses: range) -> bool:
        """Return True if the device has all of these registers or coils."""
        return any(
            served.start <= addresses.start and addresses.stop <= served.stop
            for served in self._ranges.get(function, ())
        )

    def contents(self, request: ModbusRequest, shown: ShownUnits) -> list[int]:
        """Return the words or bits of a reply; 0 for registers that are not in the model."""
        asked = request.addresses
        words = [0] * len(asked)
        for address, text in self._identity.get(request.function, ()):
            copy_words(text, address, words, asked)
        for register in self.registers:
            if register.function == request.function and any(
                overlap(part.addresses, asked) for part in register.parts
            ):
                for address, found in register.words(shown(register)):
                    copy_words(found, address, words, asked)
        return words

    def decode(self, register: Register, request: ModbusRequest, contents: Sequence[int]) -> float:
        """See `Device`."""
        if not isinstance(register, ModbusRegister) or register.function != request.function:
            return math.nan
        return register.decode(contents, request.address)


#: Modbus, on links of every kind.
MODBUS: Final = SimulatedProtocol(new_codec=ModbusCodec, new_device=ModbusDevice)
