"""Print how a file was understood: its form, first values, meters, consumption, doubts.

Laws: lines are at most 80 columns wide if the texts in them allow it. Every doubt names the option
or key that resolves it.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

import click

from jieneng.cli.imports.batch_output import local_time
from jieneng.cli.imports.consumption_preview import Preview
from jieneng.cli.options import tr
from jieneng.locale.finding_text import finding_text, labels
from jieneng.locale.number_texts import share
from jieneng.metering.quantities import QUANTITIES

if TYPE_CHECKING:  # imported when a command runs, so that `--help` is quick
    from rich.table import Table

    from ingest.importing.import_report import FirstValue, ImportReport, SeriesSummary
    from jieneng.site_folder import SiteFolder

_WIDTH: Final = 80
_UNKNOWN: Final = "—"
#: Names of invisible signs.
_SIGNS: Final = {"\t": "TAB", " ": "SPACE"}


def print_understanding(
    report: "ImportReport", previews: Sequence[Preview], folder: "SiteFolder"
) -> None:
    """Print the form of a file, its first values, its meters and their consumption by year."""
    from rich.console import Console

    for line in _form_lines(report):
        click.echo(line)
    console = Console(width=_WIDTH, highlight=False)
    if report.first_values:
        console.print(_first_values(report, folder))
    if report.series:
        console.print(_meters(report.series, folder))
    if previews:
        console.print(_years(previews, folder))


def doubt_lines(previews: Sequence[Preview], folder: "SiteFolder") -> Iterator[str]:
    """Yield the findings of the analytics about the values, for their chosen meaning."""
    names = labels(folder.site)
    for preview in previews:
        if preview.is_chosen:
            for finding in preview.findings:
                yield finding_text(finding, tr, names)


def _form_lines(report: "ImportReport") -> Iterator[str]:
    """Yield lines about the form of a file."""
    form = report.form
    if form.encoding is not None:
        sign = form.delimiter or ","
        yield tr("{file}: {encoding}, cells separated by {sign}, header in line {line}.").format(
            file=report.file,
            encoding=form.encoding,
            sign=_SIGNS.get(sign, sign),
            line=form.header_line,
        )
    else:
        yield tr("{file}: sheet {sheets}, header in line {line}.").format(
            file=report.file, sheets=", ".join(form.sheets), line=form.header_line
        )
    if form.unit_line is not None:
        yield tr("Units in line {line}.").format(line=form.unit_line)
    yield tr("Layout: {layout} (--layout). Values: {kind} (--kind).").format(
        layout=_layout_name(report.layout), kind=_kind_name(report.kind)
    )
    if report.left_out_columns:
        yield tr("Columns that are not read: {columns}.").format(
            columns=", ".join(report.left_out_columns)
        )
    for note in form.notes:
        yield tr(note.text).format_map(note.values)


def _layout_name(layout: str | None) -> str:
    return {
        "long": tr("long: one row per value"),
        "wide": tr("wide: one column per meter"),
        "day": tr("day: one column per part of the day"),
        "month": tr("month: one column per month"),
    }.get(layout or "", _UNKNOWN)


def _kind_name(kind: str) -> str:
    return {
        "register": tr("register: readings of the meter's counter"),
        "interval": tr("interval: consumption of each interval"),
    }[kind]


def _table(title: str) -> "Table":
    from rich import box
    from rich.table import Table

    return Table(
        title=title,
        title_justify="left",
        title_style="bold",
        header_style="dim",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
    )


def _first_values(report: "ImportReport", folder: "SiteFolder") -> "Table":
    table = _table(tr("First values, as interpreted"))
    table.add_column(tr("Line"), justify="right")
    for heading in (tr("From"), tr("Until"), tr("Meter")):
        table.add_column(heading, no_wrap=True)
    table.add_column(tr("Value"), justify="right", no_wrap=True)
    for value in report.first_values:
        table.add_row(*_first_value(value, folder))
    return table


def _first_value(value: "FirstValue", folder: "SiteFolder") -> tuple[str, ...]:
    zone = folder.site.zone
    until = local_time(value.time_ms + value.length_ms, zone) if value.length_ms else ""
    amount = tr("missing") if value.value is None else f"{value.value:,.12g}"
    unit = "" if value.value is None else f" {QUANTITIES[value.quantity].unit}"
    return str(value.line), local_time(value.time_ms, zone), until, value.meter, amount + unit


def _meters(summaries: Sequence["SeriesSummary"], folder: "SiteFolder") -> "Table":
    table = _table(tr("Meters of the file"))
    table.add_column(tr("Meter"), no_wrap=True)
    table.add_column(tr("Values"), justify="right")
    table.add_column(tr("Missing"), justify="right")
    for heading in (tr("First value"), tr("Last value"), tr("Length")):
        table.add_column(heading)
    zone = folder.site.zone
    for one in summaries:
        unit = QUANTITIES[one.quantity].unit
        table.add_row(
            f"{one.meter}\n{one.quantity}",
            f"{one.values}",
            f"{one.missing}",
            f"{local_time(one.first_ms, zone)}\n{one.first:,.12g} {unit}",
            f"{local_time(one.last_ms, zone)}\n{one.last:,.12g} {unit}",
            _length(one.interval_range_s),
        )
    return table


def _length(range_s: tuple[float, float] | None) -> str:
    """Return the lengths of intervals, such as `28-31 d`."""
    if range_s is None:
        return ""
    shortest_s, longest_s = range_s
    for unit_s, text in (
        (86_400, tr("{count} d")),
        (3_600, tr("{count} h")),
        (60, tr("{count} min")),
    ):
        if shortest_s >= unit_s:
            counts = dict.fromkeys(f"{one / unit_s:.4g}" for one in (shortest_s, longest_s))
            return text.format(count="-".join(counts))
    return tr("{count} min").format(count=f"{longest_s / 60:.4g}")


def _years(previews: Sequence[Preview], folder: "SiteFolder") -> "Table":
    table = _table(tr("Consumption by year"))
    table.add_column(tr("Meter"), no_wrap=True)
    table.add_column(tr("Read as"))
    table.add_column(tr("Year"), justify="right")
    table.add_column(tr("Consumption"), justify="right", no_wrap=True)
    table.add_column(tr("Known"), justify="right")
    for preview in previews:
        name = _meaning_name(preview, folder)
        for number, year in enumerate(preview.years):
            amount = _UNKNOWN if year.amount is None else f"{year.amount:,.1f} {preview.unit}"
            head = (preview.meter, name) if number == 0 else ("", "")
            table.add_row(*head, str(year.year), amount, share(year.coverage))
    return table


def _meaning_name(preview: Preview, folder: "SiteFolder") -> str:
    """Return the meaning of the values in a row, with the option that selects it."""
    names = {
        "register": tr("register (--kind register)"),
        "interval": tr("consumption (--kind interval)"),
        "display": tr("display (--side display)"),
    }
    meter = folder.site.meters[preview.meter]
    if preview.meaning == "register" and preview.is_chosen and (meter.ct or meter.pt):
        return tr("register (--side primary)")
    return names[preview.meaning]
