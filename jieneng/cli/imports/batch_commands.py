"""The commands `jieneng import list|show|undo`: the numbered imports of a site."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from jieneng.cli.imports.batch_output import local_time
from jieneng.cli.imports.touched_days import compute_touched
from jieneng.cli.options import examples, run_once, site_option, tr
from jieneng.clock import SystemClock
from jieneng.metering.errors import UsageError

if TYPE_CHECKING:  # imported when a command runs, so that `--help` is quick
    from zoneinfo import ZoneInfo

    from ingest.importing.batches.batch_record import BatchRecord
    from ingest.importing.batches.batch_undo import UndoReport
    from jieneng.site_folder import SiteFolder


@click.command(
    "list",
    help=tr("List the imports of the site, with file, time and numbers of values."),
    epilog=examples("jieneng import list --site my-site"),
)
@site_option
def list_(site_dir: Path) -> None:
    from ingest.importing.batches.batch_file import BatchFile
    from jieneng.site_folder import load

    folder = load(site_dir)
    batches = BatchFile(folder.path).batches()
    for batch in batches:
        click.echo(_line(batch, folder.site.zone))
    if not batches:
        click.echo(tr("Nothing was imported into this site yet."))


@click.command(
    help=tr("Show an import: its file, options, series and numbers of values."),
    epilog=examples("jieneng import show 3 --site my-site"),
)
@click.argument("number", type=int, metavar=tr("NUMBER"))
@site_option
def show(number: int, site_dir: Path) -> None:
    from ingest.importing.batches.batch_file import BatchFile
    from jieneng.site_folder import load

    folder = load(site_dir)
    file = BatchFile(folder.path)
    batch = file.batch(number)
    if batch is None:
        raise UsageError(
            "there is no import {number}: `jieneng import list` shows all.", number=number
        )
    zone = folder.site.zone
    click.echo(_line(batch, zone))
    for text in _details(batch, zone):
        click.echo(text)
    for part in file.file_parts(number):
        click.echo(tr("  file that was written: {name}").format(name=part.name))
    for series in file.series(number):
        line = tr("  {meter} {quantity}, {first} to {last}, points: {points}")
        click.echo(
            line.format(
                meter=series.meter,
                quantity=series.quantity,
                points=series.points,
                first=local_time(series.first_ms, zone),
                last=local_time(series.last_ms, zone),
            )
        )


@click.command(
    help=tr(
        "Undo an import: remove the values that it wrote and restore the values that it replaced."
    ),
    epilog=examples("jieneng import undo 3 --site my-site"),
)
@click.argument("number", type=int, metavar=tr("NUMBER"))
@site_option
@click.option(
    "--no-backfill", is_flag=True, help=tr("Do not compute the consumption of the days touched.")
)
def undo(number: int, site_dir: Path, no_backfill: bool) -> None:
    from jieneng.site_folder import load

    folder = load(site_dir)
    report = run_once(_undo(number, folder))
    text = tr("Import {number} is undone. Values removed: {removed}, restored: {restored}.")
    click.echo(text.format(number=number, removed=report.removed, restored=report.restored))
    if report.left:
        text = tr("Values kept, because they were changed after the import: {count}.")
        click.echo(text.format(count=report.left))
    if report.touched_ms is not None and not no_backfill:
        run_once(compute_touched(folder, report.touched_ms))


async def _undo(number: int, folder: "SiteFolder") -> "UndoReport":
    from ingest.importing.batches.batch_undo import undo_batch
    from ingest.settings import IngestSettings
    from jieneng.site_folder import read_settings
    from jieneng.storage import open_store

    settings = read_settings(folder.path / "ingest.toml", IngestSettings)
    store = open_store(settings.store, folder.path)
    try:
        await store.prepare()
        return await undo_batch(number, folder, store, SystemClock())
    finally:
        await store.close()


def _line(batch: "BatchRecord", zone: "ZoneInfo") -> str:
    states = {
        "writing": tr("interrupted or running"),
        "done": tr("imported"),
        "undoing": tr("undo interrupted or running"),
        "undone": tr("undone"),
    }
    line = tr("{number}  {time}  {state}  {file}, rows: {rows}, values written: {written}")
    return line.format(
        number=batch.number,
        time=local_time(batch.time_ms, zone),
        state=states[batch.state],
        file=batch.source.file,
        rows=batch.source.rows,
        written=batch.counts.written,
    )


def _details(batch: "BatchRecord", zone: "ZoneInfo") -> Iterator[str]:
    counts, source = batch.counts, batch.source
    yield tr(
        "  in place of others: {replaced}, removed: {removed}, stored already: {unchanged}"
    ).format(replaced=counts.replaced, removed=counts.removed, unchanged=counts.unchanged)
    yield tr("  imported by: {user}").format(user=source.user)
    yield tr("  SHA-256 of the file: {digest}").format(digest=source.digest)
    if source.options != "{}":
        yield tr("  options: {options}").format(options=source.options)
    if source.left_out:
        yield tr("  lines left out: {lines}").format(lines=source.left_out)
    if batch.undone_ms is not None:
        yield tr("  undone: {time}").format(time=local_time(batch.undone_ms, zone))
