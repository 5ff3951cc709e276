"""Board 采集端与台账: agents, buses, polls, clocks, and the counts of readings."""

from grafana.board_frame import BoardText, frame
from grafana.board_parts import fleet_panels as fleet
from grafana.board_site import BoardSite
from grafana.field_display import Json
from grafana.panel_layout import PanelRow
from grafana.variables import site_variable


def board(site: BoardSite) -> Json:
    """Return the JSON of the board."""
    tr = site.tr
    text = BoardText(
        tr("Edge fleet and account of readings"),
        tr("Agents, buses, polls, clocks, and a count of every reading"),
    )
    return frame(
        "edge-fleet", text, site, [site_variable(site)], _rows(site), begin="now-24h", refresh="30s"
    )


def _rows(site: BoardSite) -> list[PanelRow]:
    tr = site.tr
    return [
        PanelRow(5, (fleet.agents_online(site), fleet.clocks(site)), tr("Agents"), widths=(8, 16)),
        PanelRow(
            6,
            (fleet.ledger(site), fleet.receipts(site)),
            tr("Account of readings: read = stored + set aside + pending + dropped"),
        ),
        PanelRow(
            7,
            (fleet.pending(site), fleet.spool_age(site), fleet.unacknowledged(site)),
            tr("Transfer to the store"),
        ),
        PanelRow(10, (fleet.bus_load(site), fleet.polls_by_meter(site)), tr("Buses and polls")),
    ]
