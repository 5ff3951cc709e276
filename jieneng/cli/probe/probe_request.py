"""Parse the options of `jieneng edge probe`."""

from decimal import Decimal, InvalidOperation
from pathlib import Path

import click
import msgspec

from jieneng.cli.options import tr


class ProbeRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The options of the command, as typed.

    Attributes:
        displays: (quantity, number) of each display; the quantity is None if it is not typed.
        searched: addresses to search; None if the command chooses them.
        ago_s: time since the display was read [s].
        why: True to print reasons for models that do not fit.
    """

    site_dir: Path
    tcp: str | None
    rtu_tcp: str | None
    serial: str | None
    baud: int
    parity: str
    stop_bits: int
    timeout_s: float
    delay_s: float
    units: tuple[int, ...]
    why: bool
    unit: int | None
    displays: tuple[tuple[str | None, Decimal], ...]
    quantity: str | None
    model: str | None
    searched: range | None
    again: bool
    ct: float | None
    pt: float | None
    rated_max: float | None
    ago_s: float
    meter: str | None
    sign_off: Path | None
    by: str | None


def parse_units(_context: click.Context, _option: click.Parameter, text: str) -> tuple[int, ...]:
    """Return the units of a list like `1-32,40`, without repetitions."""
    units = dict[int, None]()
    for part in text.split(","):
        try:
            first, *rest = map(int, part.split("-", 1))
            units.update(dict.fromkeys(range(first, (rest or [first])[0] + 1)))
        except ValueError:
            units.clear()
            break
    if not units or not all(0 <= unit <= 255 for unit in units):
        raise click.BadParameter(tr("write units from 0 to 255, like 1-32 or 1,3,17-20"))
    return tuple(units)


def parse_displays(
    _context: click.Context, _option: click.Parameter, texts: tuple[str, ...]
) -> tuple[tuple[str | None, Decimal], ...]:
    """Return (quantity, number) for texts like `8123.45` or `voltage_a_v=231.7`."""
    parts = (text.rpartition("=") for text in texts)
    return tuple((quantity or None, parse_number(shown)) for quantity, _, shown in parts)


def parse_number(text: str) -> Decimal:
    """Return a displayed number with all its digits."""
    try:
        shown = Decimal(text)
    except InvalidOperation:
        shown = Decimal("NaN")
    if not shown.is_finite() or shown == 0:
        raise click.BadParameter(
            tr("write the digits of the display, like 8123.45; a 0 can't be searched for")
        )
    return shown
