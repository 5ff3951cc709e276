"""Faults of the flow: these change the true consumption, not only its readings. Pure."""

from typing import ClassVar, Final

from simulators.faults.fault import Fault, Layer, Positive


class FlowFault(Fault, frozen=True, kw_only=True):
    """A fault of the building."""

    layer: ClassVar[Layer] = "flow"
    is_random: ClassVar[bool] = False


class PowerCut(FlowFault, frozen=True, kw_only=True):
    """The power of a building is cut: no electricity flows, its meters and gateways are dark.

    Water, gas and heat flow on; their meters can't say so meanwhile. A gateway is dark while all of
    its meters are; a connection to it that was used meanwhile is reset by the first question after.
    """


class Leak(FlowFault, frozen=True, kw_only=True):
    """Additional flow behind a meter: a burst pipe, or a heater left on.

    Attributes:
        rate: additional flow, in the unit of the meter's medium [m3/h, kW or GJ/h].
    """

    rate: Positive


KINDS: Final[tuple[type[FlowFault], ...]] = (PowerCut, Leak)
