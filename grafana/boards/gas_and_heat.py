"""Board 用气用热: gas and heat by hour, day and month, and the temperatures of heat meters."""

from grafana.board_frame import BoardText, frame, panel_text
from grafana.board_parts.consumption_panels import by_day, by_hour
from grafana.board_parts.figure_panels import by_month
from grafana.board_site import BoardSite
from grafana.field_display import Json, named_series
from grafana.panel_layout import PanelRow
from grafana.panels import time_series_lines
from grafana.queries import one_of, time_series
from grafana.variables import scope_variable, site_variable, year_variable
from jieneng.metering.quantities import Medium


def board(site: BoardSite) -> Json | None:
    """Return the JSON of the board; None for a site that meters neither gas nor heat."""
    media: tuple[Medium, ...] = tuple(m for m in site.media if m in ("gas", "heat"))
    if not media:
        return None
    tr = site.tr
    text = BoardText(tr("Gas and heat"), tr("Gas and heat by hour, day and month; momentary flow"))
    variables = [site_variable(site), scope_variable(site), year_variable(site)]
    rows = _rows(site, media)
    return frame("gas-and-heat", text, site, variables, rows, begin="now-14d", refresh="5m")


def _rows(site: BoardSite, media: tuple[Medium, ...]) -> list[PanelRow]:
    tr = site.tr
    hours = {
        "gas": panel_text(
            site,
            "Gas by hour",
            "Gas consumption of each hour at standard conditions.",
            "Hourly values are kept for one month.",
        ),
        "heat": panel_text(
            site,
            "Heat by hour",
            "Heat consumption of each hour.",
            "Hourly values are kept for one month.",
        ),
    }
    rows = [
        PanelRow(
            8,
            tuple(by_hour(site, medium, hours[medium]) for medium in media),
            tr("Hours · ${scope:text}"),
        ),
        PanelRow(8, tuple(by_day(site, medium) for medium in media), tr("Days · ${scope:text}")),
        PanelRow(8, tuple(_flow(site, medium) for medium in media), tr("Momentary flow")),
    ]
    if "gas" in media:
        rows.append(PanelRow(8, (by_month(site, "gas"),), tr("Months · ${scope:text} · $period")))
    return rows


def _flow(site: BoardSite, medium: Medium) -> Json:
    meters = {
        meter.id: site.meter_names()[meter.id]
        for meter in site.meters(medium)
        if meter.parent is None or len(site.meters(medium)) <= 7
    }
    texts = {
        "gas": panel_text(
            site,
            "Flow of the gas meters",
            "Momentary flow at standard conditions, as the meter reports it.",
        ),
        "heat": panel_text(site, "Flow of the heat meters", "Momentary flow of the heating water."),
    }
    where = {"site": "$site", "meter": one_of(tuple(meters))}
    query = time_series(medium, ("flow_m3_h",), where, ("meter",), "$tag_meter")
    panel = time_series_lines(
        texts[medium], site.quantity_unit("flow_m3_h"), [query], named_series(meters)
    )
    return {**panel, "timeFrom": "24h", "hideTimeOverride": True}
