"""The commands `jieneng import headcount` and `floor-area`: values by area and day."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from jieneng.cli.imports.batch_output import problem_lines
from jieneng.cli.imports.form_options import date_order_option, form_options
from jieneng.cli.options import examples, site_option, tr
from jieneng.clock import SystemClock

if TYPE_CHECKING:  # imported when a command runs, so that `--help` is quick
    from ingest.importing.records.denominator_import import DenominatorReport
    from jieneng.metering.site_rules.denominators import DenominatorKey

_DRY_RUN = click.option(
    "--dry-run", is_flag=True, help=tr("Write nothing; print what would be done.")
)
_SKIP_BAD = click.option(
    "--skip-bad",
    is_flag=True,
    help=tr("Leave out every row that has a problem, and list these rows."),
)
_REPLACE = click.option(
    "--replace",
    is_flag=True,
    help=tr("Replace values in denominators.toml that differ from the file."),
)


@click.command(
    help=tr(
        "Import headcounts (area, first day, value) into denominators.toml, which extends"
        " site.toml."
    ),
    epilog=examples("jieneng import headcount people.xlsx --site my-site --dry-run"),
)
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False), metavar=tr("FILE"))
@site_option
@date_order_option
@form_options
@_DRY_RUN
@_SKIP_BAD
@_REPLACE
def headcount(file: Path, site_dir: Path, **options: object) -> None:
    _import("headcount", file, site_dir, **options)


@click.command(
    "floor-area",
    help=tr(
        "Import floor areas [m2] (area, first day, value) into denominators.toml, which"
        " extends site.toml."
    ),
    epilog=examples("jieneng import floor-area areas.csv --site my-site"),
)
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False), metavar=tr("FILE"))
@site_option
@date_order_option
@form_options
@_DRY_RUN
@_SKIP_BAD
@_REPLACE
def floor_area(file: Path, site_dir: Path, **options: object) -> None:
    _import("floor_area_m2", file, site_dir, **options)


def _import(
    key: "DenominatorKey",
    file: Path,
    site_dir: Path,
    **wanted: object,
) -> None:
    from ingest.importing.forms.import_options import ImportOptions
    from ingest.importing.records.denominator_import import import_denominators
    from jieneng.site_folder import load

    options = ImportOptions(**wanted)  # type: ignore[arg-type]  # click checked them
    report = import_denominators(key, file, load(site_dir), options, SystemClock())
    for text in problem_lines(report.problems, report.problem_count):
        click.echo(text, err=True)
    for text in _lines(report):
        click.echo(text, err=report.is_refused)
    if report.left_out:
        click.echo(tr("Lines with problems: {lines}.").format(lines=report.left_out))
    click.echo(_outcome(report, is_dry=options.dry_run))
    is_wrong = report.problem_count and not (options.skip_bad and report.skippable)
    sys.exit(1 if report.is_refused or is_wrong else 0)


def _lines(report: "DenominatorReport") -> Iterator[str]:
    for value in report.new:
        text = tr("{area} from {day} on: {value:,g}")
        yield text.format(area=value.area, day=value.day, value=value.value)
    for one in report.differences:
        text = (
            tr("{area} from {day} on: {value:,g}, but site.toml says {known:,g}: correct it there.")
            if one.of_site
            else tr("{area} from {day} on: {value:,g}, until now {known:,g}")
        )
        value = one.value
        yield text.format(area=value.area, day=value.day, value=value.value, known=one.known)


def _outcome(report: "DenominatorReport", *, is_dry: bool) -> str:
    if report.is_refused:
        return tr(
            "Nothing was written, because other values are stated already. Add --replace to"
            " replace those in denominators.toml with the file's."
        )
    if report.number is not None:
        return tr(
            "This is import {number}: denominators.toml is written. Running services read it"
            " when they start the next time. To undo it: jieneng import undo {number}."
        ).format(number=report.number)
    if is_dry:
        return tr("Dry run: nothing was written. Values: {count}.").format(count=len(report.values))
    if report.problem_count:
        return tr("Nothing was written: correct the lines, or leave them out: --skip-bad.")
    return tr("Nothing to do. Values already stored: {count}.").format(count=len(report.values))
