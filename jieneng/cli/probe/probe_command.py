"""The command `jieneng edge probe` and its options."""

import asyncio
import sys
from pathlib import Path
from typing import Any

import click

from jieneng.cli.options import examples, site_option, tr
from jieneng.cli.probe.probe_request import ProbeRequest, parse_displays, parse_units
from jieneng.metering.errors import UsageError

_Positive = click.FloatRange(0, min_open=True)


@click.command(
    help=tr(
        "Find out what is connected to a bus: which units answer and which meter model each"
        " may be. Given a number on a display, find the registers that hold it. The probe"
        " only reads. If the gateway accepts only one connection, stop the agent first."
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
    help=tr("Baud rate of the serial port."),
)  # fmt: skip
@click.option(
    "--parity", type=click.Choice(["N", "E", "O"]), default="N", show_default=True,
    help=tr("Parity of the serial port: none, even or odd."),
)  # fmt: skip
@click.option(
    "--stop-bits", type=click.IntRange(1, 2), default=1, show_default=True,
    help=tr("Stop bits of the serial port."),
)  # fmt: skip
@click.option(
    "--units", callback=parse_units, default="1-32", show_default=True, metavar="1-32,40",
    help=tr("Units to look for."),
)  # fmt: skip
@click.option(
    "--timeout", "timeout_s", type=click.FloatRange(0.02, 10), default=0.3, show_default=True,
    metavar=tr("SECONDS"), help=tr("Time to wait for a reply."),
)  # fmt: skip
@click.option(
    "--delay", "delay_s", type=click.FloatRange(0, 10), default=0.02, show_default=True,
    metavar=tr("SECONDS"), help=tr("Pause before each request."),
)  # fmt: skip
@click.option("--why", is_flag=True, help=tr("Explain also why the other models do not fit."))
@click.option("--unit", type=click.IntRange(0, 255), help=tr("The unit whose display was read."))
@click.option(
    "--display", "displays", callback=parse_displays, multiple=True, metavar="[QUANTITY=]NUMBER",
    help=tr("Number on the display with all its digits; several narrow the search down."),
)  # fmt: skip
@click.option(
    "--quantity", metavar="QUANTITY",
    help=tr("Quantity of a --display without a name; the consumption counter if omitted."),
)  # fmt: skip
@click.option("--model", help=tr("Meter model, if it is known."))
@click.option(
    "--from", "first", type=click.IntRange(0, 65535), help=tr("First register to search.")
)
@click.option("--to", "last", type=click.IntRange(0, 65535), help=tr("Last register to search."))
@click.option(
    "--again", is_flag=True,
    help=tr("Prompt for the number on the display a second time, and keep the registers that"
            " match both times."),
)  # fmt: skip
@click.option("--ct", type=_Positive, help=tr("Current transformer ratio, if one is connected."))
@click.option("--pt", type=_Positive, help=tr("Voltage transformer ratio, if one is connected."))
@click.option(
    "--rated-max", type=_Positive,
    help=tr("Rated maximum in kW or m3/h: it limits how far the counter can have run since the"
            " display was read."),
)  # fmt: skip
@click.option(
    "--ago", "ago_s", type=click.FloatRange(0, 3600), default=30.0, show_default=True,
    metavar=tr("SECONDS"), help=tr("Time since the display was read."),
)  # fmt: skip
@site_option
@click.option(
    "--meter", metavar="ID",
    help=tr("Meter of the site: gives bus, unit, model, ratios and rated maximum."),
)  # fmt: skip
@click.option(
    "--sign-off", type=click.Path(path_type=Path, dir_okay=False), metavar=tr("FILE"),
    help=tr("Append a record of display and register to this file."),
)  # fmt: skip
@click.option("--by", metavar=tr("NAME"), help=tr("The person who read the display and signs."))
def probe(first: int | None, last: int | None, **options: Any) -> None:
    from jieneng.cli.probe import display_steps, scan_steps
    from jieneng.cli.probe.probe_session import ProbeSession

    searched = None
    if first is not None or last is not None:
        searched = range(first or 0, (last or 65535) + 1)
    request = ProbeRequest(searched=searched, **options)
    if searched is not None and not searched:
        raise UsageError("--from {first} comes after --to {last}.", first=first, last=last)
    if request.sign_off is not None and not (request.meter and request.by and request.displays):
        raise UsageError("--sign-off needs --meter ID, --display NUMBER and --by NAME.")
    with asyncio.Runner() as runner:
        session = ProbeSession(request, runner)
        try:
            step = display_steps.search_displays if request.displays else scan_steps.scan_bus
            succeeded = step(session)
        finally:
            runner.run(session.probe.close())
    sys.exit(0 if succeeded else 1)
