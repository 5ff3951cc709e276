"""`jieneng import`: history that was measured elsewhere, from CSV or XLSX."""

from pathlib import Path

import click

from jieneng.cli.options import examples, site_option, tr


@click.group("import", help=tr("History from CSV or XLSX into the store."))
def import_() -> None: ...


@import_.command(
    help=tr("Readings of meters: registers, or consumption by interval."),
    epilog=examples(
        "jieneng import readings 2024.csv --site my-site --dry-run",
        "jieneng import readings 2024.csv --site my-site",
        "jieneng import readings hourly.csv --kind interval --quantity energy_kwh --missing 0",
    ),
)
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False), metavar=tr("FILE"))
@site_option
@click.option(
    "--kind",
    type=click.Choice(["register", "interval"]),
    default="register",
    show_default=True,
    help=tr("What the values are: the meter's display, or the consumption of an interval."),
)
@click.option(
    "--quantity", help=tr("Of the wide form, with a column a meter: what the columns hold.")
)
@click.option(
    "--interval-s",
    type=click.FloatRange(min=1),
    help=tr("Length of an interval; found where omitted."),
)
@click.option(
    "--missing",
    multiple=True,
    metavar=tr("TEXT"),
    help=tr("A text that means missing, besides none."),
)
@click.option("--dry-run", is_flag=True, help=tr("Write nothing; say what would be done."))
@click.option("--skip-bad", is_flag=True, help=tr("Leave out bad rows, and list them."))
@click.option(
    "--no-backfill", is_flag=True, help=tr("Do not compute the consumption of the days imported.")
)
def readings(
    file: Path,
    site_dir: Path,
    kind: str,
    quantity: str | None,
    interval_s: float | None,
    missing: tuple[str, ...],
    dry_run: bool,
    skip_bad: bool,
    no_backfill: bool,
) -> None: ...
