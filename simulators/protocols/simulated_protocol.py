"""Types of a protocol that simulated meters speak: registers, devices, requests, frames. Pure.

A codec takes requests out of the bytes of a line and builds the frames of replies. A device of a
model knows which requests it refuses, and what it answers to the others. Neither knows any load:
the units that a register shows are handed to the device.

Requests and contents have the form that their protocol chooses, and pass unchanged from the codec
to the device and back.
"""

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any, Final, Protocol, TypeAlias

import msgspec
import numpy as np

from jieneng.metering.catalog.meter_model import Point
from jieneng.metering.site import LinkKind
from simulators.load.seeded_noise import Floats
from simulators.protocols.register_words import Layout

#: Address of a device on its bus: a Modbus unit, or the digits and letters on its display.
BusAddress: TypeAlias = int | str

# Share of a step: a float that stands for whole steps may be smaller by this much.
_TOLERANCE: Final = 1e-6


class Register(msgspec.Struct, frozen=True):
    """A number that a device shows: a point of its model, with given transformer ratios.

    Law: a register holds whole units, rounded down, unless its format is a float.

    Attributes:
        point: the point in the model.
        layout: format of the number.
        step: value of one unit, the smallest that the register shows [canonical unit].
        rollover_units: number of units at which the register rolls over to 0; None: never.
    """

    point: Point
    layout: Layout
    step: Fraction
    rollover_units: int | None

    @property
    def quantity(self) -> str:
        """The quantity that the register shows."""
        return self.point.quantity

    @property
    def is_single_float(self) -> bool:
        """Return True if the register holds a float of single precision."""
        return self.layout.kind == "f" and self.layout.bits == 32

    def units(self, values: Floats) -> Floats:
        """Return the units of the register that show a counter's values [canonical unit]."""
        units = values * (self.step.denominator / self.step.numerator)
        if self.layout.kind != "f":
            units = np.floor(units + _TOLERANCE)
        if self.rollover_units is not None:
            units = np.mod(units, self.rollover_units)
        return units.astype(np.float32).astype(np.float64) if self.is_single_float else units

    def values(self, units: Floats) -> Floats:
        """Return the values that a reader computes from units [canonical unit]."""
        return np.asarray(units * self.step.numerator / self.step.denominator, dtype=np.float64)

    def value(self, units: float) -> float:
        """Return the value that a reader computes from units [canonical unit]."""
        return float(units * self.step.numerator / self.step.denominator)


#: A function that returns the units that a register shows at the moment of a request.
ShownUnits: TypeAlias = Callable[[Register], float]


class BusRequest(Protocol):
    """A request to a device."""

    @property
    def device(self) -> BusAddress:
        """Address of the device that is asked."""

    @property
    def fields(self) -> Mapping[str, object]:
        """Content of the request, as records of exchanges show it."""


class Codec(Protocol):
    """Parser and builder of a protocol's frames on one kind of link."""

    @property
    def longest_frame(self) -> int:
        """Size of the longest request [bytes]; more unfinished bytes are none of this protocol."""

    @property
    def silence_ends_frame(self) -> bool:
        """True if silence on the line ends a frame, so that what is unfinished by then is lost."""

    @property
    def missing_device_code(self) -> int | None:
        """Code with which a gateway refuses a request to a missing device; None: silence."""

    def take(self, buffer: bytearray) -> Any | None:
        """Remove the first complete request from the buffer and return it; None if incomplete."""

    def reply(self, request: Any, contents: Any) -> bytes:
        """Return the frame that answers a request with the contents of a device."""

    def refusal(self, request: Any, code: int) -> bytes:
        """Return the frame that refuses a request."""


class Device(Protocol):
    """A device of a model."""

    @property
    def registers(self) -> tuple[Register, ...]:
        """The registers of the device, with at least the consumption counter of its medium."""

    def refusal_code(self, request: Any) -> int | None:
        """Return the code with which the device refuses a request; None if it answers."""

    def contents(self, request: Any, shown: ShownUnits) -> Any:
        """Return what the device answers to a request that it does not refuse."""

    def decode(self, register: Register, request: Any, contents: Any) -> float:
        """Return the units of a register as a reader of the reply decodes them.

        NaN if the contents do not hold the whole register, or if its digits are not decimal.
        """


class SimulatedProtocol(msgspec.Struct, frozen=True, kw_only=True):
    """A protocol that simulated meters speak.

    Attributes:
        codec: kind of link -> codec of a bus.
        device: model, ratios of current and voltage transformer, the meter's id -> device.
    """

    codec: Callable[[LinkKind], Codec]
    device: Callable[[Any, Fraction, Fraction, str], Device]
