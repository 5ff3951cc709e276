"""The command `jieneng export`: write stored data to CSV or Parquet."""

from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from jieneng.cli.options import examples, run_once, site_option, tr
from jieneng.metering.errors import UsageError

if TYPE_CHECKING:  # imported when a command runs, so that `--help` is quick
    from jieneng.cli.export.stored_tables import ExportQuery, What
    from jieneng.site_folder import SiteFolder

_DAY = click.DateTime(["%Y-%m-%d"])


@click.command(
    help=tr(
        "Export readings, imported intervals, consumption or indicators to CSV or Parquet. "
        "Readings and intervals can be imported again."
    ),
    epilog=examples(
        "jieneng export --site my-site --out readings.csv",
        "jieneng export --site my-site --what intervals --out intervals.csv",
        "jieneng export --from 2024-01-01 --to 2024-12-31 --meter e-main --out main.parquet",
    ),
)
@site_option
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    metavar=tr("FILE"),
    help=tr("File to write: .csv or .parquet; must not exist."),
)
@click.option(
    "--what",
    type=click.Choice(["readings", "intervals", "consumption", "indicators"]),
    default="readings",
    show_default=True,
    help=tr("What to export."),
)
@click.option("--from", "first", type=_DAY, help=tr("First local day; all if omitted."))
@click.option("--to", "last", type=_DAY, help=tr("Last local day; all if omitted."))
@click.option(
    "--meter",
    "meters",
    multiple=True,
    metavar="ID",
    help=tr("A meter, or a scope of consumption and indicators; may be given more than once."),
)
def export(
    site_dir: Path,
    out: Path,
    what: "What",
    first: datetime | None,
    last: datetime | None,
    meters: tuple[str, ...],
) -> None:
    from jieneng.cli.export.stored_tables import ExportQuery, day_after, local_midnight_ms
    from jieneng.site_folder import load

    folder = load(site_dir)
    site = folder.site
    _check_scopes(folder, meters, are_meters=what in ("readings", "intervals"))
    first_day, last_day = _day(first), _day(last)
    if first_day is not None and last_day is not None and last_day < first_day:
        raise UsageError("--to {last} lies before --from {first}.", last=last_day, first=first_day)
    query = ExportQuery(
        site=site,
        start_ms=None if first_day is None else local_midnight_ms(first_day, site),
        end_ms=None if last_day is None else local_midnight_ms(day_after(last_day), site),
        meters=meters,
    )
    count = run_once(_export(folder, query, what, out))
    text = tr("{count} row written to {file}." if count == 1 else "{count} rows written to {file}.")
    click.echo(text.format(count=count, file=out))


def _day(moment: datetime | None) -> date | None:
    return None if moment is None else moment.date()


def _check_scopes(folder: "SiteFolder", scopes: tuple[str, ...], *, are_meters: bool) -> None:
    site = folder.site
    known = set(site.meters)
    if not are_meters:
        known |= {site.id, *site.areas, *(one.id for one in site.institution)}
    for scope in scopes:
        if scope not in known:
            raise UsageError(
                "--meter {scope} is not known; known are {known}.",
                scope=scope,
                known=", ".join(sorted(known)),
            )


async def _export(folder: "SiteFolder", query: "ExportQuery", what: "What", out: Path) -> int:
    from ingest.settings import IngestSettings
    from jieneng.cli.export.stored_tables import TABLES
    from jieneng.cli.export.table_files import open_table
    from jieneng.cli.progress import rows_progress
    from jieneng.site_folder import read_settings
    from jieneng.storage import open_store

    settings = read_settings(folder.path / "ingest.toml", IngestSettings)
    table, count = TABLES[what], 0
    store = open_store(settings.store, folder.path)
    try:
        await store.prepare()
        with (
            rows_progress(tr("Rows written")) as progress,
            open_table(out, table.columns, query.site.zone) as file,
        ):
            async for rows in table.rows(query, store):
                file.write(rows)
                count += len(rows)
                progress(count)
    finally:
        await store.close()
    return count
