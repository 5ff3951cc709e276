"""The commands `jieneng indicators` and `jieneng report`: print or save figures of a period."""

import sys
from pathlib import Path
from typing import Final

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
from jieneng.metering.errors import UsageError

#: Width of all columns of the figures' table, in either language.
_TABLE_WIDTH: Final = 110


@click.command(
    help=tr("Print the figures of a period, compared with the plan."),
    epilog=examples(
        "jieneng indicators --period 2025",
        "jieneng indicators --site my-site --period 2025-06 --scope block-1 --format json",
        "jieneng indicators --period 2025 --strict",
    ),
)
@site_option
@config_option("analytics.toml")
@click.option("--period", required=True, metavar="P", help=tr("A year 2025, or a month 2025-06."))
@scope_option
@format_option("table", "json", "csv")
@click.option("--strict", is_flag=True, help=tr("Exit with 1 if a target is missed or at risk."))
def indicators(
    site_dir: Path, config_file: Path, period: str, scope: str | None, form: str, strict: bool
) -> None:
    from rich.console import Console

    from analytics import figure_queries
    from analytics.report import confirmation, csv_output, figure_json, terminal_tables
    from analytics.report.analyses import comparison_output
    from jieneng.clock import SystemClock

    folder, settings, translate, names = read_figure_site(site_dir, config_file)
    figures = run_once(
        figure_queries.indicators(
            folder, settings, period, scope, SystemClock(), require_data=form == "table"
        )
    )
    if form == "json":
        click.echo(figure_json.to_json(figures, translate, names))
    elif form == "csv":
        click.echo(csv_output.to_csv(figures, translate, names), nl=False)
    else:
        console = Console()
        console.width = max(console.width, _TABLE_WIDTH)  # never cut digits off a number
        console.print(terminal_tables.figures_table(figures, names.names, translate))
        if any(figure.forecast is not None for figure in figures):
            console.print(terminal_tables.forecast_table(figures, names.names, translate))
        if any(figure.comparisons for figure in figures):
            console.print(comparison_output.comparison_table(figures, names, translate))
        console.print(terminal_tables.basis_table(figures, names.names, translate))
        if any(figure.findings for figure in figures):
            console.print(terminal_tables.findings_table(figures, names, translate))
        if findings := confirmation.to_confirm(figures):
            click.echo(confirmation.how_to_confirm(translate) + "\n")
            click.echo(confirmation.confirmation_lines(findings, names, translate) + "\n")
        console.print(terminal_tables.definitions_table(figures, translate))
    if strict and any(figure.status in ("missed", "at_risk") for figure in figures):
        sys.exit(1)


@click.command(
    help=tr("Write the figures of a year as a page to print or send: HTML, JSON and CSV."),
    epilog=examples("jieneng report --period 2025 --out reports"),
)
@site_option
@config_option("analytics.toml")
@click.option("--period", required=True, metavar="P", help=tr("A year, such as 2025."))
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    metavar=tr("DIR"),
    help=tr("Folder for the files."),
)
def report(site_dir: Path, config_file: Path, period: str, out: Path) -> None:
    from analytics import figure_queries
    from analytics.report import csv_output, figure_json, page
    from analytics.settings import AnalyticsSettings
    from jieneng.clock import SystemClock
    from jieneng.locale import preferred, translator
    from jieneng.site_folder import load, read_settings

    if not (period.isdecimal() and len(period) == 4):
        raise UsageError(
            "a report covers a year, so {period} is not possible: write for example --period 2025.",
            period=period,
        )
    folder = load(site_dir)
    settings = read_settings(site_dir / config_file, AnalyticsSettings)
    data = run_once(figure_queries.report(folder, settings, period, SystemClock()))
    language = preferred(folder.site.site.language)
    translate = translator(language)
    texts = {
        "html": page.render(data, translate, language=language),
        "json": figure_json.to_json(data.figures, translate, data.labels) + "\n",
        "csv": csv_output.to_csv(data.figures, translate, data.labels),
    }
    out.mkdir(parents=True, exist_ok=True)
    for ending, text in texts.items():
        file = out / f"{folder.site.id}-{period}.{ending}"
        file.write_text(text, encoding="utf-8")
        click.echo(file)
