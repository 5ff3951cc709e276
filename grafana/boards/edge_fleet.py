"""Board 采集端与台账: agents, buses, polls, clocks, and the counts of readings."""

from grafana.board_frame import BoardText, frame
from grafana.board_parts import fleet_panels as fleet
from grafana.board_site import BoardSite
from grafana.field_display import Json
from grafana.panel_layout import PanelRow
from grafana.variables import site_variable


def board(of: BoardSite) -> Json:
    """Return the JSON of the board."""
    tr = of.tr
    text = BoardText(
        tr("Edge fleet and account of readings"),
        tr("Agents, buses, polls, clocks, and a count of every reading"),
    )
    return frame(
        "edge-fleet", text, of, [site_variable(of)], _rows(of), begin="now-24h", refresh="30s"
    )


def _rows(of: BoardSite) -> list[PanelRow]:
    tr = of.tr
    return [
        PanelRow(5, (fleet.agents_online(of), fleet.clocks(of)), tr("Agents"), widths=(8, 16)),
        PanelRow(
            6,
            (fleet.ledger(of), fleet.receipts(of)),
            tr("Account of readings: read = stored + set aside + pending + dropped"),
        ),
        PanelRow(
            7,
            (fleet.pending(of), fleet.spool_age(of), fleet.unacknowledged(of)),
            tr("Transfer to the store"),
        ),
        PanelRow(10, (fleet.bus_load(of), fleet.polls_by_meter(of)), tr("Buses and polls")),
    ]
