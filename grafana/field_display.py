"""Display options of a panel's fields, as Grafana's field overrides."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from grafana import colours
from grafana.board_site import BoardSite
from grafana.verdicts import Mappings, status_values

#: Part of Grafana's JSON.
Json = dict[str, Any]

#: Text shown for a single unknown value. A panel without any value shows a sentence instead.
UNKNOWN: Final = "—"

#: (value, colour) pairs: the colour is used from the value upwards. The first value is None.
Thresholds = tuple[tuple[float | None, str], ...]
#: Least width of a column of names [px]: on a phone the table is scrolled, and names stay whole.
_NAME_WIDTH: Final = 160
#: Value of the first step of an override. Grafana reads null as minus infinity in a panel's
#: defaults, but as 0 in an override.
_LOWEST: Final = -1e12
#: A spacer is neither in the legend nor in the tooltip.
_HIDDEN: Final[Json] = {"viz": False, "legend": True, "tooltip": True}
NO_THRESHOLDS: Final[Thresholds] = ((None, colours.TEXT),)


def good_from(limit: float) -> Thresholds:
    """Return the colours of a value that is good if it is at least `limit`."""
    return ((None, colours.VERMILION), (limit, colours.GREEN))


def bad_from(limit: float, *, worse: float | None = None) -> Thresholds:
    """Return the colours of a value that is bad if it is at least `limit`, and worse at `worse`."""
    steps = ((None, colours.GREEN), (limit, colours.ORANGE if worse else colours.VERMILION))
    return steps if worse is None else (*steps, (worse, colours.VERMILION))


class FieldOverride(msgspec.Struct, frozen=True):
    """Display options of a field, as differences from the panel's defaults.

    Attributes:
        title: display name; empty for the name of the series.
        unit: Grafana's id of a unit (`percent`, `suffix:m²`); None for the panel's unit.
        decimals: number of decimals; None to let Grafana choose.
        values: text and colour that are shown instead of a value, by value.
        dashed: True for a thin dashed line, for example for targets.
        colour: fixed colour; None for a colour of the palette.
        link: title and URL of a link; in the URL, `${__value.raw}` is the field's own value.
        thresholds: colours by value; None for the panel's thresholds.
        width: width of a table's column [px]; None to let Grafana choose.
        hidden: True if the column is not shown.
        as_line: True if the field is a line in a panel of bars.
        spacer: True if the field is an invisible part of a stacked bar, which lifts the parts above
            it.
        low, high: ends of the scale; None to let Grafana choose.
    """

    title: str = ""
    unit: str | None = None
    decimals: int | None = None
    values: Mappings | None = None
    dashed: bool = False
    colour: str | None = None
    link: tuple[str, str] | None = None
    thresholds: Thresholds | None = None
    width: int | None = None
    hidden: bool = False
    as_line: bool = False
    spacer: bool = False
    low: float | None = None
    high: float | None = None


Overrides = Mapping[str, FieldOverride]


def indicator_overrides(site: BoardSite) -> dict[str, FieldOverride]:
    """Return the overrides of an indicator's fields, the same on every panel."""
    tr = site.tr
    floor = good_from(site.coverage_floor)
    return {
        "value": FieldOverride(tr("Value"), colour=colours.BLUE),
        "baseline": FieldOverride(tr("Base value"), colour=colours.GREY),
        "change_pct": FieldOverride(tr("Change"), "percent", 2, colour=colours.TEXT, width=95),
        "target": FieldOverride(tr("Target value"), dashed=True, colour=colours.VERMILION),
        "path": FieldOverride(tr("Glide path"), dashed=True, colour=colours.ORANGE),
        "forecast": FieldOverride(tr("Expected"), colour=colours.BLUE),
        "forecast_least": FieldOverride(tr("At least, 9 of 10"), colour=colours.GREY),
        "forecast_greatest": FieldOverride(tr("At most, 9 of 10"), colour=colours.GREY),
        "year_limit": FieldOverride(tr("Allowed"), colour=colours.ORANGE),
        "status": FieldOverride(tr("Verdict"), values=status_values(tr), width=110),
        "coverage": FieldOverride(tr("Coverage"), "percentunit", 1, thresholds=floor, width=90),
        "estimated": FieldOverride(tr("Estimated"), "percentunit", 1, width=90),
    }


def named_series(names: Mapping[str, str]) -> dict[str, FieldOverride]:
    """Return overrides that give each series, which is named by an id, a name and a colour."""
    shades = colours.by_series(names)
    return {one: FieldOverride(name, colour=shades[one]) for one, name in names.items()}


def override_json(kind: str, name: str, override: FieldOverride) -> Json:
    """Return a field's differences from the panel's defaults, as Grafana's JSON.

    Args:
        kind: type of the panel.
        name: name of the field, or a regular expression that begins with `/`.
        override: the differences.
    """
    line = {
        "custom.drawStyle": "line" if override.as_line else None,
        "custom.fillOpacity": 0 if override.as_line else None,
        "custom.lineStyle": {"fill": "dash", "dash": [8, 6]} if override.dashed else None,
        "custom.lineWidth": 2 if override.dashed or override.as_line else None,
    }
    bar = {
        "custom.fillOpacity": 0 if override.spacer else None,
        "custom.hideFrom": _HIDDEN if override.spacer else None,
    }
    coloured = override.values or override.thresholds
    table = {
        "custom.cellOptions": {"type": "color-text"} if coloured else None,
        "custom.width": override.width,
        "custom.minWidth": _NAME_WIDTH if override.link and override.width is None else None,
    }
    of_kind: Mapping[str, Mapping[str, object]] = {
        "table": table,
        "timeseries": line,
        "barchart": bar,
    }
    properties: dict[str, object] = {
        "displayName": override.title or None,
        "unit": override.unit,
        "decimals": override.decimals,
        "min": override.low,
        "max": override.high,
        "noValue": UNKNOWN,
        "color": _colour(override),
        "thresholds": override.thresholds and thresholds_json(override.thresholds, _LOWEST),
        "mappings": override.values and [_mapping(override.values)],
        "links": override.link and [{"title": override.link[0], "url": override.link[1]}],
        **of_kind.get(kind, {}),
    }
    return {
        "matcher": {"id": "byRegexp" if name.startswith("/") else "byName", "options": name},
        "properties": [
            {"id": key, "value": value} for key, value in properties.items() if value is not None
        ],
    }


def thresholds_json(thresholds: Thresholds, lowest: float | None = None) -> Json:
    """Return thresholds as Grafana's JSON; `lowest` is the value of the first step."""
    steps = [
        {"color": colour, "value": lowest if value is None else value}
        for value, colour in thresholds
    ]
    return {"mode": "absolute", "steps": steps}


def _colour(override: FieldOverride) -> Json | None:
    if override.spacer:
        return {"mode": "fixed", "fixedColor": "transparent"}
    if override.colour:
        return {"mode": "fixed", "fixedColor": override.colour}
    return {"mode": "thresholds"} if override.thresholds else None


def _mapping(values: Mappings) -> Json:
    return {
        "type": "value",
        "options": {
            value: {"text": text, "color": colour, "index": index}
            for index, (value, (text, colour)) in enumerate(values.items())
        },
    }
