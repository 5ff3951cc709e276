"""The command `jieneng import bills`: store bills, and compare them with the meters."""

import sys
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from jieneng.cli.imports.batch_output import (
    batch_lines,
    contradiction_lines,
    local_time,
    problem_lines,
)
from jieneng.cli.imports.form_options import date_order_option, form_options
from jieneng.cli.imports.import_store import import_store
from jieneng.cli.imports.touched_days import compute_touched
from jieneng.cli.options import examples, run_once, site_option, tr
from jieneng.clock import SystemClock
from jieneng.locale import number_texts
from jieneng.metering.errors import UsageError
from jieneng.metering.quantities import QUANTITIES

if TYPE_CHECKING:  # imported when a command runs, so that `--help` is quick
    from zoneinfo import ZoneInfo

    from analytics.pipeline.metered_amounts import MeteredAmount
    from ingest.importing.forms.import_options import ImportOptions
    from ingest.importing.records.bill_import import BillReport
    from ingest.importing.records.bill_rows import Bill
    from jieneng.site_folder import SiteFolder

#: A bill is compared with the meter's consumption if this share of its time is known.
_COMPARABLE = 0.95


@click.command(
    help=tr(
        "Import bills with account, period, amount and cost. The account must be stated at its"
        " meters in site.toml, or in tariffs.toml. If the meters have measured consumption for the"
        " period, the bill is compared with their sum; otherwise the bill of a single meter counts"
        " as its consumption."
    ),
    epilog=examples(
        "jieneng import bills 2024.xlsx --site my-site --dry-run",
        "jieneng import bills 2024.xlsx --account 3208001234567=e-main",
    ),
)
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False), metavar=tr("FILE"))
@site_option
@click.option(
    "--account",
    "accounts",
    multiple=True,
    metavar="ACCOUNT=METER",
    help=tr("Meter of an account that is not in site.toml."),
)
@click.option(
    "--unit", help=tr("Unit of the amounts; the unit of the meter's quantity if omitted.")
)
@click.option(
    "--calorific-value", help=tr("Calorific value of gas billed in kWh or MJ, such as 38.93MJ/m3.")
)
@date_order_option
@form_options
@click.option("--dry-run", is_flag=True, help=tr("Write nothing; print what would be done."))
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
def bills(file: Path, site_dir: Path, accounts: tuple[str, ...], **options: object) -> None:
    from ingest.importing.forms.import_options import ImportOptions
    from jieneng.site_folder import load

    folder = load(site_dir)
    wanted = ImportOptions(
        columns=dict(map(_account, accounts)),
        **options,  # type: ignore[arg-type]  # click checked them
    )
    report = run_once(_import(file, folder, wanted))
    _print(report, folder, wanted)
    is_skipped = wanted.skip_bad and report.skippable
    sys.exit(1 if report.batch.is_refused or (report.problem_count and not is_skipped) else 0)


def _account(text: str) -> tuple[str, str]:
    account, equals, meter = text.rpartition("=")
    if not equals:
        raise UsageError("--account {text} has no =: write it like 3208001=e-main.", text=text)
    return account, meter


async def _import(file: Path, folder: "SiteFolder", options: "ImportOptions") -> "BillReport":
    from analytics.tariffs.tariff_files import load_tariffs
    from ingest.importing.records.bill_import import import_bills

    async with import_store(folder, dry_run=options.dry_run) as store:
        accounts = {row.id: row.meters for row in load_tariffs(folder.path, folder.site).accounts}
        report = await import_bills(file, folder, store, options, SystemClock(), accounts)
    if report.batch.touched_ms is not None:
        await compute_touched(folder, report.batch.touched_ms)
    return report


def _print(report: "BillReport", folder: "SiteFolder", options: "ImportOptions") -> None:
    zone = folder.site.zone
    for text in problem_lines(report.problems, report.problem_count):
        click.echo(text, err=True)
    measured = [bill for bill in report.bills if bill.line in report.measured]
    metered = dict(zip((bill.line for bill in measured), _metered(folder, measured), strict=True))
    for bill in report.bills:
        click.echo(_bill_line(bill, metered.get(bill.line), zone))
    for text in contradiction_lines(report.batch, zone):
        click.echo(text, err=report.batch.is_refused)
    if report.left_out:
        click.echo(tr("Lines with problems: {lines}.").format(lines=report.left_out))
    for text in _outcome(report, options):
        click.echo(text)


def _outcome(report: "BillReport", options: "ImportOptions") -> Iterator[str]:
    if options.dry_run:
        yield tr("Dry run: nothing was written. Bills: {count}.").format(count=len(report.bills))
    elif report.problem_count and not options.skip_bad:
        yield tr("Nothing was written: correct the lines, or leave them out: --skip-bad.")
    yield from batch_lines(report.batch)


def _metered(folder: "SiteFolder", bills: Sequence["Bill"]) -> "list[MeteredAmount]":
    """Return the consumption of the meters in the time of their bills."""
    from analytics import figure_queries
    from analytics.pipeline.metered_amounts import MeterPeriod
    from analytics.settings import AnalyticsSettings
    from jieneng.site_folder import read_settings

    if not bills:
        return []
    settings = read_settings(folder.path / "analytics.toml", AnalyticsSettings)
    zone = folder.site.zone
    wanted = [
        MeterPeriod(
            bill.meters,
            _day(bill.start_ms, zone),
            _day(bill.end_ms, zone),
            None if bill.names_meter else bill.account,
        )
        for bill in bills
    ]
    return run_once(figure_queries.metered(folder, settings, wanted, SystemClock()))


def _day(time_ms: int, zone: "ZoneInfo") -> date:
    return datetime.fromtimestamp(time_ms / 1000, zone).date()


def _bill_line(bill: "Bill", metered: "MeteredAmount | None", zone: "ZoneInfo") -> str:
    unit = QUANTITIES[bill.series.quantity].unit
    head = tr("{meter}, {start} to {end}: bill {amount:,.1f} {unit}").format(
        meter=" + ".join(bill.meters),
        start=local_time(bill.start_ms, zone),
        end=local_time(bill.end_ms, zone),
        amount=bill.amount,
        unit=unit,
    )
    if bill.cost_yuan is not None:
        head += tr(", {cost:,.2f} yuan").format(cost=bill.cost_yuan)
    return head + _comparison(bill, metered, unit)


def _comparison(bill: "Bill", metered: "MeteredAmount | None", unit: str) -> str:
    if metered is None and len(bill.meters) > 1:
        return tr("; not compared, because none of its meters has readings of this period")
    if metered is None:
        return tr(
            "; counts as consumption, because there is no measured consumption for this period"
        )
    text = tr("; measured {amount:,.1f} {unit}").format(amount=metered.amount, unit=unit)
    if metered.coverage < _COMPARABLE:
        return text + tr(", which covers only {share} of the period").format(
            share=number_texts.whole_percent(metered.coverage)
        )
    if not metered.amount:
        return text
    difference = (bill.amount - metered.amount) / metered.amount * 100
    return text + tr(", the bill differs by {difference:+.2f} %").format(difference=difference)
