"""Words and colours of stored values that are codes: verdicts, states, carbon factors."""

from collections.abc import Mapping
from typing import Final

from grafana.colours import BLUE_TEXT, GREEN, GREY, ORANGE, PURPLE, TEXT, VERMILION
from jieneng.locale import Translate
from jieneng.metering import indicators, schema
from jieneng.metering.quantities import Medium

#: Text and colour that are shown instead of a value, by value.
Mappings = Mapping[str, tuple[str, str]]

#: Colours of the verdicts, similar to those on the report's page.
_STATUS_COLOURS: Final = {
    "met": GREEN,
    "on_track": BLUE_TEXT,
    "at_risk": ORANGE,
    "missed": VERMILION,
    "doubtful": PURPLE,
    "insufficient_data": GREY,
    "not_applicable": GREY,
    "no_target": GREY,
}


def status_values(translate: Translate) -> dict[str, tuple[str, str]]:
    """Return text and colour of each verdict (`analytics.figures.figure.Status`)."""
    texts = {
        "met": f"✓ {translate('Met')}",
        "on_track": f"↘ {translate('On track')}",
        "at_risk": f"! {translate('At risk')}",
        "missed": f"✕ {translate('Missed')}",
        "doubtful": f"≈ {translate('Doubtful')}",
        "insufficient_data": f"? {translate('Insufficient data')}",
        "not_applicable": f"/ {translate('Not applicable')}",
        "no_target": f"– {translate('No target')}",
    }
    return {status: (word, _STATUS_COLOURS[status]) for status, word in texts.items()}


def level_values(translate: Translate) -> dict[str, tuple[str, str]]:
    """Return text and colour of each level (`analytics.figures.quotas.quota_results.Level`)."""
    return {
        "guide": (f"✓✓ {translate('Guide level reached')}", GREEN),
        "benchmark": (f"✓ {translate('Benchmark reached')}", GREEN),
        "constraint": (f"↘ {translate('Constraint kept')}", BLUE_TEXT),
        "above": (f"✕ {translate('Constraint exceeded')}", VERMILION),
        "doubtful": (f"≈ {translate('Doubtful')}", PURPLE),
        "insufficient_data": (f"? {translate('Insufficient data')}", GREY),
        "not_applicable": (f"/ {translate('Not applicable')}", GREY),
    }


def split_values(translate: Translate) -> Mappings:
    """Return text and colour of each state of a split carbon change."""
    return {
        "split": (f"✓ {translate('Split')}", GREEN),
        "no_baseline": (f"? {translate('No baseline')}", GREY),
        "insufficient_data": (f"? {translate('Insufficient data')}", GREY),
        "not_comparable": (f"/ {translate('Not comparable')}", GREY),
        "not_applicable": (f"/ {translate('Not applicable')}", GREY),
    }


def medium_names(translate: Translate) -> dict[Medium, str]:
    """Return the name of each medium."""
    return {
        "electricity": translate("Electricity"),
        "water": translate("Water"),
        "gas": translate("Natural gas"),
        "heat": translate("Heat"),
    }


def online_values(translate: Translate) -> Mappings:
    """Return text and colour of each value of an agent's field `online`."""
    return {
        "1": (f"● {translate('online')}", GREEN),
        "0": (f"✕ {translate('offline')}", VERMILION),
    }


def yes_values(yes: str, no: str) -> Mappings:
    """Return text and colour for a field with the values 1 (good) and 0 (bad)."""
    return {"1": (f"✓ {yes}", GREEN), "0": (f"✕ {no}", VERMILION)}


def factor_values(translate: Translate) -> Mappings:
    """Return the text of each series of the grid's carbon factor."""
    return {
        "fixed": (translate("base year's factor"), TEXT),
        "current": (translate("each year's factor"), TEXT),
        schema.NO_SERIES: ("—", TEXT),
    }


def indicator_names(translate: Translate) -> Mappings:
    """Return the name of each indicator."""
    return {row.id: (translate(row.en), TEXT) for row in indicators.INDICATORS.values()}


def name_values(names: Mapping[str, str]) -> Mappings:
    """Return the names that are shown instead of ids, in the colour of text."""
    return {one: (name, TEXT) for one, name in names.items()}
