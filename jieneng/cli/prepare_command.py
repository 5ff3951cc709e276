"""The command `jieneng ingest prepare`: prepare the server of `[store]`."""

import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from jieneng.cli.options import config_option, examples, run_once, site_option, tr
from jieneng.clock import SystemClock

if TYPE_CHECKING:  # imported when the command runs, so that `--help` is quick
    from jieneng.site_folder import SiteFolder
    from jieneng.storage import StoreSettings
    from jieneng.storage.influx_http import Credentials
    from jieneng.storage.preparing.preparation import Event
    from jieneng.storage.preparing.steps import PrepareOptions

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command(
    help=tr(
        "Prepare the database of [store]: report the server and its limits, create database or "
        "bucket, set the retention, and create accounts with least privilege for ingest, analytics "
        "and Grafana. A second run changes nothing. Exit code 1 if the retention is too short."
    ),
    epilog=examples(
        "jieneng ingest prepare --site my-site --dry-run",
        "jieneng ingest prepare --site my-site --admin-token-file operator --token-dir secrets",
        "jieneng ingest prepare --site my-site --admin-user root --admin-password-file root.txt",
    ),
)
@site_option
@config_option("ingest.toml")
@click.option("--dry-run", is_flag=True, help=tr("Report only; change nothing."))
@click.option(
    "--retention-days",
    type=click.IntRange(min=0),
    metavar=tr("DAYS"),
    help=tr("Days for which points are kept; 0: without end. Unchanged if omitted."),
)
@click.option("--org", help=tr("Organisation of InfluxDB 2, if the token sees several."))
@click.option("--admin-user", help=tr("Administrator of InfluxDB 1.x or openGemini."))
@click.option(
    "--admin-password-file",
    type=_FILE,
    help=tr("File with the administrator's password; if omitted, JIENENG_ADMIN_PASSWORD is used."),
)
@click.option(
    "--admin-token-file",
    type=_FILE,
    help=tr("File with an operator token of InfluxDB 2; if omitted, JIENENG_ADMIN_TOKEN is used."),
)
@click.option(
    "--token-dir",
    type=click.Path(path_type=Path, file_okay=False),
    help=tr("Folder for files with the new passwords and tokens; printed once if omitted."),
)
def prepare(
    site_dir: Path,
    config_file: Path,
    dry_run: bool,
    retention_days: int | None,
    org: str | None,
    admin_user: str | None,
    admin_password_file: Path | None,
    admin_token_file: Path | None,
    token_dir: Path | None,
) -> None:
    from ingest.settings import IngestSettings
    from jieneng.site_folder import load, read_settings
    from jieneng.storage import embedded_file
    from jieneng.storage.influx_http import Credentials, read_secret
    from jieneng.storage.preparing.steps import PrepareOptions

    folder = load(site_dir)
    settings = read_settings(site_dir / config_file, IngestSettings).store
    file = embedded_file(settings, site_dir)
    if file is not None:
        _prepare_file(settings, folder, file, dry_run=dry_run)
        return

    def secret(path: Path | None, variable: str) -> str | None:
        return read_secret(str(path) if path else None, variable)

    now_ms = SystemClock().now_ms()
    options = PrepareOptions(
        database=settings.database,
        retention_s=None if retention_days is None else retention_days * 86400,
        org=org,
        dry_run=dry_run,
        secret_dir=token_dir,
        base_year_ms=_base_year_ms(folder, now_ms),
        now_ms=now_ms,
    )
    credentials = Credentials(
        token=secret(admin_token_file, "JIENENG_ADMIN_TOKEN"),
        username=admin_user,
        password=secret(admin_password_file, "JIENENG_ADMIN_PASSWORD"),
    )
    sys.exit(run_once(_prepare_server(settings, credentials, options)))


async def _prepare_server(
    settings: "StoreSettings", credentials: "Credentials", options: "PrepareOptions"
) -> int:
    """Prepare a server, print each created thing, and return the exit code."""
    from jieneng.storage.preparing.preparation import prepare_server
    from jieneng.storage.preparing.steps import Done, Note, State

    states: list[State] = []
    is_faulty = False
    async for event in prepare_server(settings, credentials, options):
        _print_event(event, settings.url)
        if isinstance(event, Done):
            states.append(event.state)
        is_faulty |= isinstance(event, Note) and event.is_fault
    changed = len(states) - states.count(State.THERE)
    if states and not changed:
        click.echo(tr("Nothing to change."))
    elif states and options.dry_run:
        click.echo(tr("Nothing was changed. Run it without --dry-run to create these."))
    return int(is_faulty)


def _print_event(event: "Event", url: str) -> None:
    from jieneng.storage.preparing.steps import Done, Note, Secret, State
    from jieneng.storage.server_kinds import Server

    states = {
        State.THERE: tr("exists: {thing}"),
        State.MADE: tr("created: {thing}"),
        State.WOULD: tr("would create: {thing}"),
    }
    match event:
        case Server(kind, version):
            said = tr("{url} is {name} {version}")
            click.echo(said.format(url=url, name=kind.name, version=version))
        case Done():
            thing = tr(event.text).format_map(event.values)
            click.echo(states[event.state].format(thing=thing))
        case Note():
            mark = "! " if event.is_fault else "- "
            click.echo(mark + tr(event.text).format_map(event.values))
        case Secret(owner, text, None):
            said = tr("secret of {owner}, shown only once: {secret}")
            click.echo(said.format(owner=owner, secret=text))
        case Secret(owner, _, path):
            click.echo(tr("secret of {owner}: {path}").format(owner=owner, path=path))


def _prepare_file(
    settings: "StoreSettings", folder: "SiteFolder", file: Path, *, dry_run: bool
) -> None:
    from jieneng.storage import open_store

    async def make() -> None:
        store = open_store(settings, folder.path)
        try:
            await store.prepare()
        finally:
            await store.close()

    thing = tr("store {path}").format(path=file)
    if file.exists():
        click.echo(tr("exists: {thing}").format(thing=thing))
    elif dry_run:
        click.echo(tr("would create: {thing}").format(thing=thing))
    else:
        run_once(make())
        click.echo(tr("created: {thing}").format(thing=thing))
    click.echo("- " + tr("A file needs no accounts and keeps its points without end."))


def _base_year_ms(folder: "SiteFolder", now_ms: int) -> int | None:
    """Return the start of the base year of this year's plan [UTC, ms]; None if there is no plan."""
    from datetime import UTC, datetime, time

    from analytics.periods import calendar_year
    from analytics.site_analytics import load_rules
    from jieneng.metering.errors import ConfigError

    with suppress(ConfigError):  # `jieneng check` reports errors in the rules
        year = datetime.fromtimestamp(now_ms / 1000, UTC).year
        base = load_rules(folder.path).base_year(calendar_year(year))
        if base is not None:
            begin = datetime.combine(base.start, time(), tzinfo=folder.site.zone)
            return int(begin.timestamp() * 1000)
    return None
