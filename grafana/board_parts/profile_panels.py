"""Panels that show stored load profiles: the usual week, figures by month, nights."""

from collections.abc import Mapping
from typing import Final

from grafana import colours
from grafana.board_frame import Words, no_data_text, panel_text
from grafana.board_parts.consumption_panels import MEDIUM_COLOURS, SCOPE
from grafana.board_site import BoardSite
from grafana.field_display import FieldOverride, Json
from grafana.panels import PanelText, bar_chart, time_series_lines
from grafana.queries import latest, stored_points, time_series
from jieneng.metering import schema
from jieneng.metering.figures.profile_figures import LOAD_UNITS, PROFILE_FIGURES
from jieneng.metering.quantities import CONSUMPTION, Medium

_COLOURS: Final = (colours.BLUE, colours.ORANGE)
_WEEKS: Final[Mapping[Medium, Words]] = {
    "electricity": Words("Electrical load and its usual week"),
    "water": Words("Water flow and its usual week"),
    "gas": Words("Gas flow and its usual week"),
    "heat": Words("Heat load and its usual week"),
}
_NIGHTS: Final[Mapping[Medium, Words]] = {
    "electricity": Words("Smallest load of each night"),
    "water": Words("Smallest flow of each night, and leak level"),
    "gas": Words("Smallest gas flow of each night"),
    "heat": Words("Smallest heat load of each night"),
}


def profile_tags(medium: Medium) -> dict[str, str]:
    """Return the tags of the load profile of the chosen scope."""
    return {**SCOPE, "medium": medium}


def figure_columns(site: BoardSite, medium: Medium, *names: str) -> dict[str, FieldOverride]:
    """Return the display options of figures as columns of a table."""
    return {
        name: FieldOverride(
            site.tr(PROFILE_FIGURES[name].en), _unit(site, medium, name), decimals=2, width=150
        )
        for name in names
    }


def week(site: BoardSite, medium: Medium) -> Json:
    """Return a panel with the load of the last seven days, and its usual band."""
    text = PanelText(
        site.tr(_WEEKS[medium].title),
        site.tr(
            "Load of each hour, and the loads that are usual in this hour of the week: the median"
            " of the last eight weeks, and the band that contains 80 % of the values. Public"
            " holidays"
            " are left out."
        ),
        site.tr("An hour of the week needs three measured values in the last eight weeks."),
    )
    amount = CONSUMPTION[medium]
    overrides = {
        amount: FieldOverride(site.tr("Measured"), colour=MEDIUM_COLOURS[medium]),
        "median": FieldOverride(site.tr("Usual"), colour=colours.GREEN),
        "low": FieldOverride(site.tr("Usual, lower end"), dashed=True, colour=colours.GREY),
        "high": FieldOverride(site.tr("Usual, upper end"), dashed=True, colour=colours.GREY),
    }
    tags = profile_tags(medium)
    queries = [
        stored_points(schema.CONSUMPTION, (amount,), {**tags, "interval": "hour"}),
        time_series(schema.WEEK_PROFILE, ("median", "low", "high"), tags),
    ]
    panel = time_series_lines(text, site.unit(LOAD_UNITS[medium]), queries, overrides, stepped=True)
    return {**panel, "timeFrom": "7d", "hideTimeOverride": True}


def figures_by_month(site: BoardSite, medium: Medium, names: tuple[str, ...]) -> Json:
    """Return a bar chart with figures of the chosen scope, by month."""
    rows = [PROFILE_FIGURES[name] for name in names]
    text = PanelText(
        " · ".join(site.tr(row.en) for row in rows),
        "\n\n".join(site.tr(row.definition_en) for row in rows),
        no_data_text(site),
    )
    overrides = {
        row.id: FieldOverride(site.tr(row.en), colour=colour)
        for row, colour in zip(rows, _COLOURS, strict=False)
    }
    query = latest(schema.PROFILE, names, profile_tags(medium), ("period",))
    panel = bar_chart(text, _unit(site, medium, names[0]), query, overrides, "period")
    return {**panel, "timeFrom": "10y", "hideTimeOverride": True}


def nights(site: BoardSite, medium: Medium) -> Json:
    """Return a panel with the smallest load of each night; of water, also the leak level."""
    text = panel_text(
        site,
        _NIGHTS[medium].title,
        "Mean load of the hour of the night with the smallest load. The leak level of water is the"
        " 20th percentile of the last seven nights: if it is above 0, water runs in every night.",
    )
    fields = ("least", "leak_level") if medium == "water" else ("least",)
    overrides = {
        "least": FieldOverride(
            site.tr("Smallest hour of the night"), colour=MEDIUM_COLOURS[medium]
        ),
        "leak_level": FieldOverride(site.tr("Leak level"), colour=colours.VERMILION),
    }
    query = stored_points(schema.NIGHT, fields, profile_tags(medium))
    shown = {name: overrides[name] for name in fields}
    unit = site.unit(LOAD_UNITS[medium])
    panel = time_series_lines(text, unit, [query], shown, stepped=True)
    panel["fieldConfig"]["defaults"]["min"] = 0
    return panel


def _unit(site: BoardSite, medium: Medium, name: str) -> str:
    """Return Grafana's id of the unit of a figure."""
    row = PROFILE_FIGURES[name]
    return "percentunit" if row.is_share else site.unit(row.unit_of(medium))
