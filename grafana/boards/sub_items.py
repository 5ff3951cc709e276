"""Board 分项与平衡: consumption by sub-item, and consumption that no sub-meter measures."""

from collections.abc import Mapping
from typing import Final

from grafana import colours
from grafana.board_frame import BoardText, Words, board_link, frame, panel_text, words_text
from grafana.board_site import BoardSite
from grafana.field_display import FieldOverride, Json, named_series
from grafana.panel_layout import PanelRow
from grafana.panels import PanelText, table_panel, time_series_bars, time_series_lines
from grafana.queries import extremes, one_of, stored_points
from grafana.variables import parent_variable, scope_variable, site_variable
from grafana.verdicts import name_values
from jieneng.metering import schema
from jieneng.metering.quantities import CONSUMPTION, Medium

_ITEM_NAMES: Final = {
    "lighting": Words("Lighting and sockets"),
    "hvac": Words("Air conditioning"),
    "power": Words("Power equipment"),
    "special": Words("Special consumption"),
}
_RESTS: Final[Mapping[Medium, Words]] = {
    "electricity": Words(
        "Electricity that no sub-meter measures",
        "Consumption of each electricity meter minus that of the meters directly below it.",
    ),
    "water": Words(
        "Water that no sub-meter measures",
        "Consumption of each water meter minus that of the meters directly below it. It"
        " includes leaks.",
    ),
    "gas": Words(
        "Gas that no sub-meter measures",
        "Consumption of each gas meter minus that of the meters directly below it.",
    ),
    "heat": Words(
        "Heat that no sub-meter measures",
        "Consumption of each heat meter minus that of the meters directly below it. It"
        " includes heat losses.",
    ),
}
_SCOPE_ITEMS: Final = {
    "site": "$site",
    "scope": "$scope",
    "kind": one_of([*_ITEM_NAMES, schema.NO_ITEM]),
    "medium": "electricity",
    "interval": "day",
}
_ALL_ITEMS: Final = {"site": "$site", "kind": "item", "medium": "electricity", "interval": "day"}
_EXTREMES: Final = (
    ("last", "energy_kwh", "latest"),
    ("max", "energy_kwh", "greatest"),
    ("min", "energy_kwh", "least"),
)
_METER: Final = {"site": "$site", "scope": "$parent", "interval": "day"}


def board(site: BoardSite) -> Json | None:
    """Return the JSON of the board; None for a site without sub-meters."""
    if not site.parents:
        return None
    tr = site.tr
    text = BoardText(
        tr("Sub-items and balance"),
        tr("Consumption by sub-item, and the part that no sub-meter measures"),
    )
    variables = [site_variable(site), scope_variable(site), parent_variable(site)]
    return frame("sub-items", text, site, variables, _rows(site), begin="now-30d", refresh="5m")


def _rows(site: BoardSite) -> list[PanelRow]:
    tr = site.tr
    media = [
        m for m in site.media if any(site.site.meters[one].medium == m for one in site.parents)
    ]
    rests = [_rests(site, medium) for medium in media]
    rows = [
        PanelRow(8, (_measured_and_rest(site),), tr("Balance of a meter · ${parent:text}")),
        *(
            PanelRow(8, tuple(rests[first : first + 2]), title)
            for first, title in (
                (0, tr("Consumption that no sub-meter measures, by meter")),
                (2, ""),
            )
            if rests[first : first + 2]
        ),
    ]
    if any(meter.item for meter in site.meters("electricity")):
        rows[:0] = [
            PanelRow(
                9,
                (_scope_items_by_day(site), _scope_items(site)),
                tr("Sub-items of electricity · ${scope:text}"),
                widths=(15, 9),
            ),
            PanelRow(
                9,
                (_items_by_day(site), _items(site)),
                tr("Sub-items of electricity, all meters of the site"),
                widths=(15, 9),
            ),
        ]
    return rows


def _item_names(site: BoardSite) -> dict[str, str]:
    return {item: site.tr(words.title) for item, words in _ITEM_NAMES.items()}


def _scope_item_names(site: BoardSite) -> dict[str, str]:
    return {**_item_names(site), schema.NO_ITEM: site.tr("Without a sub-item")}


def _scope_items_by_day(site: BoardSite) -> Json:
    text = panel_text(
        site,
        "Sub-items by day",
        "Consumption of the scope by sub-item, and the part without a sub-item. Together they are"
        " the consumption of the scope. If a meter of the part without a sub-item is unknown, this"
        " part is unknown.",
        "No meter of a sub-item in this scope has data in this time range.",
    )
    return _daily_bars(site, text, _SCOPE_ITEMS, "kind", _scope_item_names(site))


def _scope_items(site: BoardSite) -> Json:
    text = panel_text(
        site,
        "Daily consumption of the sub-items",
        "Consumption of the scope on the latest day, which may not be over yet, and on the days"
        " with the largest and the smallest consumption.",
        "No meter of a sub-item in this scope has data in this time range.",
    )
    return _extreme_days(site, text, _SCOPE_ITEMS, "kind", _scope_item_names(site))


def _items_by_day(site: BoardSite) -> Json:
    text = panel_text(
        site,
        "Sub-items by day",
        "Consumption of the meters of each sub-item. If a meter of another sub-item is"
        " below such a meter, its consumption is deducted, so that each kilowatt-hour is"
        " counted once.",
        "No meter of a sub-item has data in this time range.",
    )
    return _daily_bars(site, text, _ALL_ITEMS, "scope", _item_names(site))


def _items(site: BoardSite) -> Json:
    text = panel_text(
        site,
        "Daily consumption of the sub-items",
        "Consumption on the latest day, which may not be over yet, and on the days with"
        " the largest and the smallest consumption.",
        "No meter of a sub-item has data in this time range.",
    )
    return _extreme_days(site, text, _ALL_ITEMS, "scope", _item_names(site))


def _daily_bars(
    site: BoardSite, text: PanelText, where: Mapping[str, str], tag: str, names: Mapping[str, str]
) -> Json:
    """Return the panel of daily consumption by sub-item.

    Args:
        site: the site.
        text: texts of the panel.
        where: tags of the series.
        tag: the tag with the sub-item.
        names: names of the sub-items.
    """
    query = stored_points(schema.CONSUMPTION, ("energy_kwh",), where, (tag,), f"$tag_{tag}")
    return time_series_bars(text, site.unit("kWh"), [query], named_series(names), stacked=True)


def _extreme_days(
    site: BoardSite, text: PanelText, where: Mapping[str, str], tag: str, names: Mapping[str, str]
) -> Json:
    """Return the table of the latest, the highest and the lowest day of each sub-item.

    The arguments are those of `_daily_bars`.
    """
    tr = site.tr
    overrides = {
        tag: FieldOverride(tr("Sub-item"), values=name_values(names)),
        "latest": FieldOverride(tr("Latest day"), width=105),
        "greatest": FieldOverride(tr("Highest day"), width=105),
        "least": FieldOverride(tr("Lowest day"), width=105),
    }
    query = extremes(schema.CONSUMPTION, _EXTREMES, where, (tag,))
    return table_panel(text, site.unit("kWh"), [query], overrides, sort=("greatest", True))


def _measured_and_rest(site: BoardSite) -> Json:
    tr = site.tr
    text = panel_text(
        site,
        "Consumption of a meter, and the part that no sub-meter measures",
        "Daily consumption of the meter, and the rest: its consumption minus that of the"
        " meters directly below it. If the rest is below 0, a sub-meter, its ratio or its"
        " place in the meter tree is wrong. If the consumption of a sub-meter is unknown,"
        " the rest is unknown, too.",
    )
    lines = {}
    for medium in site.media:
        unit = site.consumption_unit(medium)
        lines[f"meter {medium}"] = FieldOverride(tr("Measured"), unit, colour=colours.BLUE)
        lines[f"rest {medium}"] = FieldOverride(tr("Rest"), unit, colour=colours.VERMILION)
    queries = [
        stored_points(
            schema.CONSUMPTION,
            (CONSUMPTION[medium],),
            {**_METER, "kind": "/^(meter|rest)$/", "medium": medium},
            ("kind", "medium"),
            "$tag_kind $tag_medium",
        )
        for medium in site.media
    ]
    return time_series_lines(text, "short", queries, lines, stepped=True)


def _rests(site: BoardSite, medium: Medium) -> Json:
    tr = site.tr
    field = CONSUMPTION[medium]
    names = {one: name for one, name in site.meter_names(medium).items() if one in site.parents}
    overrides = {
        "scope": FieldOverride(
            tr("Meter"),
            values=name_values(names),
            link=(tr("Show the balance of this meter"), board_link("sub-items", "parent")),
        ),
        "latest": FieldOverride(tr("Latest day"), decimals=1, width=105),
        "greatest": FieldOverride(tr("Highest day"), decimals=1, width=105),
        "least": FieldOverride(
            tr("Lowest day"), decimals=1, width=105, thresholds=NEGATIVE_IS_WRONG
        ),
    }
    query = extremes(
        schema.CONSUMPTION,
        (("last", field, "latest"), ("max", field, "greatest"), ("min", field, "least")),
        {"site": "$site", "kind": "rest", "medium": medium, "interval": "day"},
        ("scope",),
    )
    text = words_text(site, _RESTS[medium], "No meter of this medium has sub-meters with data.")
    return table_panel(
        text, site.consumption_unit(medium), [query], overrides, sort=("greatest", True)
    )


#: Colours of a rest: red below -0.05. Smaller deviations come from the registers' last digits.
NEGATIVE_IS_WRONG: Final = ((None, colours.VERMILION), (-0.05, colours.TEXT))
