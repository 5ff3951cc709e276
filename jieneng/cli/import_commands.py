"""The command `jieneng import`: store readings from CSV or XLSX files."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click

from jieneng.cli.imports import batch_commands, bill_command, denominator_commands
from jieneng.cli.imports.consumption_preview import reset_recognizer
from jieneng.cli.imports.form_options import form_options
from jieneng.cli.imports.import_store import import_store
from jieneng.cli.imports.report_output import print_problems, print_report, report_json
from jieneng.cli.imports.touched_days import compute_touched
from jieneng.cli.options import examples, run_once, site_option, tr
from jieneng.clock import SystemClock
from jieneng.metering.errors import UsageError

if TYPE_CHECKING:  # imported when a command runs, so that `--help` is quick
    from ingest.importing.forms.import_options import ImportOptions
    from ingest.importing.import_report import ImportReport
    from jieneng.site_folder import SiteFolder


@click.group("import", help=tr("Import history from CSV or XLSX into the store."))
def import_() -> None: ...


for _command in (
    bill_command.bills,
    denominator_commands.headcount,
    denominator_commands.floor_area,
    batch_commands.list_,
    batch_commands.show,
    batch_commands.undo,
):
    import_.add_command(_command)


@import_.command(
    help=tr("Import readings of meters: registers, or consumption by interval."),
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
    help=tr(
        "Kind of the values: readings of a register, or consumption of intervals; detected"
        " from the file if omitted."
    ),
)
@click.option(
    "--quantity",
    help=tr("Quantity of the columns in the wide form, which has a column for each meter."),
)
@click.option(
    "--interval-s",
    type=click.FloatRange(min=1),
    help=tr("Length of an interval [s]; detected from the file if omitted."),
)
@click.option(
    "--stamp",
    type=click.Choice(["start", "end"]),
    help=tr(
        "Whether a time in the file is the start or the end of its interval; the start if omitted."
    ),
)
@click.option(
    "--layout",
    type=click.Choice(["long", "wide", "day", "month"]),
    help=tr(
        "Layout: one row per value, one column per meter, one column per part of the day, or"
        " one column per month; detected from the file if omitted."
    ),
)
@click.option("--meter", help=tr("Meter of a file that does not name its meter."))
@click.option("--year", type=int, help=tr("Year of months without a year."))
@click.option(
    "--unit",
    "units",
    multiple=True,
    metavar="UNIT|NAME=UNIT",
    help=tr("Unit of all values, or of one column or meter; detected from the file if omitted."),
)
@click.option(
    "--calorific-value",
    metavar="38.93MJ/m3",
    help=tr("Calorific value of gas that the file has in kWh or MJ."),
)
@click.option(
    "--interval",
    type=click.Choice(["hour", "day", "week", "month", "quarter", "year"]),
    help=tr("Length of an interval in calendar units; detected from the file if omitted."),
)
@click.option(
    "--side",
    type=click.Choice(["display", "primary"]),
    help=tr(
        "Side of meters with transformers: values as displayed, or values already multiplied"
        " by the ratio."
    ),
)
@click.option(
    "--date-order",
    type=click.Choice(["ymd", "mdy", "dmy", "ydm"]),
    help=tr(
        "Order of year, month and day in dates such as 05/01/2024. ydm: swap day and month"
        " of each date whose day is 12 or less. ymd: the dates are right as they are."
    ),
)
@click.option("--zone", help=tr("Time zone of times without an offset; the site's if omitted."))
@click.option("--time-column", help=tr("Header of the time column, if it is not recognised."))
@click.option(
    "--column",
    "columns",
    multiple=True,
    metavar="NAME=METER",
    help=tr("Meter of a column in the wide form; NAME= leaves the column out."),
)
@form_options
@click.option(
    "--mapping",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar=tr("FILE"),
    help=tr("Mapping of files; import.toml in the site's folder if omitted."),
)
@click.option(
    "--write-mapping",
    is_flag=True,
    help=tr("Write nothing; print how the file is read, to keep in import.toml."),
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    help=tr("Form of the report."),
)
@click.option("--dry-run", is_flag=True, help=tr("Write nothing; print what would be done."))
@click.option(
    "--sure",
    is_flag=True,
    help=tr("Write the values even if they look wrong as a whole, because the file is right."),
)
@click.option(
    "--skip-bad",
    is_flag=True,
    help=tr("Leave out every row that has a problem, and list these rows."),
)
@click.option("--replace", is_flag=True, help=tr("Replace stored values that contradict the file."))
@click.option(
    "--keep",
    is_flag=True,
    help=tr(
        "Within the period of the file, keep earlier imported values at times that are not"
        " in the file."
    ),
)
@click.option(
    "--no-backfill", is_flag=True, help=tr("Do not compute the consumption of the days imported.")
)
def readings(
    file: Path,
    site_dir: Path,
    no_backfill: bool,
    form: str,
    mapping: Path | None,
    write_mapping: bool,
    dry_run: bool,
    columns: tuple[str, ...],
    units: tuple[str, ...],
    **options: object,
) -> None:
    from ingest.importing.forms.import_options import ImportOptions
    from ingest.importing.mapping.mapping_file import (
        MAPPING_FILE,
        read_mapping,
        row_for,
        with_mapping,
    )
    from ingest.importing.mapping.mapping_text import mapping_text
    from jieneng.site_folder import load

    folder = load(site_dir)
    if options["zone"] is not None:
        options["zone"] = _zone(str(options["zone"]))
    options["swap_days"] = options["date_order"] == "ydm"
    if options["swap_days"]:
        options["date_order"] = None
    # The options of this command have the names of the fields of ImportOptions.
    wanted = ImportOptions(
        columns=dict(map(_column, columns)),
        unit=next((unit for unit in units if "=" not in unit), None),
        units=dict(map(_column, filter(lambda unit: "=" in unit, units))),
        dry_run=dry_run or write_mapping,
        **options,  # type: ignore[arg-type]  # click checked them
    )
    mapping_file = mapping or folder.path / MAPPING_FILE
    if mapping is not None or mapping_file.exists():
        row = row_for(read_mapping(mapping_file, folder.site), file.name)
        wanted = with_mapping(wanted, row)
    report = run_once(_import(file, folder, wanted))
    if write_mapping:
        click.echo(mapping_text(report), nl=False)
        print_problems(report)
    elif form == "json":
        click.echo(report_json(report, folder))
    else:
        print_report(report, folder)
    if report.batch.touched_ms is not None and not no_backfill:
        run_once(compute_touched(folder, report.batch.touched_ms))
    is_skipped = wanted.skip_bad and report.skippable
    sys.exit(1 if report.batch.is_refused or (report.problem_count and not is_skipped) else 0)


def _column(text: str) -> tuple[str, str]:
    name, equals, meter = text.rpartition("=")
    if not equals:
        raise UsageError("--column {text} has no =: write it like Building1=e-main.", text=text)
    return name, meter


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise UsageError(
            "--zone {name} is not a time zone: write an IANA name such as Asia/Shanghai.", name=name
        ) from error


async def _import(file: Path, folder: "SiteFolder", options: "ImportOptions") -> "ImportReport":
    from ingest.importing.importer import import_readings
    from jieneng.cli.progress import rows_progress

    async with import_store(folder, dry_run=options.dry_run) as store:
        with rows_progress(tr("Rows read")) as progress:
            return await import_readings(
                file, folder, store, options, progress, SystemClock(), reset_recognizer
            )
