"""The command `jieneng quotas`: levels and ranks of buildings, and the use of annual quotas."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from jieneng.cli.figures.figure_site import read_figure_site
from jieneng.cli.options import (
    config_option,
    examples,
    format_option,
    run_once,
    scope_option,
    site_option,
    tr,
)
from jieneng.metering.errors import Msgid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from analytics.figures.quotas.annual_quota_results import AnnualQuotaResult
    from analytics.figures.quotas.quota_results import QuotaResult
    from jieneng.locale import Translate
    from jieneng.locale.finding_text import Labels

#: Width of all columns of the tables, in either language.
_TABLE_WIDTH: Final = 118
_NONE: Final[Msgid] = (
    "No quota is in force. docs/rules.md shows how to write rows into quotas.toml."
)


@click.command(
    help=tr(
        "Compare buildings with the quotas of quotas.toml in a year, and rank them; with --annual,"
        " show how much of annual quotas and caps is used, by month, and what remains."
    ),
    epilog=examples(
        "jieneng quotas --period 2025",
        "jieneng quotas --site my-site --period 2025 --format csv",
        "jieneng quotas --period 2026 --annual --scope affairs-bureau",
        "jieneng quotas --period 2025 --strict",
    ),
)
@site_option
@config_option("analytics.toml")
@click.option("--period", required=True, metavar="P", help=tr("A year, such as 2025."))
@scope_option
@click.option(
    "--annual", is_flag=True, help=tr("Annual quotas and caps, in place of levels of buildings.")
)
@format_option("table", "json", "csv")
@click.option(
    "--strict",
    is_flag=True,
    help=tr("Exit with 1 if a constraint is exceeded, or an annual quota is missed or at risk."),
)
def quotas(
    site_dir: Path,
    config_file: Path,
    period: str,
    scope: str | None,
    annual: bool,
    form: str,
    strict: bool,
) -> None:
    from analytics import figure_queries
    from jieneng.clock import SystemClock

    folder, settings, translate, names = read_figure_site(site_dir, config_file)
    levels, annual_quotas = run_once(
        figure_queries.quotas(folder, settings, period, scope, SystemClock())
    )
    if form == "table" and not (annual_quotas if annual else levels):
        click.echo(tr(_NONE))
    elif annual:
        _print_annual(annual_quotas, form, names, translate)
    else:
        _print_levels(levels, form, names, translate)
    is_exceeded = any(one.level == "above" for one in levels)
    is_missed = any(one.status in ("missed", "at_risk") for one in annual_quotas)
    if strict and (is_missed if annual else is_exceeded):
        sys.exit(1)


def _print_levels(
    results: "Sequence[QuotaResult]", form: str, names: "Labels", translate: "Translate"
) -> None:
    from rich.console import Console

    from analytics.report.quotas import quota_output

    match form:
        case "json":
            click.echo(quota_output.to_json(results, translate, names))
        case "csv":
            click.echo(quota_output.to_csv(results), nl=False)
        case _:
            console = Console(width=_TABLE_WIDTH)
            console.print(quota_output.quota_table(results, names, translate))


def _print_annual(
    results: "Sequence[AnnualQuotaResult]", form: str, names: "Labels", translate: "Translate"
) -> None:
    from rich.console import Console

    from analytics.report.quotas import annual_quota_output

    match form:
        case "json":
            click.echo(annual_quota_output.to_json(results, translate, names))
        case "csv":
            click.echo(annual_quota_output.to_csv(results), nl=False)
        case _:
            console = Console(width=_TABLE_WIDTH)
            console.print(annual_quota_output.annual_quota_table(results, names, translate))
            for one in results:
                console.print(annual_quota_output.quota_months_table(one, names, translate))
