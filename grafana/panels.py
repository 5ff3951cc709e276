"""Build panels in Grafana's classic JSON. All defaults of panels are here.

Laws: every panel has a title, a description, a unit and the UID of the data source, and shows
unknown values as "—". A verdict is a word, not only a colour.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from grafana import data_source
from grafana.queries import Query
from jieneng.locale import Translate

#: Part of Grafana's JSON.
Json = dict[str, Any]

#: Width of Grafana's grid [columns].
GRID_COLUMNS: Final = 24

_GREEN, _BLUE, _AMBER, _ORANGE, _GREY = "#1a9e75", "#3274d9", "#e0a010", "#d9480f", "#8e9499"
_PURPLE = "#b5579a"

#: Grafana's colour of text, in light and dark mode.
TEXT_COLOUR: Final = "text"

#: Colours of the verdicts, with the hues of the report's page.
_STATUS_COLOURS: Final = {
    "met": _GREEN,
    "on_track": _BLUE,
    "at_risk": _AMBER,
    "missed": _ORANGE,
    "doubtful": _PURPLE,
    "insufficient_data": _GREY,
    "not_applicable": _GREY,
    "no_target": _GREY,
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


def online_values(translate: Translate) -> dict[str, tuple[str, str]]:
    """Return text and colour of each value of an agent's field `online`."""
    return {"1": (translate("online"), _GREEN), "0": (translate("offline"), _ORANGE)}


class FieldOverride(msgspec.Struct, frozen=True):
    """Display options of a field, as differences from the panel's defaults.

    Attributes:
        title: display name; empty for the name of the series.
        unit: Grafana's id of a unit (`percent`, `suffix:m²`); None for the panel's unit.
        decimals: number of decimals; None to let Grafana choose.
        values: value mappings: text and colour by value.
        dashed: True for a thin dashed line, as for targets.
        colour: fixed colour; None for one of the palette.
    """

    title: str = ""
    unit: str | None = None
    decimals: int | None = None
    values: Mapping[str, tuple[str, str]] | None = None
    dashed: bool = False
    colour: str | None = None


def indicator_overrides(translate: Translate) -> dict[str, FieldOverride]:
    """Return the overrides of an indicator's fields, the same on every panel."""
    return {
        "value": FieldOverride(translate("Value"), colour=_BLUE),
        "baseline": FieldOverride(translate("Base value")),
        "change_pct": FieldOverride(translate("Change"), "percent", 2),
        "target": FieldOverride(translate("Target value"), dashed=True, colour=_ORANGE),
        "path": FieldOverride(translate("Glide path"), dashed=True, colour=_GREY),
        "status": FieldOverride(translate("Verdict"), values=status_values(translate)),
        "coverage": FieldOverride(translate("Coverage"), "percentunit", 1),
        "estimated": FieldOverride(translate("Estimated"), "percentunit", 1),
    }


def stat_panel(
    title: str, description: str, unit: str, query: Query, overrides: Mapping[str, FieldOverride]
) -> Json:
    """Return a panel with large values, one below the other.

    A key of `overrides` that begins with `/` is a regular expression of field names.
    """
    options = {
        "reduceOptions": {"values": False, "calcs": ["lastNotNull"], "fields": "/^(?!Time$)/"},
        "textMode": "value_and_name",
        "colorMode": "value",
        "graphMode": "none",
        "justifyMode": "auto",
        "orientation": "vertical",
    }
    return _panel("stat", title, description, unit, [query], overrides, options)


def table_panel(
    title: str, description: str, unit: str, query: Query, overrides: Mapping[str, FieldOverride]
) -> Json:
    """Return a table panel, with columns in the order of `overrides` and without the time."""
    organize = {
        "id": "organize",
        "options": {
            "excludeByName": {"Time": True},
            "indexByName": {name: position for position, name in enumerate(overrides)},
        },
    }
    options = {"showHeader": True, "cellHeight": "sm", "footer": {"show": False}}
    panel = _panel("table", title, description, unit, [query], overrides, options)
    panel["transformations"] = [organize]
    return panel


def time_series_lines(
    title: str,
    description: str,
    unit: str,
    queries: Sequence[Query],
    overrides: Mapping[str, FieldOverride],
) -> Json:
    """Return a panel with fields over time as lines, interrupted at gaps."""
    panel = _panel("timeseries", title, description, unit, queries, overrides, _LEGEND)
    panel["fieldConfig"]["defaults"]["custom"] = {
        "drawStyle": "line",
        "lineWidth": 2,
        "fillOpacity": 0,
        "showPoints": "auto",
        "spanNulls": False,
    }
    return panel


def time_series_bars(
    title: str,
    description: str,
    unit: str,
    queries: Sequence[Query],
    overrides: Mapping[str, FieldOverride],
) -> Json:
    """Return a panel with fields over time as bars from 0."""
    panel = _panel("timeseries", title, description, unit, queries, overrides, _LEGEND)
    panel["fieldConfig"]["defaults"]["min"] = 0
    panel["fieldConfig"]["defaults"]["custom"] = {
        "drawStyle": "bars",
        "lineWidth": 0,
        "fillOpacity": 80,
        "showPoints": "never",
    }
    return panel


def bar_chart(
    title: str,
    description: str,
    unit: str,
    query: Query,
    overrides: Mapping[str, FieldOverride],
    category: str,
) -> Json:
    """Return a panel with a bar for each row, named by the tag `category`."""
    options = {"xField": category, "showValue": "auto", "barWidth": 0.7, **_LEGEND}
    panel = _panel("barchart", title, description, unit, [query], overrides, options)
    panel["fieldConfig"]["defaults"]["min"] = 0
    panel["fieldConfig"]["defaults"]["custom"] = {"fillOpacity": 80, "lineWidth": 0}
    return panel


_LEGEND: Final = {
    "legend": {"showLegend": True, "displayMode": "list", "placement": "bottom", "calcs": []},
    "tooltip": {"mode": "multi", "sort": "none"},
}


def _panel(
    kind: str,
    title: str,
    description: str,
    unit: str,
    queries: Sequence[Query],
    overrides: Mapping[str, FieldOverride],
    options: Json,
) -> Json:
    return {
        "type": kind,
        "title": title,
        "description": description,
        "datasource": data_source.REFERENCE,
        "targets": [_target(ref, query) for ref, query in zip("ABCDEF", queries, strict=False)],
        "fieldConfig": {
            "defaults": {
                "unit": unit,
                "noValue": "—",
                "color": {"mode": "palette-classic"},
                "mappings": [],
                "thresholds": {"mode": "absolute", "steps": [{"color": "text", "value": None}]},
            },
            "overrides": [_override(kind, name, override) for name, override in overrides.items()],
        },
        "options": options,
    }


def _target(ref: str, query: Query) -> Json:
    return {
        "refId": ref,
        "datasource": data_source.REFERENCE,
        "rawQuery": True,
        "query": query.text,
        "resultFormat": "table" if query.table else "time_series",
        **({"alias": query.alias} if query.alias else {}),
    }


def _override(kind: str, name: str, override: FieldOverride) -> Json:
    """Return a field's differences from the panel's defaults, as Grafana's JSON."""
    properties: dict[str, object] = {
        "displayName": override.title or None,
        "unit": override.unit,
        "decimals": override.decimals,
        "color": override.colour and {"mode": "fixed", "fixedColor": override.colour},
        "mappings": override.values and [_mapping(override.values)],
    }
    if override.values and kind == "table":
        properties["custom.cellOptions"] = {"type": "color-text"}
    if override.dashed and kind == "timeseries":
        properties["custom.lineStyle"] = {"fill": "dash", "dash": [8, 6]}
        properties["custom.lineWidth"] = 1
    return {
        "matcher": {"id": "byRegexp" if name.startswith("/") else "byName", "options": name},
        "properties": [
            {"id": key, "value": value} for key, value in properties.items() if value is not None
        ],
    }


def _mapping(values: Mapping[str, tuple[str, str]]) -> Json:
    return {
        "type": "value",
        "options": {
            value: {"text": text, "color": colour, "index": index}
            for index, (value, (text, colour)) in enumerate(values.items())
        },
    }
