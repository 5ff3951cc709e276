"""Figures as people read them: numbers with sensible digits, units, names, verdicts.

Law: what is unknown reads "—", never 0. A verdict is a word and a sign beside its colour.
Words are msgids that `translate` renders in the reader's language.
"""

from typing import Final

import msgspec

from analytics.figures.figure import Figure, Status
from jieneng.locale import Translate
from jieneng.locale.number_texts import UNKNOWN, change, number, percent, register, share, unit
from jieneng.metering import indicators
from jieneng.metering.findings import Severity
from jieneng.metering.quantities import Medium

__all__ = [
    "SIGNS",
    "UNKNOWN",
    "Row",
    "basis",
    "change",
    "definition",
    "indicator",
    "medium",
    "number",
    "percent",
    "register",
    "row",
    "series",
    "severity",
    "share",
    "status",
    "target",
    "unit",
    "used",
]

#: Distinct without colour, and present in common fonts.
SIGNS: Final[dict[Status, str]] = {
    "met": "✓",
    "on_track": "↘",
    "at_risk": "!",
    "missed": "✕",
    "insufficient_data": "?",
    "no_target": "–",
}


class Row(msgspec.Struct, frozen=True):
    """A figure as texts, the same for the page, the terminal and whoever else shows it."""

    label: str
    value: str
    unit: str
    baseline: str
    change: str
    target: str
    path: str
    status: str
    coverage: str
    estimated: str
    basis: str


def row(figure: Figure, translate: Translate) -> Row:
    """The texts of a figure."""
    return Row(
        label=indicator(figure.indicator, translate),
        value=number(figure.value),
        unit=unit(figure.unit, translate),
        baseline=number(figure.baseline),
        change=change(figure.change_pct),
        target=target(figure),
        path=number(figure.path),
        status=status(figure.status, translate),
        coverage=share(figure.coverage),
        estimated=share(figure.estimated),
        basis=basis(figure, translate),
    )


def used(figure: Figure) -> float | None:
    """The share of its cap that a figure has used up."""
    return None if figure.value is None or not figure.target else figure.value / figure.target


def target(figure: Figure) -> str:
    """Return the plan's target as text: a decrease as `> 7 %`, a cap as `≤ 80,000`."""
    if figure.target_pct is not None:
        operator = (figure.operator or "").replace(">=", "≥")
        return f"{operator} {percent(figure.target_pct)}".strip()
    if figure.target is not None:
        operator = (figure.operator or "").replace("<=", "≤")
        return f"{operator} {number(figure.target)}".strip()
    return UNKNOWN


def status(name: Status, translate: Translate) -> str:
    """The verdict's word."""
    return {
        "met": translate("Met"),
        "on_track": translate("On track"),
        "at_risk": translate("At risk"),
        "missed": translate("Missed"),
        "insufficient_data": translate("Insufficient data"),
        "no_target": translate("No target"),
    }[name]


def indicator(name: str, translate: Translate) -> str:
    """Return an indicator's name; its id where no row has that id."""
    row = indicators.INDICATORS.get(name)
    return name if row is None else translate(row.en)


def definition(name: str, translate: Translate) -> str:
    """Return an indicator's definition; empty where no row has its id."""
    row = indicators.INDICATORS.get(name)
    return "" if row is None else translate(row.definition_en)


def medium(name: Medium, translate: Translate) -> str:
    """Return the word of a medium."""
    return {
        "electricity": translate("Electricity"),
        "water": translate("Water"),
        "gas": translate("Natural gas"),
        "heat": translate("Heat"),
    }[name]


def basis(figure: Figure, translate: Translate) -> str:
    """Return the names of a figure's convention for coal and of its carbon factor series."""
    convention = {
        None: "",
        "equivalent": translate("equivalent value"),
        "coal_consumption": translate("coal consumption value"),
    }[figure.convention]
    return " · ".join(filter(None, (convention, series(figure, translate)))) or UNKNOWN


def series(figure: Figure, translate: Translate) -> str:
    """Return the name of the grid's carbon factor series; empty if the figure uses none."""
    return {
        None: "",
        "fixed": translate("base year's factor"),
        "current": translate("each year's factor"),
    }[figure.factor_series]


def severity(name: Severity, translate: Translate) -> str:
    """Return the word of a finding's severity."""
    return {
        "info": translate("Note"),
        "warning": translate("Doubt"),
        "error": translate("Error"),
    }[name]
