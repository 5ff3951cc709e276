"""Registers of a simulated Modbus meter, without frames or a port."""

from simulators.protocols.modbus_device import ModbusDevice
from simulators.protocols.modbus_frames import ModbusRequest
from simulators.registers.simulated_meter import SimulatedMeter


def words_of(
    meter: SimulatedMeter, function: int, address: int, count: int, time_ms: int
) -> list[int]:
    """Return the words that a meter answers to a read at a moment."""
    request = ModbusRequest(0, 1, function, address, count)
    return modbus_device(meter, time_ms).contents(request, meter.shown_units(time_ms))


def has_registers(
    meter: SimulatedMeter, function: int, address: int, count: int, time_ms: int
) -> bool:
    """Return True if the device of a moment has all of these registers."""
    return modbus_device(meter, time_ms).has(function, range(address, address + count))


def modbus_device(meter: SimulatedMeter, time_ms: int) -> ModbusDevice:
    device = meter.device(time_ms)
    assert isinstance(device, ModbusDevice)
    return device
