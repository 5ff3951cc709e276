"""Faults of the flow: these change the true consumption, not only its readings. Pure."""

from typing import ClassVar, Final

from simulators.faults.fault import Fault, Layer, Positive


class FlowFault(Fault, frozen=True, kw_only=True):
    """A fault of the building."""

    layer: ClassVar[Layer] = "flow"
    is_random: ClassVar[bool] = False


class PowerCut(FlowFault, frozen=True, kw_only=True):
    """The power of a building is cut: no electricity flows, meters and gateways do not answer.

    Water, gas and heat flow on, but their meters do not answer during the cut. A gateway has no
    power while none of its meters has. A connection to it that was used during the cut is reset at
    the first request after it.
    """


class Leak(FlowFault, frozen=True, kw_only=True):
    """Additional flow behind a meter: a burst pipe, or a heater left on.

    Attributes:
        rate: additional flow, in the unit of the meter's medium [m3/h, kW or GJ/h].
    """

    rate: Positive


KINDS: Final[tuple[type[FlowFault], ...]] = (PowerCut, Leak)
