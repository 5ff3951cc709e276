"""Faults of the flow: they change the true consumption itself, not only its readings. Pure."""

from typing import ClassVar, Final

from simulators.faults.fault import Fault, Layer, Positive


class FlowFault(Fault, frozen=True, kw_only=True):
    """A fault that changes the true consumption of the building."""

    layer: ClassVar[Layer] = "flow"
    is_random: ClassVar[bool] = False


class PowerCut(FlowFault, frozen=True, kw_only=True):
    """The power of a building is cut: no electricity flows, meters and gateways do not answer.

    Water, gas and heat continue to flow, but their meters do not answer during the cut. A gateway
    is without power as long as all its meters are. If a connection to a gateway was used during the
    cut, it is reset at the first request after the cut.
    """


class Leak(FlowFault, frozen=True, kw_only=True):
    """Additional flow behind a meter: a burst pipe, or a heater left on.

    Attributes:
        rate: additional flow, in the unit of the meter's medium [m3/h, kW or GJ/h].
    """

    rate: Positive


KINDS: Final[tuple[type[FlowFault], ...]] = (PowerCut, Leak)
