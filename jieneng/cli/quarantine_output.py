"""Print the content of the quarantine: groups as a table, an entry in full.

Law: topics, meters and payloads may come from an attacker. Their control characters are removed
before printing, and their text is never interpreted as markup.
"""

from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import click

from jieneng.cli.options import tr
from jieneng.metering.errors import WireError

if TYPE_CHECKING:  # imported when a command runs, so that `--help` is quick
    from ingest.quarantine.quarantine_entry import EntryGroup, QuarantineEntry

#: Width of the table; it is wide enough that no reason is cut, in any language.
_TABLE_WIDTH = 110


def print_groups(groups: "list[EntryGroup]", zone: ZoneInfo) -> None:
    """Print groups as a table, and the meaning of each of their reasons."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from ingest.quarantine.quarantine_reasons import REASONS

    table = Table()
    for name in (tr("Reason"), tr("Meter"), tr("Entries"), tr("Samples"), tr("First"), tr("Last")):
        table.add_column(name)
    for group in groups:
        table.add_row(
            group.reason,
            Text(printable(group.meter)),  # never interpreted as markup
            str(group.entries),
            str(group.samples),
            _local(group.first_ms, zone),
            _local(group.last_ms, zone),
        )
    console = Console()
    console.width = max(console.width, _TABLE_WIDTH)
    console.print(table)
    for code in dict.fromkeys(group.reason for group in groups):
        if (row := REASONS.get(code)) is not None:
            click.echo(f"{code}: {tr(row.sentence)} {tr(row.fix)}")


def print_entry(entry: "QuarantineEntry", zone: ZoneInfo) -> None:
    """Print an entry with its samples."""
    from ingest.quarantine.quarantine_reasons import REASONS

    item = entry.item
    row = REASONS.get(item.reason)
    rows = {
        tr("Number"): entry.id,
        tr("Set aside"): _local(entry.time_ms, zone),
        tr("Topic"): item.topic,
        tr("Batch"): f"{item.agent} {item.boot} {item.seq}",
        tr("Meter"): item.meter,
        tr("Reason"): item.reason,
        tr("Meaning"): tr(row.sentence) if row else "",
        tr("What to do"): tr(row.fix) if row else "",
        tr("Message of the store"): item.detail,
        tr("Samples"): item.samples,
        tr("Bytes"): item.size,
        tr("Acknowledged"): tr("yes") if item.acknowledged else tr("no"),
        tr("Refused replays"): entry.replays,
    }
    for name, value in rows.items():
        click.echo(f"{name}: {printable(str(value))}")
    for line in _payload_lines(item.payload, zone):
        click.echo(line)


def _payload_lines(payload: bytes, zone: ZoneInfo) -> list[str]:
    """Return a line for each sample of a batch; for other payloads, their beginning."""
    from jieneng.metering import mqtt_messages

    try:
        samples = mqtt_messages.decode_batch(payload, any_quantity=True).samples
    except WireError:
        return [printable(payload[:500].decode("utf-8", "backslashreplace"))]
    return [
        f"{_local(sample.time_ms, zone)}  {printable(sample.meter)}  {name} = {value}"
        for sample in samples
        for name, value in zip(sample.quantities, sample.values, strict=True)
    ]


def _local(time_ms: int, zone: ZoneInfo) -> str:
    moment = datetime.fromtimestamp(time_ms / 1000, zone)
    return f"{moment:%Y-%m-%d %H:%M:%S}"


def printable(text: str) -> str:
    """Return a text without the control characters that a terminal would interpret."""
    return "".join(
        sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text
    )
