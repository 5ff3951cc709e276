"""The commands `jieneng ingest`: the service, its quarantine, and the ledger of the agents."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

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
from jieneng.cli.quarantine_commands import quarantine
from jieneng.clock import SystemClock

if TYPE_CHECKING:  # imported when a command runs, so that `--help` is quick
    from ingest.ledger import AgentLedger
    from ingest.settings import IngestSettings
    from jieneng.site_folder import SiteFolder


@click.group(help=tr("Ingest: store readings from MQTT, and acknowledge what is stored."))
def ingest() -> None: ...


@ingest.command(
    "run",
    help=tr("Store what the agents publish, until it is stopped. Run as many copies as wanted."),
    epilog=examples("jieneng ingest run --site my-site"),
)
@site_option
@config_option("ingest.toml")
@log_options
def ingest_run(site_dir: Path, config_file: Path, log_level: str, log_json: bool | None) -> None:
    from ingest import app
    from ingest.settings import IngestSettings
    from jieneng.site_folder import load, read_settings

    folder = load(site_dir)
    settings = read_settings(site_dir / config_file, IngestSettings)
    serve(app.run, folder, settings, (log_level, log_json))


ingest.add_command(quarantine)


@ingest.command(
    help=tr(
        "Check each agent's ledger: read = stored + quarantined + pending + dropped. Exit with 1 "
        "if it fails."
    ),
    epilog=examples("jieneng ingest ledger --site my-site"),
)
@site_option
@config_option("ingest.toml")
@click.option(
    "--hours",
    type=click.FloatRange(min=0.1),
    default=24.0,
    show_default=True,
    help=tr("Number of hours to look back."),
)
def ledger(site_dir: Path, config_file: Path, hours: float) -> None:
    from ingest.settings import IngestSettings
    from jieneng.site_folder import load, read_settings

    folder = load(site_dir)
    settings = read_settings(site_dir / config_file, IngestSettings)
    accounts = run_once(_accounts(folder, settings, hours))
    for account in accounts:
        verdict = tr("holds") if account.is_balanced else tr("does not hold")
        line = tr(
            "samples: read {read} = stored {stored} + set aside {quarantined} + pending {pending} "
            "+ dropped {dropped}"
        )
        counts = line.format(
            read=account.read,
            stored=account.stored,
            quarantined=account.quarantined,
            pending=account.pending,
            dropped=account.dropped,
        )
        click.echo(f"{account.agent}: {counts}: {verdict}")
        if account.unacknowledged_s:
            silence = tr(
                "{agent}: published, and nothing acknowledged for {seconds:.0f} s; the log and "
                "/health of the agent name likely causes."
            )
            click.echo(silence.format(agent=account.agent, seconds=account.unacknowledged_s))
    if not accounts:
        click.echo(tr("No agent has reported in the last {hours} hours.").format(hours=hours))
    sys.exit(0 if accounts and all(account.is_balanced for account in accounts) else 1)


async def _accounts(
    folder: "SiteFolder", settings: "IngestSettings", hours: float
) -> "list[AgentLedger]":
    from ingest import ledger
    from jieneng.storage import open_store

    store = open_store(settings.store, folder.path)
    now_ms = SystemClock().now_ms()
    begin_ms = now_ms - round(hours * 3_600_000)
    try:
        await store.prepare()
        return await ledger.latest_ledgers(
            store, folder.site.id, start_ms=begin_ms, end_ms=now_ms + 1
        )
    finally:
        await store.close()
