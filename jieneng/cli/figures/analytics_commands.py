"""The commands `jieneng analytics`: the service, and its work done once."""

from datetime import datetime
from pathlib import Path

import click

from jieneng.cli.options import (
    config_option,
    examples,
    log_options,
    run_once,
    serve,
    site_option,
    tr,
)
from jieneng.clock import SystemClock
from jieneng.metering.errors import UsageError


@click.group(help=tr("Analytics: compute consumption and indicators from readings."))
def analytics() -> None: ...


@analytics.command(
    "run",
    help=tr("Keep consumption and indicators up to date until the command is stopped."),
    epilog=examples("jieneng analytics run --site my-site"),
)
@site_option
@config_option("analytics.toml")
@log_options
def analytics_run(site_dir: Path, config_file: Path, log_level: str, log_json: bool | None) -> None:
    from analytics import app
    from analytics.settings import AnalyticsSettings
    from jieneng.site_folder import load, read_settings

    folder = load(site_dir)
    settings = read_settings(site_dir / config_file, AnalyticsSettings)
    serve(app.run, folder, settings, (log_level, log_json))


@analytics.command(
    help=tr("Bring consumption and indicators up to date once, then exit."),
    epilog=examples("jieneng analytics once --site my-site"),
)
@site_option
@config_option("analytics.toml")
def once(site_dir: Path, config_file: Path) -> None:
    from analytics import app
    from analytics.settings import AnalyticsSettings
    from jieneng.site_folder import load, read_settings

    settings = read_settings(site_dir / config_file, AnalyticsSettings)
    figures = run_once(app.once(load(site_dir), settings, SystemClock()))
    text = tr("{count} figure published." if len(figures) == 1 else "{count} figures published.")
    click.echo(text.format(count=len(figures)))


_DAY = click.DateTime(["%Y-%m-%d"])


@analytics.command(
    help=tr(
        "Compute the consumption of days again, for example after readings or factors were "
        "corrected."
    ),
    epilog=examples("jieneng analytics backfill --site my-site --from 2024-01-01 --to 2024-12-31"),
)
@site_option
@config_option("analytics.toml")
@click.option("--from", "first", type=_DAY, required=True, help=tr("First local day."))
@click.option("--to", "last", type=_DAY, help=tr("Last local day; today if omitted."))
def backfill(site_dir: Path, config_file: Path, first: datetime, last: datetime | None) -> None:
    from analytics import app
    from analytics.settings import AnalyticsSettings
    from jieneng.cli.progress import share_progress
    from jieneng.locale.finding_text import finding_text, labels
    from jieneng.site_folder import load, read_settings

    folder = load(site_dir)
    settings = read_settings(site_dir / config_file, AnalyticsSettings)
    clock = SystemClock()
    today = datetime.fromtimestamp(clock.now_ms() / 1000, folder.site.zone).date()
    end = today if last is None else last.date()
    if end < first.date():
        raise UsageError("--to {last} lies before --from {first}.", last=end, first=first.date())
    with share_progress(tr("Consumption by day")) as progress:
        findings = run_once(app.backfill(folder, settings, first.date(), end, clock, progress))
    for finding in findings:
        click.echo(finding_text(finding, tr, labels(folder.site)))
    click.echo(tr("{first} to {last} computed.").format(first=first.date(), last=end))
