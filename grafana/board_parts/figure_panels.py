"""Panels that show stored indicators, for several boards."""

from collections.abc import Mapping
from typing import Final, Literal

import msgspec

from grafana import colours
from grafana.board_frame import no_data_text
from grafana.board_site import BoardSite
from grafana.field_display import FieldOverride, Json, indicator_overrides
from grafana.panels import PanelText, bar_chart, bar_gauge, stat_panel, table_panel
from grafana.queries import latest, one_of
from grafana.variables import YEAR_PATTERN
from grafana.verdicts import name_values
from jieneng.locale.number_texts import unit
from jieneng.metering import indicators, schema

SCOPE: Final = {"site": "$site", "scope": "$scope"}
#: Carbon factor series with which a target is compared. Without this filter, each carbon indicator
#: would be shown twice: with the base year's factor and with each year's.
TARGET_SERIES: Final = f"/^(fixed|{schema.NO_SERIES})$/"


def _tags(name: str, period: str, series: str = TARGET_SERIES) -> dict[str, str]:
    return {**SCOPE, "indicator": name, "period": period, "series": series}


def _overrides(site: BoardSite, *fields: str) -> dict[str, FieldOverride]:
    known = indicator_overrides(site)
    return {field: known[field] for field in fields}


def _as_text(overrides: dict[str, FieldOverride]) -> dict[str, FieldOverride]:
    """Return overrides for numbers, in the colour of text. The colours of bars are too dark."""
    return {
        name: msgspec.structs.replace(override, colour=colours.TEXT if override.colour else None)
        for name, override in overrides.items()
    }


def _text(site: BoardSite, name: str, note: str) -> PanelText:
    return PanelText(
        site.indicator_name(name), f"{site.definition(name)} {note}", no_data_text(site)
    )


def verdict(site: BoardSite, name: str) -> Json:
    """Return a panel with value, change, verdict and coverage of an indicator in a year."""
    overrides = _as_text(_overrides(site, "value", "change_pct", "status", "coverage"))
    note = site.tr(
        "Value of this year to date, change from the base year, verdict and coverage. If"
        " the coverage is below its floor, there is no verdict."
    )
    query = latest(schema.INDICATOR, tuple(overrides), _tags(name, "$period"))
    return stat_panel(_text(site, name, note), site.indicator_unit(name), [query], overrides)


def cap(site: BoardSite, name: str) -> Json:
    """Return a panel with value, cap, change and verdict of a capped indicator in a year."""
    overrides = _as_text(_overrides(site, "value", "target", "change_pct", "status"))
    note = site.tr("Value of this year to date, and the plan's cap.")
    query = latest(schema.INDICATOR, tuple(overrides), _tags(name, "$period"))
    return stat_panel(
        _text(site, name, note),
        site.indicator_unit(name),
        [query],
        overrides,
    )


def forecast(site: BoardSite, name: str) -> Json:
    """Return a panel with what is expected of an indicator at the end of a running year."""
    overrides = _as_text(
        _overrides(site, "forecast", "forecast_least", "forecast_greatest", "year_limit")
    )
    note = site.tr(
        "Expected value of the whole year, from this year so far and the remaining days of last"
        " year; the band that contains 80 % of outcomes; and the value that the plan allows for the"
        " year. There is no forecast for a year that is over, or without data of the year before."
    )
    query = latest(schema.INDICATOR, tuple(overrides), _tags(name, "$period"))
    return stat_panel(_text(site, name, note), site.indicator_unit(name), [query], overrides)


def all_indicators(site: BoardSite) -> Json:
    """Return a table of all indicators of the chosen scope and year, without a second series."""
    names = {
        row.id: (f"{site.tr(row.en)} [{unit(row.unit, site.tr)}]", colours.TEXT)
        for row in indicators.INDICATORS.values()
    }
    fields = {
        name: override
        for name, override in indicator_overrides(site).items()
        if not name.startswith(("forecast", "year_"))
    }
    for name in ("value", "baseline", "target", "path"):
        fields[name] = msgspec.structs.replace(fields[name], decimals=1)
    tags = {"indicator": FieldOverride(site.tr("Indicator"), values=names, width=230)}
    where = {**SCOPE, "period": "$period", "series": TARGET_SERIES}
    definitions = [
        f"- {site.tr(row.en)} [{unit(row.unit, site.tr)}]: {site.tr(row.definition_en)}"
        for row in indicators.INDICATORS.values()
    ]
    note = site.tr(
        "All indicators of the scope and year. Carbon is computed with the base year's"
        " factor, as the target requires."
    )
    text = PanelText(
        site.tr("All indicators"),
        "\n".join((note, "", *definitions)),
        no_data_text(site),
    )
    query = latest(schema.INDICATOR, tuple(fields), where, tuple(tags))
    return table_panel(text, "locale", [query], {**tags, **fields})


def by_year(site: BoardSite, name: str, series: str = TARGET_SERIES) -> Json:
    """Return a bar chart with value, glide path and target of each year."""
    overrides = _overrides(site, "value", "path", "target")
    note = site.tr(
        "Value of each year, value of the glide path in that year, and target at the end"
        " of the plan."
    )
    query = latest(
        schema.INDICATOR, tuple(overrides), _tags(name, YEAR_PATTERN, series), ("period",)
    )
    panel = bar_chart(
        _text(site, name, note), site.indicator_unit(name), query, overrides, "period"
    )
    return {**panel, "timeFrom": "10y", "hideTimeOverride": True}


def by_month(site: BoardSite, name: str) -> Json:
    """Return a bar chart with each month of the chosen year and of the base year."""
    overrides = {
        **_overrides(site, "value"),
        "baseline": FieldOverride(site.tr("Same month of the base year"), colour=colours.GREY),
    }
    title = site.tr("{indicator} by month").format(indicator=site.indicator_name(name))
    note = site.tr("Value of each month of the year, and of the same month of the base year.")
    text = PanelText(title, f"{site.definition(name)} {note}", no_data_text(site))
    where = {**SCOPE, "indicator": name, "period": "/^$period-[0-9]{2}$/", "series": TARGET_SERIES}
    query = latest(schema.INDICATOR, tuple(overrides), where, ("period",))
    panel = bar_chart(text, site.indicator_unit(name), query, overrides, "period")
    return {**panel, "timeFrom": "10y", "hideTimeOverride": True}


def ranking(
    site: BoardSite,
    name: str,
    scopes: Mapping[str, str],
    *,
    by: Literal["value", "decrease_pct"] = "value",
) -> Json:
    """Return a panel with an indicator of several scopes in the chosen year, largest first.

    `by` is the field that is shown: the value, or the decrease since the base year.
    """
    overrides = {"scope": FieldOverride(values=name_values(scopes))}
    where = {
        "site": "$site",
        "scope": one_of(tuple(scopes)),
        "indicator": name,
        "period": "$period",
        "series": TARGET_SERIES,
    }
    note, unit_id = site.tr("Values of the year to date, largest first."), site.indicator_unit(name)
    if by == "decrease_pct":
        note, unit_id = site.tr("Decrease since the base year, of the same days."), "percent"
    query = latest(schema.INDICATOR, (by,), where, ("scope",))
    panel = bar_gauge(_text(site, name, note), unit_id, query, overrides, value=by)
    return {**panel, "timeFrom": "10y", "hideTimeOverride": True}


def scope_tables(
    site: BoardSite, name: str, areas: Mapping[str, str], links: tuple[tuple[str, str], ...]
) -> tuple[Json, ...]:
    """Return a table of the areas, and a table of the institutions if the site has any.

    Args:
        site: the site and the language.
        name: id of the indicator.
        areas: names of the areas by id.
        links: title and URL of the link on an area, and of the link on an institution.
    """
    tables = ((areas, site.tr("Building or area")), (site.institutions, site.tr("Institution")))
    return tuple(
        scope_table(site, name, scopes, heading, link)
        for (scopes, heading), link in zip(tables, links, strict=True)
        if scopes
    )


def scope_table(
    site: BoardSite, name: str, scopes: Mapping[str, str], heading: str, link: tuple[str, str]
) -> Json:
    """Return a table with value, change, verdict and coverage of an indicator by scope."""
    fields = _overrides(site, "value", "change_pct", "status", "coverage")
    overrides = {
        "scope": FieldOverride(heading, values=name_values(scopes), link=link, width=150),
        **fields,
    }
    where = {
        "site": "$site",
        "scope": one_of(tuple(scopes)),
        "indicator": name,
        "period": "$period",
        "series": TARGET_SERIES,
    }
    note = site.tr("Select a name to open its board.")
    text = PanelText(
        f"{site.indicator_name(name)} · {heading}",
        f"{site.definition(name)} {note}",
        no_data_text(site),
    )
    query = latest(schema.INDICATOR, tuple(fields), where, ("scope",))
    panel = table_panel(text, site.indicator_unit(name), [query], overrides)
    return {**panel, "timeFrom": "10y", "hideTimeOverride": True}
