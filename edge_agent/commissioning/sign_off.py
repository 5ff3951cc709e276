"""Build the sign-off record that compares a meter's display with its register. Pure.

Law: the verdict is "ok" only if display and register agree. The allowed difference is one step of
the display, one step of the register, and the amount that can have flowed between reading the
display and reading the register. A failed comparison is recorded, too.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, TypeAlias

import msgspec

from edge_agent.commissioning.display_search import DisplayReading

#: Side of the transformers. The agent stores primary values; the register holds secondary values.
TransformerSide: TypeAlias = Literal["primary", "secondary"]


class SignOffRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Line of the sign-off file.

    Attributes:
        time: time at which the register was read, with its offset from UTC.
        by: name of the person who looked at the display.
        link: address at which the meter was reached.
        display: displayed number as typed.
        side: side of the transformers on which display and register were compared.
        ratio: factor by which the agent multiplies `read`.
        read: value of the register on that side [canonical unit of the quantity].
        difference: `read` minus `display`.
        behind: largest amount by which the register may be below the display.
        ahead: largest amount by which the register may be above the display.
        ct: current transformer ratio that the agent applies; None in records of old versions.
        pt: voltage transformer ratio that the agent applies; None in records of old versions.
    """

    time: str
    by: str
    link: str
    meter: str
    unit: int
    model: str
    quantity: str
    display: str
    side: TransformerSide
    ratio: float
    read: float
    difference: float
    behind: float
    ahead: float
    verdict: Literal["ok", "not ok"]
    ct: float | None = None
    pt: float | None = None

    def line(self) -> bytes:
        """Return the record as one line of JSON."""
        return msgspec.json.encode(self) + b"\n"


class SignOffContext(msgspec.Struct, frozen=True, kw_only=True):
    """The person who signs, and the settings by which the agent reads the meter."""

    by: str
    link: str
    meter: str
    unit: int
    model: str
    ct: float
    pt: float


def compare(
    context: SignOffContext,
    display: DisplayReading,
    read: float,
    step: float,
    read_at: datetime,
    *,
    side: TransformerSide = "primary",
    ratio: float = 1.0,
) -> SignOffRecord:
    """Return the record of a display and a register value, with its verdict.

    Args:
        context: person, meter and settings.
        display: displayed number, and the amount that can have flowed since [on the given side].
        read: value of the register [on the given side].
        step: smallest step of the register at that value [on the given side].
        read_at: time at which the register was read, with an offset.
        side: side of the transformers to which all these numbers refer.
        ratio: factor by which the agent multiplies `read`.
    """
    behind = display.last_digit + step
    ahead = behind + display.possible_increase
    difference = read - float(display.shown)
    # Rounding errors of binary floats are smaller than half a hundredth of a step.
    agrees = -behind * 1.005 <= difference <= ahead + behind * 0.005
    return SignOffRecord(
        **msgspec.structs.asdict(context),
        time=read_at.isoformat(timespec="milliseconds"),
        quantity=display.quantity,
        display=str(display.shown),
        side=side,
        ratio=ratio,
        read=read,
        difference=difference,
        behind=behind,
        ahead=ahead,
        verdict="ok" if agrees else "not ok",
    )


def closest(records: Sequence[SignOffRecord]) -> SignOffRecord:
    """Return the record with the verdict "ok", or else the one with the smallest difference.

    Each side of the transformers has a record, because a display does not tell which side it shows.
    """
    return min(records, key=lambda record: (record.verdict != "ok", abs(record.difference)))
