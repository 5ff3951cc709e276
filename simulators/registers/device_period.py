"""Periods in which one device with the same transformers is installed as a meter. Pure."""

from fractions import Fraction

import msgspec

from jieneng.metering.catalog.meter_model import Model


class CounterAnchor(msgspec.Struct, frozen=True):
    """A known reading of a device at a known moment.

    All other readings are computed from it, by adding the consumption since then.

    Attributes:
        at_ms: moment of the reading, UTC; None for the beginning of the load.
        reading: the reading [canonical unit].
    """

    at_ms: int | None = None
    reading: float = 0.0


class DevicePeriod(msgspec.Struct, frozen=True):
    """A period with the same device and the same transformers.

    Attributes:
        begin_ms: beginning, UTC; the period lasts until the next one begins.
        model: model of the device.
        ct: ratio of the current transformer; 1 if there is none.
        pt: ratio of the voltage transformer; 1 if there is none.
        installed_ms: moment at which the device was installed, UTC.
        anchor: a known reading of the device.
    """

    begin_ms: int
    model: Model
    ct: Fraction = Fraction(1)
    pt: Fraction = Fraction(1)
    installed_ms: int = 0
    anchor: CounterAnchor = CounterAnchor()
