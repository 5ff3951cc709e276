"""Render the results of quotas as a table for the terminal, JSON and CSV. Pure.

Laws: an unknown value is "—" in the table, null in JSON and an empty cell in CSV, never 0. A
level is shown by a symbol and a word, not only by a colour.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from rich import box
from rich.table import Table
from rich.text import Text

from analytics.figures.quotas.quota_results import Level, QuotaResult
from analytics.report import figure_texts
from analytics.report.output_text import csv_text, finding_sentences, json_text
from jieneng.locale import Translate
from jieneng.locale.finding_text import Labels

_SYMBOLS: Final[Mapping[Level, tuple[str, str]]] = {
    "guide": ("✓✓", "green"),
    "benchmark": ("✓", "green"),
    "constraint": ("↘", "blue"),
    "above": ("✕", "red"),
    "doubtful": ("≈", "magenta"),
    "insufficient_data": ("?", "bright_black"),
    "not_applicable": ("/", "bright_black"),
}
_COLUMNS: Final = (
    "quota",
    "scope",
    "period",
    "value",
    "unit",
    "constraint",
    "benchmark",
    "guide",
    "level",
    "is_forecast",
    "coverage",
    "rank",
    "ranked",
    "percentile",
    "peers",
    "source",
)


def quota_table(results: Sequence[QuotaResult], labels: Labels, translate: Translate) -> Table:
    """Return the table of the results, by quota and rank."""
    table = Table(
        title=translate("Quotas"), title_justify="left", title_style="bold", box=box.SIMPLE_HEAD
    )
    table.add_column(translate("Scope"), overflow="fold")
    for heading in (
        translate("Rank"),
        translate("Percentile"),
        translate("Value"),
        translate("Constraint"),
        translate("Benchmark"),
        translate("Guide"),
    ):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column(translate("Level"), no_wrap=True)
    table.add_column(translate("Coverage"), justify="right", no_wrap=True)
    for quota in dict.fromkeys(result.quota.id for result in results):
        rows = [result for result in results if result.quota.id == quota]
        first = rows[0].quota
        table.add_section()
        unit = figure_texts.unit(first.unit, translate)
        table.add_row(Text(f"{first.name or first.id} [{unit}]", style="bold"))
        for result in rows:
            symbol, colour = _SYMBOLS[result.level]
            value = figure_texts.number(result.value)
            if result.is_forecast:
                value = translate("{value} (forecast)").format(value=value)
            table.add_row(
                labels.name(result.scope),
                "—" if result.rank is None else f"{result.rank}/{result.ranked}",
                _percentile(result, translate),
                value,
                figure_texts.number(first.constraint),
                figure_texts.number(first.benchmark),
                figure_texts.number(first.guide),
                Text(f"{symbol} {level_word(result.level, translate)}", style=colour),
                figure_texts.share(result.coverage),
            )
    return table


def _percentile(result: QuotaResult, translate: Translate) -> str:
    """Return the percentile of a building, with the number of buildings that it rests on."""
    if result.percentile is None:
        return figure_texts.UNKNOWN
    return translate("{percentile} of {count}").format(
        percentile=f"{result.percentile:.0f}", count=result.peers
    )


def level_word(level: Level, translate: Translate) -> str:
    """Return the text of a level."""
    return {
        "guide": translate("Guide level reached"),
        "benchmark": translate("Benchmark reached"),
        "constraint": translate("Constraint kept"),
        "above": translate("Constraint exceeded"),
        "doubtful": translate("Doubtful"),
        "insufficient_data": translate("Insufficient data"),
        "not_applicable": translate("Not applicable"),
    }[level]


def to_json(results: Sequence[QuotaResult], translate: Translate, labels: Labels) -> str:
    """Return the results as the text of one JSON array."""
    elements = [
        {
            **_cells(result),
            "findings": finding_sentences(result.findings, translate, labels),
        }
        for result in results
    ]
    return json_text(elements)


def to_csv(results: Sequence[QuotaResult]) -> str:
    """Return the text of the CSV file, with a header and CRLF line ends (RFC 4180)."""
    return csv_text(_COLUMNS, map(_cells, results))


def _cells(result: QuotaResult) -> dict[str, object]:
    quota = result.quota
    values = (
        quota.id,
        result.scope,
        result.period,
        result.value,
        quota.unit,
        quota.constraint,
        quota.benchmark,
        quota.guide,
        result.level,
        result.is_forecast,
        result.coverage,
        result.rank,
        result.ranked,
        result.percentile,
        result.peers,
        quota.source,
    )
    return dict(zip(_COLUMNS, values, strict=True))
