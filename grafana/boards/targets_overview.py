"""Board 节能目标总览: targets, caps and glide paths of a scope, and the quality of its data."""

from typing import Final

from grafana.panel_layout import PanelRow, lay_out
from grafana.panels import (
    TEXT_COLOUR,
    FieldOverride,
    Json,
    bar_chart,
    indicator_overrides,
    online_values,
    stat_panel,
    table_panel,
    time_series_bars,
    time_series_lines,
)
from grafana.queries import Query, latest, time_series
from grafana.variables import YEAR_PATTERN, tag_variable
from jieneng.locale import Translate
from jieneng.locale.number_texts import unit
from jieneng.metering import indicators, quantities, schema
from jieneng.metering.indicators import (
    BINDING_INDICATORS,
    CAPPED_INDICATORS,
    CONSUMPTION_INDICATORS,
)
from jieneng.metering.quantities import QUANTITIES, Medium

UID: Final = "jieneng-targets-overview"

#: The media of which daily consumption is shown.
_MEDIA: Final[tuple[Medium, ...]] = ("electricity", "gas", "water")
_SCOPE: Final = {"site": "$site", "scope": "$scope"}
#: Series of the carbon factor that are compared with the target.
_TARGET_SERIES: Final = f"/^(fixed|{schema.NO_SERIES})$/"


def board(translate: Translate) -> Json:
    """Return the JSON of the board."""
    return {
        "uid": UID,
        "title": translate("Targets at a glance"),
        "description": translate(
            "Binding indicators, caps, glide paths, monthly consumption, account of readings"
        ),
        "tags": ["jieneng"],
        "schemaVersion": 39,
        "version": 1,
        "editable": False,
        "graphTooltip": 1,
        "timezone": "browser",
        "time": {"from": "now-6y", "to": "now"},
        "refresh": "1m",
        "annotations": {"list": []},
        "links": [],
        "templating": {"list": _variables(translate)},
        "panels": lay_out(_rows(translate)),
    }


def _variables(translate: Translate) -> list[Json]:
    return [
        tag_variable("site", translate("Site"), "site", {}),
        tag_variable("scope", translate("Scope"), "scope", {"site": "$site"}),
        tag_variable(
            "period", translate("Year"), "period", _SCOPE, pattern=YEAR_PATTERN, newest_first=True
        ),
    ]


def _rows(translate: Translate) -> list[PanelRow]:
    return [
        PanelRow(
            6,
            tuple(_verdict(name, translate) for name in BINDING_INDICATORS),
            translate("Binding targets ($scope, $period)"),
        ),
        PanelRow(9, (_all_indicators(translate),)),
        PanelRow(6, tuple(_cap(name, translate) for name in CAPPED_INDICATORS), translate("Caps")),
        PanelRow(
            8,
            tuple(_glide_path(name, translate) for name in BINDING_INDICATORS),
            translate("Glide path"),
        ),
        PanelRow(
            8,
            tuple(_by_month(name, translate) for name in CONSUMPTION_INDICATORS),
            translate("Consumption by month ($period)"),
        ),
        PanelRow(
            7, tuple(_by_day(name, translate) for name in _MEDIA), translate("Consumption by day")
        ),
        PanelRow(7, (_coverage(translate),), translate("Data quality")),
        PanelRow(
            7,
            (_ledger(translate), _pending(translate), _agents(translate)),
            translate("Account of readings: read = stored + set aside + pending + dropped"),
        ),
    ]


def _name(indicator: str, translate: Translate) -> str:
    return translate(indicators.INDICATORS[indicator].en)


def _definition(indicator: str, translate: Translate) -> str:
    return translate(indicators.INDICATORS[indicator].definition_en)


def _unit(indicator: str, translate: Translate) -> str:
    """Return an indicator's unit as Grafana writes it after the number."""
    return f"suffix:{unit(indicators.INDICATORS[indicator].unit, translate)}"


def _indicator_tags(name: str, period: str) -> dict[str, str]:
    return {**_SCOPE, "indicator": name, "period": period, "series": _TARGET_SERIES}


def _overrides(translate: Translate, *fields: str) -> dict[str, FieldOverride]:
    known = indicator_overrides(translate)
    return {field: known[field] for field in fields}


def _verdict(name: str, translate: Translate) -> Json:
    overrides = _overrides(translate, "value", "change_pct", "status", "coverage")
    query = latest(schema.INDICATOR, tuple(overrides), _indicator_tags(name, "$period"))
    note = translate(
        "Value so far this year, change against the base, verdict and coverage. Below the coverage"
        " floor there is no verdict."
    )
    description = f"{_definition(name, translate)} {note}"
    return stat_panel(_name(name, translate), description, _unit(name, translate), query, overrides)


def _all_indicators(translate: Translate) -> Json:
    fields = indicator_overrides(translate)
    names = {row.id: (translate(row.en), TEXT_COLOUR) for row in indicators.INDICATORS.values()}
    series = {
        "fixed": (translate("base year's factor"), TEXT_COLOUR),
        "current": (translate("each year's factor"), TEXT_COLOUR),
        schema.NO_SERIES: ("—", TEXT_COLOUR),
    }
    tags = {
        "indicator": FieldOverride(translate("Indicator"), values=names),
        "series": FieldOverride(translate("Carbon factor"), values=series),
    }
    query = latest(schema.INDICATOR, tuple(fields), {**_SCOPE, "period": "$period"}, tuple(tags))
    note = translate(
        "All indicators of the scope and year. Figures with the base year's factor are "
        "compared with the target; those with each year's factor are for the emission "
        "inventory."
    )
    definitions = [
        f"- {translate(row.en)} [{unit(row.unit, translate)}]: {translate(row.definition_en)}"
        for row in indicators.INDICATORS.values()
    ]
    description = "\n".join((note, "", *definitions))
    return table_panel(translate("All indicators"), description, "none", query, {**tags, **fields})


def _cap(name: str, translate: Translate) -> Json:
    overrides = _overrides(translate, "value", "target", "change_pct", "status")
    query = latest(schema.INDICATOR, tuple(overrides), _indicator_tags(name, "$period"))
    note = translate("Value so far this year and the plan's cap.")
    description = f"{_definition(name, translate)} {note}"
    return stat_panel(_name(name, translate), description, _unit(name, translate), query, overrides)


def _glide_path(name: str, translate: Translate) -> Json:
    overrides = _overrides(translate, "value", "path", "target")
    query = time_series(schema.INDICATOR, tuple(overrides), _indicator_tags(name, YEAR_PATTERN))
    description = translate(
        "Value of each year, the glide path in that year and the target at the end of the plan."
    )
    return time_series_lines(
        _name(name, translate), description, _unit(name, translate), [query], overrides
    )


def _by_month(name: str, translate: Translate) -> Json:
    overrides = {
        **_overrides(translate, "value"),
        "baseline": FieldOverride(translate("Same month of the base year")),
    }
    query = latest(
        schema.INDICATOR,
        tuple(overrides),
        {**_SCOPE, "indicator": name, "period": "/^$period-[0-9]{2}$/"},
        ("period",),
    )
    title = translate("{indicator} by month").format(indicator=_name(name, translate))
    description = translate(
        "Consumption in each month of the year, and in the same month of the base year."
    )
    return bar_chart(title, description, _unit(name, translate), query, overrides, "period")


def _by_day(medium: Medium, translate: Translate) -> Json:
    field = quantities.CONSUMPTION[medium]
    where = {
        **_SCOPE,
        "medium": medium,
        "interval": "day",
        "kind": "/^(site|area|institution)$/",
    }
    query = time_series(schema.CONSUMPTION, (field,), where)
    value = indicator_overrides(translate)["value"]
    title = translate("{indicator} by day").format(indicator=_name(medium, translate))
    description = translate(
        "Differences of the meters' registers. Choose a shorter time range to see single days."
    )
    unit_name = f"suffix:{unit(QUANTITIES[field].unit, translate)}"
    return time_series_bars(title, description, unit_name, [query], {field: value})


def _coverage(translate: Translate) -> Json:
    query = time_series(
        schema.INDICATOR,
        (schema.COVERAGE,),
        {**_SCOPE, "indicator": f"/^({'|'.join(CAPPED_INDICATORS)})$/", "period": YEAR_PATTERN},
        ("indicator",),
        "$tag_indicator",
    )
    overrides = {name: FieldOverride(_name(name, translate)) for name in CAPPED_INDICATORS}
    description = translate(
        "Share of meter time whose consumption is known. Below the coverage floor there is no "
        "verdict."
    )
    return time_series_lines(translate("Coverage"), description, "percentunit", [query], overrides)


def _ledger(translate: Translate) -> Json:
    fields = {
        "read": FieldOverride(translate("Read")),
        "stored": FieldOverride(translate("Stored")),
        "quarantined": FieldOverride(translate("Set aside")),
        "pending": FieldOverride(translate("Pending")),
        "dropped": FieldOverride(translate("Dropped")),
    }
    query = latest(schema.LEDGER, tuple(fields), {"site": "$site"}, ("agent",))
    overrides = {"agent": FieldOverride(translate("Agent")), **fields}
    description = translate("Number of readings since each agent was installed.")
    return table_panel(translate("Readings"), description, "locale", query, overrides)


def _pending(translate: Translate) -> Json:
    description = translate("Readings on the agent's disk that are not confirmed as stored.")
    query = _of_agents(schema.LEDGER, "pending")
    return time_series_lines(translate("Pending readings"), description, "locale", [query], {})


def _agents(translate: Translate) -> Json:
    return stat_panel(
        translate("Agents online"),
        translate("Connection of each agent to the message broker."),
        "none",
        _of_agents(schema.AGENT, "online"),
        {"/.*/": FieldOverride(values=online_values(translate))},
    )


def _of_agents(measurement: str, field: str) -> Query:
    return time_series(measurement, (field,), {"site": "$site"}, ("agent",), "$tag_agent")
