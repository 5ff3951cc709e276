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
    from ingest.receipts.sequence_ranges import BootSequence
    from ingest.settings import IngestSettings
    from jieneng.site_folder import SiteFolder


#: Largest number of listed gaps for a run of an agent.
_GAPS_SHOWN = 10


@click.group(
    help=tr("Ingest: store readings from MQTT, and acknowledge stored readings to the agents.")
)
def ingest() -> None: ...


@ingest.command(
    "run",
    help=tr(
        "Store the agents' readings until the command is stopped. Any number of copies may"
        " run at the same time."
    ),
    epilog=examples("jieneng ingest run --site my-site"),
)
@site_option
@config_option("ingest.toml")
@log_options
def ingest_run(site_dir: Path, config_file: Path, log_level: str, log_json: bool | None) -> None:
    from ingest import app
    from ingest.settings import IngestSettings
    from jieneng.cli.checks.broker_checks import refuse_broker_files
    from jieneng.site_folder import load, read_settings

    folder = load(site_dir)
    settings = read_settings(site_dir / config_file, IngestSettings)
    refuse_broker_files(site_dir / config_file, settings.broker)
    serve(app.run, folder, settings, (log_level, log_json))


ingest.add_command(quarantine)


@ingest.command(
    help=tr(
        "Check each agent's ledger: read = stored + quarantined + pending + dropped. The"
        " exit code is 1 if a ledger does not balance."
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
    from ingest import app
    from ingest.settings import IngestSettings
    from jieneng.site_folder import load, read_settings

    folder = load(site_dir)
    settings = read_settings(site_dir / config_file, IngestSettings)
    accounts = run_once(_accounts(folder, settings, hours))
    for account in accounts:
        _print_account(account)
    for sequence in app.open_receipts(folder, settings.quarantine).sequences():
        _print_gaps(sequence)
    if not accounts:
        click.echo(tr("No agent has reported in the last {hours} hours.").format(hours=hours))
    sys.exit(0 if accounts and all(account.is_balanced for account in accounts) else 1)


def _print_account(account: "AgentLedger") -> None:
    verdict = tr("balances") if account.is_balanced else tr("does not balance")
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
    if account.set_aside.total:
        line = tr(
            "of the quarantined samples: still held {held}, replayed {replayed}, dropped {dropped}"
        )
        what = line.format(
            held=account.set_aside.held,
            replayed=account.set_aside.replayed,
            dropped=account.set_aside.dropped,
        )
        click.echo(f"{account.agent}: {what}")
    if account.unacknowledged_s:
        line = tr(
            "no published batch was acknowledged for {seconds:.0f} s: the agent's log and"
            " /health name likely causes"
        )
        click.echo(f"{account.agent}: {line.format(seconds=account.unacknowledged_s)}")
    if account.forgotten:
        line = tr("{count} samples counted as quarantined are in no quarantine known here")
        click.echo(f"{account.agent}: {line.format(count=account.forgotten)}")


def _print_gaps(sequence: "BootSequence") -> None:
    if not sequence.gaps:
        return
    line = tr(
        "run {boot}: of the batches {first} to {last}, {missing} were not received here:"
        " {gaps}. This is only a hint: they may be pending, or another machine received"
        " them."
    )
    shown = [f"{a}-{b}" if a < b else str(a) for a, b in sequence.gaps[:_GAPS_SHOWN]]
    if len(sequence.gaps) > _GAPS_SHOWN:
        shown.append("...")
    text = line.format(
        boot=sequence.boot,
        first=sequence.ranges[0][0],
        last=sequence.ranges[-1][1],
        missing=sequence.missing,
        gaps=", ".join(shown),
    )
    click.echo(f"{sequence.agent}: {text}")


async def _accounts(
    folder: "SiteFolder", settings: "IngestSettings", hours: float
) -> "list[AgentLedger]":
    from ingest import app, ledger
    from jieneng.storage import open_store

    store = open_store(settings.store, folder.path)
    quarantine = app.open_quarantine(folder, settings.quarantine)
    now_ms = SystemClock().now_ms()
    begin_ms = now_ms - round(hours * 3_600_000)
    try:
        await store.prepare()
        return await ledger.latest_ledgers(
            store,
            folder.site.id,
            start_ms=begin_ms,
            end_ms=now_ms + 1,
            machine=app.open_receipts(folder, settings.quarantine).machine(),
            accounts=quarantine.accounts(),
        )
    finally:
        await store.close()
