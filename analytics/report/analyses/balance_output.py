"""Render the balances of meters: table for the terminal, JSON and CSV. Pure.

Laws: an unknown value is "—" in the table, null in JSON and an empty cell in CSV, never 0. A
verdict is shown as a symbol and a word, not only as a colour. The table has a column of exported
energy only if some was exported.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
from rich import box
from rich.table import Table
from rich.text import Text

from analytics.figures.balances.parent_balance import BalanceStatus, ParentBalance
from analytics.report import figure_texts
from analytics.report.output_text import csv_text, json_text
from jieneng.locale import Translate
from jieneng.locale.finding_text import Labels

_SYMBOLS: Final[Mapping[BalanceStatus, tuple[str, str]]] = {
    "agrees": ("✓", "green"),
    "unmetered": ("↘", "blue"),
    "negative": ("✕", "red"),
    "insufficient_data": ("?", "bright_black"),
}
_COLUMNS: Final = tuple(field.name for field in msgspec.structs.fields(ParentBalance))


def balance_table(balances: Sequence[ParentBalance], labels: Labels, translate: Translate) -> Table:
    """Return the table of balances, by meter and period."""
    table = Table(
        title=translate("Meters and the meters directly below them"),
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
    )
    table.add_column(translate("Meter"), overflow="fold")
    table.add_column(translate("Period"), no_wrap=True)
    has_export = any(one.exported for one in balances)
    for heading in (
        translate("Behind the meter"),
        *((translate("Exported"),) if has_export else ()),
        translate("Measured below"),
        translate("Rest"),
        translate("Rest %"),
        translate("Coverage"),
    ):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column(translate("Verdict"), no_wrap=True)
    for meter in dict.fromkeys(one.meter for one in balances):
        of_meter = [one for one in balances if one.meter == meter]
        for number, one in enumerate(of_meter):
            symbol, colour = _SYMBOLS[one.status]
            unit = figure_texts.unit(one.unit, translate)
            table.add_row(
                "" if number else f"{labels.name(meter)} [{unit}]".replace("[", "\\["),
                one.period,
                figure_texts.number(one.amount),
                *((figure_texts.number(one.exported),) if has_export else ()),
                figure_texts.number(one.measured),
                figure_texts.number(one.rest),
                figure_texts.change(one.rest_pct),
                figure_texts.share(one.coverage),
                Text(f"{symbol} {status_word(one.status, translate)}", style=colour),
            )
    return table


def status_word(status: BalanceStatus, translate: Translate) -> str:
    """Return the words of a verdict."""
    return {
        "agrees": translate("Agrees"),
        "unmetered": translate("A part has no meter"),
        "negative": translate("More measured below"),
        "insufficient_data": translate("Insufficient data"),
    }[status]


def to_json(balances: Sequence[ParentBalance]) -> str:
    """Return the balances as the text of one JSON array."""
    return json_text(balances)


def to_csv(balances: Sequence[ParentBalance]) -> str:
    """Return the text of the CSV file, with a header and CRLF line ends (RFC 4180)."""
    rows = ({**msgspec.structs.asdict(one), "children": " ".join(one.children)} for one in balances)
    return csv_text(_COLUMNS, rows)
