"""Types of a protocol that simulated meters speak: registers, devices, requests, codecs. Pure.

A codec takes requests out of the bytes of a line and builds the frames of replies. A device decides
which requests it refuses, and returns the contents of its replies to the others. Neither computes
consumption: the caller tells the device what each register shows.

A register counts in units: one unit is one step of the number that the device holds. Each protocol
has its own types of request and contents. Codec and device pass them on to each other unchanged.
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

# A float that stands for whole units may be too small by this share of a unit, from rounding.
_TOLERANCE: Final = 1e-6


class Register(msgspec.Struct, frozen=True):
    """A point of a model in a device with given transformer ratios, and how its number is held.

    Law: a register holds whole units, rounded down, unless its format is a float.

    Attributes:
        point: the point in the model.
        layout: format of the number.
        step: value of one unit [canonical unit].
        rollover_units: number of units at which the register rolls over to 0; None if it never
            does.
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
        """Return the units that the register shows for values of its quantity [canonical unit]."""
        units = values * (self.step.denominator / self.step.numerator)
        if self.layout.kind != "f":
            units = np.floor(units + _TOLERANCE)
        if self.rollover_units is not None:
            units = np.mod(units, self.rollover_units)
        return units.astype(np.float32).astype(np.float64) if self.is_single_float else units

    def values(self, units: Floats) -> Floats:
        """Return the values that a reader computes from shown units [canonical unit]."""
        return np.asarray(units * self.step.numerator / self.step.denominator, dtype=np.float64)

    def value(self, units: float) -> float:
        """Return the value that a reader computes from shown units [canonical unit]."""
        return float(units * self.step.numerator / self.step.denominator)


#: A function that returns the units that a register shows at the time of a request.
ShownUnits: TypeAlias = Callable[[Register], float]


class BusRequest(Protocol):
    """A request to a device."""

    @property
    def device(self) -> BusAddress:
        """Address of the device that is asked."""

    @property
    def fields(self) -> Mapping[str, object]:
        """Fields of the request by name, as the records of exchanges show them."""


class Codec(Protocol):
    """Parser and builder of a protocol's frames on one kind of link."""

    @property
    def longest_frame_bytes(self) -> int:
        """Size of the longest frame; more bytes than this can't be an unfinished request."""

    @property
    def silence_ends_frame(self) -> bool:
        """True if silence on the line ends a frame; an unfinished frame is dropped then."""

    @property
    def missing_device_code(self) -> int | None:
        """Code with which a gateway refuses a request to a missing device; None if it is silent."""

    def take(self, buffer: bytearray) -> Any | None:
        """Remove the first complete request from the buffer and return it; None without one."""

    def reply(self, request: Any, contents: Any) -> bytes:
        """Return the frame that answers a request with the contents of a device."""

    def refusal(self, request: Any, code: int) -> bytes:
        """Return the frame that refuses a request with a code."""


class Device(Protocol):
    """A simulated device of a meter model."""

    @property
    def registers(self) -> tuple[Register, ...]:
        """The registers of the device, with at least the consumption counter of its medium."""

    def refusal_code(self, request: Any) -> int | None:
        """Return the code with which the device refuses a request; None if it answers."""

    def contents(self, request: Any, shown: ShownUnits) -> Any:
        """Return the contents of the reply to a request that the device does not refuse."""

    def decode(self, register: Register, request: Any, contents: Any) -> float:
        """Return the units of a register as a reader decodes them from the contents of a reply.

        The result is NaN if the contents do not hold the whole register, or if a digit of the
        register is not decimal.
        """


class SimulatedProtocol(msgspec.Struct, frozen=True, kw_only=True):
    """A protocol that simulated meters speak.

    Attributes:
        new_codec: function that returns the codec for a kind of link.
        new_device: function that returns the device of a meter, from the model, the ratios of
            current and voltage transformer, and the meter's id.
    """

    new_codec: Callable[[LinkKind], Codec]
    new_device: Callable[[Any, Fraction, Fraction, str], Device]
