"""Board 告警: current and past alerts, rules that fire often, and the state of the evaluation."""

from grafana.board_frame import BoardText, board_link, frame, uid
from grafana.board_parts import alert_panels as alerts
from grafana.board_site import BoardSite
from grafana.field_display import Json
from grafana.panel_layout import PanelRow
from grafana.variables import site_variable


def board(of: BoardSite) -> Json:
    """Return the JSON of the board."""
    tr = of.tr
    text = BoardText(
        tr("Alerts"),
        tr(
            "Current alerts and their start, past alerts, rules that fire often, and the state"
            " of the evaluation"
        ),
    )
    return frame("alerts", text, of, [site_variable(of)], _rows(of), begin="now-7d", refresh="1m")


def _rows(of: BoardSite) -> list[PanelRow]:
    tr = of.tr
    meter = (tr("Open this meter"), board_link("one-meter", "meter"))
    fleet = (tr("Open the edge fleet"), f"/d/{uid('edge-fleet')}")
    targets = (tr("Open the targets"), f"/d/{uid('targets-overview')}")
    return [
        PanelRow(
            5,
            (alerts.firing_by_severity(of), alerts.firing_over_time(of), alerts.rounds(of)),
            tr("Now"),
            widths=(6, 8, 10),
        ),
        PanelRow(8, (alerts.firing(of, "Alerts of meters", ("meter",), meter),), tr("Firing now")),
        PanelRow(6, (alerts.firing(of, "Alerts of agents and buses", ("agent", "bus"), fleet),)),
        PanelRow(
            6,
            (
                alerts.firing(
                    of,
                    "Alerts of buildings and indicators",
                    ("area", "scope", "indicator"),
                    targets,
                ),
            ),
        ),
        PanelRow(
            8,
            (
                alerts.noisiest_rules(of),
                alerts.noisiest_meters(of),
            ),
            tr("Frequency of alerts, and time to recover"),
        ),
        PanelRow(9, (alerts.episodes(of),), tr("Alerts that are over")),
        PanelRow(6, (alerts.marks(of),)),
    ]
