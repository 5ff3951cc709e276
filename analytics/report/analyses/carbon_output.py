"""Render the split of carbon changes: table for the terminal, JSON and CSV. Pure.

Laws: an unknown value is "—" in a table, null in JSON and an empty cell in CSV, never 0. If there
    are no effects, the reason is shown instead. In a row of a table, the effects add up to the
    change in the digits that are shown.
"""

import math
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any, Final

import msgspec
from rich import box
from rich.table import Table
from rich.text import Text

from analytics.figures.decomposition.carbon_split import CarbonPart, CarbonSplit, Effects
from analytics.report import figure_texts
from analytics.report.output_text import csv_text, finding_sentences, json_text
from jieneng.locale import Translate
from jieneng.locale.finding_text import Labels, finding_text
from jieneng.metering.findings import BASELINE

_COLUMNS: Final = (
    "scope",
    "indicator",
    "unit",
    "period",
    "base_period",
    "medium",
    "supply",
    "amount_base",
    "amount",
    "factor_base",
    "factor",
    "base",
    "value",
    "change",
    "activity_effect",
    "supply_effect",
    "factor_effect",
    "area_effect",
    "coverage",
    "status",
)
#: Codes of the remarks that explain the effects. Doubts are shown too, because a missing or wrong
#: amount looks like an effect of activity.
_REMARKS: Final = frozenset(
    {"proxy_factor", "provisional_factor", "supply_class", "no_baseline", "leap_day"}
)
_PERCENT_DECIMALS: Final = 2


def split_table(splits: Sequence[CarbonSplit], labels: Labels, translate: Translate) -> Table:
    """Return the table of splits by indicator and scope, with a row for each source."""
    years = {f"{one.base_period or figure_texts.UNKNOWN} → {one.period}" for one in splits}
    table = Table(
        title=f"{translate('Change of carbon, by cause')} {', '.join(sorted(years))}",
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
    )
    table.add_column(translate("Scope"), overflow="fold")
    for heading in headings(translate):
        table.add_column(heading, justify="right", no_wrap=True)
    for unit, indicator in dict.fromkeys((one.unit, one.indicator) for one in splits):
        name = figure_texts.indicator_name(indicator, translate)
        table.add_section()
        table.add_row(Text(f"{name} [{figure_texts.unit(unit, translate)}]", style="bold"))
        for split in splits:
            if split.indicator == indicator:
                _add_split(table, split, labels, translate)
    return table


def _add_split(table: Table, split: CarbonSplit, labels: Labels, translate: Translate) -> None:
    table.add_row(labels.name(split.scope), *sum_cells(split, translate))
    if split.status == "split":
        share = translate("% of the base")
        table.add_row(f"  {share}", *percent_cells(split), style="bright_black")
    if len(split.parts) > 1:
        for part in split.parts:
            table.add_row(f"  {_source(part, translate)}", *_part_cells(part))


def headings(translate: Translate) -> tuple[str, ...]:
    """Return the headings of a split: values of both years, change and effects."""
    return (
        translate("Base value"),
        translate("Value"),
        translate("Change"),
        translate("Activity"),
        translate("Supply"),
        translate("Emission factor"),
        translate("Floor area"),
    )


def sum_cells(split: CarbonSplit, translate: Translate) -> list[str]:
    """Return the cells below `headings`; without a split, the reason stands for the change."""
    values = [figure_texts.number(split.base), figure_texts.number(split.value)]
    if split.status != "split":
        return [*values, status_word(split, translate)]
    return [*values, *adding_up(split.change, split.effects)]


def percent_cells(split: CarbonSplit) -> list[str]:
    """Return the change and the effects as shares of the base value [%]."""
    base = split.base

    def percent(value: float | None) -> float | None:
        return None if value is None or not base else 100 * value / base

    shares = Effects(*map(percent, msgspec.structs.astuple(split.effects)))
    cells = adding_up(percent(split.change), shares, _PERCENT_DECIMALS)
    return ["", "", *(one if one == figure_texts.UNKNOWN else f"{one} %" for one in cells)]


def _part_cells(part: CarbonPart) -> list[str]:
    effects = msgspec.structs.astuple(part.effects)
    change = sum(effect for effect in effects if effect is not None)
    values = (figure_texts.number(part.base), figure_texts.number(part.value))
    return [*values, *adding_up(change, part.effects)]


def adding_up(change: float | None, effects: Effects, decimals: int | None = None) -> list[str]:
    """Format a change and its effects with signs, so that the shown digits add up.

    First all effects are rounded down. Then as many effects as the sum needs are rounded up: those
    that lost most by rounding down.

    Args:
        change: the change.
        effects: effects, which add up to the change.
        decimals: number of decimals; None for about three digits of the largest number.
    """
    amounts = msgspec.structs.astuple(effects)
    known = [amount for amount in amounts if amount is not None]
    if change is None or not known:
        return [figure_texts.UNKNOWN] * (1 + len(amounts))
    if decimals is None:
        decimals = figure_texts.decimals(max(map(abs, (change, *known))))
    scale = 10**decimals
    steps = [math.floor(amount * scale) for amount in known]
    cut = [amount * scale - step for amount, step in zip(known, steps, strict=True)]
    largest = sorted(range(len(known)), key=lambda number: -cut[number])
    for number in largest[: max(round(change * scale) - sum(steps), 0)]:
        steps[number] += 1
    shown = iter(steps)
    numbers = [round(change * scale), *(None if one is None else next(shown) for one in amounts)]
    return [
        figure_texts.UNKNOWN if number is None else figure_texts.signed(number / scale, decimals)
        for number in numbers
    ]


def _source(part: CarbonPart, translate: Translate) -> str:
    medium = figure_texts.medium_name(part.medium, translate)
    if part.supply is None:
        return medium
    return {
        "grid": translate("Electricity of the grid"),
        "direct_green": translate("Directly connected green power"),
        "traded": translate("Green power of the market"),
    }[part.supply]


def status_word(split: CarbonSplit, translate: Translate) -> str:
    """Return the reason why a split has no effects."""
    return {
        "split": "",
        "no_baseline": translate("No baseline"),
        "insufficient_data": translate("Insufficient data"),
        "not_comparable": translate("Not comparable"),
        "not_applicable": translate("Not applicable"),
    }[split.status]


def remarks(splits: Sequence[CarbonSplit], labels: Labels, translate: Translate) -> list[str]:
    """Return doubts, and remarks about emission factors, classes of supply and the base year."""
    found = [
        finding
        for split in splits
        for finding in split.findings
        if finding.severity != "info" or finding.code.removeprefix(BASELINE) in _REMARKS
    ]
    return list(dict.fromkeys(finding_text(one, translate, labels) for one in found))


def to_json(splits: Sequence[CarbonSplit], translate: Translate, labels: Labels) -> str:
    """Return the splits as the text of one JSON array."""
    elements = [
        {
            **msgspec.structs.asdict(split),
            "findings": finding_sentences(split.findings, translate, labels),
        }
        for split in splits
    ]
    return json_text(elements)


def to_csv(splits: Sequence[CarbonSplit]) -> str:
    """Return the text of the CSV file, with a header and CRLF line ends (RFC 4180).

    A split has one line without `medium` for the sums, and a line for each source.
    """
    return csv_text(_COLUMNS, chain.from_iterable(map(_rows, splits)))


def _rows(split: CarbonSplit) -> Iterator[dict[str, Any]]:
    whole = msgspec.structs.asdict(split)
    yield {**whole, **_effect_cells(split.effects)}
    for part in split.parts:
        yield {
            **whole,
            "change": None,
            **msgspec.structs.asdict(part),
            **_effect_cells(part.effects),
        }


def _effect_cells(effects: Effects) -> dict[str, float | None]:
    return {f"{cause}_effect": value for cause, value in msgspec.structs.asdict(effects).items()}
