"""Faults of opening a connection. Pure."""

from typing import ClassVar, Final, Literal

from jieneng.metering.site import LinkKind
from simulators.faults.fault import CONNECTED, Fault, Layer


class OneConnection(Fault, frozen=True, kw_only=True):
    """The gateway takes one connection at a time.

    Attributes:
        newcomer: fate of a second connection: it is closed at once, it is ignored (opened, but
            never answered), or it takes over and the first connection is closed.
    """

    layer: ClassVar[Layer] = "connection"
    is_random: ClassVar[bool] = False
    links: ClassVar[tuple[LinkKind, ...]] = CONNECTED
    newcomer: Literal["closed", "ignored", "takes_over"] = "closed"


KINDS: Final[tuple[type[Fault], ...]] = (OneConnection,)
