"""`jieneng edge probe`: the options of the commissioning aid."""

import asyncio
import sys
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import click
import msgspec

from jieneng.cli.options import examples, site_option, tr
from jieneng.metering.errors import UsageError


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What was typed.

    Attributes:
        displays: quantity (None: `--quantity`) and number, as typed.
        span: registers to search; None where that was left to the command.
        ago_s: how long ago somebody looked at the display.
        why: whether models that do not fit are explained, too.
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
    span: range | None
    again: bool
    ct: float | None
    pt: float | None
    rated_max: float | None
    ago_s: float
    meter: str | None
    sign_off: Path | None
    by: str | None


def _units(__: click.Context, ___: click.Parameter, text: str) -> tuple[int, ...]:
    """`1-32,40` -> the units, each once."""
    found = dict[int, None]()
    for part in text.split(","):
        try:
            first, *rest = map(int, part.split("-", 1))
            found.update(dict.fromkeys(range(first, (rest or [first])[0] + 1)))
        except ValueError:
            found.clear()
            break
    if not found or not all(0 <= unit <= 255 for unit in found):
        raise click.BadParameter(tr("write units from 0 to 255, like 1-32 or 1,3,17-20"))
    return tuple(found)


def _displays(
    __: click.Context, ___: click.Parameter, texts: tuple[str, ...]
) -> tuple[tuple[str | None, Decimal], ...]:
    """`8123.45`, `voltage_a_v=231.7` -> quantity and number."""
    parts = (text.rpartition("=") for text in texts)
    return tuple((name or None, number(shown)) for name, _, shown in parts)


def number(text: str) -> Decimal:
    """A number as a display shows it, with all its digits."""
    try:
        shown = Decimal(text)
    except InvalidOperation:
        shown = Decimal("NaN")
    if not shown.is_finite() or shown == 0:
        raise click.BadParameter(
            tr("write the digits of the display, like 8123.45; a 0 tells nothing")
        )
    return shown


_Positive = click.FloatRange(0, min_open=True)


@click.command(
    help=tr(
        "Find out what hangs on a bus: which units answer, which model each may be, and, given "
        "what a display shows, where that number lies in the registers. It only reads. Where a "
        "gateway takes one connection, stop the agent meanwhile."
    ),
    epilog=examples(
        "jieneng edge probe --tcp 192.0.2.11",
        "jieneng edge probe --rtu-tcp 192.0.2.12:4001 --units 1-10,21",
        "jieneng edge probe --serial /dev/ttyS1 --baud 9600 --parity N",
        "jieneng edge probe --tcp 192.0.2.11 --unit 3 --display 8123.45 --again",
        "jieneng edge probe --tcp 192.0.2.11 --unit 3 --display energy_kwh=8123.45 "
        "--display voltage_a_v=231.7",
        "jieneng edge probe --site my-site --meter e-main --display 8123.45 --by 王工 "
        "--sign-off sign-off.jsonl",
    ),
)
@click.option("--tcp", metavar="HOST[:PORT]", help=tr("A meter or gateway that speaks Modbus TCP."))
@click.option("--rtu-tcp", metavar="HOST:PORT", help=tr("A serial server: RTU frames over TCP."))
@click.option("--serial", metavar=tr("DEVICE"), help=tr("A serial port of this machine."))
@click.option(
    "--baud", type=click.IntRange(300, 921600), default=9600, show_default=True,
    help=tr("Of the serial port."),
)  # fmt: skip
@click.option(
    "--parity", type=click.Choice(["N", "E", "O"]), default="N", show_default=True,
    help=tr("Of the serial port: none, even, odd."),
)  # fmt: skip
@click.option(
    "--stop-bits", type=click.IntRange(1, 2), default=1, show_default=True,
    help=tr("Of the serial port."),
)  # fmt: skip
@click.option(
    "--units", callback=_units, default="1-32", show_default=True, metavar="1-32,40",
    help=tr("Which units to look for."),
)  # fmt: skip
@click.option(
    "--timeout", "timeout_s", type=click.FloatRange(0.02, 10), default=0.3, show_default=True,
    metavar=tr("SECONDS"), help=tr("How long to wait for an answer."),
)  # fmt: skip
@click.option(
    "--delay", "delay_s", type=click.FloatRange(0, 10), default=0.02, show_default=True,
    metavar=tr("SECONDS"), help=tr("Pause before each question."),
)  # fmt: skip
@click.option("--why", is_flag=True, help=tr("Say also why the other models do not fit."))
@click.option("--unit", type=click.IntRange(0, 255), help=tr("The unit whose display was read."))
@click.option(
    "--display", "displays", callback=_displays, multiple=True, metavar="[QUANTITY=]NUMBER",
    help=tr("What the display shows, with all its digits; several narrow it down."),
)  # fmt: skip
@click.option(
    "--quantity", metavar="QUANTITY",
    help=tr("What a --display without a name shows; the consumption counter where omitted."),
)  # fmt: skip
@click.option("--model", help=tr("The model, where it is known."))
@click.option(
    "--from", "first", type=click.IntRange(0, 65535), help=tr("First register to search.")
)
@click.option("--to", "last", type=click.IntRange(0, 65535), help=tr("Last register to search."))
@click.option(
    "--again", is_flag=True,
    help=tr("Ask for the display once more, and keep what is right both times."),
)  # fmt: skip
@click.option("--ct", type=_Positive, help=tr("Current transformer's ratio, where there is one."))
@click.option("--pt", type=_Positive, help=tr("Voltage transformer's ratio, where there is one."))
@click.option(
    "--rated-max", type=_Positive,
    help=tr("The most that can flow, in kW or m3/h: the counter goes on while one looks."),
)  # fmt: skip
@click.option(
    "--ago", "ago_s", type=click.FloatRange(0, 3600), default=30.0, show_default=True,
    metavar=tr("SECONDS"), help=tr("How long ago the display was looked at."),
)  # fmt: skip
@site_option
@click.option(
    "--meter", metavar="ID",
    help=tr("A meter of the site: tells bus, unit, model, ratios and rated maximum."),
)  # fmt: skip
@click.option(
    "--sign-off", type=click.Path(path_type=Path, dir_okay=False), metavar=tr("FILE"),
    help=tr("Append a record of display and register there, to be kept."),
)  # fmt: skip
@click.option("--by", metavar=tr("NAME"), help=tr("Who looked at the display and signs."))
def probe(first: int | None, last: int | None, **typed: Any) -> None:
    from jieneng.cli.probe import display_steps, scan_steps
    from jieneng.cli.probe.probe_session import Session

    span = None if first is None and last is None else range(first or 0, (last or 65535) + 1)
    asked = Asked(span=span, **typed)
    if span is not None and not span:
        raise UsageError("--from {first} comes after --to {last}.", first=first, last=last)
    if asked.sign_off is not None and not (asked.meter and asked.by and asked.displays):
        raise UsageError("--sign-off needs --meter ID, --display NUMBER and --by NAME.")
    session = Session(asked)
    with asyncio.Runner() as runner:
        try:
            work = display_steps.found if asked.displays else scan_steps.scan
            fine = work(session, runner)
        finally:
            runner.run(session.probe.close())
    sys.exit(0 if fine else 1)
