"""The commands `jieneng ingest quarantine`: list, show, replay and drop quarantined samples."""

import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import click

from jieneng.cli.options import config_option, examples, format_option, run_once, site_option, tr
from jieneng.cli.quarantine_output import print_entry, print_groups, printable
from jieneng.clock import SystemClock
from jieneng.metering.errors import UsageError

if TYPE_CHECKING:  # imported when a command runs, so that `--help` is quick
    from ingest.quarantine.quarantine_entry import EntryFilter
    from ingest.quarantine.quarantine_file import Quarantine
    from ingest.quarantine_replay import ReplayReport
    from ingest.settings import IngestSettings
    from jieneng.site_folder import SiteFolder

_Command = TypeVar("_Command", bound=Callable[..., Any])


class _Opened(NamedTuple):
    folder: "SiteFolder"
    settings: "IngestSettings"
    quarantine: "Quarantine"


def _choice_options(command: _Command) -> _Command:
    """Add `--reason`, `--meter` and `--since`."""
    for option in (
        click.option(
            "--since",
            type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"]),
            metavar=tr("TIME"),
            help=tr(
                "Only entries quarantined at this local time or later, such as 2026-11-05T14:00."
            ),
        ),
        click.option("--meter", metavar=tr("METER"), help=tr("Only this meter.")),
        click.option("--reason", metavar=tr("REASON"), help=tr("Only this reason.")),
    ):
        command = option(command)
    return command


@click.group(
    help=tr(
        "List, show, replay and drop samples that could not be stored. Only these commands"
        " remove acknowledged samples from the quarantine."
    ),
    epilog=examples(
        "jieneng ingest quarantine list --site my-site",
        "jieneng ingest quarantine show 12",
        "jieneng ingest quarantine replay --reason unknown_meter",
        "jieneng ingest quarantine drop --reason retention",
    ),
)
def quarantine() -> None: ...


@quarantine.command(
    "list",
    help=tr("List the entries by reason and meter."),
    epilog=examples(
        "jieneng ingest quarantine list --site my-site",
        "jieneng ingest quarantine list --meter e-main --since 2026-11-05",
        "jieneng ingest quarantine list --format json",
    ),
)
@site_option
@config_option("ingest.toml")
@_choice_options
@format_option("table", "json")
def list_entries(
    site_dir: Path,
    config_file: Path,
    reason: str | None,
    meter: str | None,
    since: datetime | None,
    form: str,
) -> None:
    import msgspec

    opened = _open(site_dir, config_file)
    groups = opened.quarantine.groups(_chosen(opened, reason=reason, meter=meter, since=since))
    if form == "json":
        click.echo(msgspec.json.format(msgspec.json.encode(groups)).decode())
        return
    if not groups:
        click.echo(tr("No entry of the quarantine meets these conditions."))
        return
    print_groups(groups, opened.folder.site.zone)
    used = opened.quarantine.usage(acknowledged=True).bytes
    click.echo(
        tr("{samples} samples in {entries} entries; {share} % of max_bytes is used.").format(
            samples=sum(group.samples for group in groups),
            entries=sum(group.entries for group in groups),
            share=round(100 * used / opened.settings.quarantine.max_bytes),
        )
    )
    if lost := opened.quarantine.usage(acknowledged=False).lost:
        click.echo(
            tr("{count} messages were deleted to make room, before they were acknowledged.").format(
                count=lost
            )
        )


@quarantine.command(
    help=tr("Show an entry: its reason, the message of the store, and its samples."),
    epilog=examples("jieneng ingest quarantine show 12 --site my-site"),
)
@site_option
@config_option("ingest.toml")
@click.argument("number", type=click.IntRange(min=1), metavar=tr("NUMBER"))
def show(site_dir: Path, config_file: Path, number: int) -> None:
    from ingest.quarantine.quarantine_entry import EntryFilter

    opened = _open(site_dir, config_file)
    entry = next(opened.quarantine.entries(EntryFilter(ids=(number,))), None)
    if entry is None:
        raise UsageError(
            "there is no entry {number}. List the entries with: jieneng ingest quarantine list.",
            number=number,
        )
    print_entry(entry, opened.folder.site.zone)


@quarantine.command(
    help=tr(
        "Check and store entries again, after their cause is fixed. The exit code is 1 if"
        " some are still refused."
    ),
    epilog=examples(
        "jieneng ingest quarantine replay --site my-site",
        "jieneng ingest quarantine replay --reason unknown_meter --meter e-new",
        "jieneng ingest quarantine replay 12 13",
    ),
)
@site_option
@config_option("ingest.toml")
@_choice_options
@click.argument("numbers", nargs=-1, type=click.IntRange(min=1), metavar=tr("[NUMBER...]"))
def replay(
    site_dir: Path,
    config_file: Path,
    reason: str | None,
    meter: str | None,
    since: datetime | None,
    numbers: tuple[int, ...],
) -> None:
    opened = _open(site_dir, config_file)
    chosen = _chosen(opened, reason=reason, meter=meter, since=since, numbers=numbers)
    report = run_once(_replay(opened, chosen))
    click.echo(
        tr("{entries} entries were sent again; {stored} samples of them are stored.").format(
            entries=report.entries, stored=report.stored
        )
    )
    for one in report.refused:
        line = tr("Still refused, {reason} {meter}: {samples} samples. {detail}")
        click.echo(
            line.format(
                reason=one.reason,
                meter=printable(one.meter),
                samples=one.samples,
                detail=printable(one.detail),
            )
        )
    sys.exit(1 if report.refused else 0)


@quarantine.command(
    help=tr("Delete entries for good. Name the entries by their numbers or by options."),
    epilog=examples(
        "jieneng ingest quarantine drop --reason retention --site my-site",
        "jieneng ingest quarantine drop 12 13 --yes",
        "jieneng ingest quarantine drop --all",
    ),
)
@site_option
@config_option("ingest.toml")
@_choice_options
@click.option("--all", "all_entries", is_flag=True, help=tr("All entries."))
@click.option("--yes", is_flag=True, help=tr("Do not ask for confirmation."))
@click.argument("numbers", nargs=-1, type=click.IntRange(min=1), metavar=tr("[NUMBER...]"))
def drop(
    site_dir: Path,
    config_file: Path,
    reason: str | None,
    meter: str | None,
    since: datetime | None,
    all_entries: bool,
    yes: bool,
    numbers: tuple[int, ...],
) -> None:
    from ingest.quarantine.quarantine_entry import EntryFilter

    opened = _open(site_dir, config_file)
    chosen = _chosen(opened, reason=reason, meter=meter, since=since, numbers=numbers)
    if (chosen == EntryFilter()) is not all_entries:
        raise UsageError(
            "name what to drop: numbers of entries, --reason, --meter or --since; or --all alone."
        )
    last_id = opened.quarantine.last_id()
    entries, samples = opened.quarantine.sums(chosen)
    if not entries:
        click.echo(tr("No entry of the quarantine meets these conditions."))
        return
    question = tr("Delete {entries} entries with {samples} samples for good?")
    if not yes:
        click.confirm(question.format(entries=entries, samples=samples), abort=True)
    entries, samples = opened.quarantine.drop(chosen, last_id)
    click.echo(
        tr("{samples} samples in {entries} entries are gone for good.").format(
            entries=entries, samples=samples
        )
    )


def _open(site_dir: Path, config_file: Path) -> _Opened:
    from ingest.app import open_quarantine
    from ingest.settings import IngestSettings
    from jieneng.site_folder import load, read_settings

    folder = load(site_dir)
    settings = read_settings(site_dir / config_file, IngestSettings)
    return _Opened(folder, settings, open_quarantine(folder, settings.quarantine))


def _chosen(
    opened: _Opened,
    *,
    reason: str | None,
    meter: str | None,
    since: datetime | None,
    numbers: tuple[int, ...] = (),
) -> "EntryFilter":
    from ingest.quarantine.quarantine_entry import EntryFilter

    begin = since.replace(tzinfo=opened.folder.site.zone) if since else None
    return EntryFilter(
        ids=numbers,
        reason=reason,
        meter=meter,
        since_ms=round(begin.timestamp() * 1000) if begin else None,
    )


async def _replay(opened: _Opened, chosen: "EntryFilter") -> "ReplayReport":
    from ingest.admission.message_checker import MessageChecker
    from ingest.quarantine_replay import replay
    from ingest.storing.late_days import LateDays
    from jieneng.cli.progress import share_progress
    from jieneng.storage import open_store

    store = open_store(opened.settings.store, opened.folder.path)
    total = max(1, opened.quarantine.sums(chosen)[0])
    try:
        await store.prepare()
        with share_progress(tr("Replay")) as progress:
            return await replay(
                opened.quarantine,
                chosen,
                MessageChecker(opened.folder.site, opened.folder.models),
                store,
                LateDays(opened.folder.site, SystemClock()),
                SystemClock().now_ms(),
                lambda done: progress(min(1.0, done / total)),
            )
    finally:
        await store.close()
