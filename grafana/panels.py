"""Build panels in Grafana's classic JSON. All default options of panels are set here.

Laws: every panel has a title, a description, a unit and the UID of the data source. A panel without
data shows a sentence about it, and an unknown value is shown as "—". A verdict is shown as a word,
not only as a colour.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from grafana import colours, data_source
from grafana.field_display import (
    NO_THRESHOLDS,
    FieldOverride,
    Json,
    Overrides,
    Thresholds,
    override_json,
    thresholds_json,
)
from grafana.queries import Query

#: Width of Grafana's grid [columns].
GRID_COLUMNS: Final = 24
#: Least width of a column of values with a long unit, such as `kgCO₂/m²` [px], and the length from
#: which on a unit is long.
_LONG_UNIT_WIDTH: Final = 120
_LONG_UNIT: Final = len("suffix:m³/h")
#: Largest number of points of a time series; a panel can't show more.
MAX_POINTS: Final = 400


class PanelText(msgspec.Struct, frozen=True):
    """Texts of a panel.

    Attributes:
        title: heading.
        description: definition, shown at the mark beside the heading.
        no_data: sentence that is shown if the panel has no data.
    """

    title: str
    description: str
    no_data: str


def stat_panel(
    text: PanelText,
    unit: str,
    queries: Sequence[Query],
    overrides: Overrides,
    *,
    beside: bool = False,
) -> Json:
    """Return a panel with large values, one below the other; next to each other if `beside`.

    If a key of `overrides` begins with `/`, it is a regular expression for field names.
    """
    options = {
        "reduceOptions": {"values": False, "calcs": ["lastNotNull"], "fields": "/^(?!Time$)/"},
        "textMode": "value_and_name",
        "colorMode": "value",
        "graphMode": "none",
        "justifyMode": "auto",
        # Grafana's "vertical" means that the values stand next to each other.
        "orientation": "vertical" if beside else "horizontal",
        "text": {"titleSize": 14, "valueSize": 22},
        "wideLayout": not beside,
    }
    return _panel("stat", text, unit, queries, overrides, options)


def table_panel(
    text: PanelText,
    unit: str,
    queries: Sequence[Query],
    overrides: Overrides,
    *,
    sort: tuple[str, bool] | None = None,
) -> Json:
    """Return a table panel, with columns in the order of `overrides`.

    Args:
        text: texts of the panel.
        unit: unit of the columns that have none of their own.
        queries: queries with the format `table`.
        overrides: columns, by field. The time is shown if the key `Time` is given.
        sort: field by which rows are sorted, and True for descending order.
    """
    hidden = [name for name, override in overrides.items() if override.hidden]
    if "Time" not in overrides:
        hidden.append("Time")
    organize = {
        "id": "organize",
        "options": {
            "excludeByName": dict.fromkeys(hidden, True),
            "indexByName": {name: position for position, name in enumerate(overrides)},
        },
    }
    options: Json = {"showHeader": True, "cellHeight": "sm", "footer": {"show": False}}
    panel = _panel("table", text, unit, queries, overrides, options)
    order = [] if sort is None else [_sorted_by(*sort)]
    panel["transformations"] = [*order, organize]
    # A number that is cut on its left looks like another number.
    is_long = unit == "locale" or (unit.startswith("suffix:") and len(unit) > _LONG_UNIT)
    least = _LONG_UNIT_WIDTH if is_long else 80
    panel["fieldConfig"]["defaults"]["custom"] = {"minWidth": least, "align": "auto"}
    return panel


def bar_gauge(
    text: PanelText,
    unit: str,
    query: Query,
    overrides: Overrides,
    *,
    value: str,
    thresholds: Thresholds = ((None, colours.BLUE),),
) -> Json:
    """Return a panel with a bar for each row of a table, longest bar first.

    Args:
        text: texts of the panel.
        unit: unit of the bars.
        query: query with the format `table` and one tag, whose values name the bars.
        overrides: see `stat_panel`.
        value: field that the bars show.
        thresholds: colours of the bars, by value.
    """
    options = {
        "reduceOptions": {"values": True, "calcs": [], "fields": f"/^{value}$/", "limit": 60},
        "displayMode": "basic",
        "orientation": "horizontal",
        "valueMode": "text",
        "namePlacement": "left",
        "showUnfilled": False,
        "sizing": "auto",
        "minVizHeight": 18,
        "maxVizHeight": 28,
        "minVizWidth": 8,
        # Grafana reserves width for names at 12 px for bars of this height; larger names are cut.
        "text": {"titleSize": 12, "valueSize": 14},
    }
    panel = _panel("bargauge", text, unit, [query], overrides, options, thresholds)
    panel["fieldConfig"]["defaults"] |= {"min": 0, "color": {"mode": "thresholds"}}
    panel["transformations"] = [
        _sorted_by(value, True),
        {"id": "organize", "options": {"excludeByName": {"Time": True}}},
    ]
    return panel


def time_series_lines(
    text: PanelText,
    unit: str,
    queries: Sequence[Query],
    overrides: Overrides,
    *,
    thresholds: Thresholds = NO_THRESHOLDS,
    stepped: bool = False,
) -> Json:
    """Return a panel with fields over time as lines, interrupted at gaps.

    `thresholds` are drawn as dashed lines. If `stepped`, a value is drawn until the next one.
    """
    panel = _over_time(text, unit, queries, overrides, thresholds)
    panel["fieldConfig"]["defaults"]["custom"] = {
        "drawStyle": "line",
        "lineInterpolation": "stepAfter" if stepped else "linear",
        "lineWidth": 2,
        "fillOpacity": 0,
        "showPoints": "auto",
        "pointSize": 4,
        "spanNulls": False,
        "thresholdsStyle": {"mode": "off" if thresholds == NO_THRESHOLDS else "dashed"},
    }
    return panel


def time_series_bars(
    text: PanelText,
    unit: str,
    queries: Sequence[Query],
    overrides: Overrides,
    *,
    stacked: bool = False,
) -> Json:
    """Return a panel with stored amounts over time as bars, each from its interval's start on."""
    panel = _over_time(text, unit, queries, overrides, NO_THRESHOLDS)
    panel["fieldConfig"]["defaults"]["min"] = 0
    panel["fieldConfig"]["defaults"]["custom"] = {
        "drawStyle": "bars",
        "barAlignment": 1,
        "lineWidth": 0,
        "fillOpacity": 80,
        "showPoints": "never",
        "stacking": {"mode": "normal" if stacked else "none", "group": "A"},
    }
    return panel


def bar_chart(
    text: PanelText,
    unit: str,
    query: Query,
    overrides: Overrides,
    category: str,
    *,
    stacked: bool = False,
    order: str = "",
) -> Json:
    """Return a panel with bars for each row; the tag `category` labels the rows.

    If `stacked`, the bars of a row stand on top of each other. The field `order` sorts the rows.
    """
    options = {
        "xField": category,
        "stacking": "normal" if stacked else "none",
        "showValue": "never",
        "barWidth": 0.8,
        "groupWidth": 0.8,
        "xTickLabelSpacing": 40,
        **_LEGEND,
    }
    overrides = {category: FieldOverride(unit="string"), **overrides}
    hidden = dict.fromkeys(("Time", order) if order else ("Time",), True)
    panel = _panel("barchart", text, unit, [query], overrides, options)
    panel["fieldConfig"]["defaults"]["min"] = 0
    panel["fieldConfig"]["defaults"]["custom"] = {"fillOpacity": 80, "lineWidth": 0}
    panel["transformations"] = [
        *([_sorted_by(order, False)] if order else []),
        {"id": "organize", "options": {"excludeByName": hidden}},
    ]
    return panel


_LEGEND: Final = {
    "legend": {"showLegend": True, "displayMode": "list", "placement": "bottom", "calcs": []},
    "tooltip": {"mode": "multi", "sort": "none"},
}


def _sorted_by(field: str, descending: bool) -> Json:
    return {"id": "sortBy", "options": {"sort": [{"field": field, "desc": descending}]}}


def _over_time(
    text: PanelText,
    unit: str,
    queries: Sequence[Query],
    overrides: Overrides,
    thresholds: Thresholds,
) -> Json:
    panel = _panel("timeseries", text, unit, queries, overrides, _LEGEND, thresholds)
    panel["maxDataPoints"] = MAX_POINTS
    return panel


def _panel(
    kind: str,
    text: PanelText,
    unit: str,
    queries: Sequence[Query],
    overrides: Overrides,
    options: Json,
    thresholds: Thresholds = NO_THRESHOLDS,
) -> Json:
    return {
        "type": kind,
        "title": text.title,
        "description": text.description,
        "datasource": data_source.REFERENCE,
        "targets": [_target(ref, query) for ref, query in zip("ABCDEFGH", queries, strict=False)],
        "fieldConfig": {
            "defaults": {
                "unit": unit,
                "noValue": text.no_data,
                "color": {"mode": "palette-classic"},
                "mappings": [],
                "thresholds": thresholds_json(thresholds),
            },
            "overrides": [
                override_json(kind, name, override) for name, override in overrides.items()
            ],
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
