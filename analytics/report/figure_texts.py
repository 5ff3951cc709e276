"""Figures as people read them: numbers with sensible digits, units, names, verdicts.

Law: what is unknown reads "—", never 0. A verdict is a word and a sign beside its colour.
Words are msgids that `translate` renders in the reader's language.
"""

from typing import Final

import msgspec

from analytics.figures.figure import Figure, Finding, Status
from jieneng.locale import Translate

UNKNOWN: Final = "—"
_MINUS: Final = "\N{MINUS SIGN}"
#: Before the code of a doubt that concerns the base period.
_OF_BASELINE: Final = "baseline_"
_SUPERSCRIPTS: Final = (("m2", "m²"), ("m3", "m³"), ("CO2", "CO₂"))
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
        unit=unit(figure.unit),
        baseline=number(figure.baseline),
        change=percent(figure.change_pct, signed=True),
        target=target(figure),
        path=number(figure.path),
        status=status(figure.status, translate),
        coverage=share(figure.coverage),
        estimated=share(figure.estimated),
        basis=basis(figure, translate),
    )


def number(value: float | None) -> str:
    """About four digits, thousands separated: `17.92`, `334.7`, `81,204`, `0.0451`."""
    if value is None:
        return UNKNOWN
    size = abs(value)
    if size >= 1000:
        text = f"{value:,.0f}"
    elif size >= 100:
        text = f"{value:,.1f}"
    elif size >= 1 or value == 0:
        text = f"{value:.2f}"
    else:
        text = f"{value:.3g}"
    return text.replace("-", _MINUS)


def register(value: float | None) -> str:
    """A meter's counter, with the digits that one sees moving."""
    return UNKNOWN if value is None else f"{value:,.2f}"


def percent(value: float | None, *, signed: bool = False) -> str:
    """A change [%]."""
    if value is None:
        return UNKNOWN
    return (f"{value:+.2f} %" if signed else f"{value:g} %").replace("-", _MINUS)


def share(value: float | None) -> str:
    """A share of 1 as percent. Cut, not rounded: 99.97 % of the readings are not all of them."""
    return UNKNOWN if value is None else f"{int(value * 1000 + 1e-9) / 10:.1f} %"


def used(figure: Figure) -> float | None:
    """The share of its cap that a figure has used up."""
    return None if figure.value is None or not figure.target else figure.value / figure.target


def unit(name: str) -> str:
    """`kgCO2/m2` as `kgCO₂/m²`."""
    for plain, pretty in _SUPERSCRIPTS:
        name = name.replace(plain, pretty)
    return name


def target(figure: Figure) -> str:
    """What the plan asks for: `> 7 %` less, or a cap `≤ 80,000`."""
    if figure.target_pct is not None:
        operator = (figure.operator or "").replace(">=", "≥")
        return f"{operator} {abs(figure.target_pct):g} %".strip()
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
    """An indicator's name; its id where it is none of ours."""
    return {
        "energy_per_floor_area": translate("Energy per floor area"),
        "energy_per_capita": translate("Energy per capita"),
        "water_per_capita": translate("Water per capita"),
        "carbon_per_floor_area": translate("Carbon per floor area"),
        "energy_total": translate("Total energy"),
        "water_total": translate("Total water"),
        "carbon_total": translate("Total carbon"),
        "electricity": translate("Electricity"),
        "gas": translate("Natural gas"),
        "water": translate("Water"),
        "heat": translate("Heat"),
    }.get(name, name)


def basis(figure: Figure, translate: Translate) -> str:
    """How electricity was made coal, and which of the grid's factors made it carbon."""
    convention = {
        None: "",
        "equivalent": translate("equivalent value"),
        "coal_consumption": translate("coal consumption value"),
    }[figure.convention]
    return " · ".join(filter(None, (convention, series(figure, translate)))) or UNKNOWN


def series(figure: Figure, translate: Translate) -> str:
    """Which of the grid's factors made electricity carbon; empty where none did."""
    return {
        None: "",
        "fixed": translate("base year's factor"),
        "current": translate("each year's factor"),
    }[figure.factor_series]


def finding(one: Finding, translate: Translate) -> str:
    """What is doubtful, in words; its code where it is none of ours."""
    code = one.code.removeprefix(_OF_BASELINE)
    text = {
        "gap": translate("Readings are missing"),
        "no_readings": translate("There are no readings"),
        "set_aside": translate("Readings were set aside that can't be right"),
        "counter_reset": translate("The register was set back"),
        "counter_rollover": translate("The register rolled over"),
        "negative_balance": translate("Sub-meters measured more than the meter above them"),
        "no_meter": translate("Nothing is metered"),
        "no_headcount": translate("The headcount is not known for every day"),
        "no_floor_area": translate("The floor area is not known for every day"),
        "shared_area": translate("The area is shared with other institutions"),
        "proxy_factor": translate("A later factor stands in for one that was never published"),
        "provisional_factor": translate("An earlier factor stands in for one still to come"),
        "not_begun": translate("No day of the period is over yet"),
    }.get(code, code.replace("_", " "))
    if code == one.code:
        return text
    return translate("Base period: {doubt}").format(doubt=text)
