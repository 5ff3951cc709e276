"""Board 用水: consumption of water, and the flow at night, which reveals leaks."""

from grafana.board_frame import BoardText, board_link, frame, panel_text
from grafana.board_parts.consumption_panels import by_day, by_hour, least_hour
from grafana.board_parts.figure_panels import by_month, by_year, verdict
from grafana.board_site import BoardSite
from grafana.field_display import FieldOverride, Json
from grafana.panel_layout import PanelRow
from grafana.panels import table_panel
from grafana.queries import extremes
from grafana.variables import scope_variable, site_variable, year_variable
from grafana.verdicts import name_values
from jieneng.metering import schema


def board(site: BoardSite) -> Json | None:
    """Return the JSON of the board; None for a site that meters no water."""
    if "water" not in site.media:
        return None
    tr = site.tr
    text = BoardText(tr("Water use"), tr("Consumption, and the flow at night, which reveals leaks"))
    variables = [site_variable(site), scope_variable(site), year_variable(site)]
    return frame("water", text, site, variables, _rows(site), begin="now-14d", refresh="5m")


def _rows(site: BoardSite) -> list[PanelRow]:
    tr = site.tr
    night = panel_text(
        site,
        "Night flow",
        "Smallest hourly consumption of each local day. In a building that is empty at night,"
        " it should be near 0. If it rises and stays high, there is a leak.",
        "Hourly values are kept for one month.",
    )
    hours = panel_text(
        site,
        "Consumption by hour",
        "Consumption of the scope in each hour: its daily profile.",
        "Hourly values are kept for one month.",
    )
    year = {"timeFrom": "10y", "hideTimeOverride": True}
    return [
        PanelRow(
            8,
            (
                {**verdict(site, "water_per_capita"), **year},
                least_hour(site, "water", night),
                _night_by_meter(site),
            ),
            tr("Target and night flow · ${scope:text}"),
            widths=(5, 10, 9),
        ),
        PanelRow(
            8,
            (by_hour(site, "water", hours), by_day(site, "water")),
            tr("Hours and days · ${scope:text}"),
        ),
        PanelRow(
            8,
            (by_month(site, "water"), by_year(site, "water_per_capita")),
            tr("Months and years · ${scope:text} · $period"),
        ),
    ]


def _night_by_meter(site: BoardSite) -> Json:
    tr = site.tr
    overrides = {
        "scope": FieldOverride(
            tr("Meter"),
            values=name_values(site.meter_names("water")),
            link=(tr("Open this meter"), board_link("one-meter", "meter")),
        ),
        "least": FieldOverride(tr("Lowest hour"), decimals=3, width=120),
        "latest": FieldOverride(tr("Latest hour"), decimals=3, width=120),
    }
    query = extremes(
        schema.CONSUMPTION,
        (("min", "volume_m3", "least"), ("last", "volume_m3", "latest")),
        {"site": "$site", "kind": "meter", "medium": "water", "interval": "hour"},
        ("scope",),
    )
    text = panel_text(
        site,
        "Lowest hour of each meter",
        "Smallest consumption of the meter in any hour of the time range. If it is never"
        " near 0, there is a leak behind the meter, or a use of water by day and night.",
        "Hourly values are kept for one month.",
    )
    return table_panel(text, site.unit("m3"), [query], overrides, sort=("least", True))
