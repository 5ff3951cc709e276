"""Format figures for people: numbers with sensible digits, units, names and verdicts.

Laws: an unknown value is shown as "—", never as 0. A verdict is shown as a word and a symbol, not
only as a colour. `translate` translates English texts (msgids) into the reader's language.
"""

from datetime import date
from typing import Final

import msgspec

from analytics.figures.figure import Figure, Status
from analytics.report.figure_selection import FindingList
from jieneng.locale import Translate
from jieneng.locale.number_texts import (
    UNKNOWN,
    change,
    decimals,
    number,
    percent,
    register,
    rounded_share,
    share,
    signed,
    unit,
)
from jieneng.metering import indicators
from jieneng.metering.findings import Severity
from jieneng.metering.quantities import Medium

__all__ = [
    "STATUS_SYMBOLS",
    "UNKNOWN",
    "FigureRow",
    "calculation_basis",
    "cap_share",
    "change",
    "decimals",
    "factor_series_name",
    "figure_row",
    "findings_summary",
    "forecast_row",
    "indicator_definition",
    "indicator_name",
    "medium_name",
    "number",
    "percent",
    "period_text",
    "register",
    "rounded_share",
    "severity_word",
    "share",
    "signed",
    "status_word",
    "target_text",
    "unit",
    "verdict_text",
]

#: Symbols of the verdicts. They differ without colour, and exist in common fonts.
STATUS_SYMBOLS: Final[dict[Status, str]] = {
    "met": "✓",
    "on_track": "↘",
    "at_risk": "!",
    "missed": "✕",
    "doubtful": "≈",
    "insufficient_data": "?",
    "not_applicable": "/",
    "no_target": "–",
}


class FigureRow(msgspec.Struct, frozen=True):
    """Texts of a figure, the same on the page and in the terminal."""

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


def figure_row(figure: Figure, translate: Translate) -> FigureRow:
    """Return the texts of a figure."""
    return FigureRow(
        label=indicator_name(figure.indicator, translate),
        value=number(figure.value),
        unit=unit(figure.unit, translate),
        baseline=number(figure.baseline),
        change=change(figure.change_pct),
        target=target_text(figure),
        path=number(figure.path),
        status=verdict_text(figure, translate),
        coverage=share(figure.coverage),
        estimated=share(figure.estimated),
        basis=calculation_basis(figure, translate),
    )


class ForecastRow(msgspec.Struct, frozen=True):
    """Texts of what is expected at the end of a running year."""

    label: str
    expected: str
    unit: str
    band: str
    allowed: str
    to_save: str
    a_day: str


def forecast_row(figure: Figure, translate: Translate) -> ForecastRow:
    """Return the texts of a figure's forecast."""
    to_save = a_day = UNKNOWN
    if figure.to_save is not None and figure.to_save_unit is not None and figure.until is not None:
        days = (date(figure.until.year, 12, 31) - figure.until).days
        name = unit(figure.to_save_unit, translate)
        to_save = f"{number(figure.to_save)} {name}"
        a_day = f"{number(figure.to_save / days)} {name}" if days else UNKNOWN
    band = UNKNOWN
    if figure.forecast_least is not None and figure.forecast_greatest is not None:
        band = f"{number(figure.forecast_least)} – {number(figure.forecast_greatest)}"
    return ForecastRow(
        label=indicator_name(figure.indicator, translate),
        expected=number(figure.forecast),
        unit=unit(figure.unit, translate),
        band=band,
        allowed=number(figure.year_limit),
        to_save=to_save,
        a_day=a_day,
    )


def cap_share(figure: Figure) -> float | None:
    """Return the used share of a figure's cap; None if value or cap is unknown."""
    return None if figure.value is None or not figure.target else figure.value / figure.target


def target_text(figure: Figure) -> str:
    """Return the plan's target as text: a decrease as `> 7 %`, a cap as `≤ 80,000`."""
    if figure.target_pct is not None:
        operator = (figure.operator or "").replace(">=", "≥")
        return f"{operator} {percent(figure.target_pct)}".strip()
    if figure.target is not None:
        operator = (figure.operator or "").replace("<=", "≤")
        return f"{operator} {number(figure.target)}".strip()
    return UNKNOWN


def status_word(name: Status, translate: Translate) -> str:
    """Return the word of a verdict."""
    return {
        "met": translate("Met"),
        "on_track": translate("On track"),
        "at_risk": translate("At risk"),
        "missed": translate("Missed"),
        "doubtful": translate("Doubtful"),
        "insufficient_data": translate("Insufficient data"),
        "not_applicable": translate("Not applicable"),
        "no_target": translate("No target"),
    }[name]


def verdict_text(figure: Figure, translate: Translate) -> str:
    """Return the text of a figure's verdict; "No baseline" if the missing baseline is the cause."""
    if figure.status == "insufficient_data" and any(
        finding.code == "no_baseline" for finding in figure.findings
    ):
        return translate("No baseline")
    return status_word(figure.status, translate)


def period_text(figure: Figure, translate: Translate) -> str:
    """Return the period of a figure, with its last day and its base period if it is not over."""
    if figure.until is None:
        return figure.period
    if figure.baseline_period is None:
        return translate("{period}, until {until}").format(period=figure.period, until=figure.until)
    return translate("{period}, until {until}; base values of the same days of {baseline}").format(
        period=figure.period, until=figure.until, baseline=figure.baseline_period
    )


def indicator_name(name: str, translate: Translate) -> str:
    """Return an indicator's name; its id if no row has the id."""
    row = indicators.INDICATORS.get(name)
    return name if row is None else translate(row.en)


def indicator_definition(name: str, translate: Translate) -> str:
    """Return an indicator's definition; empty if no row has the id."""
    row = indicators.INDICATORS.get(name)
    return "" if row is None else translate(row.definition_en)


def medium_name(name: Medium, translate: Translate) -> str:
    """Return the word of a medium."""
    return {
        "electricity": translate("Electricity"),
        "water": translate("Water"),
        "gas": translate("Natural gas"),
        "heat": translate("Heat"),
    }[name]


def calculation_basis(figure: Figure, translate: Translate) -> str:
    """Return the names of a figure's coal equivalent convention and carbon factor series."""
    convention = {
        None: "",
        "equivalent": translate("equivalent value"),
        "coal_consumption": translate("coal consumption value"),
    }[figure.convention]
    return " · ".join(filter(None, (convention, factor_series_name(figure, translate)))) or UNKNOWN


def factor_series_name(figure: Figure, translate: Translate) -> str:
    """Return the name of the grid's carbon factor series; empty if the figure uses none."""
    return {
        None: "",
        "fixed": translate("base year's factor"),
        "current": translate("each year's factor"),
    }[figure.factor_series]


def findings_summary(figure: Figure, listed: FindingList, translate: Translate) -> str:
    """Return a text: how many findings a figure has, and number and weight of the largest one."""
    heaviest = listed.heaviest(figure)
    if heaviest is None:
        return UNKNOWN
    text = translate("{count}, largest: no. {number}").format(
        count=len(figure.findings), number=heaviest.number
    )
    weight = heaviest.finding.weight
    return text if weight is None else f"{text} ({share(weight)})"


def severity_word(name: Severity, translate: Translate) -> str:
    """Return the word of a finding's severity."""
    return {
        "info": translate("Note"),
        "warning": translate("Doubt"),
        "error": translate("Error"),
    }[name]
