"""Define the working hours of a site, which are the table `[hours]` of `alerts.toml`.

Pure: no clock, no file.
"""

from datetime import date
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

#: Hours in which a rule is evaluated: at all times, in the working hours of working days, outside
#: of them, or at night (`[hours] night`).
When = Literal["always", "working", "idle", "night"]

_SpanTime = Annotated[str, Meta(pattern=r"^(([01]\d|2[0-3]):[0-5]\d|24:00)\Z")]
#: Start and end of a daily time span; it lasts past midnight if the end is before the start.
ClockSpan = Annotated[
    tuple[_SpanTime, _SpanTime],
    Meta(
        description="Write two times of day in quotes, from and to, for example: {example}",
        examples=[("08:00", "18:30")],
    ),
]
#: Start and end of a daily time span, or an empty tuple for no time span.
OptionalSpan = Annotated[
    tuple[_SpanTime, ...],
    Meta(
        description="Write two times of day in quotes, from and to, or [] for none, for example: "
        "{example}",
        examples=[("22:00", "07:00")],
    ),
]


class Hours(msgspec.Struct, frozen=True, kw_only=True):
    """The table `[hours]`: the working calendar, in the site's time zone.

    Attributes:
        working: working hours of working days.
        night: hours of the night, for the signals of nights and the rules `when = "night"`.
        quiet: hours in which notices below `critical` wait; empty for no such hours.
        holiday: days off beside weekends and public holidays.
        workday: working days on weekends and public holidays.
    """

    working: ClockSpan = ("08:00", "18:30")
    night: ClockSpan = ("01:00", "05:00")
    quiet: OptionalSpan = ("22:00", "07:00")
    holiday: tuple[date, ...] = ()
    workday: tuple[date, ...] = ()
