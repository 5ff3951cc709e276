"""Panels as Grafana's classic JSON. The only place where their defaults stand.

Law: every panel has a title, a description, a unit and the data source's uid, and shows what is
unknown as "—". A verdict is a word beside its colour.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from grafana import data_source
from grafana.queries import Query
from jieneng.locale import Translate

#: A piece of Grafana's JSON.
Json = dict[str, Any]

#: Width of Grafana's grid [columns].
GRID_COLUMNS: Final = 24

_GREEN, _BLUE, _AMBER, _ORANGE, _GREY = "#1a9e75", "#3274d9", "#e0a010", "#d9480f", "#8e9499"

#: Grafana's own colour of text, light or dark.
TEXT_COLOUR: Final = "text"

#: Colours by verdict, the same hues as on the report's page.
_STATUS_COLOURS: Final = {
    "met": _GREEN,
    "on_track": _BLUE,
    "at_risk": _AMBER,
    "missed": _ORANGE,
    "insufficient_data": _GREY,
    "no_target": _GREY,
}


def status_values(translate: Translate) -> dict[str, tuple[str, str]]:
    """Return text and colour of each value of `analytics.figures.figure.Status`."""
    values = {
        "met": f"✓ {translate('Met')}",
        "on_track": f"↘ {translate('On track')}",
        "at_risk": f"! {translate('At risk')}",
        "missed": f"✕ {translate('Missed')}",
        "insufficient_data": f"? {translate('Insufficient data')}",
        "no_target": f"– {translate('No target')}",
    }
    return {status: (word, _STATUS_COLOURS[status]) for status, word in values.items()}


def online_values(translate: Translate) -> dict[str, tuple[str, str]]:
    """Return text and colour of an agent's `online` field."""
    return {"1": (translate("online"), _GREEN), "0": (translate("offline"), _ORANGE)}


class FieldOverride(msgspec.Struct, frozen=True):
    """Display of a field on a panel.

    Attributes:
        title: its name for people; empty: the series' own.
        unit: Grafana's id of a unit (`percent`, `suffix:m²`); None: the panel's.
        decimals: None: as many as sensible.
        values: text and colour by value.
        dashed: drawn as a thin dashed line: what is wanted, not what is.
        colour: fixed, where it is to be the same on every panel.
    """

    title: str = ""
    unit: str | None = None
    decimals: int | None = None
    values: Mapping[str, tuple[str, str]] | None = None
    dashed: bool = False
    colour: str | None = None


def indicator_overrides(translate: Translate) -> dict[str, FieldOverride]:
    """Return the overrides of an indicator's fields, as every panel shows them."""
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
    """Large values one below the other. A column `/.*/` means the fields whose names match."""
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
    """Rows, the overrides in the order given, the time hidden."""
    organize = {
        "id": "organize",
        "options": {
            "excludeByName": {"Time": True},
            "indexByName": {name: place for place, name in enumerate(overrides)},
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
    """Fields over time, as lines; a gap stays a gap."""
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
    """Fields over time, as bars from 0."""
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
    """A bar for each row, named by a tag."""
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
            "overrides": [_override(kind, name, column) for name, column in overrides.items()],
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


def _override(kind: str, name: str, column: FieldOverride) -> Json:
    """Return a field's differences from the panel's defaults, as Grafana's JSON."""
    wanted: dict[str, object] = {
        "displayName": column.title or None,
        "unit": column.unit,
        "decimals": column.decimals,
        "color": column.colour and {"mode": "fixed", "fixedColor": column.colour},
        "mappings": column.values and [_mapping(column.values)],
    }
    if column.values and kind == "table":
        wanted["custom.cellOptions"] = {"type": "color-text"}
    if column.dashed and kind == "timeseries":
        wanted["custom.lineStyle"] = {"fill": "dash", "dash": [8, 6]}
        wanted["custom.lineWidth"] = 1
    return {
        "matcher": {"id": "byRegexp" if name.startswith("/") else "byName", "options": name},
        "properties": [
            {"id": key, "value": value} for key, value in wanted.items() if value is not None
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
