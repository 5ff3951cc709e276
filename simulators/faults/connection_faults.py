"""Faults that occur when a connection is opened. Pure."""

from typing import ClassVar, Final, Literal

from jieneng.metering.site import LinkKind
from simulators.faults.fault import CONNECTED, Fault, Layer


class OneConnection(Fault, frozen=True, kw_only=True):
    """The gateway takes one connection at a time.

    Attributes:
        newcomer: treatment of a second connection. Either it is closed at once; or it is ignored
            (opened, but never answered); or it is served and the first connection is closed.
    """

    layer: ClassVar[Layer] = "connection"
    is_random: ClassVar[bool] = False
    links: ClassVar[tuple[LinkKind, ...]] = CONNECTED
    newcomer: Literal["closed", "ignored", "takes_over"] = "closed"


KINDS: Final[tuple[type[Fault], ...]] = (OneConnection,)
