"""Panels that show stored consumption and its coverage, for several boards."""

from collections.abc import Mapping
from typing import Final, Literal

from grafana import colours
from grafana.board_frame import Words, no_data_text, panel_text
from grafana.board_site import BoardSite
from grafana.field_display import FieldOverride, Json, good_from
from grafana.panels import PanelText, time_series_bars, time_series_lines
from grafana.queries import daily_extremes, stored_points
from jieneng.metering import schema
from jieneng.metering.quantities import CONSUMPTION, Medium

Interval = Literal["15min", "hour", "day"]

#: Values of the tag `kind` for scopes that are not a meter, as a regular expression.
_NO_METER: Final = "/^(site|area|institution)$/"
SCOPE: Final = {"site": "$site", "scope": "$scope", "kind": _NO_METER}
METER: Final = {"site": "$site", "scope": "$meter", "kind": "meter"}

MEDIUM_COLOURS: Final[Mapping[Medium, str]] = {
    "electricity": colours.ORANGE,
    "water": colours.BLUE,
    "gas": colours.PURPLE,
    "heat": colours.VERMILION,
}


def amounts(
    site: BoardSite,
    media: tuple[Medium, ...],
    interval: Interval,
    where: Mapping[str, str],
    text: PanelText,
) -> Json:
    """Return a panel with a bar for the consumption of each stored interval.

    Args:
        site: the site and the language.
        media: media to show; a medium without stored consumption is not shown.
        interval: length of the stored intervals.
        where: tags of the series.
        text: texts of the panel.
    """
    queries = [
        stored_points(
            schema.CONSUMPTION,
            (CONSUMPTION[medium],),
            {**where, "medium": medium, "interval": interval},
        )
        for medium in media
    ]
    overrides = {
        CONSUMPTION[medium]: FieldOverride(
            site.tr("Consumption"),
            site.consumption_unit(medium),
            colour=MEDIUM_COLOURS[medium] if len(media) == 1 else colours.BLUE,
        )
        for medium in media
    }
    return time_series_bars(text, site.consumption_unit(media[0]), queries, overrides)


def by_day(site: BoardSite, medium: Medium) -> Json:
    """Return a panel with the daily consumption of the chosen scope."""
    note = site.tr("Sum of the differences of the meters' registers on each local day.")
    text = PanelText(site.tr(_MEDIA[medium].title), note, no_data_text(site))
    return amounts(site, (medium,), "day", SCOPE, text)


def by_hour(site: BoardSite, medium: Medium, text: PanelText) -> Json:
    """Return a panel with the hourly consumption of the chosen scope."""
    return amounts(site, (medium,), "hour", SCOPE, text)


def least_and_greatest_hour(site: BoardSite, medium: Medium, text: PanelText) -> Json:
    """Return a panel with the smallest and the largest hourly consumption of each day."""
    field = CONSUMPTION[medium]
    query = daily_extremes(
        schema.CONSUMPTION,
        (("max", field, "greatest"), ("min", field, "least")),
        {**SCOPE, "medium": medium, "interval": "hour"},
        site.timezone,
    )
    overrides = {
        "greatest": FieldOverride(site.tr("Highest hour"), colour=colours.VERMILION),
        "least": FieldOverride(site.tr("Lowest hour"), colour=colours.BLUE),
    }
    return time_series_lines(text, site.consumption_unit(medium), [query], overrides, stepped=True)


def least_hour(site: BoardSite, medium: Medium, text: PanelText) -> Json:
    """Return a panel with the smallest hourly consumption of each day, on a scale of its own."""
    query = daily_extremes(
        schema.CONSUMPTION,
        (("min", CONSUMPTION[medium], "least"),),
        {**SCOPE, "medium": medium, "interval": "hour"},
        site.timezone,
    )
    overrides = {"least": FieldOverride(site.tr("Lowest hour"), colour=colours.BLUE)}
    panel = time_series_lines(text, site.consumption_unit(medium), [query], overrides, stepped=True)
    panel["fieldConfig"]["defaults"]["min"] = 0
    return panel


def coverage_by_day(site: BoardSite, where: Mapping[str, str]) -> Json:
    """Return a panel with coverage and estimated share of each day."""
    query = stored_points(
        schema.CONSUMPTION,
        (schema.COVERAGE, schema.ESTIMATED),
        {**where, "interval": "day"},
        ("medium",),
        "$col $tag_medium",
    )
    overrides = {
        "/^coverage/": FieldOverride(site.tr("Coverage"), colour=colours.GREEN),
        "/^estimated/": FieldOverride(site.tr("Estimated"), colour=colours.ORANGE),
    }
    text = panel_text(
        site,
        "Coverage by day",
        "Coverage: share of the day in which readings were accepted without gaps."
        " Estimated: share of the consumption that was distributed over gaps. A year with"
        " a coverage below the dashed line gets no verdict. Today counts as a whole day, so its"
        " coverage rises until midnight.",
    )
    panel = time_series_lines(
        text,
        "percentunit",
        [query],
        overrides,
        thresholds=good_from(site.coverage_floor),
        stepped=True,
    )
    panel["fieldConfig"]["defaults"] |= {"min": 0, "max": 1}
    return panel


_MEDIA: Final[Mapping[Medium, Words]] = {
    "electricity": Words("Electricity by day"),
    "water": Words("Water by day"),
    "gas": Words("Gas by day"),
    "heat": Words("Heat by day"),
}
