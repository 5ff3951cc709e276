"""Print a score: JSON and CSV for programs, tables for people."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import click
import msgspec

from jieneng.cli.options import tr

if TYPE_CHECKING:  # imported when a command runs, so that `--help` is quick
    from rich.table import Table
    from rich.text import Text

    from simulators.scoring.reading_pairs import ScoringRules
    from simulators.scoring.score import Score, ScoreCounts
    from simulators.scoring.truth_reader import Truth

#: Width of the tables that is enough for all columns, in both languages [characters].
_TABLE_WIDTH: Final = 120
#: Largest number of listed mistakes; further mistakes are only counted.
_MAX_LISTED: Final = 10
_UNKNOWN: Final = "—"


def print_json(result: "Score", truth: "Truth", rules: "ScoringRules") -> None:
    """Print the whole score as JSON, with the run and the tolerance."""
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


def print_csv(result: "Score") -> None:
    """Print a line for each meter, and for each of its days; unknown values are empty cells."""
    import csv
    import io

    from msgspec.structs import asdict, fields

    from simulators.scoring.consumption_comparison import ConsumptionComparison
    from simulators.scoring.score import ScoreCounts

    counts = [field.name for field in fields(ScoreCounts)]
    compared = [field.name for field in fields(ConsumptionComparison)]
    out = io.StringIO()
    writer = csv.DictWriter(out, ["meter", "quantity", "day", *counts, *compared], restval="")
    writer.writeheader()
    for meter in result.meters:
        names = {"meter": meter.meter, "quantity": meter.quantity}
        whole = asdict(meter.whole) if meter.whole else {}
        writer.writerow({**names, **asdict(meter.counts), **whole})
        writer.writerows({**names, **asdict(day)} for day in meter.days)
    click.echo(out.getvalue(), nl=False)


def print_tables(result: "Score", truth: "Truth", rules: "ScoringRules") -> None:
    """Print readings by meter, consumption by day, and the first mistakes."""
    from rich.console import Console

    console = Console()
    console.width = max(console.width, _TABLE_WIDTH)
    console.print(_readings_table(result, truth, rules))
    if result.days:
        console.print(_days_table(result))
    mistakes = sorted(
        ((mistake, meter.meter) for meter in result.meters for mistake in meter.findings),
        key=lambda pair: pair[0].time,
    )
    names = _mistake_names()
    for mistake, meter_id in mistakes[:_MAX_LISTED]:
        time = mistake.time.isoformat(timespec="milliseconds")
        line = f"{time}  {meter_id}  {names[mistake.mistake]}  {mistake.value:.10g}"
        click.echo(f"{line}  {mistake.faults}".rstrip())
    if result.counts.mistakes > _MAX_LISTED:
        more = result.counts.mistakes - _MAX_LISTED
        click.echo(tr("... and {count} more problems.").format(count=more))


def _mistake_names() -> dict[str, str]:
    return {
        "lost": tr("Lost"),
        "invented": tr("Invented"),
        "wrong": tr("Wrong"),
        "late": tr("Late"),
    }


def _readings_table(result: "Score", truth: "Truth", rules: "ScoringRules") -> "Table":
    run = truth.run
    begin, end = (
        datetime.fromtimestamp(ms / 1000, rules.zone).isoformat(sep=" ", timespec="seconds")
        for ms in (truth.begin_ms, truth.end_ms)
    )
    title = tr("{site}: readings from {begin} to {end}, within {tolerance} s").format(
        site=run.site, begin=begin, end=end, tolerance=f"{rules.tolerance_ms / 1000:g}"
    )
    mistakes = _mistake_names()
    table = _table(
        title,
        tr("Meter"), tr("Good answers"), tr("Stored"), tr("Right"), *mistakes.values(),
        tr("Untrue"), tr("marked"), tr("Consumption error"), tr("Coverage"),
    )  # fmt: skip
    for meter in result.meters:
        whole = meter.whole
        table.add_row(
            meter.meter,
            *_count_cells(meter.counts),
            _percent(whole.error_pct if whole else None),
            _share(whole.coverage if whole else None),
        )
    table.add_section()
    table.add_row(tr("Sum"), *_count_cells(result.counts), style="bold")
    return table


def _count_cells(counts: "ScoreCounts") -> Iterator["str | Text"]:
    from rich.text import Text

    yield from (str(count) for count in (counts.good, counts.readings, counts.right))
    for name in _mistake_names():
        count = getattr(counts, name)
        yield Text(str(count), style="bold red" if count else "")
    yield from (str(counts.untrue), str(counts.untrue_marked))


def _days_table(result: "Score") -> "Table":
    table = _table(
        tr("Consumption by day"),
        tr("Day"), tr("Meters"), tr("Mean error"), tr("Largest error"), tr("Meter"), tr("Coverage"),
    )  # fmt: skip
    for day in result.days:
        table.add_row(
            day.day.isoformat(),
            str(day.meters),
            _percent(day.mean_error_pct),
            _percent(day.worst_error_pct),
            day.worst_meter or _UNKNOWN,
            _share(day.coverage),
        )
    return table


def _percent(number: float | None) -> str:
    return _UNKNOWN if number is None else f"{number:.3f} %"


def _share(share: float | None) -> str:
    return _UNKNOWN if share is None else f"{100 * share:.1f} %"


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
