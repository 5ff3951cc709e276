"""Board 告警: current and past alerts, rules that fire often, and the state of the evaluation."""

from grafana.board_frame import BoardText, board_link, frame, uid
from grafana.board_parts import alert_panels as alerts
from grafana.board_site import BoardSite
from grafana.field_display import Json
from grafana.panel_layout import PanelRow
from grafana.variables import site_variable


def board(site: BoardSite) -> Json:
    """Return the JSON of the board."""
    tr = site.tr
    text = BoardText(
        tr("Alerts"),
        tr(
            "Current alerts and their start, past alerts, rules that fire often, and the state"
            " of the evaluation"
        ),
    )
    return frame(
        "alerts", text, site, [site_variable(site)], _rows(site), begin="now-7d", refresh="1m"
    )


def _rows(site: BoardSite) -> list[PanelRow]:
    tr = site.tr
    meter = (tr("Open this meter"), board_link("one-meter", "meter"))
    fleet = (tr("Open the edge fleet"), f"/d/{uid('edge-fleet')}")
    targets = (tr("Open the targets"), f"/d/{uid('targets-overview')}")
    return [
        PanelRow(
            5,
            (alerts.firing_by_severity(site), alerts.firing_over_time(site), alerts.rounds(site)),
            tr("Now"),
            widths=(6, 8, 10),
        ),
        PanelRow(
            8, (alerts.firing(site, "Alerts of meters", ("meter",), meter),), tr("Firing now")
        ),
        PanelRow(6, (alerts.firing(site, "Alerts of agents and buses", ("agent", "bus"), fleet),)),
        PanelRow(
            6,
            (
                alerts.firing(
                    site,
                    "Alerts of buildings and indicators",
                    ("area", "scope", "indicator"),
                    targets,
                ),
            ),
        ),
        PanelRow(
            8,
            (
                alerts.noisiest_rules(site),
                alerts.noisiest_meters(site),
            ),
            tr("Frequency of alerts, and time to recover"),
        ),
        PanelRow(9, (alerts.episodes(site),), tr("Alerts that are over")),
        PanelRow(6, (alerts.marks(site),)),
    ]
