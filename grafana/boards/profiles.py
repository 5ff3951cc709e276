"""Board 负荷特性: peaks, the usual week, nights and leaks, PUE of data rooms."""

from typing import Final

from grafana import colours
from grafana.board_frame import BoardText, frame, no_data_text, panel_text
from grafana.board_parts.profile_panels import (
    figure_columns,
    figures_by_month,
    nights,
    profile_tags,
    week,
)
from grafana.board_site import BoardSite
from grafana.field_display import FieldOverride, Json
from grafana.panel_layout import PanelRow
from grafana.panels import PanelText, bar_chart, table_panel
from grafana.queries import latest
from grafana.variables import month_variable, scope_variable, site_variable
from grafana.verdicts import name_values
from jieneng.metering import schema
from jieneng.metering.figures.profile_figures import PROFILE_FIGURES
from jieneng.metering.quantities import Medium

#: Media of which the board shows the week: those whose hourly consumption is also the load.
_WEEKS: Final[tuple[Medium, ...]] = ("electricity", "water", "gas")


def board(site: BoardSite) -> Json | None:
    """Return the JSON of the board; None for a site that meters neither electricity nor water."""
    if not {"electricity", "water"}.intersection(site.media):
        return None
    tr = site.tr
    text = BoardText(
        tr("Load profiles"), tr("Peaks, the usual week, nights and leaks, PUE of data rooms")
    )
    variables = [site_variable(site), scope_variable(site), month_variable(site)]
    return frame("profiles", text, site, variables, _rows(site), begin="now-60d", refresh="15m")


def _rows(site: BoardSite) -> list[PanelRow]:
    tr = site.tr
    weeks = [week(site, medium) for medium in _WEEKS if medium in site.media]
    rows = [
        PanelRow(9, tuple(weeks[:1]), tr("The last seven days and the usual week · ${scope:text}")),
        *([PanelRow(8, tuple(weeks[1:]))] if weeks[1:] else []),
    ]
    if "electricity" in site.media:
        months = (
            figures_by_month(site, "electricity", ("peak_demand",)),
            figures_by_month(site, "electricity", ("load_factor", "days_off_share")),
            figures_by_month(site, "electricity", ("night_base_load",)),
        )
        rows += [
            PanelRow(8, months, tr("Electricity by month · ${scope:text}")),
            PanelRow(8, (_scopes(site),), tr("Electricity of all scopes · $month")),
        ]
    row = tuple(nights(site, medium) for medium in ("electricity", "water") if medium in site.media)
    rows.append(PanelRow(8, row, tr("Nights · ${scope:text}")))
    if "water" in site.media:
        rows.append(PanelRow(8, (_leaks(site),), tr("Leak level of each water meter · $month")))
    rooms = tuple(_pue(site, area.id) for area in site.site.area if area.kind == "data_room")
    if rooms and "electricity" in site.media:
        rows.append(PanelRow(8, rooms, tr("PUE of data rooms")))
    return rows


def _scopes(site: BoardSite) -> Json:
    text = panel_text(
        site,
        "Peaks and base loads of the month",
        "Figures of the month to date. A figure without enough measured hours is not shown.",
        "There are no load profiles of this month yet. They are computed once a day.",
    )
    columns = figure_columns(
        site, "electricity", "peak_demand", "load_factor", "night_base_load", "days_off_share"
    )
    overrides = {
        "scope": FieldOverride(site.tr("Scope"), values=name_values(site.scopes)),
        **columns,
        schema.PEAK_MS: FieldOverride(site.tr("Time of the peak"), "dateTimeAsIso", width=170),
        schema.COVERAGE: FieldOverride(site.tr("Measured hours"), "percentunit", 1, width=110),
    }
    where = {**profile_tags("electricity"), "period": "$month"}
    del where["scope"]
    fields = (*columns, schema.PEAK_MS, schema.COVERAGE)
    query = latest(schema.PROFILE, fields, where, ("scope",))
    panel = table_panel(text, "locale", [query], overrides, sort=("peak_demand", True))
    return {**panel, "timeFrom": "10y", "hideTimeOverride": True}


def _leaks(site: BoardSite) -> Json:
    text = PanelText(
        site.tr("Leak level"),
        site.tr(PROFILE_FIGURES["leak_level"].definition_en),
        site.tr("No water meter of this month has measured nights."),
    )
    columns = figure_columns(site, "water", "leak_level", "leak_yearly", "night_base_load")
    overrides = {
        "scope": FieldOverride(site.tr("Meter"), values=name_values(site.meter_names("water"))),
        **columns,
    }
    where = {"site": "$site", "kind": "meter", "medium": "water", "period": "$month"}
    query = latest(schema.PROFILE, tuple(columns), where, ("scope",))
    panel = table_panel(text, site.unit("m3/h"), [query], overrides, sort=("leak_level", True))
    return {**panel, "timeFrom": "10y", "hideTimeOverride": True}


def _pue(site: BoardSite, room: str) -> Json:
    """Return a bar chart with the PUE of a data room by month."""
    row = PROFILE_FIGURES["pue"]
    name = site.names.get(room, room)
    text = PanelText(f"{site.tr(row.en)} · {name}", site.tr(row.definition_en), no_data_text(site))
    where = {**profile_tags("electricity"), "scope": room}
    overrides = {"pue": FieldOverride(site.tr(row.en), colour=colours.PURPLE, decimals=2)}
    query = latest(schema.PROFILE, ("pue",), where, ("period",))
    panel = bar_chart(text, site.unit("1"), query, overrides, "period")
    return {**panel, "timeFrom": "10y", "hideTimeOverride": True}
