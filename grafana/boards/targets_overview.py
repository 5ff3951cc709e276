"""Board 节能目标总览: targets, caps and glide paths of a scope, and its buildings."""

from grafana.board_frame import BoardText, board_link, frame
from grafana.board_parts.change_panels import comparisons, left_out_areas
from grafana.board_parts.consumption_panels import by_day
from grafana.board_parts.figure_panels import (
    all_indicators,
    by_month,
    by_year,
    cap,
    forecast,
    scope_tables,
    verdict,
)
from grafana.board_site import BoardSite
from grafana.field_display import Json
from grafana.panel_layout import PanelRow
from grafana.variables import scope_variable, site_variable, year_variable
from jieneng.metering.indicators import (
    BINDING_INDICATORS,
    CAPPED_INDICATORS,
    CONSUMPTION_INDICATORS,
)


def board(site: BoardSite) -> Json:
    """Return the JSON of the board."""
    tr = site.tr
    text = BoardText(
        tr("Targets at a glance"),
        tr("Binding indicators, caps, glide paths, consumption by month and day, buildings"),
    )
    variables = [site_variable(site), scope_variable(site), year_variable(site)]
    return frame(
        "targets-overview", text, site, variables, _rows(site), begin="now-90d", refresh="5m"
    )


def _rows(site: BoardSite) -> list[PanelRow]:
    tr = site.tr
    metered = [name for name in CONSUMPTION_INDICATORS if name in site.media]
    institution = (tr("Show this institution"), board_link("targets-overview", "scope"))
    building = (tr("Open this building"), board_link("buildings", "scope"))
    return [
        PanelRow(
            7,
            tuple(_of_year(verdict(site, name)) for name in BINDING_INDICATORS),
            tr("Binding targets · ${scope:text} · $period"),
        ),
        PanelRow(
            6,
            tuple(_of_year(forecast(site, name)) for name in BINDING_INDICATORS),
            tr("Expected at the end of $period · ${scope:text}"),
        ),
        PanelRow(
            8,
            scope_tables(site, "energy_per_floor_area", site.buildings, (building, institution)),
            tr("Buildings and institutions · $period"),
        ),
        PanelRow(
            6,
            tuple(_of_year(cap(site, name)) for name in CAPPED_INDICATORS),
            tr("Caps · ${scope:text} · $period"),
        ),
        PanelRow(
            8,
            tuple(by_year(site, name) for name in BINDING_INDICATORS),
            tr("Years against the glide path · ${scope:text}"),
        ),
        PanelRow(
            8,
            tuple(by_month(site, name) for name in metered),
            tr("Consumption by month · ${scope:text} · $period"),
        ),
        PanelRow(
            7,
            tuple(by_day(site, medium) for medium in site.media),
            tr("Consumption by day · ${scope:text}"),
        ),
        PanelRow(
            11, (_of_year(all_indicators(site)),), tr("All indicators · ${scope:text} · $period")
        ),
        PanelRow(
            9,
            (comparisons(site),),
            tr("Further comparisons, without a verdict · ${scope:text} · $period"),
        ),
        PanelRow(5, (left_out_areas(site),)),
    ]


def _of_year(panel: Json) -> Json:
    """Return the panel with a time range of ten years, so that it shows any chosen year."""
    return {**panel, "timeFrom": "10y", "hideTimeOverride": True}
