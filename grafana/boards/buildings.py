"""Board 楼宇与用能单位: figures of one building, its meters, and a ranking of all buildings."""

from collections.abc import Mapping
from typing import Final

from grafana.board_frame import BoardText, Words, board_link, frame, no_data_text, text_panel
from grafana.board_parts.consumption_panels import by_day
from grafana.board_parts.figure_panels import by_month, by_year, ranking, scope_tables, verdict
from grafana.board_site import BoardSite
from grafana.field_display import FieldOverride, Json
from grafana.panel_layout import PanelRow
from grafana.panels import PanelText, table_panel
from grafana.queries import extremes
from grafana.variables import scope_variable, site_variable, year_variable
from grafana.verdicts import name_values
from jieneng.metering import schema
from jieneng.metering.indicators import BINDING_INDICATORS, CONSUMPTION_INDICATORS
from jieneng.metering.quantities import CONSUMPTION, Medium


def board(site: BoardSite) -> Json:
    """Return the JSON of the board."""
    tr = site.tr
    text = BoardText(
        tr("Buildings and institutions"),
        tr("Figures of a building or institution, its meters, and a comparison with the others"),
    )
    variables = [site_variable(site), scope_variable(site), year_variable(site)]
    return frame("buildings", text, site, variables, _rows(site), begin="now-60d", refresh="5m")


def _rows(site: BoardSite) -> list[PanelRow]:
    tr = site.tr
    metered = [name for name in CONSUMPTION_INDICATORS if name in site.media]
    back = (tr("Targets of this scope"), board_link("targets-overview", "scope"))
    return [
        PanelRow(
            7,
            tuple(_of_year(verdict(site, name)) for name in BINDING_INDICATORS),
            tr("Binding targets · ${scope:text} · $period"),
        ),
        PanelRow(
            8,
            tuple(by_day(site, medium) for medium in site.media),
            tr("Consumption by day · ${scope:text}"),
        ),
        PanelRow(
            8,
            (
                *(by_month(site, name) for name in metered[:1]),
                by_year(site, "energy_per_floor_area"),
            ),
            tr("Months and years · ${scope:text} · $period"),
        ),
        PanelRow(
            7,
            tuple(ranking(site, name, site.buildings) for name in BINDING_INDICATORS),
            tr("Ranking of the buildings · $period"),
        ),
        PanelRow(
            8,
            scope_tables(site, "energy_per_capita", site.areas, (back, back)),
        ),
        PanelRow(
            9,
            tuple(_meters(site, medium) for medium in site.media[:2]),
            tr("Meters of all buildings"),
        ),
        PanelRow(8, (*(_meters(site, medium) for medium in site.media[2:]), *_members(site))),
    ]


def _of_year(panel: Json) -> Json:
    return {**panel, "timeFrom": "10y", "hideTimeOverride": True}


def _meters(site: BoardSite, medium: Medium) -> Json:
    """Return a table with the latest and the highest daily consumption of a medium's meters."""
    tr = site.tr
    field = CONSUMPTION[medium]
    overrides = {
        "scope": FieldOverride(
            tr("Meter"),
            values=name_values(site.meter_names(medium)),
            link=(tr("Open this meter"), board_link("one-meter", "meter")),
        ),
        "latest": FieldOverride(tr("Latest day"), width=100),
        "greatest": FieldOverride(tr("Highest day"), width=100),
    }
    query = extremes(
        schema.CONSUMPTION,
        (("last", field, "latest"), ("max", field, "greatest")),
        {"site": "$site", "kind": "meter", "medium": medium, "interval": "day"},
        ("scope",),
    )
    note = site.tr(
        "Consumption of each meter on the latest day, which may not be over yet, and on"
        " the day with the largest consumption. Select a name to open the meter."
    )
    text = PanelText(site.tr(_METERS[medium].title), note, no_data_text(site))
    return table_panel(
        text, site.consumption_unit(medium), [query], overrides, sort=("greatest", True)
    )


def _members(site: BoardSite) -> tuple[Json, ...]:
    """Return a panel that lists the buildings of each institution; none without institutions."""
    lines = [
        f"- **{institution.name}**: "
        + (" / ".join(area.name for area in site.site.area if institution.id in area.institutions))
        for institution in site.site.institution
    ]
    title = site.tr("Buildings of the institutions")
    return (text_panel(title, "\n".join(lines)),) if lines else ()


_METERS: Final[Mapping[Medium, Words]] = {
    "electricity": Words("Electricity meters"),
    "water": Words("Water meters"),
    "gas": Words("Gas meters"),
    "heat": Words("Heat meters"),
}
