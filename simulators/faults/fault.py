"""The base class of all faults: kind, target, time and probability. Pure.

Law: a fault is data. Two runs with the same seed, script and order of requests show the same
faults, so every observation can be reproduced.
"""

import re
from datetime import datetime
from typing import Annotated, ClassVar, Final, Literal

import msgspec
import numpy as np
from msgspec import Meta

from jieneng.metering.site import Id, LinkKind
from simulators.load.seeded_noise import Ints

Layer = Literal["reply", "connection", "register", "flow"]

Positive = Annotated[float, Meta(gt=0)]
NotNegative = Annotated[float, Meta(ge=0)]
Share = Annotated[float, Meta(gt=0, le=1)]

#: Links that use network connections.
CONNECTED: Final[tuple[LinkKind, ...]] = ("tcp", "rtu_tcp")
EVERY_LINK: Final[tuple[LinkKind, ...]] = (*CONNECTED, "rtu")

#: `Fault.protocols` of a fault that is possible only in Modbus.
MODBUS_ONLY: Final = ("modbus",)

#: The end of a fault that does not end, UTC ms.
NEVER_MS: Final = 2**62


class Span(msgspec.Struct, frozen=True):
    """A period from `begin_ms` to before `end_ms`, UTC."""

    begin_ms: int
    end_ms: int

    def clip(self, t_ms: Ints) -> Ints:
        """Return the times; any time outside the period is replaced by its nearer edge."""
        return np.clip(t_ms, self.begin_ms, self.end_ms)

    def contains(self, t_ms: Ints) -> "np.ndarray[tuple[int, ...], np.dtype[np.bool_]]":
        """Return True for each time that lies in the period."""
        return (t_ms >= self.begin_ms) & (t_ms < self.end_ms)


def kind_of(name: str) -> str:
    """Return the `kind` in a script for the name of a class: `LateAnswer` -> `late_answer`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


class Fault(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag=kind_of):
    """A `[[fault]]` table of a script, with the keys that all kinds share.

    A subclass for each kind adds the keys that only this kind has.

    Attributes:
        id: id that names the fault when it is switched off, and in the truth folder; generated if
            omitted.
        meter: the meter that the fault affects. At most one of meter, bus and area is given. If
            none is given, the fault affects the whole site.
        bus: all meters of this bus.
        area: all meters of this area and of the areas inside it.
        start: moment at which the fault begins. If both `start` and `after_s` are omitted, the
            fault begins with the simulation.
        after_s: time from the start of the simulation to the beginning of the fault [s].
        duration_s: duration of the fault [s]. If omitted, the fault lasts until the simulation
            ends.
        probability: probability with which an answer is affected.
    """

    id: Id | None = None
    meter: Id | None = None
    bus: Id | None = None
    area: Id | None = None
    start: datetime | None = None
    after_s: NotNegative | None = None
    duration_s: Positive | None = None
    probability: Share = 1.0

    #: The layer that the fault affects.
    layer: ClassVar[Layer]
    #: True if the fault affects each answer with its probability. False for a state, which affects
    #: every answer as long as it lasts.
    is_random: ClassVar[bool] = True
    #: True if the fault can end. A replacement can't end: the meter stays replaced.
    can_end: ClassVar[bool] = True
    #: True if the fault may be switched on while the simulation runs.
    can_start_later: ClassVar[bool] = True
    #: The links on which the fault is possible.
    links: ClassVar[tuple[LinkKind, ...]] = EVERY_LINK
    #: The protocols in which the fault is possible; empty: all.
    protocols: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def is_possible(cls, link: LinkKind, protocol: str) -> bool:
        """Return True if the fault is possible in a protocol on a kind of link."""
        return link in cls.links and (not cls.protocols or protocol in cls.protocols)

    @classmethod
    def kind(cls) -> str:
        """Return the name of this kind in a script."""
        return str(cls.__struct_config__.tag)

    def span(self, begin_ms: int) -> Span:
        """Return the period of the fault, in a simulation that begins at `begin_ms`."""
        at_ms = begin_ms + round(1000 * (self.after_s or 0.0))
        if self.start is not None:
            at_ms = round(self.start.timestamp() * 1000)
        if self.duration_s is None:
            return Span(at_ms, NEVER_MS)
        return Span(at_ms, at_ms + round(1000 * self.duration_s))

    @classmethod
    def own_keys(cls) -> dict[str, object]:
        """Return the keys that only this kind has, each with its default.

        The default of a required key is `msgspec.NODEFAULT`.
        """
        shared = {field.name for field in msgspec.structs.fields(Fault)}
        return {
            field.encode_name: field.default
            for field in msgspec.structs.fields(cls)
            if field.name not in shared
        }
