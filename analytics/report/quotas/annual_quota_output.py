"""Render the use of annual quotas as tables for the terminal, JSON and CSV. Pure.

Laws: an unknown value is "—" in the tables, null in JSON and an empty cell in CSV, never 0. A
verdict is shown as a symbol and a word.
"""

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any, Final

from rich import box
from rich.table import Table
from rich.text import Text

from analytics.figures.quotas.annual_quota_results import (
    STEPS_PCT,
    AnnualQuotaResult,
    QuotaStep,
)
from analytics.figures.quotas.quota_months import QuotaMonth
from analytics.report import figure_texts
from analytics.report.output_text import csv_text, finding_sentences, json_text
from jieneng.locale import Translate
from jieneng.locale.finding_text import Labels

#: Columns that only the row of a year has.
_OF_YEAR: Final = (
    "until",
    "least_used_pct",
    "forecast",
    "forecast_least",
    "forecast_greatest",
    "forecast_pct",
    "short_days",
    "status",
)
#: Columns that the row of a year and those of its months have.
_OF_BOTH: Final = (
    "period",
    "amount",
    "allowed",
    "used",
    "used_pct",
    "remains",
    "remains_per_day",
    "coverage",
)
_COLUMNS: Final = (
    "quota",
    "scope",
    "indicator",
    "unit",
    *_OF_BOTH,
    *_OF_YEAR,
    *(f"used_{share_pct}_on" for share_pct in STEPS_PCT),
    "source",
)


def annual_quota_table(
    results: Sequence[AnnualQuotaResult], labels: Labels, translate: Translate
) -> Table:
    """Return the table of the annual quotas, by scope."""
    table = _table(translate("Annual quotas and caps"))
    table.add_column(translate("Indicator"), overflow="fold", min_width=14)
    for heading in (
        translate("Quota"),
        translate("Used"),
        translate("Share used"),
        translate("Allowed so far"),
        translate("Remains"),
        translate("A day"),
        translate("Expected"),
    ):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column(translate("Verdict"), no_wrap=True)
    for scope in dict.fromkeys(result.quota.scope for result in results):
        table.add_section()
        table.add_row(Text(labels.name(scope), style="bold"))
        for one in results:
            if one.quota.scope == scope:
                table.add_row(
                    Text(_name(one, translate)),
                    figure_texts.number(one.amount),
                    figure_texts.number(one.used),
                    _percent(one.used_pct),
                    figure_texts.number(one.allowed),
                    figure_texts.number(one.remains),
                    figure_texts.number(one.remains_per_day),
                    _percent(one.forecast_pct),
                    f"{figure_texts.STATUS_SYMBOLS[one.status]} "
                    f"{figure_texts.status_word(one.status, translate)}",
                )
    return table


def quota_months_table(result: AnnualQuotaResult, labels: Labels, translate: Translate) -> Table:
    """Return the table of an annual quota's months; the title has the days of its shares."""
    title = f"{labels.name(result.quota.scope)} · {_name(result, translate)}"
    steps = translate(", ").join(_step_text(step, translate) for step in result.steps)
    table = _table(f"{title}: {steps}")
    table.add_column(translate("Month"), no_wrap=True)
    for heading in (
        translate("Quota"),
        translate("Allowed so far"),
        translate("Used"),
        translate("Share used"),
        translate("Remains"),
        translate("A day"),
        translate("Coverage"),
    ):
        table.add_column(heading, justify="right", no_wrap=True)
    for month in result.months:
        table.add_row(
            month.period,
            figure_texts.number(month.amount),
            figure_texts.number(month.allowed),
            figure_texts.number(month.used),
            _percent(month.used_pct),
            figure_texts.number(month.remains),
            figure_texts.number(month.remains_per_day),
            figure_texts.share(month.coverage),
        )
    return table


def to_json(results: Sequence[AnnualQuotaResult], translate: Translate, labels: Labels) -> str:
    """Return the results as the text of one JSON array."""
    elements = [
        {
            **_identity(result),
            **{name: getattr(result, name) for name in (*_OF_BOTH, *_OF_YEAR)},
            "steps": result.steps,
            "months": result.months,
            "by_month": result.quota.by_month,
            "source": result.quota.source,
            "confidence": result.quota.confidence,
            "findings": finding_sentences(result.findings, translate, labels),
        }
        for result in results
    ]
    return json_text(elements)


def to_csv(results: Sequence[AnnualQuotaResult]) -> str:
    """Return the text of the CSV file: a row for each annual quota, and one for each month.

    It has a header and CRLF line ends (RFC 4180).
    """
    return csv_text(_COLUMNS, chain.from_iterable(map(_csv_rows, results)))


def _csv_rows(result: AnnualQuotaResult) -> Iterator[dict[str, Any]]:
    same = {**_identity(result), "source": result.quota.source}
    days = {f"used_{step.share_pct}_on": step.day for step in result.steps}
    yield {**same, **_cells(result, (*_OF_BOTH, *_OF_YEAR)), **days}
    for month in result.months:
        yield {**same, **_cells(month, _OF_BOTH)}


def _cells(row: AnnualQuotaResult | QuotaMonth, names: Sequence[str]) -> dict[str, Any]:
    return {name: getattr(row, name) for name in names}


def _identity(result: AnnualQuotaResult) -> dict[str, Any]:
    return {
        "quota": result.quota.id,
        "scope": result.quota.scope,
        "indicator": result.quota.indicator,
        "unit": result.unit,
    }


def _name(result: AnnualQuotaResult, translate: Translate) -> str:
    """Return the name of an annual quota with the unit of its amounts."""
    name = result.quota.name or figure_texts.indicator_name(result.quota.indicator, translate)
    return f"{name} [{figure_texts.unit(result.unit, translate)}]"


def _step_text(step: QuotaStep, translate: Translate) -> str:
    if not step.is_known:
        text = translate("{share} % unknown")
    elif step.day is None:
        text = translate("{share} % not within the year")
    elif step.is_forecast:
        text = translate("{share} % expected on {day}")
    else:
        text = translate("{share} % on {day}")
    return text.format(share=step.share_pct, day=step.day)


def _percent(value: float | None) -> str:
    """Return a percentage with one decimal, truncated: 99.97 must not become 100."""
    return figure_texts.share(None if value is None else value / 100)


def _table(title: str) -> Table:
    return Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
