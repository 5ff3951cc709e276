"""What every fault is: a kind, a target, a time and a chance. Pure.

Law: a fault is data. Two runs with the same seed, the same script and the same questions in the
same order misbehave alike, so whatever a fault brought to light can be brought to light again.
"""

import re
from datetime import datetime
from typing import Annotated, ClassVar, Final, Literal

import msgspec
import numpy as np
from msgspec import Meta

from jieneng.metering.site import Id
from simulators.load.seeded_noise import Ints

Framing = Literal["tcp", "rtu_tcp", "rtu"]
Layer = Literal["reply", "connection", "register", "flow"]

Positive = Annotated[float, Meta(gt=0)]
NotNegative = Annotated[float, Meta(ge=0)]
Share = Annotated[float, Meta(gt=0, le=1)]

#: The framings of links on which there are connections to be made and lost.
CONNECTED: Final[tuple[Framing, ...]] = ("tcp", "rtu_tcp")
EVERY_FRAMING: Final[tuple[Framing, ...]] = (*CONNECTED, "rtu")

#: The end of what does not end, UTC ms.
NEVER_MS: Final = 2**62


class Span(msgspec.Struct, frozen=True):
    """From `begin_ms` to before `end_ms`, UTC."""

    begin_ms: int
    end_ms: int

    def clip(self, t_ms: Ints) -> Ints:
        """The times, moved to its edges where they lie outside."""
        return np.clip(t_ms, self.begin_ms, self.end_ms)

    def holds(self, t_ms: Ints) -> "np.ndarray[tuple[int, ...], np.dtype[np.bool_]]":
        """Which of the times lie in it."""
        return (t_ms >= self.begin_ms) & (t_ms < self.end_ms)


def kind_of(name: str) -> str:
    """`LateAnswer` -> `late_answer`: the class is the kind."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


class Fault(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag=kind_of):
    """A `[[fault]]`. What its kind needs besides stands in the kind's own class.

    Attributes:
        id: by which it is switched off and named in the truth; made up where omitted.
        meter: the meter that it touches. At most one of meter, bus and area is given; where none
            is, it touches everything.
        bus: all meters of this bus.
        area: all meters of this area and of what lies in it.
        start: when it begins; with the simulation where neither this nor `after_s` is given.
        after_s: when it begins, counted from the start of the simulation [s].
        duration_s: how long it lasts; to the end of the simulation where omitted [s].
        probability: of each answer to be touched.
    """

    id: Id | None = None
    meter: Id | None = None
    bus: Id | None = None
    area: Id | None = None
    start: datetime | None = None
    after_s: NotNegative | None = None
    duration_s: Positive | None = None
    probability: Share = 1.0

    #: What it touches.
    layer: ClassVar[Layer]
    #: Whether each answer is drawn for; a state is there or it is not.
    drawn: ClassVar[bool] = True
    #: Whether it can end: a meter that was replaced stays so.
    ends: ClassVar[bool] = True
    #: Whether it may be switched on while the simulation runs.
    switchable: ClassVar[bool] = True
    #: The framings that know of what it touches.
    framings: ClassVar[tuple[Framing, ...]] = EVERY_FRAMING

    @classmethod
    def kind(cls) -> str:
        """Its name in a script."""
        return str(cls.__struct_config__.tag)

    def span(self, begin_ms: int) -> Span:
        """When it is, in a simulation that begins then."""
        at_ms = begin_ms + round(1000 * (self.after_s or 0.0))
        if self.start is not None:
            at_ms = round(self.start.timestamp() * 1000)
        if self.duration_s is None:
            return Span(at_ms, NEVER_MS)
        return Span(at_ms, at_ms + round(1000 * self.duration_s))

    @classmethod
    def own_keys(cls) -> dict[str, object]:
        """The keys that only this kind has, each with its default; `msgspec.NODEFAULT`: needed."""
        shared = {field.name for field in msgspec.structs.fields(Fault)}
        return {
            field.encode_name: field.default
            for field in msgspec.structs.fields(cls)
            if field.name not in shared
        }
