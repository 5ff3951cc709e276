"""How a score is printed: JSON and CSV for programs, tables for people."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import click
import msgspec

from jieneng.cli.options import tr

if TYPE_CHECKING:  # imported when a command runs, so that `--help` is quick
    from rich.table import Table
    from rich.text import Text

    from simulators.scoring.reading_pairs import Rules
    from simulators.scoring.score import Counts, Score
    from simulators.scoring.truth import Truth

#: All columns of the tables, in either language; so many mistakes are told below them.
_TABLE_WIDTH: Final = 120
_TOLD: Final = 10
_UNKNOWN: Final = "—"


def print_json(result: "Score", truth: "Truth", rules: "Rules") -> None:
    """The whole of it, with what it was measured by."""
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
    """A line for each meter, and one for each of its days; unknown is an empty cell."""
    import csv
    import io

    from msgspec.structs import asdict, fields

    from simulators.scoring.consumption_comparison import Compared
    from simulators.scoring.score import Counts

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


def print_tables(result: "Score", truth: "Truth", rules: "Rules") -> None:
    """For people: readings by meter, consumption by day, and the first mistakes."""
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
