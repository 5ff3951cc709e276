"""Render costs: table for the terminal, JSON and CSV. Pure.

Laws: an unknown value is "—" in a table, null in JSON and an empty cell in CSV, never 0.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from rich import box
from rich.table import Table
from rich.text import Text

from analytics.costs.cost_result import BilledAmounts, CostResult
from analytics.report import figure_texts
from analytics.report.figure_json import finding_element
from analytics.report.output_text import csv_text, json_text
from analytics.tariffs.tariff import Tariffs
from jieneng.locale import Translate
from jieneng.locale.finding_text import Labels, finding_text
from jieneng.metering.quantities import PRICE_PERIODS, PricePeriod

_COLUMNS: Final = (
    "kind",
    "id",
    "medium",
    "period",
    "until",
    "amount",
    "unit",
    "cost",
    "energy_cost",
    "demand_cost",
    "average_price",
    *(f"{period}_amount" for period in PRICE_PERIODS),
    *(f"{period}_cost" for period in PRICE_PERIODS),
    "least",
    "greatest",
    "coverage",
    "estimated",
    "unmetered_amount",
    "unmetered_cost",
    "bills",
    "billed_amount",
    "billed_cost",
    "amount_difference_pct",
    "cost_difference_pct",
)

#: Least width of the names of accounts and scopes [characters].
_NAME_WIDTH: Final = 20


def with_tariffs(labels: Labels, tariffs: Tariffs) -> Labels:
    """Return labels that have the names of accounts and tariffs, too."""
    names = {
        **{row.id: row.name for row in tariffs.accounts if row.name},
        **{row.id: row.name for row in tariffs.tariffs.values() if row.name},
    }
    return msgspec.structs.replace(labels, names={**names, **labels.names})


def cost_table(results: Sequence[CostResult], labels: Labels, translate: Translate) -> Table:
    """Return the table of costs by medium: accounts with their bills, then scopes."""
    title = translate("Costs {period} [yuan]").format(period=_period(results, translate))
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
    table.add_column(translate("Account or scope"), overflow="fold", min_width=_NAME_WIDTH)
    shown = [name for name in PRICE_PERIODS if any(name in one.amounts for one in results)]
    is_split = shown != ["flat"]
    headings = (
        translate("Consumption"),
        translate("Cost"),
        translate("Average price"),
        translate("Demand"),
        *([period_word(name, translate) for name in shown] if is_split else []),
        translate("Coverage"),
    )
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    for medium, unit in dict.fromkeys((one.medium, one.unit) for one in results):
        table.add_section()
        name = figure_texts.medium_name(medium, translate)
        table.add_row(Text(f"{name} [{figure_texts.unit(unit, translate)}]", style="bold"))
        for result in results:
            if result.medium == medium:
                table.add_row(*_cells(result, shown if is_split else [], labels, translate))
                if result.billed is not None:
                    table.add_row(*_bill_cells(result.billed, translate), style="bright_black")
    return table


def _period(results: Sequence[CostResult], translate: Translate) -> str:
    """Return the period of results, and its last day if it is not over."""
    period, until = results[0].period, results[0].until
    if until is None:
        return period
    return translate("{period} until {until}").format(period=period, until=until)


def _cells(
    result: CostResult, shown: Sequence[PricePeriod], labels: Labels, translate: Translate
) -> list[str]:
    name = labels.name(result.id)
    if result.kind == "account":
        name = translate("Account {name}").format(name=name)
    return [
        name,
        figure_texts.number(result.amount),
        figure_texts.number(result.cost),
        _price(result.average_price),
        "" if result.demand_cost == 0 else figure_texts.number(result.demand_cost),
        *(_period_amount(result, one) for one in shown),
        figure_texts.share(result.coverage),
    ]


def _period_amount(result: CostResult, period: PricePeriod) -> str:
    """Format the amount of a price period; empty for a tariff without time of use."""
    if [*result.amounts] == ["flat"]:
        return ""
    return figure_texts.number(result.amounts.get(period))


def _bill_cells(billed: BilledAmounts, translate: Translate) -> list[str]:
    price = billed.cost / billed.amount if billed.cost is not None and billed.amount else None
    differences = (billed.amount_difference_pct, billed.cost_difference_pct)
    return [
        "  " + translate("Bills: {count}").format(count=billed.count),
        *(
            figure_texts.number(value) + ("" if change is None else f" {change:+.1f} %")
            for value, change in zip((billed.amount, billed.cost), differences, strict=True)
        ),
        _price(price),
    ]


def _price(value: float | None) -> str:
    """Format a price with four decimals, as suppliers publish it."""
    return figure_texts.UNKNOWN if value is None else f"{value:.4f}"


def period_word(period: PricePeriod, translate: Translate) -> str:
    """Return the word for a price period."""
    return {
        "sharp": translate("Sharp"),
        "peak": translate("Peak"),
        "flat": translate("Flat"),
        "valley": translate("Valley"),
        "deep_valley": translate("Deep valley"),
    }[period]


def remarks(results: Sequence[CostResult], labels: Labels, translate: Translate) -> list[str]:
    """Return the sentences of findings, each once.

    Findings of severity `info` about scopes are left out, unless the results are of one scope: what
    they say of each building, the account's findings say of all.
    """
    is_alone = len({result.id for result in results}) == 1
    return list(
        dict.fromkeys(
            finding_text(finding, translate, labels)
            for result in results
            for finding in result.findings
            if is_alone or result.kind == "account" or finding.severity != "info"
        )
    )


def to_json(results: Sequence[CostResult], translate: Translate, labels: Labels) -> str:
    """Return the costs as the text of one JSON array."""
    elements = [
        {
            **msgspec.structs.asdict(result),
            "billed": None if result.billed is None else _billed(result.billed),
            "findings": [finding_element(one, translate, labels) for one in result.findings],
        }
        for result in results
    ]
    return json_text(elements)


def _billed(billed: BilledAmounts) -> dict[str, Any]:
    return {
        **msgspec.structs.asdict(billed),
        "amount_difference_pct": billed.amount_difference_pct,
        "cost_difference_pct": billed.cost_difference_pct,
    }


def to_csv(results: Sequence[CostResult]) -> str:
    """Return the text of the CSV file, with a header and CRLF line ends (RFC 4180)."""
    return csv_text(_COLUMNS, map(_row, results))


def _row(result: CostResult) -> Mapping[str, object]:
    row = msgspec.structs.asdict(result)
    row |= {f"{period}_amount": amount for period, amount in result.amounts.items()}
    row |= {f"{period}_cost": cost for period, cost in result.costs.items()}
    if (billed := result.billed) is not None:
        row |= {
            "bills": billed.count,
            "billed_amount": billed.amount,
            "billed_cost": billed.cost,
            "amount_difference_pct": billed.amount_difference_pct,
            "cost_difference_pct": billed.cost_difference_pct,
        }
    return row
