"""A person's word that a meter is read rightly: what its display showed, and what was read. Pure.

Law: a record says ok only where display and register agree to a step of each, and to what can have
flowed between looking and reading. One that does not agree is a record, too.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, TypeAlias

import msgspec

from edge_agent.commissioning.display_search import Display

#: Of the transformers: behind them is what the agent keeps, before them what the register says.
Side: TypeAlias = Literal["primary", "secondary"]


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the file that a person keeps.

    Attributes:
        time: when the register was read, with its offset from UTC.
        by: who looked at the display.
        link: how the meter was reached.
        display: what was typed.
        side: of the transformers on which display and register were compared.
        ratio: what the agent multiplies `read` with.
        read: what the register said, on that side [canonical unit of the quantity].
        difference: read less display.
        behind: how much the register may lag behind the display ...
        ahead: ... and be ahead of it.
        ct: the current transformer's ratio that the agent multiplies with, and ...
        pt: ... the voltage transformer's; None in a record that was written before they were kept.
    """

    time: str
    by: str
    link: str
    meter: str
    unit: int
    model: str
    quantity: str
    display: str
    side: Side
    ratio: float
    read: float
    difference: float
    behind: float
    ahead: float
    verdict: Literal["ok", "not ok"]
    ct: float | None = None
    pt: float | None = None

    def line(self) -> bytes:
        """As JSON."""
        return msgspec.json.encode(self) + b"\n"


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """Whose display it is, who looked, and how the agent reads the meter."""

    by: str
    link: str
    meter: str
    unit: int
    model: str
    ct: float
    pt: float


def record(
    subject: Subject,
    display: Display,
    read: float,
    step: float,
    moment: datetime,
    *,
    side: Side = "primary",
    ratio: float = 1.0,
) -> Record:
    """The verdict on a display and a reading.

    Args:
        subject: whose.
        display: what was seen, and what can have flowed on its side.
        read: what was read.
        step: of the register, at what was read.
        moment: when it was read, with an offset.
        side: of the transformers, of all of that.
        ratio: what the agent multiplies it with.
    """
    behind = display.digit + step
    ahead = behind + display.flowed
    difference = read - float(display.shown)
    # Half a hundredth of a step is what floats make of decimals.
    near = -behind * 1.005 <= difference <= ahead + behind * 0.005
    return Record(
        **msgspec.structs.asdict(subject),
        time=moment.isoformat(timespec="milliseconds"),
        quantity=display.quantity,
        display=str(display.shown),
        side=side,
        ratio=ratio,
        read=read,
        difference=difference,
        behind=behind,
        ahead=ahead,
        verdict="ok" if near else "not ok",
    )


def better(records: Sequence[Record]) -> Record:
    """The one that says ok, else the nearest: a display tells nobody which side it shows."""
    return min(records, key=lambda one: (one.verdict != "ok", abs(one.difference)))
