"""`jieneng simulate score`: a store against the truth of a simulated run."""

import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
import msgspec

from jieneng.cli.options import config_option, examples, run_once, site_option, tr
from jieneng.metering import schema
from jieneng.metering.errors import UsageError

if TYPE_CHECKING:  # imported when a command runs, so that `--help` is quick
    from numpy import float64, int64
    from numpy.typing import NDArray
    from rich.table import Table
    from rich.text import Text

    from jieneng.site_folder import SiteFolder
    from jieneng.storage import Store, StoreSettings
    from simulators.amounts import Amounts
    from simulators.pairing import Rules
    from simulators.score import Case, Counts, Score
    from simulators.truth import Truth

#: Consumption is compared by these stored intervals, and their length [s].
_INTERVAL: Final = "15min"
_INTERVAL_S: Final = 900
#: An answer may be on its way for so long when the run ends [real s].
_GRACE_S: Final = 10.0
#: All columns of the tables, in either language; so many mistakes are told below them.
_TABLE_WIDTH: Final = 120
_TOLD: Final = 10
_UNKNOWN: Final = "—"


@click.command(
    help=tr(
        "Compare the store with the truth of a simulated run: which readings are lost, invented, "
        "wrong or late, and the error of each day's consumption. Exit 1 where a reading is not "
        "right."
    ),
    epilog=examples(
        "jieneng simulate score --site my-site --truth run-1",
        "jieneng simulate score --site my-site --truth run-1 --tolerance 5 --format json",
    ),
)
@site_option
@config_option("analytics.toml")
@click.option(
    "--truth",
    "truth_dir",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    metavar=tr("DIR"),
    help=tr("The folder that the run wrote."),
)
@click.option(
    "--tolerance",
    "tolerance_s",
    type=click.FloatRange(min=0),
    metavar=tr("SECONDS"),
    help=tr(
        "How far a stored time may lie from the answer's; where omitted 1, or a twentieth of the "
        "run's speed where that is more."
    ),
)
@click.option(
    "--peer",
    "peers",
    multiple=True,
    metavar="HOST[:PORT]",
    help=tr(
        "The pipeline's own masters, where others asked as well; may be given several times. All "
        "answers count where omitted."
    ),
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "json", "csv"]),
    default="table",
    show_default=True,
    help=tr("How it is printed."),
)
def score(
    site_dir: Path,
    config_file: Path,
    truth_dir: Path,
    tolerance_s: float | None,
    peers: tuple[str, ...],
    form: str,
) -> None:
    from analytics.config import AnalyticsSettings
    from jieneng.site_folder import load, read_settings
    from simulators import truth as truths

    folder = load(site_dir)
    settings = read_settings(site_dir / config_file, AnalyticsSettings)
    truth = truths.read(truth_dir)
    if truth.run.site != folder.site.id:
        raise UsageError(
            "the truth in {folder} is of site {site}, not of {other}: name its folder with --site.",
            folder=truth_dir,
            site=truth.run.site,
            other=folder.site.id,
        )
    rules = _rules(truth, tolerance_s)
    _must_be_there(folder, settings.store)
    answers = {name: one.asked_by(peers) for name, one in truth.answers.items()}
    truth = msgspec.structs.replace(truth, answers=answers)
    result = run_once(_scored(folder, settings.store, truth, rules))
    if form == "json":
        _print_json(result, truth, rules)
    elif form == "csv":
        _print_csv(result)
    else:
        _print_tables(result, truth, rules)
    _print_doubts(result, truth)
    sys.exit(1 if result.counts.mistakes else 0)


def _must_be_there(folder: "SiteFolder", settings: "StoreSettings") -> None:
    """An embedded store would be made by asking for it, and all would be lost."""
    file = folder.path / settings.path
    if settings.kind == "sqlite" and not file.exists():
        raise UsageError(
            "there is no store at {file}: name the folder of the site whose pipeline ran.",
            file=file,
        )


def _rules(truth: "Truth", tolerance_s: float | None) -> "Rules":
    from zoneinfo import ZoneInfo

    from simulators.pairing import Rules

    speed = truth.run.speed
    if tolerance_s is None:
        tolerance_s = max(1.0, 0.05 * speed)
    return Rules(
        begin_ms=truth.begin_ms,
        end_ms=truth.end_ms,
        zone=ZoneInfo(truth.run.timezone),
        tolerance_ms=round(1000 * tolerance_s),
        grace_ms=round(1000 * _GRACE_S * max(1.0, speed)),
    )


# --- the store ------------------------------------------------------------------------------------


async def _scored(
    folder: "SiteFolder", settings: "StoreSettings", truth: "Truth", rules: "Rules"
) -> "Score":
    from jieneng.storage import open_store
    from simulators.score import score as scored

    store = open_store(settings, folder.path)
    try:
        await store.prepare()
        cases = [await _case(store, truth, name) for name in truth.run.meters]
    finally:
        await store.close()
    return scored(cases, rules)


async def _case(store: "Store", truth: "Truth", name: str) -> "Case":
    """A meter's truth, and what the store has of it."""
    import numpy as np

    from simulators.amounts import Amounts, at
    from simulators.pairing import Readings
    from simulators.score import Case

    row = truth.run.meters[name]
    meter = {"site": truth.run.site, "meter": name}
    times, values = await _read(store, truth, row.medium, row.quantity, meter)
    doubts = await _read(store, truth, row.medium, schema.QUALITY, meter)
    consumed = {"site": truth.run.site, "kind": "meter", "scope": name, "interval": _INTERVAL}
    stored = Amounts(*await _read(store, truth, schema.CONSUMPTION, row.quantity, consumed))
    flowed, computed = _fitted(truth.consumption[name], truth.run.interval_s, stored)
    return Case(
        meter=name,
        quantity=row.quantity,
        step=row.step,
        answers=truth.answers[name],
        readings=Readings(times, values, np.nan_to_num(at(times, *doubts)).astype(np.int64)),
        flowed=flowed,
        computed=computed,
    )


def _fits(length_s: int) -> bool:
    return _INTERVAL_S % length_s == 0 or length_s % _INTERVAL_S == 0


def _fitted(flowed: "Amounts", length_s: int, stored: "Amounts") -> "tuple[Amounts, Amounts]":
    """The truth's intervals and the store's, both of the longer length; none that do not fit."""
    from simulators.amounts import Amounts, regrouped

    if not _fits(length_s):
        return flowed, Amounts(stored.starts_ms[:0], stored.values[:0])
    if length_s <= _INTERVAL_S:
        return regrouped(flowed, 1000 * length_s, 1000 * _INTERVAL_S), stored
    return flowed, regrouped(stored, 1000 * _INTERVAL_S, 1000 * length_s)


async def _read(
    store: "Store", truth: "Truth", measurement: str, field: str, where: Mapping[str, str]
) -> "tuple[NDArray[int64], NDArray[float64]]":
    """Times and values of the one series that has these tags; empty where there is none."""
    import numpy as np

    found = await store.read(
        measurement, field, where=where, start_ms=truth.begin_ms, end_ms=truth.end_ms + 1
    )
    if not found:
        return np.zeros(0, np.int64), np.zeros(0)
    return found[0].times_ms, found[0].values


# --- what is printed ------------------------------------------------------------------------------


def _print_json(result: "Score", truth: "Truth", rules: "Rules") -> None:
    import msgspec

    report = {
        "site": truth.run.site,
        "begin": truth.run.begin,
        "end": datetime.fromtimestamp(truth.end_ms / 1000, UTC),
        "speed": truth.run.speed,
        "tolerance_s": rules.tolerance_ms / 1000,
        "torn": truth.torn,
        **msgspec.structs.asdict(result),
    }
    click.echo(msgspec.json.format(msgspec.json.encode(report), indent=1).decode())


def _print_csv(result: "Score") -> None:
    """A line for each meter, and one for each of its days; unknown is an empty cell."""
    import csv
    import io

    from msgspec.structs import asdict, fields

    from simulators.amounts import Compared
    from simulators.score import Counts

    counts = [field.name for field in fields(Counts)]
    compared = [field.name for field in fields(Compared)]
    out = io.StringIO()
    writer = csv.DictWriter(out, ["meter", "quantity", "day", *counts, *compared], restval="")
    writer.writeheader()
    for one in result.meters:
        head = {"meter": one.meter, "quantity": one.quantity}
        whole = asdict(one.whole) if one.whole else {}
        writer.writerow({**head, **asdict(one.counts), **whole})
        writer.writerows({**head, **asdict(day)} for day in one.days)
    click.echo(out.getvalue(), nl=False)


def _print_tables(result: "Score", truth: "Truth", rules: "Rules") -> None:
    from rich.console import Console

    console = Console()
    console.width = max(console.width, _TABLE_WIDTH)
    console.print(_readings_table(result, truth, rules))
    if result.days:
        console.print(_days_table(result))
    found = sorted(
        ((finding, one.meter) for one in result.meters for finding in one.findings),
        key=lambda pair: pair[0].time,
    )
    names = _mistakes()
    for finding, meter in found[:_TOLD]:
        time = finding.time.isoformat(timespec="milliseconds")
        head = f"{time}  {meter}  {names[finding.mistake]}  {finding.value:.10g}"
        click.echo(f"{head}  {finding.faults}".rstrip())
    if result.counts.mistakes > _TOLD:
        more = result.counts.mistakes - _TOLD
        click.echo(tr("... and {count} more problems.").format(count=more))


def _mistakes() -> dict[str, str]:
    return {
        "lost": tr("Lost"),
        "invented": tr("Invented"),
        "wrong": tr("Wrong"),
        "late": tr("Late"),
    }


def _readings_table(result: "Score", truth: "Truth", rules: "Rules") -> "Table":
    run = truth.run
    begin, end = (
        datetime.fromtimestamp(ms / 1000, rules.zone).isoformat(sep=" ", timespec="seconds")
        for ms in (truth.begin_ms, truth.end_ms)
    )
    title = tr("{site}: readings from {begin} to {end}, within {tolerance} s").format(
        site=run.site, begin=begin, end=end, tolerance=f"{rules.tolerance_ms / 1000:g}"
    )
    mistakes = _mistakes()
    table = _table(
        title,
        tr("Meter"), tr("Good answers"), tr("Stored"), tr("Right"), *mistakes.values(),
        tr("Untrue"), tr("marked"), tr("Consumption error"), tr("Coverage"),
    )  # fmt: skip
    for one in result.meters:
        whole = one.whole
        table.add_row(
            one.meter,
            *_counts(one.counts),
            _percent(whole.error_pct if whole else None),
            _share(whole.coverage if whole else None),
        )
    table.add_section()
    table.add_row(tr("Sum"), *_counts(result.counts), style="bold")
    return table


def _counts(counts: "Counts") -> Iterator["str | Text"]:
    from rich.text import Text

    yield from (str(count) for count in (counts.good, counts.readings, counts.right))
    for name in _mistakes():
        count = getattr(counts, name)
        yield Text(str(count), style="bold red" if count else "")
    yield from (str(counts.untrue), str(counts.untrue_marked))


def _days_table(result: "Score") -> "Table":
    table = _table(
        tr("Consumption by day"),
        tr("Day"), tr("Meters"), tr("Mean error"), tr("Largest error"), tr("Meter"), tr("Coverage"),
    )  # fmt: skip
    for one in result.days:
        table.add_row(
            one.day.isoformat(),
            str(one.meters),
            _percent(one.mean_error_pct),
            _percent(one.worst_error_pct),
            one.worst_meter or _UNKNOWN,
            _share(one.coverage),
        )
    return table


def _percent(number: float | None) -> str:
    return _UNKNOWN if number is None else f"{number:.3f} %"


def _share(share: float | None) -> str:
    return _UNKNOWN if share is None else f"{share:.1%}".replace("%", " %")


def _table(title: str, first: str, *others: str) -> "Table":
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    table = Table(
        title=escape(title), title_justify="left", title_style="bold", header_style="dim",
        box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True,
    )  # fmt: skip
    table.add_column(first, no_wrap=True)
    for head in others:
        table.add_column(head, justify="right")
    return table


def _print_doubts(result: "Score", truth: "Truth") -> None:
    """What the numbers do not say, on stderr."""
    for name in truth.torn:
        text = tr("{file}: its last line was torn when the run was killed, and is left out.")
        click.echo(text.format(file=name), err=True)
    if not _fits(truth.run.interval_s):
        text = tr(
            "Consumption is not compared: the truth's intervals of {length} s and the store's of "
            "{stored} s do not fit into each other."
        )
        click.echo(text.format(length=truth.run.interval_s, stored=_INTERVAL_S), err=True)
    elif result.days and not any(one.coverage for one in result.days):
        text = tr("The store has no consumption of this run: jieneng analytics once computes it.")
        click.echo(text, err=True)
